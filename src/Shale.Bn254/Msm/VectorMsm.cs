using Shale.Bn254.Curve;
using Shale.Bn254.Vector;

namespace Shale.Bn254.Msm;

/// <summary>
/// Σ s_i·P_i with the vectorised additions: one window of one sum at a time, so that the windows of several sums can be spread over the
/// workers as one pool of tasks. An instance is one worker's memory; not for several threads.
/// </summary>
internal sealed unsafe class VectorMsm<TField, TCurve, TPacked> : IDisposable
    where TField : unmanaged
    where TCurve : struct, ICurve<TField>
    where TPacked : struct, IPackedField<TField>
{
    private readonly SegmentSums<TField, TCurve, TPacked> _segments = new();
    private uint[] _entries = [];
    private int[] _starts = [];
    private PackedPoints<TField, TCurve, TPacked>? _buckets;
    private PackedPoints<TField, TCurve, TPacked>? _lines;

    public void Dispose()
    {
        _segments.Dispose();
        _buckets?.Dispose();
        _lines?.Dispose();
    }

    /// <summary>Σ digit_i·P_i of one window, the points' scalars being those from <paramref name="first"/> on.</summary>
    public Xyzz<TField, TCurve> Window(PackedPoints<TField, TCurve, TPacked> points, SignedDigits digits, int first, int window)
    {
        var buckets = digits.Buckets;
        if (_buckets is null || _buckets.Count < buckets + 1)
        {
            _buckets?.Dispose();
            _buckets = new PackedPoints<TField, TCurve, TPacked>(buckets + 1);
        }

        SortByBucket(points.Present, digits.Window(window).Slice(first, points.Count), buckets);
        _segments.Sum(points.Base, _entries, _starts.AsSpan(0, buckets + 2), _buckets);
        return WeightedSum(buckets);
    }

    /// <summary>Counting sort: _entries ordered by bucket, bucket k from _starts[k] on; digits of zero and points at infinity are left out.</summary>
    private void SortByBucket(ReadOnlySpan<bool> present, ReadOnlySpan<short> digits, int buckets)
    {
        Reserve(digits.Length, buckets + 3);
        var starts = _starts.AsSpan(0, buckets + 3);
        starts.Clear();
        for (var i = 0; i < digits.Length; i++)
        {
            // Counted two places up: after the prefix sums place k + 1 is where bucket k begins, and filling moves it to where it ends.
            starts[Math.Abs((int)digits[i]) + 2] += present[i] ? 1 : 0;
        }

        starts[2] = 0;
        for (var k = 3; k < starts.Length; k++)
        {
            starts[k] += starts[k - 1];
        }

        for (var i = 0; i < digits.Length; i++)
        {
            int digit = digits[i];
            if (digit != 0 && present[i])
            {
                _entries[starts[Math.Abs(digit) + 1]++] = ((uint)i << 1) | (digit < 0 ? 1u : 0);
            }
        }
    }

    private void Reserve(int entries, int starts)
    {
        if (_entries.Length < entries)
        {
            _entries = new uint[entries];
        }

        if (_starts.Length < starts)
        {
            _starts = new int[starts];
        }
    }

    /// <summary>
    /// Σ k·bucket_k. With k = row·width + column it is width·Σ row·(sum of the row) + Σ column·(sum of the column): two additions a bucket
    /// as in the sum of suffix sums, but independent ones, so that they go in batches; only √buckets remain for the suffix sums.
    /// </summary>
    private Xyzz<TField, TCurve> WeightedSum(int buckets)
    {
        var widthLog = (System.Numerics.BitOperations.Log2((uint)buckets) + 1) / 2;
        var width = 1 << widthLog;
        var rows = (buckets >> widthLog) + 1;
        if (_lines is null || _lines.Count < rows + width)
        {
            _lines?.Dispose();
            _lines = new PackedPoints<TField, TCurve, TPacked>(rows + width);
        }

        Reserve(2 * (buckets + 1), rows + width + 1);
        var present = _buckets!.Present;
        var (line, filled) = (0, 0);
        for (var row = 0; row < rows; row++)
        {
            _starts[line++] = filled;
            for (var k = Math.Max(1, row << widthLog); row > 0 && k <= buckets && k < (row + 1) << widthLog; k++)
            {
                if (present[k])
                {
                    _entries[filled++] = (uint)k << 1;
                }
            }
        }

        for (var column = 0; column < width; column++)
        {
            _starts[line++] = filled;
            for (var k = column; column > 0 && k <= buckets; k += width)
            {
                if (present[k])
                {
                    _entries[filled++] = (uint)k << 1;
                }
            }
        }

        _starts[line] = filled;
        _segments.Sum(_buckets.Base, _entries, _starts.AsSpan(0, line + 1), _lines);

        var total = SuffixSum(0, rows);
        for (var i = 0; i < widthLog; i++)
        {
            total.Double();
        }

        total.Add(SuffixSum(rows, width));
        return total;
    }

    /// <summary>Σ i·line_{start + i}.</summary>
    private Xyzz<TField, TCurve> SuffixSum(int start, int count)
    {
        var (running, total) = (default(Xyzz<TField, TCurve>), default(Xyzz<TField, TCurve>));
        for (var i = count - 1; i > 0; i--)
        {
            running.Add(_lines![start + i]);
            total.Add(running);
        }

        return total;
    }
}
