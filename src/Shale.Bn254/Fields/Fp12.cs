using System.Numerics;
using System.Runtime.InteropServices;

namespace Shale.Bn254.Fields;

/// <summary>An element c0 + c1·w of Fp12 = Fp6[w]/(w² − v). The target group of the pairing lies in it.</summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly struct Fp12(in Fp6 c0, in Fp6 c1) : IEquatable<Fp12>
{
    public readonly Fp6 C0 = c0;
    public readonly Fp6 C1 = c1;

    // ξ^(i·(p−1)/6) for i = 0 … 5: what w^i turns into besides itself under x ↦ x^p.
    private static readonly Fp2[] FrobeniusFactors =
        [.. Enumerable.Range(0, 6).Select(i => Fp2.Xi.Pow(i * (Fp.Modulus - 1) / 6))];

    public static Fp12 One => new(Fp6.One, default);

    public bool IsOne => Equals(One);

    public static Fp12 operator *(in Fp12 a, in Fp12 b)
    {
        var v0 = a.C0 * b.C0;
        var v1 = a.C1 * b.C1;
        return new Fp12(v0 + v1.MultiplyByV(), ((a.C0 + a.C1) * (b.C0 + b.C1)) - v0 - v1);
    }

    public Fp12 Square()
    {
        var product = C0 * C1;
        return new Fp12(((C0 + C1) * (C0 + C1.MultiplyByV())) - product - product.MultiplyByV(), product + product);
    }

    /// <summary>this·(d0 + (d3 + d4·v)·w): the sparse product with a line of the Miller loop.</summary>
    public Fp12 MultiplyBy034(in Fp2 d0, in Fp2 d3, in Fp2 d4)
    {
        var a = C0.Scale(d0);
        var b = C1.MultiplyBy01(d3, d4);
        return new Fp12(a + b.MultiplyByV(), (C0 + C1).MultiplyBy01(d0 + d3, d4) - a - b);
    }

    /// <summary>this^(p⁶); the inverse for an element of norm 1.</summary>
    public Fp12 Conjugate() => new(C0, -C1);

    public Fp12 Inverse()
    {
        var scale = ((C0 * C0) - (C1 * C1).MultiplyByV()).Inverse();
        return new Fp12(C0 * scale, -(C1 * scale));
    }

    /// <summary>this^p.</summary>
    public Fp12 Frobenius() => new(
        new Fp6(C0.C0.Conjugate(), C0.C1.Conjugate() * FrobeniusFactors[2], C0.C2.Conjugate() * FrobeniusFactors[4]),
        new Fp6(C1.C0.Conjugate() * FrobeniusFactors[1], C1.C1.Conjugate() * FrobeniusFactors[3], C1.C2.Conjugate() * FrobeniusFactors[5]));

    public Fp12 Pow(BigInteger exponent)
    {
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

    public bool Equals(Fp12 other) => C0.Equals(other.C0) & C1.Equals(other.C1);

    public override bool Equals(object? obj) => obj is Fp12 other && Equals(other);

    public override int GetHashCode() => HashCode.Combine(C0, C1);
}
