using System.Numerics;
using Shale.Bn254.Curve;
using Shale.Bn254.Fields;
using Shale.Bn254.Msm;
using Shale.Bn254.Tests.Curve;
using Shale.Bn254.Vector;
using Xunit;

namespace Shale.Bn254.Tests.Msm;

/// <summary>Every fast sum against the definition: random inputs, and those that batch-affine additions get wrong when they are careless.</summary>
public sealed unsafe class MultiScalarTests
{
    public static TheoryData<string> Shapes => new() { "random", "small", "bits", "equal", "opposite", "infinities", "edges", "zero", "one point", "none" };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Sums_OfEveryShape_EqualTheDefinitionInBothGroups(string shape)
    {
        var (g1, scalars) = Inputs(shape, (p, s) => p * s, G1Affine.Generator, p => -p, G1Affine.Infinity);
        Check<Fp, G1Curve, PackedFp>([.. g1.Select(p => p.Point)], scalars);
        var (g2, scalars2) = Inputs(shape, (p, s) => p * s, G2Affine.Generator, p => -p, G2Affine.Infinity);
        Check<Fp2, G2Curve, PackedFp2>([.. g2.Select(p => p.Point)], scalars2);
    }

    [Fact]
    public void Sums_OfThousandsOfPoints_AgreeBetweenTheVectorAndTheScalarPath()
    {
        // Larger than a block, so that segments are cut: half of the scalars are one.
        const int Count = 12_000;
        var points = new Affine<Fp, G1Curve>[Count];
        var scalars = Enumerable.Range(0, Count).Select(i => i % 2 == 0 ? Fr.One : CurveTests.RandomFr()).Select(s => s.ToCanonicalLimbs()).ToArray();
        new ScalarFixedBase<Fp, G1Curve>(G1Affine.Generator.Point).Multiply([.. Enumerable.Range(1, Count).Select(i => new Limbs4((ulong)i * 977, 5, 0, 0))], points);
        fixed (Affine<Fp, G1Curve>* p = points)
        fixed (Limbs4* s = scalars)
        {
            foreach (var bits in new[] { 4, 8, SignedDigits.BestWindowBits(Count), 16 })
            {
                var digits = SignedDigits.Decompose(s, Count, bits, 2);
                Assert.Equal(
                    ScalarMsm<Fp, G1Curve>.Sum(p, Count, digits, 0, 2, default).ToAffine(), Vector<Fp, G1Curve, PackedFp>(p, Count, digits, 0).ToAffine());
                Assert.Equal(
                    ScalarMsm<Fp, G1Curve>.Sum(p + 100, 500, digits, 100, 2, default).ToAffine(), Vector<Fp, G1Curve, PackedFp>(p + 100, 500, digits, 100).ToAffine());
            }
        }
    }

    [Fact]
    public void SignedDigits_EveryWidth_RebuildTheScalars()
    {
        Limbs4[] scalars =
        [
            default, Limbs4.FromBigInteger(1), Limbs4.FromBigInteger(Fr.Modulus - 1), Limbs4.FromBigInteger(BigInteger.Pow(2, 253)),
            Limbs4.FromBigInteger(BigInteger.Pow(2, 253) - 1), .. Enumerable.Range(0, 20).Select(_ => CurveTests.RandomFr().ToCanonicalLimbs()),
        ];
        fixed (Limbs4* s = scalars)
        {
            for (var bits = 4; bits <= 16; bits++)
            {
                var digits = SignedDigits.Decompose(s, scalars.Length, bits, 1);
                for (var i = 0; i < scalars.Length; i++)
                {
                    var value = BigInteger.Zero;
                    for (var w = digits.Windows - 1; w >= 0; w--)
                    {
                        Assert.InRange(digits.Window(w)[i], -digits.Buckets, digits.Buckets - 1);
                        value = (value << bits) + digits.Window(w)[i];
                    }

                    Assert.Equal(scalars[i].ToBigInteger(), value);
                }
            }

            Assert.Throws<ArgumentOutOfRangeException>(() => Decompose(3));
            Assert.Throws<ArgumentOutOfRangeException>(() => Decompose(17));
        }

        static void Decompose(int bits) => SignedDigits.Decompose(null, 0, bits, 1);
    }

    [Fact]
    public void FixedBase_RandomAndEdgeScalars_EqualsTheProducts()
    {
        Fr[] scalars = [Fr.Zero, Fr.One, -Fr.One, Fr.FromUInt64(255), Fr.FromUInt64(256), .. Enumerable.Range(0, 40).Select(_ => CurveTests.RandomFr())];
        Limbs4[] canonical = [.. scalars.Select(s => s.ToCanonicalLimbs())];
        var g1 = new Affine<Fp, G1Curve>[scalars.Length];
        var g2 = new Affine<Fp2, G2Curve>[scalars.Length];
        foreach (var table in new FixedBase<Fp, G1Curve>[] { new ScalarFixedBase<Fp, G1Curve>(G1Affine.Generator.Point), FixedBase.G1(G1Affine.Generator) })
        {
            table.Multiply(canonical, g1);
            Assert.Equal(scalars.Select(s => (G1Affine.Generator * s).Point), g1);
        }

        foreach (var table in new FixedBase<Fp2, G2Curve>[] { new ScalarFixedBase<Fp2, G2Curve>(G2Affine.Generator.Point), FixedBase.G2(G2Affine.Generator) })
        {
            table.Multiply(canonical, g2);
            Assert.Equal(scalars.Select(s => (G2Affine.Generator * s).Point), g2);
        }
    }

    private static void Check<TField, TCurve, TPacked>(Affine<TField, TCurve>[] points, Fr[] scalars)
        where TField : unmanaged
        where TCurve : struct, ICurve<TField>
        where TPacked : struct, IPackedField<TField>
    {
        Limbs4[] canonical = [.. scalars.Select(s => s.ToCanonicalLimbs())];
        var expected = ScalarMsm<TField, TCurve>.Naive(points, canonical).ToAffine();
        fixed (Affine<TField, TCurve>* p = points)
        fixed (Limbs4* s = canonical)
        {
            foreach (var bits in new[] { 4, 7, 12 })
            {
                var digits = SignedDigits.Decompose(s, scalars.Length, bits, 1);
                Assert.Equal(expected, ScalarMsm<TField, TCurve>.Sum(p, points.Length, digits, 0, 1, default).ToAffine());
                Assert.Equal(expected, Vector<TField, TCurve, TPacked>(p, points.Length, digits, 0).ToAffine());
            }
        }
    }

    private static Xyzz<TField, TCurve> Vector<TField, TCurve, TPacked>(Affine<TField, TCurve>* points, int count, SignedDigits digits, int first)
        where TField : unmanaged
        where TCurve : struct, ICurve<TField>
        where TPacked : struct, IPackedField<TField>
    {
        using var packed = new PackedPoints<TField, TCurve, TPacked>(count);
        packed.Pack(points, 0, count);
        using var msm = new VectorMsm<TField, TCurve, TPacked>();
        var windows = Enumerable.Range(0, digits.Windows).Select(w => msm.Window(packed, digits, first, w)).ToArray();
        return ScalarMsm<TField, TCurve>.Combine(windows, digits.WindowBits);
    }

    private static (TPoint[] Points, Fr[] Scalars) Inputs<TPoint>(
        string shape, Func<TPoint, Fr, TPoint> multiply, TPoint generator, Func<TPoint, TPoint> negate, TPoint infinity)
    {
        TPoint Point() => multiply(generator, CurveTests.RandomFr());
        Fr Small() => Fr.FromUInt64((ulong)Random.Shared.Next(1, 5));
        const int Count = 150;
        var indexes = Enumerable.Range(0, Count).ToArray();
        var (p, q) = (Point(), Point());
        return shape switch
        {
            "random" => ([.. indexes.Select(_ => Point())], [.. indexes.Select(_ => CurveTests.RandomFr())]),
            "small" => ([.. indexes.Select(_ => Point())], [.. indexes.Select(_ => Small())]),
            "bits" => ([.. indexes.Select(_ => Point())], [.. indexes.Select(i => i % 3 == 0 ? Fr.Zero : Fr.One)]),
            "equal" => ([.. indexes.Select(_ => p)], [.. indexes.Select(i => i < 70 ? Fr.One : Small())]),
            "opposite" => ([.. indexes.Select(i => i % 2 == 0 ? p : negate(p))], [.. indexes.Select(i => Fr.FromUInt64((ulong)(i / 2 % 7)))]),
            "infinities" => ([.. indexes.Select(i => i % 5 < 2 ? infinity : i % 5 == 2 ? p : q)], [.. indexes.Select(i => i % 2 == 0 ? Fr.One : -Fr.One)]),
            "edges" => ([.. indexes.Select(_ => Point())], [.. indexes.Select(i => i % 3 == 0 ? -Fr.One : i % 3 == 1 ? Fr.FromBigInteger(BigInteger.Pow(2, i)) : Fr.FromBigInteger(BigInteger.Pow(2, i) - 1))]),
            "zero" => ([.. indexes.Select(_ => p)], new Fr[Count]),
            "one point" => ([p], [CurveTests.RandomFr()]),
            _ => ([], []),
        };
    }
}
