using Shale.Bn254.Curve;
using Shale.Bn254.Fields;

namespace Shale.Bn254.Msm;

/// <summary>
/// Many multiples of one point: a table of k·2^(c·w)·P for every window w and digit k, so that a multiple is one addition a window.
/// The path for machines without AVX2, and the yardstick of the vectorised one.
/// </summary>
internal sealed class ScalarFixedBase<TField, TCurve> : FixedBase<TField, TCurve>
    where TField : unmanaged
    where TCurve : struct, ICurve<TField>
{
    // 32 windows of 255 points: 512 KiB in G1, which stays in the second-level cache.
    private const int WindowBits = 8;
    private const int Windows = 32;
    private const int Row = (1 << WindowBits) - 1;

    private readonly Affine<TField, TCurve>[] _table;

    public ScalarFixedBase(in Affine<TField, TCurve> point)
    {
        var sums = new Xyzz<TField, TCurve>[Windows * Row];
        var unit = new Xyzz<TField, TCurve>(point);
        for (var w = 0; w < Windows; w++)
        {
            var multiple = unit;
            for (var k = 0; k < Row; k++)
            {
                sums[(w * Row) + k] = multiple;
                multiple.Add(unit);
            }

            unit = multiple;
        }

        _table = new Affine<TField, TCurve>[sums.Length];
        ToAffine(sums, _table);
    }

    /// <summary>results[i] ← scalars[i]·P, canonical scalars.</summary>
    public override void Multiply(ReadOnlySpan<Limbs4> scalars, Span<Affine<TField, TCurve>> results)
    {
        const int BlockLength = 256;
        var sums = new Xyzz<TField, TCurve>[Math.Min(BlockLength, scalars.Length)];
        Span<ulong> limbs = stackalloc ulong[4];
        for (var start = 0; start < scalars.Length; start += BlockLength)
        {
            var count = Math.Min(BlockLength, scalars.Length - start);
            for (var i = 0; i < count; i++)
            {
                sums[i] = default;
                var scalar = scalars[start + i];
                (limbs[0], limbs[1], limbs[2], limbs[3]) = (scalar.L0, scalar.L1, scalar.L2, scalar.L3);
                for (var w = 0; w < Windows; w++)
                {
                    var digit = (int)(limbs[w >> 3] >> (8 * (w & 7))) & 255;
                    if (digit != 0)
                    {
                        sums[i].Add(_table[(w * Row) + digit - 1]);
                    }
                }
            }

            ToAffine(sums.AsSpan(0, count), results.Slice(start, count));
        }
    }

    public override void Dispose()
    {
    }

    /// <summary>With one inversion in all.</summary>
    internal static void ToAffine(ReadOnlySpan<Xyzz<TField, TCurve>> points, Span<Affine<TField, TCurve>> results)
    {
        var products = new TField[points.Length];
        var product = TCurve.One;
        for (var i = 0; i < points.Length; i++)
        {
            products[i] = product;
            if (!points[i].IsInfinity)
            {
                product = TCurve.Multiply(product, points[i].Zzz);
            }
        }

        var inverse = TCurve.Inverse(product);
        for (var i = points.Length - 1; i >= 0; i--)
        {
            if (points[i].IsInfinity)
            {
                results[i] = default;
                continue;
            }

            results[i] = points[i].ToAffine(TCurve.Multiply(inverse, products[i]));
            inverse = TCurve.Multiply(inverse, points[i].Zzz);
        }
    }
}
