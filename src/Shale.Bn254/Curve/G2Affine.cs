using System.Numerics;
using System.Runtime.InteropServices;
using Shale.Bn254.Fields;

namespace Shale.Bn254.Curve;

/// <summary>
/// A point of G2: the subgroup of order r of y² = x³ + 3/(9 + u) over Fp2 (EIP-197). The default is infinity. A value that came through
/// <see cref="TryCreate"/> or <see cref="TryFromBytesBigEndian"/> is on the curve and in the subgroup. No operation is in fixed time.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public readonly struct G2Affine : IEquatable<G2Affine>
{
    /// <summary>Bytes of an encoded point (EIP-197: x imaginary, x real, y imaginary, y real, each 32 bytes, most significant first).</summary>
    public const int Size = 128;

    // ψ(x, y) = (x̄·ξ^((p−1)/3), ȳ·ξ^((p−1)/2)): Frobenius carried to the twist and back.
    private static readonly Fp2 PsiX = Fp2.Xi.Pow((Fp.Modulus - 1) / 3);
    private static readonly Fp2 PsiY = Fp2.Xi.Pow((Fp.Modulus - 1) / 2);

    // 6·x² for the curve's parameter x = 4965661367192848881: the eigenvalue of ψ on G2 (p ≡ 6x² mod r).
    private static readonly Limbs4 PsiEigenvalue = Limbs4.FromBigInteger(6 * BigInteger.Pow(4965661367192848881, 2));

    internal G2Affine(in Affine<Fp2, G2Curve> point) => Point = point;

    /// <summary>The generator of EIP-197.</summary>
    public static G2Affine Generator { get; } = new(new Affine<Fp2, G2Curve>(
        new Fp2(
            Fp.Parse("10857046999023057135944570762232829481370756359578518086990519993285655852781"),
            Fp.Parse("11559732032986387107991004021392285783925812861821192530917403151452391805634")),
        new Fp2(
            Fp.Parse("8495653923123431417604973247489272438418190587263600148770280649306958101930"),
            Fp.Parse("4082367875863433681332203403145435568316851327593401208105741076214120093531"))));

    /// <summary>The neutral element.</summary>
    public static G2Affine Infinity => default;

    /// <summary>x; zero at infinity.</summary>
    public Fp2 X => Point.X;

    /// <summary>y; zero at infinity.</summary>
    public Fp2 Y => Point.Y;

    /// <summary>True for the neutral element.</summary>
    public bool IsInfinity => Point.IsInfinity;

    internal Affine<Fp2, G2Curve> Point { get; }

    /// <summary>
    /// True for a point of the curve that is in the group of order r: ψ(P) = [6x²]P (El Housni, Guillevic, Piellard, "Co-factor clearing
    /// and subgroup membership testing on pairing-friendly curves", 2022, for BN curves). The twist's order has a large cofactor.
    /// </summary>
    internal bool IsInSubgroup
    {
        get
        {
            var multiple = Xyzz<Fp2, G2Curve>.Multiply(Point, PsiEigenvalue).ToAffine();
            return multiple.Equals(Psi().Point);
        }
    }

    /// <summary>a + b.</summary>
    public static G2Affine operator +(in G2Affine a, in G2Affine b)
    {
        var sum = new Xyzz<Fp2, G2Curve>(a.Point);
        sum.Add(b.Point);
        return new G2Affine(sum.ToAffine());
    }

    /// <summary>a − b.</summary>
    public static G2Affine operator -(in G2Affine a, in G2Affine b) => a + -b;

    /// <summary>−a.</summary>
    public static G2Affine operator -(in G2Affine a) => new(a.Point.Negate());

    /// <summary>scalar·point.</summary>
    public static G2Affine operator *(in G2Affine point, in Fr scalar) =>
        new(Xyzz<Fp2, G2Curve>.Multiply(point.Point, scalar.ToCanonicalLimbs()).ToAffine());

    /// <summary>Equality.</summary>
    public static bool operator ==(in G2Affine a, in G2Affine b) => a.Equals(b);

    /// <summary>Inequality.</summary>
    public static bool operator !=(in G2Affine a, in G2Affine b) => !a.Equals(b);

    /// <summary>The point with these coordinates, (0, 0) being infinity; false when it is not on the curve or not in the subgroup.</summary>
    public static bool TryCreate(in Fp2 x, in Fp2 y, out G2Affine point)
    {
        point = new G2Affine(new Affine<Fp2, G2Curve>(x, y));
        return point.Point.IsOnCurve && (point.IsInfinity || point.IsInSubgroup);
    }

    /// <summary>Reads the encoding of EIP-197; false for another length, coordinates not below p, points off the curve or outside the subgroup.</summary>
    public static bool TryFromBytesBigEndian(ReadOnlySpan<byte> bytes, out G2Affine point)
    {
        point = default;
        return bytes.Length == Size &&
            Fp.TryFromBytesBigEndian(bytes[..32], out var x1) && Fp.TryFromBytesBigEndian(bytes[32..64], out var x0) &&
            Fp.TryFromBytesBigEndian(bytes[64..96], out var y1) && Fp.TryFromBytesBigEndian(bytes[96..], out var y0) &&
            TryCreate(new Fp2(x0, x1), new Fp2(y0, y1), out point);
    }

    /// <summary>Writes the encoding of EIP-197.</summary>
    public void ToBytesBigEndian(Span<byte> destination)
    {
        X.C1.ToBytesBigEndian(destination[..32]);
        X.C0.ToBytesBigEndian(destination[32..64]);
        Y.C1.ToBytesBigEndian(destination[64..96]);
        Y.C0.ToBytesBigEndian(destination[96..128]);
    }

    /// <inheritdoc/>
    public bool Equals(G2Affine other) => Point.Equals(other.Point);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is G2Affine other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => Point.GetHashCode();

    /// <summary>Both coordinates in decimal.</summary>
    public override string ToString() => IsInfinity ? "infinity" : $"({X}, {Y})";

    /// <summary>The endomorphism ψ; on G2 the same as multiplying by p.</summary>
    internal G2Affine Psi() => new(new Affine<Fp2, G2Curve>(X.Conjugate() * PsiX, Y.Conjugate() * PsiY));
}
