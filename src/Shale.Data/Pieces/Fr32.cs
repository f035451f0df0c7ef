using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace Shale.Data.Pieces;

/// <summary>
/// Fr32 padding (https://spec.filecoin.io/#section-systems.filecoin_files.piece): 127 bytes are four groups of 254 bits, each
/// of which becomes 32 bytes whose two highest bits are zero, so that they are a number below the field's modulus.
/// </summary>
public static class Fr32
{
    /// <summary>Bytes before padding.</summary>
    public const int QuadIn = 127;

    /// <summary>Bytes after padding.</summary>
    public const int QuadOut = 128;

    private const ulong Low62 = ulong.MaxValue >> 2;

    /// <summary>Pads whole quads.</summary>
    /// <param name="source">A multiple of 127 bytes.</param>
    /// <param name="destination">128 bytes for each 127; must not overlap the source.</param>
    public static void Pad(ReadOnlySpan<byte> source, Span<byte> destination)
    {
        var quads = source.Length / QuadIn;
        if (source.Length != quads * QuadIn || destination.Length < quads * QuadOut)
        {
            throw new ArgumentException("Fr32 pads 127 bytes to 128", nameof(source));
        }

        for (var i = 0; i < quads; i++)
        {
            PadQuad(source.Slice(i * QuadIn, QuadIn), destination.Slice(i * QuadOut, QuadOut));
        }
    }

    /// <summary>Takes the padding of whole quads away.</summary>
    /// <param name="source">A multiple of 128 bytes.</param>
    /// <param name="destination">127 bytes for each 128.</param>
    /// <returns>None, or <see cref="DataFault.PieceSize"/> where bits are set that padding leaves zero.</returns>
    public static DataError TryUnpad(ReadOnlySpan<byte> source, Span<byte> destination)
    {
        if (source.Length % QuadOut != 0 || destination.Length < source.Length / QuadOut * QuadIn)
        {
            return new DataError(DataFault.PieceSize, $"{source.Length} bytes are not whole groups of 128");
        }

        for (int i = 0, o = 0; i < source.Length; i += QuadOut, o += QuadIn)
        {
            for (var group = 0; group < 4; group++)
            {
                if ((source[i + (32 * group) + 31] & 0xc0) != 0)
                {
                    return new DataError(DataFault.PieceSize, "the two highest bits of a group are not zero", i + (32 * group) + 31);
                }
            }

            // Bit 254 g of the output is bit 256 g of the input: the groups move down by two bits more each.
            for (var at = 0; at < QuadIn; at++)
            {
                var group = (8 * at) / 254;
                var bit = (8 * at) + (2 * group);
                var low = source[i + (bit >> 3)] >> (bit & 7);
                var value = (bit & 7) == 0 ? low : low | (source[i + (bit >> 3) + 1] << (8 - (bit & 7)));
                var left = (254 * (group + 1)) - (8 * at);
                if (left < 8)
                {
                    value = (value & ((1 << left) - 1)) | (source[i + (32 * (group + 1))] << left);
                }

                destination[o + at] = (byte)value;
            }
        }

        return DataError.None;
    }

    private static void PadQuad(ReadOnlySpan<byte> s, Span<byte> d)
    {
        Write(d, 0, Read(s, 0));
        Write(d, 8, Read(s, 8));
        Write(d, 16, Read(s, 16));
        Write(d, 24, Read(s, 24) & Low62);
        Group(s[31..], d[32..], 6);
        Group(s[63..], d[64..], 4);
        Write(d, 96, (Read(s, 95) >> 2) | (Read(s, 103) << 62));
        Write(d, 104, (Read(s, 103) >> 2) | (Read(s, 111) << 62));
        Write(d, 112, (Read(s, 111) >> 2) | (Read(s, 119) << 62));
        Write(d, 120, Read(s, 119) >> 2);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Group(ReadOnlySpan<byte> s, Span<byte> d, int shift)
    {
        Write(d, 0, (Read(s, 0) >> shift) | (Read(s, 8) << (64 - shift)));
        Write(d, 8, (Read(s, 8) >> shift) | (Read(s, 16) << (64 - shift)));
        Write(d, 16, (Read(s, 16) >> shift) | (Read(s, 24) << (64 - shift)));
        Write(d, 24, ((Read(s, 24) >> shift) | (Read(s, 32) << (64 - shift))) & Low62);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Read(ReadOnlySpan<byte> s, int at) => BinaryPrimitives.ReadUInt64LittleEndian(s[at..]);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Write(Span<byte> d, int at, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(d[at..], value);
}
