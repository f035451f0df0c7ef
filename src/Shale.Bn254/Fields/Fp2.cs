using System.Numerics;
using System.Runtime.InteropServices;

namespace Shale.Bn254.Fields;

/// <summary>An element c0 + c1·u of Fp2 = Fp[u]/(u² + 1). In memory: c0 then c1, each in Montgomery form, as iden3's .zkey has it.</summary>
[StructLayout(LayoutKind.Sequential)]
public readonly struct Fp2 : IEquatable<Fp2>
{
    /// <summary>The element c0 + c1·u.</summary>
    public Fp2(in Fp c0, in Fp c1)
    {
        C0 = c0;
        C1 = c1;
    }

    /// <summary>0.</summary>
    public static Fp2 Zero => default;

    /// <summary>1.</summary>
    public static Fp2 One => new(Fp.One, Fp.Zero);

    /// <summary>ξ = 9 + u, of which Fp6 adjoins a cube root and the twist divides by.</summary>
    public static Fp2 Xi { get; } = new(Fp.FromUInt64(9), Fp.One);

    /// <summary>The real part.</summary>
    public Fp C0 { get; }

    /// <summary>The imaginary part.</summary>
    public Fp C1 { get; }

    /// <summary>True for 0.</summary>
    public bool IsZero => C0.IsZero && C1.IsZero;

    /// <summary>a + b.</summary>
    public static Fp2 operator +(in Fp2 a, in Fp2 b) => new(a.C0 + b.C0, a.C1 + b.C1);

    /// <summary>a − b.</summary>
    public static Fp2 operator -(in Fp2 a, in Fp2 b) => new(a.C0 - b.C0, a.C1 - b.C1);

    /// <summary>−a.</summary>
    public static Fp2 operator -(in Fp2 a) => new(-a.C0, -a.C1);

    /// <summary>a·b, with three multiplications (Karatsuba).</summary>
    public static Fp2 operator *(in Fp2 a, in Fp2 b)
    {
        var v0 = a.C0 * b.C0;
        var v1 = a.C1 * b.C1;
        return new Fp2(v0 - v1, ((a.C0 + a.C1) * (b.C0 + b.C1)) - v0 - v1);
    }

    /// <summary>Equality in fixed time.</summary>
    public static bool operator ==(in Fp2 a, in Fp2 b) => a.Equals(b);

    /// <summary>Inequality in fixed time.</summary>
    public static bool operator !=(in Fp2 a, in Fp2 b) => !a.Equals(b);

    /// <summary>this².</summary>
    public Fp2 Square()
    {
        var product = C0 * C1;
        return new Fp2((C0 + C1) * (C0 - C1), product + product);
    }

    /// <summary>2·this.</summary>
    public Fp2 Double() => new(C0 + C0, C1 + C1);

    /// <summary>c0 − c1·u, which is also this^p.</summary>
    public Fp2 Conjugate() => new(C0, -C1);

    /// <summary>The product with an element of the base field.</summary>
    public Fp2 Scale(in Fp factor) => new(C0 * factor, C1 * factor);

    /// <summary>ξ·this.</summary>
    public Fp2 MultiplyByXi()
    {
        var (a8, b8) = (C0.Double().Double().Double(), C1.Double().Double().Double());
        return new Fp2(a8 + C0 - C1, b8 + C1 + C0);
    }

    /// <summary>The inverse; zero for zero.</summary>
    public Fp2 Inverse()
    {
        var scale = (C0.Square() + C1.Square()).Inverse();
        return new Fp2(C0 * scale, -(C1 * scale));
    }

    /// <summary>this^exponent, by squaring and multiplying; the exponent must not be negative.</summary>
    public Fp2 Pow(BigInteger exponent)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(exponent.Sign, nameof(exponent));
        var result = One;
        for (var i = (int)exponent.GetBitLength() - 1; i >= 0; i--)
        {
            result = result.Square();
            if (!((exponent >> i) & 1).IsZero)
            {
                result *= this;
            }
        }

        return result;
    }

    /// <inheritdoc/>
    public bool Equals(Fp2 other) => C0.Equals(other.C0) & C1.Equals(other.C1);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is Fp2 other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(C0, C1);

    /// <summary>Both parts in decimal.</summary>
    public override string ToString() => $"{C0} + {C1}·u";
}
