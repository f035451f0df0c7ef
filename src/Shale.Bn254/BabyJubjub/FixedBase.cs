using Shale.Bn254.Fields;

namespace Shale.Bn254.BabyJubjub;

/// <summary>
/// Multiples of Base8 from a table of j·16^i·Base8, j = 1..8: a scalar becomes 64 signed digits, so a multiplication is 64
/// additions and no doubling. Made on first use: 512 points, 48 KiB.
/// </summary>
internal static class FixedBase
{
    private const int Digits = 64;
    private const int PointsPerDigit = 8;

    private static readonly AffineCachedPoint[] Table = BuildTable();

    /// <summary>scalar·Base8 with the same instructions and memory accesses for every scalar.</summary>
    public static ExtendedPoint MultiplyFixedTime(in BabyJubjubScalar scalar)
    {
        Span<sbyte> digits = stackalloc sbyte[Digits];
        Recode(scalar, digits);
        ExtendedPoint result = ExtendedPoint.Identity;
        for (int i = 0; i < Digits; i++)
        {
            result = result.Add(SelectFixedTime(i, digits[i]));
        }

        digits.Clear();
        return result;
    }

    /// <summary>scalar·Base8 for public scalars.</summary>
    public static ExtendedPoint Multiply(in BabyJubjubScalar scalar)
    {
        Span<sbyte> digits = stackalloc sbyte[Digits];
        Recode(scalar, digits);
        ExtendedPoint result = ExtendedPoint.Identity;
        for (int i = 0; i < Digits; i++)
        {
            int digit = digits[i];
            if (digit > 0)
            {
                result = result.Add(Table[(i * PointsPerDigit) + digit - 1]);
            }
            else if (digit < 0)
            {
                result = result.Add(Table[(i * PointsPerDigit) - digit - 1].Negate());
            }
        }

        return result;
    }

    /// <summary>Σ digit_i·16^i with digits in −8..7 (the last up to 8: l is below 2^251).</summary>
    private static void Recode(in BabyJubjubScalar scalar, Span<sbyte> digits)
    {
        Limbs4 limbs = scalar.ToCanonicalLimbs();
        int carry = 0;
        for (int i = 0; i < Digits; i++)
        {
            ulong limb = (i >> 4) switch { 0 => limbs.L0, 1 => limbs.L1, 2 => limbs.L2, _ => limbs.L3 };
            int digit = ((int)(limb >> (4 * (i & 15))) & 15) + carry;
            carry = (digit + 8) >> 4;
            digits[i] = (sbyte)(digit - (carry << 4));
        }
    }

    private static AffineCachedPoint SelectFixedTime(int position, int digit)
    {
        int sign = digit >> 31;
        int magnitude = (digit ^ sign) - sign;
        AffineCachedPoint selected = AffineCachedPoint.Identity;
        for (int j = 1; j <= PointsPerDigit; j++)
        {
            // All ones when j == magnitude: only then the exclusive or is 0 and minus one borrows.
            ulong mask = (ulong)((long)((j ^ magnitude) - 1) >> 63);
            selected = AffineCachedPoint.Select(mask, Table[(position * PointsPerDigit) + j - 1], selected);
        }

        return AffineCachedPoint.Select((ulong)(long)sign, selected.Negate(), selected);
    }

    private static AffineCachedPoint[] BuildTable()
    {
        var points = new ExtendedPoint[Digits * PointsPerDigit];
        ExtendedPoint power = ExtendedPoint.FromAffine(BabyJubjubPoint.Base8);
        for (int i = 0; i < Digits; i++)
        {
            CachedPoint step = power.ToCached();
            ExtendedPoint multiple = power;
            for (int j = 0; j < PointsPerDigit; j++)
            {
                points[(i * PointsPerDigit) + j] = multiple;
                multiple = multiple.Add(step);
            }

            power = points[(i * PointsPerDigit) + PointsPerDigit - 1].Double();
        }

        return ToAffineCached(points);
    }

    /// <summary>Many points to Z = 1 with one inversion.</summary>
    internal static AffineCachedPoint[] ToAffineCached(ReadOnlySpan<ExtendedPoint> points)
    {
        var inverses = new Fr[points.Length];
        for (int i = 0; i < points.Length; i++)
        {
            inverses[i] = points[i].Z;
        }

        Fr.BatchInverse(inverses);
        var result = new AffineCachedPoint[points.Length];
        for (int i = 0; i < points.Length; i++)
        {
            result[i] = points[i].ToAffineCached(inverses[i]);
        }

        return result;
    }
}
