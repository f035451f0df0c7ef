using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Shale.Bn254.Curve;
using Shale.Bn254.Fields;
using Shale.Bn254.Msm;
using Shale.Bn254.Ntt;
using Shale.Bn254.Vector;

namespace Shale.Benchmarks.Prover;

/// <summary>What each part of the vectorised arithmetic brings over the scalar code beside it, on one core.</summary>
internal sealed unsafe class ArithmeticSection : ISection
{
    private const int Count = 1 << 14;

    public string Name => "arithmetic";

    public string Title => "BN254 arithmetic on one core: what each trick brings, beside the same without it (scalar code, unless said)";

    public Task RunAsync(Report report, CancellationToken cancellation)
    {
        Products(report);
        var scalars = Enumerable.Range(1, Count).Select(i => Fr.FromUInt64((ulong)i).Pow(12345).ToCanonicalLimbs()).ToArray();
        var g1 = new Affine<Fp, G1Curve>[Count];
        var g2 = new Affine<Fp2, G2Curve>[Count];
        FixedBase(report, "G1", scalars, g1, Bn254.Msm.FixedBase.G1(G1Affine.Generator), new ScalarFixedBase<Fp, G1Curve>(G1Affine.Generator.Point));
        FixedBase(report, "G2", scalars, g2, Bn254.Msm.FixedBase.G2(G2Affine.Generator), new ScalarFixedBase<Fp2, G2Curve>(G2Affine.Generator.Point));
        Additions<Fp, G1Curve, PackedFp>(report, "G1", g1);
        Additions<Fp2, G2Curve, PackedFp2>(report, "G2", g2);
        Sum<Fp, G1Curve, PackedFp>(report, "G1, full-size scalars", g1, scalars);
        Sum<Fp2, G2Curve, PackedFp2>(report, "G2, full-size scalars", g2, scalars);
        Sum<Fp, G1Curve, PackedFp>(report, "G1, every scalar one", g1, [.. scalars.Select(_ => new Limbs4(1, 0, 0, 0))]);
        Transforms(report);
        Tricks(report, g1, g2, scalars);
        return Task.CompletedTask;
    }

    private static void Products(Report report)
    {
        const int Rounds = 200_000;
        var lanes = (Vector256<ulong>*)NativeMemory.AlignedAlloc(3 * Lanes.LimbCount * 32, 64);
        var (a, b) = (Fp.FromUInt64(3).Pow(1000), Fp.FromUInt64(5).Pow(1000));
        PackedFp.Insert(lanes, [a, b, a, b]);
        PackedFp.Insert(lanes + Lanes.LimbCount, [b, b, a, a]);
        var (ours, theirs) = Measure(
            () =>
            {
                for (var i = 0; i < Rounds / 4; i++)
                {
                    PackedFp.Multiply(lanes + (2 * Lanes.LimbCount), lanes, lanes + Lanes.LimbCount);
                }
            },
            () =>
            {
                for (var i = 0; i < Rounds; i++)
                {
                    b *= a;
                }
            });
        NativeMemory.AlignedFree(lanes);
        Row(report, "a product modulo p", ours, theirs, Rounds);
    }

    private static void FixedBase<TField, TCurve>(
        Report report, string group, Limbs4[] scalars, Affine<TField, TCurve>[] results, FixedBase<TField, TCurve> fast, FixedBase<TField, TCurve> plain)
        where TField : unmanaged
        where TCurve : struct, ICurve<TField>
    {
        var (ours, theirs) = Measure(() => fast.Multiply(scalars, results), () => plain.Multiply(scalars, results));
        Row(report, $"a multiple of a fixed point of {group}", ours, theirs, Count);
        fast.Dispose();
        plain.Dispose();
    }

    private static void Additions<TField, TCurve, TPacked>(Report report, string group, Affine<TField, TCurve>[] points)
        where TField : unmanaged
        where TCurve : struct, ICurve<TField>
        where TPacked : struct, IPackedField<TField>
    {
        using var packed = Packed<TField, TCurve, TPacked>(points);
        var order = Enumerable.Range(0, Count).ToArray();
        new Random(1).Shuffle(order);
        var pairs = order.Select(i => (nuint)(packed.Base + ((long)i * PackedPoints<TField, TCurve, TPacked>.PointSize))).ToArray();
        using var adder = new BatchAdder<TField, TCurve, TPacked>();
        using var results = new PackedPoints<TField, TCurve, TPacked>(Count / 2);
        var infinite = new bool[Count / 2];
        var buckets = new Xyzz<TField, TCurve>[256];
        var (ours, theirs) = Measure(
            () => adder.Add(pairs, results.Base, infinite),
            () =>
            {
                for (var i = 0; i < Count / 2; i++)
                {
                    buckets[i & 255].Add(points[order[i]]);
                }
            });
        Row(report, $"an addition in {group} (batch-affine against mixed XYZZ)", ours, theirs, Count / 2);
    }

    private static void Sum<TField, TCurve, TPacked>(Report report, string what, Affine<TField, TCurve>[] points, Limbs4[] scalars)
        where TField : unmanaged
        where TCurve : struct, ICurve<TField>
        where TPacked : struct, IPackedField<TField>
    {
        fixed (Affine<TField, TCurve>* p = points)
        fixed (Limbs4* s = scalars)
        {
            var (pinned, digits) = ((nint)p, SignedDigits.Decompose(s, Count, SignedDigits.BestWindowBits(Count), 1));
            using var packed = new PackedPoints<TField, TCurve, TPacked>(Count);
            using var sums = new VectorMsm<TField, TCurve, TPacked>();
            var (ours, theirs) = Measure(
                () =>
                {
                    packed.Pack((Affine<TField, TCurve>*)pinned, 0, Count);
                    All(sums, packed, digits);
                },
                () => _ = ScalarMsm<TField, TCurve>.Sum((Affine<TField, TCurve>*)pinned, Count, digits, 0, 1, CancellationToken.None));
            Row(report, $"a sum of 2^14 points, for each: {what}", ours, theirs, Count);
        }
    }

    /// <summary>What each habit of the sums brings alone: the same routine with it and without it.</summary>
    private static void Tricks(Report report, Affine<Fp, G1Curve>[] g1, Affine<Fp2, G2Curve>[] g2, Limbs4[] scalars)
    {
        fixed (Limbs4* s = scalars)
        {
            var pinned = (nint)s;
            var signed = Signed(pinned);
            var unsigned = Unsigned(scalars);
            Compare<Fp, G1Curve, PackedFp>(report, "G1: signed digits against unsigned ones, each with its best windows", (g1, signed), (g1, unsigned));
            Compare<Fp2, G2Curve, PackedFp2>(report, "G2: signed digits against unsigned ones, each with its best windows", (g2, signed), (g2, unsigned));

            var sparse = g2.Select((point, i) => i % 100 < 39 ? default : point).ToArray();
            Compare<Fp2, G2Curve, PackedFp2>(report, "G2: 39 % of the points at infinity and dropped, against none at infinity", (sparse, signed), (g2, signed));

            var (once, each) = Measure(
                () => _ = Signed(pinned),
                () =>
                {
                    for (var sum = 0; sum < 4; sum++)
                    {
                        _ = Signed(pinned);
                    }
                });
            Row(report, "digits of a scalar, once for the sums A, B1, B2 and C against once for each", once, each, Count);
        }
    }

    private static SignedDigits Signed(nint scalars) => SignedDigits.Decompose((Limbs4*)scalars, Count, SignedDigits.BestWindowBits(Count), 1);

    /// <summary>Plain base 2^c: digits from 0 to 2^c − 1, which need twice the buckets that signed ones of the same windows need.</summary>
    private static SignedDigits Unsigned(Limbs4[] scalars)
    {
        static int Windows(int bits) => (254 + bits - 1) / bits;
        var bits = Enumerable.Range(4, 11).MinBy(c => (long)Windows(c) * (Count + (2L << c)));
        var digits = new short[Windows(bits) * Count];
        for (var i = 0; i < Count; i++)
        {
            var value = scalars[i].ToBigInteger();
            for (var w = 0; w < Windows(bits); w++)
            {
                digits[(w * Count) + i] = (short)(int)((value >> (w * bits)) & ((1 << bits) - 1));
            }
        }

        return SignedDigits.FromDigits(digits, Count, bits + 1, Windows(bits));
    }

    private static void Compare<TField, TCurve, TPacked>(
        Report report, string what, (Affine<TField, TCurve>[] Points, SignedDigits Digits) ours, (Affine<TField, TCurve>[] Points, SignedDigits Digits) theirs)
        where TField : unmanaged
        where TCurve : struct, ICurve<TField>
        where TPacked : struct, IPackedField<TField>
    {
        using var ourPoints = Packed<TField, TCurve, TPacked>(ours.Points);
        using var theirPoints = Packed<TField, TCurve, TPacked>(theirs.Points);
        using var sums = new VectorMsm<TField, TCurve, TPacked>();
        var (first, second) = Measure(() => All(sums, ourPoints, ours.Digits), () => All(sums, theirPoints, theirs.Digits));
        Row(report, $"a sum of 2^14 points in {what}", first, second, Count);
    }

    private static PackedPoints<TField, TCurve, TPacked> Packed<TField, TCurve, TPacked>(Affine<TField, TCurve>[] points)
        where TField : unmanaged
        where TCurve : struct, ICurve<TField>
        where TPacked : struct, IPackedField<TField>
    {
        var packed = new PackedPoints<TField, TCurve, TPacked>(points.Length);
        fixed (Affine<TField, TCurve>* p = points)
        {
            packed.Pack(p, 0, points.Length);
        }

        return packed;
    }

    private static void All<TField, TCurve, TPacked>(VectorMsm<TField, TCurve, TPacked> sums, PackedPoints<TField, TCurve, TPacked> points, SignedDigits digits)
        where TField : unmanaged
        where TCurve : struct, ICurve<TField>
        where TPacked : struct, IPackedField<TField>
    {
        for (var w = 0; w < digits.Windows; w++)
        {
            _ = sums.Window(points, digits, 0, w);
        }
    }

    private static void Transforms(Report report)
    {
        var a = ScalarNtt.Powers(Fr.FromUInt64(3), Fr.One, Count);
        var b = ScalarNtt.Powers(Fr.FromUInt64(7), Fr.One, Count);
        var (ours, theirs) = Measure(
            () => _ = OddCoset.QuotientByVectors([.. a], [.. b], 1, CancellationToken.None),
            () => _ = OddCoset.QuotientByScalars([.. a], [.. b], 1, CancellationToken.None));
        Row(report, "six transforms of 2^14, for each value of one", ours, theirs, 6 * Count);
    }

    /// <summary>Medians of five runs each, in turn, after two seconds of uncounted ones (the JIT must have done its last); in seconds.</summary>
    private static (double Ours, double Theirs) Measure(Action ours, Action theirs)
    {
        var (first, second) = (new double[5], new double[5]);
        var started = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(started).TotalSeconds < 2)
        {
            ours();
            theirs();
        }

        for (var i = 0; i < first.Length; i++)
        {
            (first[i], second[i]) = (Seconds(ours), Seconds(theirs));
        }

        return (Report.Median(first), Report.Median(second));
    }

    private static double Seconds(Action action)
    {
        var started = Stopwatch.GetTimestamp();
        action();
        return Stopwatch.GetElapsedTime(started).TotalSeconds;
    }

    private static void Row(Report report, string figure, double ours, double theirs, int count) =>
        report.Row(figure, Nanoseconds(ours / count), Nanoseconds(theirs / count), theirs / ours, "none");

    private static string Nanoseconds(double seconds) => (seconds * 1e9).ToString("0.0 ns", CultureInfo.InvariantCulture);
}
