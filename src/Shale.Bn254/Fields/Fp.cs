using System.Globalization;
using System.Numerics;
using System.Runtime.InteropServices;

namespace Shale.Bn254.Fields;

/// <summary>
/// An element of the base field of BN254 (EIP-196), p = 21888242871839275222246405745257275088696311157297823662689037894645226208583.
/// A value is immutable, always fully reduced, 32 bytes in Montgomery form with R = 2^256; the default is zero.
/// Addition, subtraction, multiplication, comparison and conversion take the same time for all values; <see cref="Inverse"/> does not.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public readonly struct Fp : IPrimeField<Fp>
{
    /// <summary>Bytes of an encoded element.</summary>
    public const int Size = 32;

    private readonly Limbs4 _limbs;

    private Fp(in Limbs4 limbs) => _limbs = limbs;

    /// <inheritdoc/>
    public static BigInteger Modulus { get; } = Montgomery<FpModulus>.Modulus.ToBigInteger();

    /// <inheritdoc/>
    public static Fp Zero => default;

    /// <inheritdoc/>
    public static Fp One => new(FpModulus.R);

    /// <inheritdoc/>
    public bool IsZero => _limbs.IsZero;

    /// <summary>The Montgomery form, least significant limb first.</summary>
    internal ulong Limb0 => _limbs.L0;

    internal ulong Limb1 => _limbs.L1;

    internal ulong Limb2 => _limbs.L2;

    internal ulong Limb3 => _limbs.L3;

    internal Limbs4 Limbs => _limbs;

    /// <summary>True for an odd canonical value.</summary>
    public bool IsOdd => (ToCanonicalLimbs().L0 & 1) != 0;

    /// <summary>True when the canonical value is above (modulus − 1)/2, which iden3's encodings call negative.</summary>
    public bool IsNegative => Limbs4.LessThan(PrimeFieldMath<FpModulus>.Half, ToCanonicalLimbs());

    /// <inheritdoc/>
    public static Fp operator +(in Fp a, in Fp b) => new(Montgomery<FpModulus>.Add(a._limbs, b._limbs));

    /// <inheritdoc/>
    public static Fp operator -(in Fp a, in Fp b) => new(Montgomery<FpModulus>.Subtract(a._limbs, b._limbs));

    /// <inheritdoc/>
    public static Fp operator -(in Fp a) => new(Montgomery<FpModulus>.Negate(a._limbs));

    /// <inheritdoc/>
    public static Fp operator *(in Fp a, in Fp b) => new(Montgomery<FpModulus>.Multiply(a._limbs, b._limbs));

    /// <summary>Equality in fixed time.</summary>
    public static bool operator ==(in Fp a, in Fp b) => Limbs4.FixedTimeEquals(a._limbs, b._limbs);

    /// <summary>Inequality in fixed time.</summary>
    public static bool operator !=(in Fp a, in Fp b) => !Limbs4.FixedTimeEquals(a._limbs, b._limbs);

    /// <inheritdoc/>
    public static Fp FromUInt64(ulong value) => new(Montgomery<FpModulus>.FromCanonical(new Limbs4(value, 0, 0, 0)));

    /// <summary>The element of a number below 2^128.</summary>
    public static Fp FromUInt128(UInt128 value) =>
        new(Montgomery<FpModulus>.FromCanonical(new Limbs4((ulong)value, (ulong)(value >> 64), 0, 0)));

    /// <inheritdoc/>
    public static Fp FromBigInteger(BigInteger value) => new(PrimeFieldMath<FpModulus>.FromBigInteger(value));

    /// <summary>The element of a decimal numeral below the modulus (no sign, no spaces).</summary>
    /// <exception cref="FormatException">Not such a numeral.</exception>
    public static Fp Parse(string value) => new(PrimeFieldMath<FpModulus>.Parse(value));

    /// <inheritdoc/>
    public static bool TryFromBytesBigEndian(ReadOnlySpan<byte> bytes, out Fp value)
    {
        bool ok = PrimeFieldMath<FpModulus>.TryRead(bytes, bigEndian: true, out Limbs4 limbs);
        value = new Fp(limbs);
        return ok;
    }

    /// <inheritdoc/>
    public static bool TryFromBytesLittleEndian(ReadOnlySpan<byte> bytes, out Fp value)
    {
        bool ok = PrimeFieldMath<FpModulus>.TryRead(bytes, bigEndian: false, out Limbs4 limbs);
        value = new Fp(limbs);
        return ok;
    }

    /// <summary>A number of at most 64 bytes, most significant first, reduced modulo the prime. With 48 random bytes or more the result is uniform for all purposes.</summary>
    /// <exception cref="ArgumentException">More than 64 bytes.</exception>
    public static Fp ReduceBigEndian(ReadOnlySpan<byte> bytes) => new(PrimeFieldMath<FpModulus>.ReduceBigEndian(bytes));

    /// <inheritdoc/>
    public static void BatchInverse(Span<Fp> values) =>
        PrimeFieldMath<FpModulus>.BatchInverse(MemoryMarshal.Cast<Fp, Limbs4>(values));

    /// <summary>An element from the limbs of its Montgomery form, which must be below the modulus.</summary>
    internal static Fp FromMontgomeryLimbs(ulong l0, ulong l1, ulong l2, ulong l3) => new(new Limbs4(l0, l1, l2, l3));

    internal static Fp FromMontgomeryLimbs(in Limbs4 limbs) => new(limbs);

    /// <summary><paramref name="a"/> where the mask is all ones, <paramref name="b"/> where it is zero; without a branch.</summary>
    internal static Fp Select(ulong mask, in Fp a, in Fp b) => new(Limbs4.Select(mask, a._limbs, b._limbs));

    /// <summary>The canonical value's limbs, least significant first.</summary>
    internal Limbs4 ToCanonicalLimbs() => Montgomery<FpModulus>.ToCanonical(_limbs);

    /// <inheritdoc/>
    public void ToBytesBigEndian(Span<byte> destination) => ToCanonicalLimbs().WriteBigEndian(destination);

    /// <inheritdoc/>
    public void ToBytesLittleEndian(Span<byte> destination) => ToCanonicalLimbs().WriteLittleEndian(destination);

    /// <inheritdoc/>
    public BigInteger ToBigInteger() => ToCanonicalLimbs().ToBigInteger();

    /// <inheritdoc/>
    public Fp Square() => new(Montgomery<FpModulus>.Square(_limbs));

    /// <summary>2·this.</summary>
    public Fp Double() => new(Montgomery<FpModulus>.Add(_limbs, _limbs));

    /// <inheritdoc/>
    public Fp Inverse() => new(Montgomery<FpModulus>.Inverse(_limbs));

    /// <summary>The inverse, zero for zero, in a time that does not depend on the value (about ten times slower).</summary>
    public Fp InverseFixedTime() => new(Montgomery<FpModulus>.InverseFixedTime(_limbs));

    /// <inheritdoc/>
    public Fp Pow(BigInteger exponent) => new(PrimeFieldMath<FpModulus>.Pow(_limbs, exponent));

    /// <inheritdoc/>
    public bool TrySqrt(out Fp root)
    {
        bool ok = FpSquareRoot.TryCompute(_limbs, out Limbs4 limbs);
        root = new Fp(limbs);
        if (root.IsNegative)
        {
            root = -root;
        }

        return ok;
    }

    /// <summary>Equality in fixed time.</summary>
    public bool Equals(Fp other) => Limbs4.FixedTimeEquals(_limbs, other._limbs);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is Fp other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(_limbs.L0, _limbs.L1);

    /// <summary>The canonical value in decimal.</summary>
    public override string ToString() => ToBigInteger().ToString(CultureInfo.InvariantCulture);
}
