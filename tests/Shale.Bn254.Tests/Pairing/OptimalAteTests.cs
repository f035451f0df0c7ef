using System.Numerics;
using Shale.Bn254.Curve;
using Shale.Bn254.Fields;
using Shale.Bn254.Pairing;
using Shale.Bn254.Tests.Curve;
using Xunit;

namespace Shale.Bn254.Tests.Pairing;

public sealed class OptimalAteTests
{
    // x of the curve's family, EIP-197 and "Pairing-friendly elliptic curves of prime order" (Barreto, Naehrig).
    private static readonly BigInteger X = 4965661367192848881;

    [Fact]
    public void Parameters_OfTheCurve_FollowFromX()
    {
        Assert.Equal(Fp.Modulus, (36 * BigInteger.Pow(X, 4)) + (36 * BigInteger.Pow(X, 3)) + (24 * X * X) + (6 * X) + 1);
        Assert.Equal(Fr.Modulus, (36 * BigInteger.Pow(X, 4)) + (36 * BigInteger.Pow(X, 3)) + (18 * X * X) + (6 * X) + 1);
    }

    [Fact]
    public void Pair_MultiplesOnBothSides_IsBilinear()
    {
        var (a, b) = (CurveTests.RandomFr(), CurveTests.RandomFr());
        var one = OptimalAte.Pair(G1Affine.Generator, G2Affine.Generator);
        Assert.False(one.IsOne);
        Assert.True(one.Pow(Fr.Modulus).IsOne);
        var both = OptimalAte.Pair(G1Affine.Generator * a, G2Affine.Generator * b);
        Assert.Equal(one.Pow((a * b).ToBigInteger()), both);
        Assert.Equal(OptimalAte.Pair(G1Affine.Generator * b, G2Affine.Generator * a), both);
        Assert.Equal(both, OptimalAte.Pair(G1Affine.Generator * (a * b), G2Affine.Generator));
    }

    [Fact]
    public void FinalExponentiation_OfAMillerValue_EqualsThePlainPower()
    {
        var f = OptimalAte.MillerLoop([G1Affine.Generator * CurveTests.RandomFr()], [G2Affine.Generator]);
        var exponent = 2 * X * ((6 * X * X) + (3 * X) + 1) * ((BigInteger.Pow(Fp.Modulus, 12) - 1) / Fr.Modulus);
        Assert.Equal(f.Pow(exponent), OptimalAte.FinalExponentiation(f));
    }

    [Fact]
    public void Frobenius_OfAnyElement_IsThePowerOfThePrime()
    {
        var f = OptimalAte.MillerLoop([G1Affine.Generator], [G2Affine.Generator * CurveTests.RandomFr()]);
        Assert.Equal(f.Pow(Fp.Modulus), f.Frobenius());
        Assert.Equal(f.Pow(BigInteger.Pow(Fp.Modulus, 6)), f.Conjugate());
        Assert.True((f * f.Inverse()).IsOne);
        Assert.Equal(f * f, f.Square());
    }

    [Fact]
    public void ProductIsOne_CancellingPairsAndInfinity_AsEip197()
    {
        var a = CurveTests.RandomFr();
        G1Affine[] p = [G1Affine.Generator * a, -G1Affine.Generator, G1Affine.Infinity, G1Affine.Generator];
        G2Affine[] q = [G2Affine.Generator, G2Affine.Generator * a, G2Affine.Generator, G2Affine.Infinity];
        Assert.True(OptimalAte.ProductIsOne(p, q));
        Assert.True(OptimalAte.ProductIsOne([], []));
        p[1] = G1Affine.Generator;
        Assert.False(OptimalAte.ProductIsOne(p, q));
        Assert.Throws<ArgumentException>(() => OptimalAte.ProductIsOne([G1Affine.Generator], []));
    }
}
