using Shale.Data.Car;
using Shale.Data.Cids;

namespace Shale.Fuzz.Data;

/// <summary>CARs, header and sections: never an exception, and never more bytes than the input has.</summary>
public sealed class CarTarget : IFuzzTarget
{
    /// <inheritdoc/>
    public string Name => "car";

    /// <inheritdoc/>
    public IEnumerable<byte[]> Seeds
    {
        get
        {
            var raw = Cid.OfBlock(1, Codec.Raw, "hello"u8);
            var header = CarHeader.Encode([raw, Cid.OfBlock(0, Codec.DagPb, [])]);
            byte[] section = [(byte)(raw.Bytes.Length + 5), .. raw.Bytes, .. "hello"u8];
            byte[] car = [.. header, .. section, .. section];
            var v2 = new byte[CarV2Header.Length];
            new CarV2Header(true, v2.Length, car.Length, v2.Length + car.Length).Write(v2);
            return [header, car, [.. v2, .. car]];
        }
    }

    /// <inheritdoc/>
    public void Run(ReadOnlySpan<byte> input)
    {
        using var stream = new MemoryStream(input.ToArray());
        if (CarReader.TryOpen(stream, zeroPadded: true, out var reader).IsError)
        {
            return;
        }

        long total = 0;
        while (reader!.TryRead(out var block, out _))
        {
            total += block.Data.Length + block.Cid.Bytes.Length;
        }

        if (total > input.Length)
        {
            throw new InvalidOperationException($"{total} bytes came out of {input.Length}");
        }
    }
}
