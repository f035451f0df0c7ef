using System.Runtime.InteropServices;
using Shale.Bn254.Fields;

namespace Shale.Bn254.Curve;

/// <summary>
/// A point of G1: y² = x³ + 3 over Fp (EIP-196). The curve has prime order, so a point on it is in the group. The default is infinity.
/// A value that came through <see cref="TryCreate"/> or <see cref="TryFromBytesBigEndian"/> is on the curve. No operation is in fixed time.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public readonly struct G1Affine : IEquatable<G1Affine>
{
    /// <summary>Bytes of an encoded point (EIP-196: x, y, each 32 bytes, most significant first; infinity is all zeros).</summary>
    public const int Size = 64;

    internal G1Affine(in Affine<Fp, G1Curve> point) => Point = point;

    /// <summary>The generator (1, 2).</summary>
    public static G1Affine Generator { get; } = new(new Affine<Fp, G1Curve>(Fp.One, Fp.FromUInt64(2)));

    /// <summary>The neutral element.</summary>
    public static G1Affine Infinity => default;

    /// <summary>x; zero at infinity.</summary>
    public Fp X => Point.X;

    /// <summary>y; zero at infinity.</summary>
    public Fp Y => Point.Y;

    /// <summary>True for the neutral element.</summary>
    public bool IsInfinity => Point.IsInfinity;

    internal Affine<Fp, G1Curve> Point { get; }

    /// <summary>a + b.</summary>
    public static G1Affine operator +(in G1Affine a, in G1Affine b)
    {
        var sum = new Xyzz<Fp, G1Curve>(a.Point);
        sum.Add(b.Point);
        return new G1Affine(sum.ToAffine());
    }

    /// <summary>a − b.</summary>
    public static G1Affine operator -(in G1Affine a, in G1Affine b) => a + -b;

    /// <summary>−a.</summary>
    public static G1Affine operator -(in G1Affine a) => new(a.Point.Negate());

    /// <summary>scalar·point.</summary>
    public static G1Affine operator *(in G1Affine point, in Fr scalar) =>
        new(Xyzz<Fp, G1Curve>.Multiply(point.Point, scalar.ToCanonicalLimbs()).ToAffine());

    /// <summary>Equality.</summary>
    public static bool operator ==(in G1Affine a, in G1Affine b) => a.Equals(b);

    /// <summary>Inequality.</summary>
    public static bool operator !=(in G1Affine a, in G1Affine b) => !a.Equals(b);

    /// <summary>The point with these coordinates, (0, 0) being infinity; false when it is not on the curve.</summary>
    public static bool TryCreate(in Fp x, in Fp y, out G1Affine point)
    {
        point = new G1Affine(new Affine<Fp, G1Curve>(x, y));
        return point.Point.IsOnCurve;
    }

    /// <summary>Reads the encoding of EIP-196; false for another length, coordinates not below p, and points off the curve.</summary>
    public static bool TryFromBytesBigEndian(ReadOnlySpan<byte> bytes, out G1Affine point)
    {
        point = default;
        return bytes.Length == Size && Fp.TryFromBytesBigEndian(bytes[..32], out var x) && Fp.TryFromBytesBigEndian(bytes[32..], out var y) &&
            TryCreate(x, y, out point);
    }

    /// <summary>Writes the encoding of EIP-196.</summary>
    public void ToBytesBigEndian(Span<byte> destination)
    {
        X.ToBytesBigEndian(destination[..32]);
        Y.ToBytesBigEndian(destination[32..64]);
    }

    /// <inheritdoc/>
    public bool Equals(G1Affine other) => Point.Equals(other.Point);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is G1Affine other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => Point.GetHashCode();

    /// <summary>Both coordinates in decimal.</summary>
    public override string ToString() => IsInfinity ? "infinity" : $"({X}, {Y})";
}
