using Shale.Bn254.Curve;
using Shale.Bn254.Fields;
using Shale.Bn254.Vector;

namespace Shale.Bn254.Msm;

/// <summary>
/// Many multiples of one point with the vectorised additions: a multiple is a segment of table entries, one for each window, and
/// <see cref="SegmentSums{TField, TCurve, TPacked}"/> adds the segments of many scalars up at once, straight to affine points.
/// </summary>
internal sealed unsafe class VectorFixedBase<TField, TCurve, TPacked> : FixedBase<TField, TCurve>
    where TField : unmanaged
    where TCurve : struct, ICurve<TField>
    where TPacked : struct, IPackedField<TField>
{
    // Signed digits of 10 bits: 26 windows of 512 points, 1 MiB in G1 and 2 MiB in G2.
    private const int WindowBits = 10;
    private const int Row = 1 << (WindowBits - 1);

    private readonly PackedPoints<TField, TCurve, TPacked> _table;
    private readonly ThreadLocal<SegmentSums<TField, TCurve, TPacked>> _segments = new(() => new SegmentSums<TField, TCurve, TPacked>(), trackAllValues: true);

    public VectorFixedBase(in Affine<TField, TCurve> point)
    {
        // k·2^(10·w)·P for k from 1 on: row w, place k − 1.
        var windows = SignedDigits.WindowsOf(WindowBits);
        _table = new PackedPoints<TField, TCurve, TPacked>(windows * Row);
        var sums = new Xyzz<TField, TCurve>[Row];
        var affine = new Affine<TField, TCurve>[Row];
        var unit = new Xyzz<TField, TCurve>(point);
        for (var w = 0; w < windows; w++)
        {
            sums[0] = unit;
            for (var k = 1; k < Row; k++)
            {
                sums[k] = sums[k - 1];
                sums[k].Add(unit);
            }

            ScalarFixedBase<TField, TCurve>.ToAffine(sums, affine);
            for (var k = 0; k < Row; k++)
            {
                _table.Set((w * Row) + k, affine[k]);
            }

            unit = sums[Row - 1];
            unit.Double();
        }
    }

    public override void Multiply(ReadOnlySpan<Limbs4> scalars, Span<Affine<TField, TCurve>> results)
    {
        SignedDigits digits;
        fixed (Limbs4* s = scalars)
        {
            digits = SignedDigits.Decompose(s, scalars.Length, WindowBits, 1);
        }

        var entries = new uint[scalars.Length * digits.Windows];
        var starts = new int[scalars.Length + 1];
        var filled = 0;
        for (var i = 0; i < scalars.Length; i++)
        {
            starts[i] = filled;
            for (var w = 0; w < digits.Windows; w++)
            {
                int digit = digits.Window(w)[i];
                if (digit != 0)
                {
                    entries[filled++] = ((uint)((w * Row) + Math.Abs(digit) - 1) << 1) | (digit < 0 ? 1u : 0);
                }
            }
        }

        starts[^1] = filled;
        using var sums = new PackedPoints<TField, TCurve, TPacked>(scalars.Length);
        _segments.Value!.Sum(_table.Base, entries, starts, sums);
        for (var i = 0; i < scalars.Length; i++)
        {
            results[i] = sums[i];
        }
    }

    public override void Dispose()
    {
        foreach (var segments in _segments.Values)
        {
            segments.Dispose();
        }

        _segments.Dispose();
        _table.Dispose();
    }
}
