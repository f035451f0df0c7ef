using Shale.Bn254.Fields;

namespace Shale.Bn254.Curve;

/// <summary>A short Weierstrass curve y² = x³ + b: the field operations that the group law needs, and b.</summary>
/// <typeparam name="TField">Its coordinates: Fp or Fp2; the default is zero.</typeparam>
internal interface ICurve<TField>
    where TField : unmanaged
{
    static abstract TField One { get; }

    static abstract TField B { get; }

    static abstract bool IsZero(in TField a);

    static abstract bool AreEqual(in TField a, in TField b);

    static abstract TField Add(in TField a, in TField b);

    static abstract TField Subtract(in TField a, in TField b);

    static abstract TField Negate(in TField a);

    static abstract TField Multiply(in TField a, in TField b);

    static abstract TField Square(in TField a);

    static abstract TField Inverse(in TField a);
}

/// <summary>y² = x³ + 3 over Fp (EIP-196), of prime order r.</summary>
internal readonly struct G1Curve : ICurve<Fp>
{
    public static Fp One => Fp.One;

    public static Fp B { get; } = Fp.FromUInt64(3);

    public static bool IsZero(in Fp a) => a.IsZero;

    public static bool AreEqual(in Fp a, in Fp b) => a == b;

    public static Fp Add(in Fp a, in Fp b) => a + b;

    public static Fp Subtract(in Fp a, in Fp b) => a - b;

    public static Fp Negate(in Fp a) => -a;

    public static Fp Multiply(in Fp a, in Fp b) => a * b;

    public static Fp Square(in Fp a) => a.Square();

    public static Fp Inverse(in Fp a) => a.Inverse();
}

/// <summary>The twist y² = x³ + 3/ξ over Fp2 (EIP-197), of which G2 is the subgroup of order r.</summary>
internal readonly struct G2Curve : ICurve<Fp2>
{
    public static Fp2 One => Fp2.One;

    public static Fp2 B { get; } = Fp2.Xi.Inverse().Scale(Fp.FromUInt64(3));

    public static bool IsZero(in Fp2 a) => a.IsZero;

    public static bool AreEqual(in Fp2 a, in Fp2 b) => a == b;

    public static Fp2 Add(in Fp2 a, in Fp2 b) => a + b;

    public static Fp2 Subtract(in Fp2 a, in Fp2 b) => a - b;

    public static Fp2 Negate(in Fp2 a) => -a;

    public static Fp2 Multiply(in Fp2 a, in Fp2 b) => a * b;

    public static Fp2 Square(in Fp2 a) => a.Square();

    public static Fp2 Inverse(in Fp2 a) => a.Inverse();
}
