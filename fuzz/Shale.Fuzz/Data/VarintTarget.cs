using Shale.Data.Cids;

namespace Shale.Fuzz.Data;

/// <summary>Varints: what is accepted writes back the same bytes.</summary>
public sealed class VarintTarget : IFuzzTarget
{
    /// <inheritdoc/>
    public string Name => "varint";

    /// <inheritdoc/>
    public IEnumerable<byte[]> Seeds => [[0], [0x7f], [0x80, 1], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]];

    /// <inheritdoc/>
    public void Run(ReadOnlySpan<byte> input)
    {
        if (Varint.TryRead(input, out var value, out var consumed).IsError)
        {
            return;
        }

        Span<byte> written = stackalloc byte[Varint.MaxLength];
        var length = Varint.Write(value, written);
        if (length != consumed || length != Varint.Length(value) || !written[..length].SequenceEqual(input[..consumed]))
        {
            throw new InvalidOperationException($"{value} is written in {length} bytes and was read from {consumed}");
        }
    }
}
