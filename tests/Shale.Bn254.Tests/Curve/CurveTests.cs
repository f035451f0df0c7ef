using System.Numerics;
using Shale.Bn254.Curve;
using Shale.Bn254.Fields;
using Xunit;

namespace Shale.Bn254.Tests.Curve;

public sealed class CurveTests
{
    private static readonly Random Numbers = new(254);

    [Fact]
    public void Generators_TimesTheGroupOrder_AreInfinity()
    {
        Assert.True(G1Affine.TryCreate(Fp.One, Fp.FromUInt64(2), out var g1));
        Assert.Equal(G1Affine.Generator, g1);
        Assert.True(NaiveMultiply<Fp, G1Curve>(g1.Point, Fr.Modulus).IsInfinity);
        Assert.True(G2Affine.TryCreate(G2Affine.Generator.X, G2Affine.Generator.Y, out var g2));
        Assert.True(NaiveMultiply<Fp2, G2Curve>(g2.Point, Fr.Modulus).IsInfinity);
    }

    [Fact]
    public void Add_G1_MatchesTheAffineFormulasOverBigIntegers()
    {
        for (var i = 0; i < 20; i++)
        {
            var (p, q) = (G1Affine.Generator * RandomFr(), G1Affine.Generator * RandomFr());
            foreach (var (a, b) in new[] { (p, q), (p, p), (p, -p), (p, default), (default, q), (default, default(G1Affine)) })
            {
                Assert.Equal(Naive(a, b), (a + b).ToString());
            }
        }
    }

    [Fact]
    public void Multiply_EdgeScalars_MatchesRepeatedAddition()
    {
        var p = G1Affine.Generator * RandomFr();
        var q = G2Affine.Generator * RandomFr();
        foreach (var scalar in new BigInteger[] { 0, 1, 2, 3, 15, 16, 17, Fr.Modulus - 1, Fr.Modulus - 2, BigInteger.Pow(2, 253), RandomFr().ToBigInteger() })
        {
            Assert.Equal(NaiveMultiply<Fp, G1Curve>(p.Point, scalar), (p * Fr.FromBigInteger(scalar)).Point);
            Assert.Equal(NaiveMultiply<Fp2, G2Curve>(q.Point, scalar), (q * Fr.FromBigInteger(scalar)).Point);
        }
    }

    [Fact]
    public void Xyzz_SumsThatMeetAndCancel_AreExact()
    {
        var p = G2Affine.Generator * RandomFr();
        var sum = new Xyzz<Fp2, G2Curve>(p.Point);
        var other = sum;
        other.Double();
        sum.Add(p.Point);
        Assert.Equal(other.ToAffine(), sum.ToAffine());
        sum.Add(other);
        Assert.Equal((p * Fr.FromUInt64(4)).Point, sum.ToAffine());
        sum.Add((-(p * Fr.FromUInt64(4))).Point);
        Assert.True(sum.IsInfinity);
        sum.Add(other);
        Assert.Equal(other.ToAffine(), sum.ToAffine());
        other.Add(new Xyzz<Fp2, G2Curve>((-(p + p)).Point));
        Assert.True(other.IsInfinity);
    }

    [Fact]
    public void TryFromBytes_G1_RefusesWhatIsNotACanonicalPoint()
    {
        var bytes = new byte[64];
        var point = G1Affine.Generator * RandomFr();
        point.ToBytesBigEndian(bytes);
        Assert.True(G1Affine.TryFromBytesBigEndian(bytes, out var read));
        Assert.Equal(point, read);
        Assert.False(G1Affine.TryFromBytesBigEndian(bytes.AsSpan(1), out _));
        Assert.False(G1Affine.TryFromBytesBigEndian([.. bytes, 0], out _));
        bytes[63] ^= 1;
        Assert.False(G1Affine.TryFromBytesBigEndian(bytes, out _));
        bytes[63] ^= 1;

        // The same point with x + p where that still fits 256 bits: not canonical.
        (point.X.ToBigInteger() + Fp.Modulus).ToByteArray(isUnsigned: true, isBigEndian: true).CopyTo(bytes, 0);
        Assert.False(G1Affine.TryFromBytesBigEndian(bytes, out _));
        Assert.True(G1Affine.TryFromBytesBigEndian(new byte[64], out var infinity));
        Assert.True(infinity.IsInfinity);
    }

    [Fact]
    public void TryCreate_G2PointOutsideTheSubgroup_IsRefused()
    {
        var refused = 0;
        for (ulong i = 1; refused < 5; i++)
        {
            // A point of the twist with a small x is in the subgroup with negligible probability.
            var x = new Fp2(Fp.FromUInt64(i), Fp.One);
            if (TrySqrt((x.Square() * x) + G2Curve.B, out var y))
            {
                var point = new Affine<Fp2, G2Curve>(x, y);
                Assert.True(point.IsOnCurve);
                Assert.False(NaiveMultiply<Fp2, G2Curve>(point, Fr.Modulus).IsInfinity);
                Assert.False(G2Affine.TryCreate(x, y, out _));
                refused++;

                // Cleared of the cofactor 2p − r it is in, by both tests.
                var cleared = NaiveMultiply<Fp2, G2Curve>(point, (2 * Fp.Modulus) - Fr.Modulus);
                Assert.True(NaiveMultiply<Fp2, G2Curve>(cleared, Fr.Modulus).IsInfinity);
                Assert.True(G2Affine.TryCreate(cleared.X, cleared.Y, out _));
            }
        }
    }

    [Fact]
    public void TryFromBytes_G2_RoundTripsAndRefusesPointsOffTheCurve()
    {
        var bytes = new byte[128];
        var point = G2Affine.Generator * RandomFr();
        point.ToBytesBigEndian(bytes);
        Assert.True(G2Affine.TryFromBytesBigEndian(bytes, out var read));
        Assert.Equal(point, read);
        for (var i = 0; i < 4; i++)
        {
            bytes[(32 * i) + 31] ^= 1;
            Assert.False(G2Affine.TryFromBytesBigEndian(bytes, out _));
            bytes[(32 * i) + 31] ^= 1;
        }
    }

    internal static Fr RandomFr()
    {
        var bytes = new byte[48];
        lock (Numbers)
        {
            Numbers.NextBytes(bytes);
        }

        return Fr.ReduceBigEndian(bytes);
    }

    internal static Affine<TField, TCurve> NaiveMultiply<TField, TCurve>(Affine<TField, TCurve> point, BigInteger scalar)
        where TField : unmanaged
        where TCurve : struct, ICurve<TField>
    {
        var result = default(Xyzz<TField, TCurve>);
        for (var i = (int)scalar.GetBitLength() - 1; i >= 0; i--)
        {
            result.Double();
            if (!((scalar >> i) & 1).IsZero)
            {
                result.Add(point);
            }
        }

        return result.ToAffine();
    }

    internal static bool TrySqrt(Fp2 a, out Fp2 root)
    {
        // p ≡ 3 mod 4: the complex method.
        root = default;
        if (!(a.C0.Square() + a.C1.Square()).TrySqrt(out var norm))
        {
            return false;
        }

        var half = Fp.FromUInt64(2).Inverse();
        if (!((a.C0 + norm) * half).TrySqrt(out var c0) && !((a.C0 - norm) * half).TrySqrt(out c0))
        {
            return false;
        }

        root = new Fp2(c0, a.C1 * (c0 + c0).Inverse());
        return root.Square() == a;
    }

    private static string Naive(G1Affine a, G1Affine b)
    {
        if (a.IsInfinity)
        {
            return b.ToString();
        }

        if (b.IsInfinity)
        {
            return a.ToString();
        }

        var p = Fp.Modulus;
        var (x1, y1, x2, y2) = (a.X.ToBigInteger(), a.Y.ToBigInteger(), b.X.ToBigInteger(), b.Y.ToBigInteger());
        if (x1 == x2 && (y1 + y2) % p == 0)
        {
            return "infinity";
        }

        var slope = x1 == x2
            ? 3 * x1 * x1 * BigInteger.ModPow(2 * y1, p - 2, p)
            : (y2 - y1 + p) * BigInteger.ModPow(x2 - x1 + p, p - 2, p);
        var x3 = (((slope * slope) - x1 - x2) % p + p) % p;
        var y3 = (((slope * (x1 - x3)) - y1) % p + p) % p;
        return $"({x3}, {y3})";
    }
}
