using Shale.Data.Car;
using Shale.Data.Cids;

namespace Shale.Fuzz.Data;

/// <summary>The map in a CAR's header: what is accepted as version 1 with its keys in order encodes to the same bytes.</summary>
public sealed class CarHeaderTarget : IFuzzTarget
{
    /// <inheritdoc/>
    public string Name => "car-header";

    /// <inheritdoc/>
    public IEnumerable<byte[]> Seeds =>
        [CarHeader.Encode([])[1..], CarHeader.Encode([Cid.OfBlock(1, Codec.Raw, [])])[1..], CarHeader.Encode([Cid.OfBlock(0, Codec.DagPb, []), Cid.OfBlock(1, Codec.DagCbor, [])])[1..]];

    /// <inheritdoc/>
    public void Run(ReadOnlySpan<byte> input)
    {
        if (CarHeader.TryDecode(input, out var version, out var roots).IsError || version != 1 || input[2] != (byte)'r')
        {
            return;
        }

        var encoded = CarHeader.Encode(roots);
        if (!encoded.AsSpan(encoded.Length - input.Length).SequenceEqual(input))
        {
            throw new InvalidOperationException("the header encodes to other bytes");
        }
    }
}
