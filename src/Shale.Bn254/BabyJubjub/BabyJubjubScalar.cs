using System.Globalization;
using System.Numerics;
using Shale.Bn254.Fields;

namespace Shale.Bn254.BabyJubjub;

/// <summary>
/// A number modulo l = 2736030358979909402780800718157159386076813972158567259200215660948447373041, the order of BabyJubjub's
/// prime subgroup. All operations here take the same time for all values; the default is zero.
/// </summary>
public readonly struct BabyJubjubScalar : IEquatable<BabyJubjubScalar>
{
    /// <summary>Bytes of an encoded scalar.</summary>
    public const int Size = 32;

    private readonly Limbs4 _limbs;

    private BabyJubjubScalar(in Limbs4 limbs) => _limbs = limbs;

    /// <summary>l.</summary>
    public static BigInteger Order { get; } = Montgomery<SubgroupModulus>.Modulus.ToBigInteger();

    /// <summary>True for 0.</summary>
    public bool IsZero => _limbs.IsZero;

    /// <summary>a + b mod l.</summary>
    public static BabyJubjubScalar operator +(in BabyJubjubScalar a, in BabyJubjubScalar b) =>
        new(Montgomery<SubgroupModulus>.Add(a._limbs, b._limbs));

    /// <summary>−a mod l.</summary>
    public static BabyJubjubScalar operator -(in BabyJubjubScalar a) => new(Montgomery<SubgroupModulus>.Negate(a._limbs));

    /// <summary>a·b mod l.</summary>
    public static BabyJubjubScalar operator *(in BabyJubjubScalar a, in BabyJubjubScalar b) =>
        new(Montgomery<SubgroupModulus>.Multiply(a._limbs, b._limbs));

    /// <summary>Equality in fixed time.</summary>
    public static bool operator ==(in BabyJubjubScalar a, in BabyJubjubScalar b) => Limbs4.FixedTimeEquals(a._limbs, b._limbs);

    /// <summary>Inequality in fixed time.</summary>
    public static bool operator !=(in BabyJubjubScalar a, in BabyJubjubScalar b) => !Limbs4.FixedTimeEquals(a._limbs, b._limbs);

    /// <summary>Any integer, reduced.</summary>
    public static BabyJubjubScalar FromBigInteger(BigInteger value) => new(PrimeFieldMath<SubgroupModulus>.FromBigInteger(value));

    /// <summary>The canonical integer of a field element, reduced modulo l.</summary>
    public static BabyJubjubScalar FromFr(in Fr value) => new(Montgomery<SubgroupModulus>.FromCanonical(value.ToCanonicalLimbs()));

    /// <summary>Reads 32 bytes, least significant first; refuses another length and values not below l.</summary>
    public static bool TryFromBytes(ReadOnlySpan<byte> bytes, out BabyJubjubScalar value)
    {
        bool ok = PrimeFieldMath<SubgroupModulus>.TryRead(bytes, bigEndian: false, out Limbs4 limbs);
        value = new BabyJubjubScalar(limbs);
        return ok;
    }

    /// <summary>A number of exactly 32 or 64 bytes, least significant first, reduced modulo l.</summary>
    internal static BabyJubjubScalar ReduceLittleEndian(ReadOnlySpan<byte> bytes) => new(bytes.Length == 32
        ? Montgomery<SubgroupModulus>.FromCanonical(Limbs4.ReadLittleEndian(bytes))
        : Montgomery<SubgroupModulus>.FromWide(Limbs4.ReadLittleEndian(bytes[..32]), Limbs4.ReadLittleEndian(bytes[32..64])));

    internal static BabyJubjubScalar FromUInt128(UInt128 value) =>
        new(Montgomery<SubgroupModulus>.FromCanonical(new Limbs4((ulong)value, (ulong)(value >> 64), 0, 0)));

    internal Limbs4 ToCanonicalLimbs() => Montgomery<SubgroupModulus>.ToCanonical(_limbs);

    /// <summary>Writes the canonical value as 32 bytes, least significant first.</summary>
    public void ToBytes(Span<byte> destination) => ToCanonicalLimbs().WriteLittleEndian(destination);

    /// <summary>The canonical value in [0, l).</summary>
    public BigInteger ToBigInteger() => ToCanonicalLimbs().ToBigInteger();

    /// <summary>Equality in fixed time.</summary>
    public bool Equals(BabyJubjubScalar other) => Limbs4.FixedTimeEquals(_limbs, other._limbs);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is BabyJubjubScalar other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(_limbs.L0, _limbs.L1);

    /// <summary>The canonical value in decimal.</summary>
    public override string ToString() => ToBigInteger().ToString(CultureInfo.InvariantCulture);
}
