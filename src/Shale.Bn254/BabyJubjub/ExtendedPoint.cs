using Shale.Bn254.Fields;

namespace Shale.Bn254.BabyJubjub;

/// <summary>
/// A point in extended coordinates (X : Y : Z : T), XY = ZT, on the curve −x² + y² = 1 + d'x²y², which is BabyJubjub with x
/// scaled by √−168700. With a = −1 an addition costs 8 multiplications, or 7 with a prepared operand (Hisil, Wong, Carter,
/// Dawson, eprint 2008/522); as −1 is a square and d' is not, the formulas hold for every pair of points.
/// </summary>
internal readonly struct ExtendedPoint(in Fr x, in Fr y, in Fr z, in Fr t)
{
    public readonly Fr X = x;
    public readonly Fr Y = y;
    public readonly Fr Z = z;
    public readonly Fr T = t;

    /// <summary>√−168700; either root gives an isomorphic curve.</summary>
    public static readonly Fr Scale = ScaleFactor();

    private static readonly Fr InverseScale = Scale.Inverse();

    /// <summary>2d' = 2·168696/−168700.</summary>
    private static readonly Fr TwoD = Fr.FromUInt64(2 * BabyJubjubPoint.D) * (-Fr.FromUInt64(BabyJubjubPoint.A)).Inverse();

    public static ExtendedPoint Identity => new(Fr.Zero, Fr.One, Fr.One, Fr.Zero);

    public bool IsIdentity => X.IsZero && Y == Z;

    public static ExtendedPoint FromAffine(in BabyJubjubPoint point)
    {
        Fr x = point.X * Scale;
        return new ExtendedPoint(x, point.Y, Fr.One, x * point.Y);
    }

    public ExtendedPoint Negate() => new(-X, Y, Z, -T);

    public ExtendedPoint Double()
    {
        Fr a = X.Square();
        Fr b = Y.Square();
        Fr c = Z.Square().Double();
        Fr e = (X + Y).Square() - a - b;
        Fr g = b - a;
        Fr f = g - c;
        Fr h = -(a + b);
        return new ExtendedPoint(e * f, g * h, f * g, e * h);
    }

    public ExtendedPoint Add(in CachedPoint other)
    {
        Fr a = (Y - X) * other.YMinusX;
        Fr b = (Y + X) * other.YPlusX;
        Fr c = T * other.TwoDT;
        Fr d = Z * other.TwoZ;
        Fr e = b - a, f = d - c, g = d + c, h = b + a;
        return new ExtendedPoint(e * f, g * h, f * g, e * h);
    }

    public ExtendedPoint Add(in AffineCachedPoint other)
    {
        Fr a = (Y - X) * other.YMinusX;
        Fr b = (Y + X) * other.YPlusX;
        Fr c = T * other.TwoDT;
        Fr d = Z.Double();
        Fr e = b - a, f = d - c, g = d + c, h = b + a;
        return new ExtendedPoint(e * f, g * h, f * g, e * h);
    }

    public ExtendedPoint Add(in ExtendedPoint other) => Add(other.ToCached());

    public CachedPoint ToCached() => new(Y + X, Y - X, Z.Double(), T * TwoD);

    /// <summary>The affine point in circomlib's coordinates. Its time depends on Z.</summary>
    public BabyJubjubPoint ToAffine() => ToAffine(Z.Inverse());

    /// <summary>The affine point, for points that stand for secrets: Z would tell about the scalar.</summary>
    public BabyJubjubPoint ToAffineFixedTime() => ToAffine(Z.InverseFixedTime());

    /// <summary>The affine point, given 1/Z.</summary>
    public BabyJubjubPoint ToAffine(in Fr inverseZ) => new(X * inverseZ * InverseScale, Y * inverseZ);

    /// <summary>The prepared form of a point whose Z is given inverted.</summary>
    public AffineCachedPoint ToAffineCached(in Fr inverseZ)
    {
        Fr x = X * inverseZ, y = Y * inverseZ;
        return new AffineCachedPoint(y + x, y - x, x * y * TwoD);
    }

    /// <summary>True when this is the given affine point.</summary>
    public bool Equals(in BabyJubjubPoint point) => X == point.X * Scale * Z && Y == point.Y * Z;

    private static Fr ScaleFactor() => (-Fr.FromUInt64(BabyJubjubPoint.A)).TrySqrt(out Fr root)
        ? root
        : throw new InvalidOperationException("-168700 is a square.");
}

/// <summary>A point prepared to be added: (Y + X, Y − X, 2Z, 2d'T).</summary>
internal readonly struct CachedPoint(in Fr yPlusX, in Fr yMinusX, in Fr twoZ, in Fr twoDT)
{
    public readonly Fr YPlusX = yPlusX;
    public readonly Fr YMinusX = yMinusX;
    public readonly Fr TwoZ = twoZ;
    public readonly Fr TwoDT = twoDT;

    public CachedPoint Negate() => new(YMinusX, YPlusX, TwoZ, -TwoDT);
}

/// <summary>The same with Z = 1.</summary>
internal readonly struct AffineCachedPoint(in Fr yPlusX, in Fr yMinusX, in Fr twoDT)
{
    public readonly Fr YPlusX = yPlusX;
    public readonly Fr YMinusX = yMinusX;
    public readonly Fr TwoDT = twoDT;

    public static AffineCachedPoint Identity => new(Fr.One, Fr.One, Fr.Zero);

    public AffineCachedPoint Negate() => new(YMinusX, YPlusX, -TwoDT);

    public static AffineCachedPoint Select(ulong mask, in AffineCachedPoint a, in AffineCachedPoint b) => new(
        Fr.Select(mask, a.YPlusX, b.YPlusX), Fr.Select(mask, a.YMinusX, b.YMinusX), Fr.Select(mask, a.TwoDT, b.TwoDT));
}
