using System.Globalization;
using System.Numerics;
using System.Runtime.InteropServices;

namespace Shale.Bn254.Fields;

/// <summary>
/// An element of the scalar field of BN254 (EIP-196), r = 21888242871839275222246405745257275088548364400416034343698204186575808495617.
/// A value is immutable, always fully reduced, 32 bytes in Montgomery form with R = 2^256; the default is zero.
/// Addition, subtraction, multiplication, comparison and conversion take the same time for all values; <see cref="Inverse"/> does not.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public readonly struct Fr : IPrimeField<Fr>
{
    /// <summary>Bytes of an encoded element.</summary>
    public const int Size = 32;

    private readonly Limbs4 _limbs;

    private Fr(in Limbs4 limbs) => _limbs = limbs;

    /// <inheritdoc/>
    public static BigInteger Modulus { get; } = Montgomery<FrModulus>.Modulus.ToBigInteger();

    /// <inheritdoc/>
    public static Fr Zero => default;

    /// <inheritdoc/>
    public static Fr One => new(FrModulus.R);

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
    public bool IsNegative => Limbs4.LessThan(PrimeFieldMath<FrModulus>.Half, ToCanonicalLimbs());

    /// <inheritdoc/>
    public static Fr operator +(in Fr a, in Fr b) => new(Montgomery<FrModulus>.Add(a._limbs, b._limbs));

    /// <inheritdoc/>
    public static Fr operator -(in Fr a, in Fr b) => new(Montgomery<FrModulus>.Subtract(a._limbs, b._limbs));

    /// <inheritdoc/>
    public static Fr operator -(in Fr a) => new(Montgomery<FrModulus>.Negate(a._limbs));

    /// <inheritdoc/>
    public static Fr operator *(in Fr a, in Fr b) => new(Montgomery<FrModulus>.Multiply(a._limbs, b._limbs));

    /// <summary>Equality in fixed time.</summary>
    public static bool operator ==(in Fr a, in Fr b) => Limbs4.FixedTimeEquals(a._limbs, b._limbs);

    /// <summary>Inequality in fixed time.</summary>
    public static bool operator !=(in Fr a, in Fr b) => !Limbs4.FixedTimeEquals(a._limbs, b._limbs);

    /// <inheritdoc/>
    public static Fr FromUInt64(ulong value) => new(Montgomery<FrModulus>.FromCanonical(new Limbs4(value, 0, 0, 0)));

    /// <summary>The element of a number below 2^128.</summary>
    public static Fr FromUInt128(UInt128 value) =>
        new(Montgomery<FrModulus>.FromCanonical(new Limbs4((ulong)value, (ulong)(value >> 64), 0, 0)));

    /// <inheritdoc/>
    public static Fr FromBigInteger(BigInteger value) => new(PrimeFieldMath<FrModulus>.FromBigInteger(value));

    /// <summary>The element of a decimal numeral below the modulus (no sign, no spaces).</summary>
    /// <exception cref="FormatException">Not such a numeral.</exception>
    public static Fr Parse(string value) => new(PrimeFieldMath<FrModulus>.Parse(value));

    /// <inheritdoc/>
    public static bool TryFromBytesBigEndian(ReadOnlySpan<byte> bytes, out Fr value)
    {
        bool ok = PrimeFieldMath<FrModulus>.TryRead(bytes, bigEndian: true, out Limbs4 limbs);
        value = new Fr(limbs);
        return ok;
    }

    /// <inheritdoc/>
    public static bool TryFromBytesLittleEndian(ReadOnlySpan<byte> bytes, out Fr value)
    {
        bool ok = PrimeFieldMath<FrModulus>.TryRead(bytes, bigEndian: false, out Limbs4 limbs);
        value = new Fr(limbs);
        return ok;
    }

    /// <summary>A number of at most 64 bytes, most significant first, reduced modulo the prime. With 48 random bytes or more the result is uniform for all purposes.</summary>
    /// <exception cref="ArgumentException">More than 64 bytes.</exception>
    public static Fr ReduceBigEndian(ReadOnlySpan<byte> bytes) => new(PrimeFieldMath<FrModulus>.ReduceBigEndian(bytes));

    /// <inheritdoc/>
    public static void BatchInverse(Span<Fr> values) =>
        PrimeFieldMath<FrModulus>.BatchInverse(MemoryMarshal.Cast<Fr, Limbs4>(values));

    /// <summary>An element from the limbs of its Montgomery form, which must be below the modulus.</summary>
    internal static Fr FromMontgomeryLimbs(ulong l0, ulong l1, ulong l2, ulong l3) => new(new Limbs4(l0, l1, l2, l3));

    internal static Fr FromMontgomeryLimbs(in Limbs4 limbs) => new(limbs);

    /// <summary><paramref name="a"/> where the mask is all ones, <paramref name="b"/> where it is zero; without a branch.</summary>
    internal static Fr Select(ulong mask, in Fr a, in Fr b) => new(Limbs4.Select(mask, a._limbs, b._limbs));

    /// <summary>The canonical value's limbs, least significant first.</summary>
    internal Limbs4 ToCanonicalLimbs() => Montgomery<FrModulus>.ToCanonical(_limbs);

    /// <inheritdoc/>
    public void ToBytesBigEndian(Span<byte> destination) => ToCanonicalLimbs().WriteBigEndian(destination);

    /// <inheritdoc/>
    public void ToBytesLittleEndian(Span<byte> destination) => ToCanonicalLimbs().WriteLittleEndian(destination);

    /// <inheritdoc/>
    public BigInteger ToBigInteger() => ToCanonicalLimbs().ToBigInteger();

    /// <inheritdoc/>
    public Fr Square() => new(Montgomery<FrModulus>.Square(_limbs));

    /// <summary>2·this.</summary>
    public Fr Double() => new(Montgomery<FrModulus>.Add(_limbs, _limbs));

    /// <inheritdoc/>
    public Fr Inverse() => new(Montgomery<FrModulus>.Inverse(_limbs));

    /// <summary>The inverse, zero for zero, in a time that does not depend on the value (about ten times slower).</summary>
    public Fr InverseFixedTime() => new(Montgomery<FrModulus>.InverseFixedTime(_limbs));

    /// <inheritdoc/>
    public Fr Pow(BigInteger exponent) => new(PrimeFieldMath<FrModulus>.Pow(_limbs, exponent));

    /// <inheritdoc/>
    public bool TrySqrt(out Fr root)
    {
        bool ok = FrSquareRoot.TryCompute(_limbs, out Limbs4 limbs);
        root = new Fr(limbs);
        if (root.IsNegative)
        {
            root = -root;
        }

        return ok;
    }

    /// <summary>Equality in fixed time.</summary>
    public bool Equals(Fr other) => Limbs4.FixedTimeEquals(_limbs, other._limbs);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is Fr other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(_limbs.L0, _limbs.L1);

    /// <summary>The canonical value in decimal.</summary>
    public override string ToString() => ToBigInteger().ToString(CultureInfo.InvariantCulture);
}
