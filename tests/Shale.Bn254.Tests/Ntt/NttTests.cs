using System.Numerics;
using Shale.Bn254.Fields;
using Shale.Bn254.Ntt;
using Shale.Bn254.Tests.Curve;
using Shale.Bn254.Vector;
using Xunit;

namespace Shale.Bn254.Tests.Ntt;

public sealed class NttTests
{
    [Fact]
    public void Domain_Roots_HaveExactlyTheirOrder()
    {
        // ω of the largest domain as published for BN254 (for example in arkworks' ark-bn254, TWO_ADIC_ROOT_OF_UNITY, and snarkjs).
        Assert.Equal("19103219067921713944291392827692070036145651957329286315305642004821462161904", Domain.Root(28).ToString());
        for (var log = 1; log <= Domain.MaximumLog; log++)
        {
            Assert.Equal(-Fr.One, Domain.Root(log).Pow(BigInteger.One << (log - 1)));
        }

        Assert.Equal([1, 1, 2, 2, 3, 3], new[] { 1, 2, 3, 4, 5, 8 }.Select(Domain.LogFor));
        Assert.Equal(18, Domain.LogFor(1 << 18));
        Assert.Equal(19, Domain.LogFor((1 << 18) + 1));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(6)]
    public void ScalarTransforms_SmallSizes_EvaluateThePolynomial(int log)
    {
        var coefficients = Enumerable.Range(0, 1 << log).Select(_ => CurveTests.RandomFr()).ToArray();
        var values = ScalarNtt.Naive(coefficients, Fr.One);
        ScalarNtt.InverseUnscaled(values);
        var n = Fr.FromUInt64(1UL << log);
        for (var i = 0; i < values.Length; i++)
        {
            Assert.Equal(n * coefficients[i], values[Reverse(i, log)]);
        }

        ScalarNtt.ForwardOnOddCoset(values);
        Assert.Equal(ScalarNtt.Naive([.. coefficients.Select(c => c * n)], Domain.Root(log + 1)), values);
    }

    [Theory]
    [InlineData(3, 1)]
    [InlineData(4, 2)]
    [InlineData(7, 2)]
    [InlineData(12, 1)]
    [InlineData(13, 1)]
    [InlineData(14, 2)]
    [InlineData(15, 3)]
    public void Quotient_ByVectors_EqualsTheScalarPath(int log, int workers)
    {
        Assert.True(Lanes.IsSupported, "this test needs AVX2");
        var n = 1 << log;
        var a = Enumerable.Range(0, n).Select(i => i % 5 == 0 ? Fr.Zero : i % 5 == 1 ? -Fr.One : CurveTests.RandomFr()).ToArray();
        var b = Enumerable.Range(0, n).Select(i => i % 7 == 0 ? Fr.One : CurveTests.RandomFr()).ToArray();
        var expected = OddCoset.QuotientByScalars([.. a], [.. b], workers, default);
        var actual = OddCoset.QuotientByVectors(a, b, workers, default);
        for (var i = 0; i < n; i++)
        {
            Assert.True(Limbs4.FixedTimeEquals(expected[i], actual[i]), $"value {i} of {n}");
        }
    }

    [Fact]
    public void Quotient_ConstantPolynomials_IsZeroEverywhere()
    {
        // (−1)·(−1) − 1 = 0 as polynomials: the vector path must give 0, not r.
        var minus = Enumerable.Repeat(-Fr.One, 64).ToArray();
        Assert.All(OddCoset.QuotientByVectors([.. minus], [.. minus], 1, default), v => Assert.True(v.IsZero));
    }

    [Fact]
    public void Quotient_Cancelled_Throws()
    {
        using var stop = new CancellationTokenSource();
        stop.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => OddCoset.Quotient(new Fr[1024], new Fr[1024], 2, vectors: true, stop.Token));
    }

    private static int Reverse(int value, int bits)
    {
        var result = 0;
        for (var i = 0; i < bits; i++)
        {
            result |= ((value >> i) & 1) << (bits - 1 - i);
        }

        return result;
    }
}
