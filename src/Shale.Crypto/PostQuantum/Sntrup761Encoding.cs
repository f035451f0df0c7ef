using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace Shale.Crypto.PostQuantum;

/// <summary>
/// The encodings of the Streamlined NTRU Prime submission (section 4.5 of its specification): a sequence of integers below given moduli is merged pairwise into one,
/// bytes falling off while a modulus is 2^14 or more. The moduli are public and equal but for the last, so two are kept a level.
/// </summary>
internal static class Sntrup761Encoding
{
    internal const int RqSize = 1158;
    internal const int RoundedSize = 1007;
    internal const int SmallSize = 191;

    private const int P = Sntrup761Ring.P;
    private const int RoundedModulus = (Sntrup761Ring.Q + 2) / 3;
    private const int Limit = 16384;

    internal static void EncodeRq(ReadOnlySpan<short> f, Span<byte> bytes)
    {
        Span<uint> values = stackalloc uint[P];
        for (var i = 0; i < P; i++)
        {
            values[i] = (uint)(f[i] + Sntrup761Ring.HalfQ);
        }

        Encode(values, Sntrup761Ring.Q, bytes[..RqSize]);
    }

    internal static void DecodeRq(ReadOnlySpan<byte> bytes, Span<short> f)
    {
        Span<uint> values = stackalloc uint[P];
        Decode(bytes[..RqSize], Sntrup761Ring.Q, values);
        for (var i = 0; i < P; i++)
        {
            f[i] = (short)((int)values[i] - Sntrup761Ring.HalfQ);
        }
    }

    /// <summary>Coefficients that are multiples of 3.</summary>
    internal static void EncodeRounded(ReadOnlySpan<short> f, Span<byte> bytes)
    {
        Span<uint> values = stackalloc uint[P];
        for (var i = 0; i < P; i++)
        {
            // Division by 3.
            values[i] = (uint)(((f[i] + Sntrup761Ring.HalfQ) * 10923) >> 15);
        }

        Encode(values, RoundedModulus, bytes[..RoundedSize]);
        values.Clear();
    }

    internal static void DecodeRounded(ReadOnlySpan<byte> bytes, Span<short> f)
    {
        Span<uint> values = stackalloc uint[P];
        Decode(bytes[..RoundedSize], RoundedModulus, values);
        for (var i = 0; i < P; i++)
        {
            f[i] = (short)(((int)values[i] * 3) - Sntrup761Ring.HalfQ);
        }
    }

    /// <summary>Coefficients in {-1, 0, 1}, four a byte.</summary>
    internal static void EncodeSmall(ReadOnlySpan<short> f, Span<byte> bytes)
    {
        for (var i = 0; i < SmallSize - 1; i++)
        {
            var four = f.Slice(4 * i, 4);
            bytes[i] = (byte)((four[0] + 1) | ((four[1] + 1) << 2) | ((four[2] + 1) << 4) | ((four[3] + 1) << 6));
        }

        bytes[SmallSize - 1] = (byte)(f[P - 1] + 1);
    }

    internal static void DecodeSmall(ReadOnlySpan<byte> bytes, Span<short> f)
    {
        for (var i = 0; i < SmallSize - 1; i++)
        {
            for (var j = 0; j < 4; j++)
            {
                f[(4 * i) + j] = (short)(((bytes[i] >> (2 * j)) & 3) - 1);
            }
        }

        f[P - 1] = (short)((bytes[SmallSize - 1] & 3) - 1);
    }

    /// <summary>values are below the modulus; they are overwritten.</summary>
    private static void Encode(Span<uint> values, uint modulus, Span<byte> output)
    {
        var last = modulus;
        var at = 0;
        while (values.Length > 1)
        {
            var pairs = values.Length / 2;
            uint merged = 0, mergedLast = 0;
            for (var i = 0; i < pairs; i++)
            {
                var r = values[2 * i] + (values[(2 * i) + 1] * modulus);
                var m = modulus * (2 * i + 2 == values.Length ? last : modulus);
                while (m >= Limit)
                {
                    output[at++] = (byte)r;
                    r >>= 8;
                    m = (m + 255) >> 8;
                }

                values[i] = r;
                mergedLast = m;
                merged = i == 0 ? m : merged;
            }

            if (values.Length % 2 == 1)
            {
                values[pairs] = values[^1];
                mergedLast = last;
            }

            values = values[..((values.Length + 1) / 2)];
            (modulus, last) = (merged, mergedLast);
        }

        for (var m = last; m > 1; m = (m + 255) >> 8)
        {
            output[at++] = (byte)values[0];
            values[0] >>= 8;
        }
    }

    private static void Decode(ReadOnlySpan<byte> input, uint modulus, Span<uint> values)
    {
        // The same levels, first downwards to learn the moduli and which bytes belong to which pair, then upwards.
        Span<uint> moduli = stackalloc uint[16], lasts = stackalloc uint[16];
        Span<int> lengths = stackalloc int[16], offsets = stackalloc int[16];
        int level = 0, at = 0;
        moduli[0] = lasts[0] = modulus;
        lengths[0] = values.Length;
        while (lengths[level] > 1)
        {
            offsets[level] = at;
            var (n, m, last) = (lengths[level], moduli[level], lasts[level]);
            var even = n % 2 == 0;
            var (bytes, next) = Shrink(m * m);
            var (lastBytes, nextLast) = even ? Shrink(m * last) : (0, last);
            at += ((n / 2) - 1) * bytes + (even ? lastBytes : bytes);
            level++;
            lengths[level] = (n + 1) / 2;
            moduli[level] = n / 2 == 1 && even ? nextLast : next;
            lasts[level] = nextLast;
        }

        uint top = 0;
        var shift = 0;
        for (var m = lasts[level]; m > 1; m = (m + 255) >> 8, shift += 8)
        {
            top |= (uint)input[at++] << shift;
        }

        values[0] = Modulo(top, lasts[level], out _);
        while (level-- > 0)
        {
            var (n, m, last) = (lengths[level], moduli[level], lasts[level]);
            var even = n % 2 == 0;
            var (bytes, _) = Shrink(m * m);
            var (lastBytes, _) = even ? Shrink(m * last) : (0, 0u);
            if (!even)
            {
                values[n - 1] = values[n / 2];
            }

            // From the end, because the values grow in place.
            for (var i = (n / 2) - 1; i >= 0; i--)
            {
                var final = even && i == (n / 2) - 1;
                var count = final ? lastBytes : bytes;
                var from = offsets[level] + (i * bytes);
                var r = count switch
                {
                    0 => values[i],
                    1 => input[from] + (values[i] << 8),
                    _ => BinaryPrimitives.ReadUInt16LittleEndian(input[from..]) + (values[i] << 16),
                };
                values[2 * i] = Modulo(r, m, out var quotient);
                values[(2 * i) + 1] = Modulo(quotient, final ? last : m, out _);
            }
        }
    }

    private static (int Bytes, uint Modulus) Shrink(uint m)
    {
        var bytes = 0;
        for (; m >= Limit; m = (m + 255) >> 8)
        {
            bytes++;
        }

        return (bytes, m);
    }

    // The division is by a public modulus; the dividend may be secret, and the processor's division takes a time that depends on it.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Modulo(uint x, uint m, out uint quotient)
    {
        var reciprocal = (uint)(0x1_0000_0000UL / m);
        quotient = (uint)(((ulong)x * reciprocal) >> 32);
        var rest = x - (quotient * m);

        // The estimate is short by one at most.
        var more = (uint)((int)(m - 1 - rest) >> 31);
        quotient -= more;
        return rest - (m & more);
    }
}
