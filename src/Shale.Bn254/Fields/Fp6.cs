using System.Runtime.InteropServices;

namespace Shale.Bn254.Fields;

/// <summary>An element c0 + c1·v + c2·v² of Fp6 = Fp2[v]/(v³ − ξ), ξ = 9 + u.</summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly struct Fp6(in Fp2 c0, in Fp2 c1, in Fp2 c2) : IEquatable<Fp6>
{
    public readonly Fp2 C0 = c0;
    public readonly Fp2 C1 = c1;
    public readonly Fp2 C2 = c2;

    public static Fp6 One => new(Fp2.One, Fp2.Zero, Fp2.Zero);

    public static Fp6 operator +(in Fp6 a, in Fp6 b) => new(a.C0 + b.C0, a.C1 + b.C1, a.C2 + b.C2);

    public static Fp6 operator -(in Fp6 a, in Fp6 b) => new(a.C0 - b.C0, a.C1 - b.C1, a.C2 - b.C2);

    public static Fp6 operator -(in Fp6 a) => new(-a.C0, -a.C1, -a.C2);

    public static Fp6 operator *(in Fp6 a, in Fp6 b)
    {
        var v0 = a.C0 * b.C0;
        var v1 = a.C1 * b.C1;
        var v2 = a.C2 * b.C2;
        return new Fp6(
            v0 + (((a.C1 + a.C2) * (b.C1 + b.C2)) - v1 - v2).MultiplyByXi(),
            ((a.C0 + a.C1) * (b.C0 + b.C1)) - v0 - v1 + v2.MultiplyByXi(),
            ((a.C0 + a.C2) * (b.C0 + b.C2)) - v0 - v2 + v1);
    }

    /// <summary>this·(d0 + d1·v).</summary>
    public Fp6 MultiplyBy01(in Fp2 d0, in Fp2 d1)
    {
        var v0 = C0 * d0;
        var v1 = C1 * d1;
        return new Fp6(
            v0 + (C2 * d1).MultiplyByXi(),
            ((C0 + C1) * (d0 + d1)) - v0 - v1,
            (C2 * d0) + v1);
    }

    public Fp6 Scale(in Fp2 factor) => new(C0 * factor, C1 * factor, C2 * factor);

    /// <summary>v·this.</summary>
    public Fp6 MultiplyByV() => new(C2.MultiplyByXi(), C0, C1);

    public Fp6 Inverse()
    {
        var t0 = C0.Square() - (C1 * C2).MultiplyByXi();
        var t1 = C2.Square().MultiplyByXi() - (C0 * C1);
        var t2 = C1.Square() - (C0 * C2);
        var scale = ((C0 * t0) + ((C2 * t1) + (C1 * t2)).MultiplyByXi()).Inverse();
        return new Fp6(t0 * scale, t1 * scale, t2 * scale);
    }

    public bool Equals(Fp6 other) => C0.Equals(other.C0) & C1.Equals(other.C1) & C2.Equals(other.C2);

    public override bool Equals(object? obj) => obj is Fp6 other && Equals(other);

    public override int GetHashCode() => HashCode.Combine(C0, C1, C2);
}
