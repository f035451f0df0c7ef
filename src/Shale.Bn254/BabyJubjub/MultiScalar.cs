using Shale.Bn254.Fields;

namespace Shale.Bn254.BabyJubjub;

/// <summary>Σ scalar_i·P_i for public scalars.</summary>
internal static class MultiScalar
{
    private const int WnafWidth = 5;
    private const int WnafTable = 1 << (WnafWidth - 2);

    /// <summary>The odd multiples P, 3P … 15P that <see cref="Multiply"/> wants.</summary>
    public static AffineCachedPoint[] OddMultiples(in ExtendedPoint point)
    {
        var multiples = new ExtendedPoint[WnafTable];
        CachedPoint twice = point.Double().ToCached();
        multiples[0] = point;
        for (int i = 1; i < multiples.Length; i++)
        {
            multiples[i] = multiples[i - 1].Add(twice);
        }

        return FixedBase.ToAffineCached(multiples);
    }

    /// <summary>scalar·P by the non-adjacent form of width 5.</summary>
    public static ExtendedPoint Multiply(ReadOnlySpan<AffineCachedPoint> oddMultiples, in BabyJubjubScalar scalar)
    {
        Span<sbyte> digits = stackalloc sbyte[256];
        int length = ToWnaf(scalar.ToCanonicalLimbs(), digits);
        ExtendedPoint result = ExtendedPoint.Identity;
        for (int i = length - 1; i >= 0; i--)
        {
            result = result.Double();
            int digit = digits[i];
            if (digit > 0)
            {
                result = result.Add(oddMultiples[digit >> 1]);
            }
            else if (digit < 0)
            {
                result = result.Add(oddMultiples[(-digit) >> 1].Negate());
            }
        }

        return result;
    }

    /// <summary>
    /// Pippenger's buckets. <paramref name="scalars"/> are plain integers below 2^<paramref name="bits"/>, one per point; the buckets are
    /// the caller's, and grow where they are too few.
    /// </summary>
    public static ExtendedPoint Sum(ReadOnlySpan<AffineCachedPoint> points, ReadOnlySpan<Limbs4> scalars, int bits, ref ExtendedPoint[] space)
    {
        int window = points.Length switch
        {
            < 8 => 3,
            < 32 => 4,
            < 128 => 5,
            < 400 => 6,
            < 1000 => 7,
            < 3000 => 8,
            _ => 10,
        };
        int count = (1 << window) - 1;
        if (space.Length < count)
        {
            space = new ExtendedPoint[count];
        }

        Span<ExtendedPoint> buckets = space.AsSpan(0, count);
        ExtendedPoint result = ExtendedPoint.Identity;
        for (int low = (bits - 1) / window * window; low >= 0; low -= window)
        {
            for (int i = 0; i < window; i++)
            {
                result = result.Double();
            }

            buckets.Fill(ExtendedPoint.Identity);
            for (int i = 0; i < points.Length; i++)
            {
                int digit = Bits(scalars[i], low, window);
                if (digit != 0)
                {
                    buckets[digit - 1] = buckets[digit - 1].Add(points[i]);
                }
            }

            ExtendedPoint running = ExtendedPoint.Identity, sum = ExtendedPoint.Identity;
            for (int i = buckets.Length - 1; i >= 0; i--)
            {
                running = running.Add(buckets[i]);
                sum = sum.Add(running);
            }

            result = result.Add(sum);
        }

        return result;
    }

    private static int Bits(in Limbs4 value, int low, int count)
    {
        (ulong limb, ulong next) = (low >> 6) switch
        {
            0 => (value.L0, value.L1),
            1 => (value.L1, value.L2),
            2 => (value.L2, value.L3),
            _ => (value.L3, 0UL),
        };
        int shift = low & 63;
        ulong word = shift == 0 ? limb : (limb >> shift) | (next << (64 - shift));
        return (int)word & ((1 << count) - 1);
    }

    /// <summary>Digits that are 0 or odd in −15..15, least significant first; returns how many are in use.</summary>
    private static int ToWnaf(in Limbs4 value, Span<sbyte> digits)
    {
        digits.Clear();
        int carry = 0, length = 0;
        for (int i = 0; i < 256;)
        {
            int bit = Bits(value, i, 1);
            if (bit == carry)
            {
                i++;
                continue;
            }

            int word = Bits(value, i, Math.Min(WnafWidth, 256 - i)) + carry;
            carry = (word >> (WnafWidth - 1)) & 1;
            digits[i] = (sbyte)(word - (carry << WnafWidth));
            length = i + 1;
            i += WnafWidth;
        }

        return length;
    }
}
