using System.Numerics;

namespace Shale.Bn254.Fields;

/// <summary>What generic code (transforms, polynomials, tests) may ask of an element of a prime field.</summary>
/// <typeparam name="TSelf">The element: an immutable value, its default being zero.</typeparam>
public interface IPrimeField<TSelf> : IEquatable<TSelf>
    where TSelf : struct, IPrimeField<TSelf>
{
    /// <summary>The field's prime.</summary>
    static abstract BigInteger Modulus { get; }

    /// <summary>0.</summary>
    static abstract TSelf Zero { get; }

    /// <summary>1.</summary>
    static abstract TSelf One { get; }

    /// <summary>True for 0.</summary>
    bool IsZero { get; }

    /// <summary>a + b.</summary>
    static abstract TSelf operator +(in TSelf a, in TSelf b);

    /// <summary>a − b.</summary>
    static abstract TSelf operator -(in TSelf a, in TSelf b);

    /// <summary>−a.</summary>
    static abstract TSelf operator -(in TSelf a);

    /// <summary>a·b.</summary>
    static abstract TSelf operator *(in TSelf a, in TSelf b);

    /// <summary>The element of a small number.</summary>
    static abstract TSelf FromUInt64(ulong value);

    /// <summary>The element of any integer, reduced (a negative one too).</summary>
    static abstract TSelf FromBigInteger(BigInteger value);

    /// <summary>Reads 32 bytes, most significant first; refuses another length and values not below the modulus.</summary>
    static abstract bool TryFromBytesBigEndian(ReadOnlySpan<byte> bytes, out TSelf value);

    /// <summary>Reads 32 bytes, least significant first; refuses another length and values not below the modulus.</summary>
    static abstract bool TryFromBytesLittleEndian(ReadOnlySpan<byte> bytes, out TSelf value);

    /// <summary>Replaces every element by its inverse with one inversion in all; zeros stay zero.</summary>
    static abstract void BatchInverse(Span<TSelf> values);

    /// <summary>Writes the canonical value as 32 bytes, most significant first.</summary>
    void ToBytesBigEndian(Span<byte> destination);

    /// <summary>Writes the canonical value as 32 bytes, least significant first.</summary>
    void ToBytesLittleEndian(Span<byte> destination);

    /// <summary>The canonical value in [0, modulus).</summary>
    BigInteger ToBigInteger();

    /// <summary>this².</summary>
    TSelf Square();

    /// <summary>The inverse; zero for zero. Its time depends on the value.</summary>
    TSelf Inverse();

    /// <summary>this^exponent; the exponent must not be negative.</summary>
    TSelf Pow(BigInteger exponent);

    /// <summary>A square root; false when there is none. The root is the one below (modulus + 1)/2.</summary>
    bool TrySqrt(out TSelf root);
}
