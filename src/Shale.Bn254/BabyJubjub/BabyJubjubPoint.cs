using System.Numerics;
using Shale.Bn254.Fields;

namespace Shale.Bn254.BabyJubjub;

/// <summary>
/// A pair of coordinates on BabyJubjub as EIP-2494 and circomlib write it: 168700·x² + y² = 1 + 168696·x²y² over Fr; cofactor 8.
/// The constructor takes any pair, since what a peer sends may be off the curve; <see cref="IsOnCurve"/> and the checked
/// constructors tell. Arithmetic requires points on the curve, and its time depends on the values unless it says otherwise.
/// </summary>
/// <param name="X">x.</param>
/// <param name="Y">y.</param>
public readonly record struct BabyJubjubPoint(Fr X, Fr Y)
{
    /// <summary>Bytes of a compressed point.</summary>
    public const int CompressedSize = 32;

    /// <summary>The coefficient a.</summary>
    public const ulong A = 168700;

    /// <summary>The coefficient d.</summary>
    public const ulong D = 168696;

    // Points that are decompressed at once: 8 KiB on the stack, and 64 share an inversion.
    private const int BlockSize = 64;

    private static readonly Fr CoefficientA = Fr.FromUInt64(A);
    private static readonly Fr CoefficientD = Fr.FromUInt64(D);

    /// <summary>The neutral element (0, 1).</summary>
    public static BabyJubjubPoint Identity => new(Fr.Zero, Fr.One);

    /// <summary>A generator of the whole group.</summary>
    public static BabyJubjubPoint Generator { get; } = new(
        Fr.Parse("995203441582195749578291179787384436505546430278305826713579947235728471134"),
        Fr.Parse("5472060717959818805561601436314318772137091100104008585924551046643952123905"));

    /// <summary>8·Generator: the generator of the prime subgroup that signatures use.</summary>
    public static BabyJubjubPoint Base8 { get; } = new(
        Fr.Parse("5299619240641551281634865583518297030282874472190772894086521144482721001553"),
        Fr.Parse("16950150798460657717958625567821834550301663161624707787222815936182638968203"));

    /// <summary>True for (0, 1).</summary>
    public bool IsIdentity => X.IsZero && Y == Fr.One;

    /// <summary>a + b.</summary>
    public static BabyJubjubPoint operator +(in BabyJubjubPoint a, in BabyJubjubPoint b) =>
        ExtendedPoint.FromAffine(a).Add(ExtendedPoint.FromAffine(b)).ToAffine();

    /// <summary>−a.</summary>
    public static BabyJubjubPoint operator -(in BabyJubjubPoint a) => new(-a.X, a.Y);

    /// <summary>Reads 32 bytes: y with the least significant byte first, the highest bit set when x is above (r − 1)/2.</summary>
    /// <returns>
    /// False for another length, y ≥ r, a y without a point, and x = 0 with the sign bit set: every point has one encoding.
    /// (circomlibjs takes y = r and x = 0 with either sign.)
    /// </returns>
    public static bool TryDecompress(ReadOnlySpan<byte> bytes, out BabyJubjubPoint point)
    {
        point = default;
        return TryReadY(bytes, out Fr y, out bool negative) &&
            XSquared(y, out Fr denominator).TrySqrt(out Fr root) &&
            TryFinish(root * denominator.Inverse(), y, negative, out point);
    }

    /// <summary>Many at once, sharing inversions and running the square roots four at a time.</summary>
    /// <param name="bytes">32 bytes for each point.</param>
    /// <param name="points">The points.</param>
    /// <param name="valid">What <see cref="TryDecompress"/> would return for each; a point that is not valid is the default.</param>
    internal static void DecompressMany(ReadOnlySpan<byte> bytes, Span<BabyJubjubPoint> points, Span<bool> valid)
    {
        Span<Fr> y = stackalloc Fr[Math.Min(BlockSize, points.Length)];
        Span<Fr> squares = stackalloc Fr[y.Length], powers = stackalloc Fr[y.Length], denominators = stackalloc Fr[y.Length];
        Span<bool> negative = stackalloc bool[y.Length];
        for (int start = 0; start < points.Length; start += BlockSize)
        {
            int count = Math.Min(BlockSize, points.Length - start);
            for (int i = 0; i < count; i++)
            {
                valid[start + i] = TryReadY(bytes.Slice(CompressedSize * (start + i), CompressedSize), out y[i], out negative[i]);
                powers[i] = squares[i] = XSquared(y[i], out denominators[i]);
            }

            FrSquareRoot.Prepare(powers[..count]);
            Fr.BatchInverse(denominators[..count]);
            for (int i = 0; i < count; i++)
            {
                points[start + i] = default;
                valid[start + i] = valid[start + i] &&
                    FrSquareRoot.TryCompute(squares[i].Limbs, powers[i].Limbs, out Limbs4 root) &&
                    TryFinish(Fr.FromMontgomeryLimbs(root) * denominators[i], y[i], negative[i], out points[start + i]);
            }
        }
    }

    private static bool TryReadY(ReadOnlySpan<byte> bytes, out Fr y, out bool negative)
    {
        y = default;
        negative = false;
        if (bytes.Length != CompressedSize)
        {
            return false;
        }

        Span<byte> plain = stackalloc byte[CompressedSize];
        bytes.CopyTo(plain);
        negative = (plain[31] & 0x80) != 0;
        plain[31] &= 0x7F;
        return Fr.TryFromBytesLittleEndian(plain, out y);
    }

    /// <summary>
    /// x² = (1 − y²)/(a − d·y²); the denominator m is never zero, as a/d is not a square. With n/m = nm/m² one root suffices:
    /// √(n/m) = √(nm)/m. Returns nm.
    /// </summary>
    private static Fr XSquared(in Fr y, out Fr denominator)
    {
        Fr y2 = y.Square();
        denominator = CoefficientA - (CoefficientD * y2);
        return (Fr.One - y2) * denominator;
    }

    private static bool TryFinish(in Fr x, in Fr y, bool negative, out BabyJubjubPoint point)
    {
        point = default;
        if (x.IsZero && negative)
        {
            return false;
        }

        point = new BabyJubjubPoint(x.IsNegative == negative ? x : -x, y);
        return true;
    }

    /// <summary>Writes the 32 bytes that <see cref="TryDecompress"/> reads.</summary>
    public void Compress(Span<byte> destination)
    {
        Y.ToBytesLittleEndian(destination);
        if (X.IsNegative)
        {
            destination[31] |= 0x80;
        }
    }

    /// <summary>True when the coordinates satisfy the curve's equation.</summary>
    public bool IsOnCurve()
    {
        Fr x2 = X.Square(), y2 = Y.Square();
        return (CoefficientA * x2) + y2 == Fr.One + (CoefficientD * x2 * y2);
    }

    /// <summary>True for the eight points (on the curve) whose order divides 8.</summary>
    public bool IsSmallOrder() => ExtendedPoint.FromAffine(this).Double().Double().Double().IsIdentity;

    /// <summary>True when the point, on the curve, lies in the subgroup of order l (the neutral element does).</summary>
    public bool IsInSubgroup() => SubgroupTest.IsInSubgroup(this);

    /// <summary>2·this.</summary>
    public BabyJubjubPoint Double() => ExtendedPoint.FromAffine(this).Double().ToAffine();

    /// <summary>scalar·this for any integer ≥ 0; not for secrets.</summary>
    public BabyJubjubPoint Multiply(BigInteger scalar)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(scalar.Sign, nameof(scalar));
        CachedPoint addend = ExtendedPoint.FromAffine(this).ToCached();
        ExtendedPoint result = ExtendedPoint.Identity;
        for (long i = scalar.GetBitLength() - 1; i >= 0; i--)
        {
            result = result.Double();
            if (!((scalar >> (int)i) & 1).IsZero)
            {
                result = result.Add(addend);
            }
        }

        return result.ToAffine();
    }
}
