using Shale.Bn254.Curve;
using Shale.Bn254.Fields;

namespace Shale.Bn254.Msm;

/// <summary>
/// Σ s_i·P_i without vector instructions: Pippenger's buckets with XYZZ accumulators, windows spread over the workers. The path for
/// machines without AVX2, and the yardstick of the vectorised one. <see cref="Naive"/> is the yardstick of both.
/// </summary>
internal static unsafe class ScalarMsm<TField, TCurve>
    where TField : unmanaged
    where TCurve : struct, ICurve<TField>
{
    /// <summary>The definition: one multiplication a term.</summary>
    public static Xyzz<TField, TCurve> Naive(ReadOnlySpan<Affine<TField, TCurve>> points, ReadOnlySpan<Limbs4> scalars)
    {
        var sum = default(Xyzz<TField, TCurve>);
        for (var i = 0; i < points.Length; i++)
        {
            sum.Add(Xyzz<TField, TCurve>.Multiply(points[i], scalars[i]));
        }

        return sum;
    }

    /// <summary>The sum of digit-th multiples of <paramref name="points"/>[i], the scalars being those from <paramref name="first"/> on.</summary>
    public static Xyzz<TField, TCurve> Sum(
        Affine<TField, TCurve>* points, int count, SignedDigits digits, int first, int workers, CancellationToken cancellation)
    {
        var windows = new Xyzz<TField, TCurve>[digits.Windows];
        Parallel.For(
            0, digits.Windows, new ParallelOptions { MaxDegreeOfParallelism = workers, CancellationToken = cancellation },
            w => windows[w] = Window(points, count, digits, first, w));
        return Combine(windows, digits.WindowBits);
    }

    /// <summary>Σ digit_i·P_i of one window.</summary>
    public static Xyzz<TField, TCurve> Window(Affine<TField, TCurve>* points, int count, SignedDigits digits, int first, int window)
    {
        var buckets = new Xyzz<TField, TCurve>[digits.Buckets + 1];
        var values = digits.Window(window).Slice(first, count);
        for (var i = 0; i < values.Length; i++)
        {
            var digit = values[i];
            if (digit > 0)
            {
                buckets[digit].Add(points[i]);
            }
            else if (digit < 0)
            {
                buckets[-digit].Add(points[i].Negate());
            }
        }

        return WeightedSum(buckets);
    }

    /// <summary>Σ 2^(c·w)·windows[w].</summary>
    public static Xyzz<TField, TCurve> Combine(ReadOnlySpan<Xyzz<TField, TCurve>> windows, int windowBits)
    {
        var result = default(Xyzz<TField, TCurve>);
        for (var w = windows.Length - 1; w >= 0; w--)
        {
            for (var i = 0; i < windowBits; i++)
            {
                result.Double();
            }

            result.Add(windows[w]);
        }

        return result;
    }

    /// <summary>Σ k·buckets[k], as a sum of suffix sums.</summary>
    public static Xyzz<TField, TCurve> WeightedSum(ReadOnlySpan<Xyzz<TField, TCurve>> buckets)
    {
        var (running, total) = (default(Xyzz<TField, TCurve>), default(Xyzz<TField, TCurve>));
        for (var k = buckets.Length - 1; k > 0; k--)
        {
            running.Add(buckets[k]);
            total.Add(running);
        }

        return total;
    }
}
