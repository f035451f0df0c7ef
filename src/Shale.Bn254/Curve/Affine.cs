using System.Runtime.InteropServices;

namespace Shale.Bn254.Curve;

/// <summary>
/// A point (x, y); infinity is (0, 0), which is on neither curve. The memory layout, x then y in Montgomery form, is that of a point in
/// iden3's .zkey: sections of a mapped key are used as arrays of it.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly struct Affine<TField, TCurve>(in TField x, in TField y) : IEquatable<Affine<TField, TCurve>>
    where TField : unmanaged
    where TCurve : struct, ICurve<TField>
{
    public readonly TField X = x;
    public readonly TField Y = y;

    public bool IsInfinity => TCurve.IsZero(X) && TCurve.IsZero(Y);

    public bool IsOnCurve =>
        IsInfinity || TCurve.AreEqual(TCurve.Square(Y), TCurve.Add(TCurve.Multiply(TCurve.Square(X), X), TCurve.B));

    public Affine<TField, TCurve> Negate() => new(X, TCurve.Negate(Y));

    public bool Equals(Affine<TField, TCurve> other) => TCurve.AreEqual(X, other.X) && TCurve.AreEqual(Y, other.Y);

    public override bool Equals(object? obj) => obj is Affine<TField, TCurve> other && Equals(other);

    public override int GetHashCode() => HashCode.Combine(X, Y);
}
