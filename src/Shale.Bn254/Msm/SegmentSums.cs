using System.Runtime.InteropServices;
using Shale.Bn254.Curve;
using Shale.Bn254.Vector;

namespace Shale.Bn254.Msm;

/// <summary>
/// Sums of segments of a list of points: the one operation behind buckets, bucket weights and fixed-base multiples. A segment's points are
/// paired off, pairs of all segments of a block are added in one batch, and again with the results until one point a segment is left. So
/// no two additions of a batch meet in one sum, however unevenly the segments are filled (all witness bits that are one end in one bucket).
/// Blocks of segments keep the intermediate points in the second-level cache. Not for several threads.
/// </summary>
internal sealed unsafe class SegmentSums<TField, TCurve, TPacked> : IDisposable
    where TField : unmanaged
    where TCurve : struct, ICurve<TField>
    where TPacked : struct, IPackedField<TField>
{
    /// <summary>Entries of a block; their intermediate sums take 320 KiB in G1 and as much in G2, where a block is half as long.</summary>
    private static readonly int BlockLength = 4096 / TPacked.Components;

    private readonly BatchAdder<TField, TCurve, TPacked> _adder = new();
    private readonly byte* _scratch;
    private readonly nuint[] _items = new nuint[BlockLength];
    private readonly nuint[] _pairs = new nuint[BlockLength];
    private readonly int[] _pairPlaces = new int[BlockLength / 2];
    private readonly bool[] _infinite = new bool[BlockLength / 2];
    private readonly int[] _counts = new int[BlockLength];
    private readonly int[] _segments = new int[BlockLength];

    public SegmentSums() =>
        _scratch = (byte*)NativeMemory.AlignedAlloc((nuint)((long)BlockLength * PointSize), 64);

    private static int PointSize => PackedPoints<TField, TCurve, TPacked>.PointSize;

    public void Dispose()
    {
        _adder.Dispose();
        NativeMemory.AlignedFree(_scratch);
    }

    /// <summary>sums[s] ← Σ of the points that entries starts[s] to starts[s + 1] − 1 name.</summary>
    /// <param name="points">The points; none that an entry names is infinity.</param>
    /// <param name="entries">2·index, plus 1 to subtract the point instead.</param>
    /// <param name="starts">Where each segment begins, and at last where the last one ends.</param>
    /// <param name="sums">Room for a point a segment; those whose sum is infinity are marked as not present.</param>
    public void Sum(byte* points, ReadOnlySpan<uint> entries, ReadOnlySpan<int> starts, PackedPoints<TField, TCurve, TPacked> sums)
    {
        var segmentCount = starts.Length - 1;
        for (var s = 0; s < segmentCount; s++)
        {
            sums.SetPresent(s, false);
        }

        var (segment, position) = (0, starts[0]);
        while (segment < segmentCount)
        {
            // As many segments as fit; one that does not fit is cut, and its parts meet in Deliver.
            var (filled, segments) = (0, 0);
            while (segment < segmentCount && filled < BlockLength)
            {
                var take = Math.Min(starts[segment + 1] - position, BlockLength - filled);
                if (take > 0)
                {
                    Load(points, entries.Slice(position, take), filled);
                    _counts[segments] = take;
                    _segments[segments++] = segment;
                    filled += take;
                    position += take;
                }

                if (position < starts[segment + 1])
                {
                    break;
                }

                segment++;
            }

            Reduce(segments);
            Deliver(segments, sums);
        }
    }

    private void Load(byte* points, ReadOnlySpan<uint> entries, int at)
    {
        for (var i = 0; i < entries.Length; i++)
        {
            var entry = entries[i];
            _items[at + i] = (nuint)points + ((nuint)(entry >> 1) * (nuint)PointSize) + (entry & 1);
        }
    }

    /// <summary>Rounds of pairing off until no segment has two points.</summary>
    private void Reduce(int segments)
    {
        var free = _scratch;
        while (true)
        {
            var (pairs, read, write) = (0, 0, 0);
            for (var s = 0; s < segments; s++)
            {
                var count = _counts[s];
                for (var i = 0; i + 1 < count; i += 2)
                {
                    _pairs[2 * pairs] = _items[read + i];
                    _pairs[(2 * pairs) + 1] = _items[read + i + 1];
                    _pairPlaces[pairs] = write;
                    _items[write++] = (nuint)free + ((nuint)pairs * (nuint)PointSize);
                    pairs++;
                }

                if ((count & 1) != 0)
                {
                    _items[write++] = _items[read + count - 1];
                }

                read += count;
                _counts[s] = (count + 1) / 2;
            }

            if (pairs == 0)
            {
                return;
            }

            if (!_adder.Add(_pairs.AsSpan(0, 2 * pairs), free, _infinite))
            {
                DropInfinite(pairs, segments);
            }

            Array.Clear(_infinite, 0, pairs);
            free += (long)pairs * PointSize;
        }
    }

    private void DropInfinite(int pairs, int segments)
    {
        for (var i = 0; i < pairs; i++)
        {
            if (_infinite[i])
            {
                _items[_pairPlaces[i]] = 0;
            }
        }

        var (read, write) = (0, 0);
        for (var s = 0; s < segments; s++)
        {
            var count = _counts[s];
            for (var i = 0; i < count; i++, read++)
            {
                if (_items[read] != 0)
                {
                    _items[write++] = _items[read];
                }
                else
                {
                    _counts[s]--;
                }
            }
        }
    }

    private void Deliver(int segments, PackedPoints<TField, TCurve, TPacked> sums)
    {
        var read = 0;
        for (var s = 0; s < segments; s++)
        {
            if (_counts[s] == 0)
            {
                continue;
            }

            var (item, target) = (_items[read++], _segments[s]);
            if (!sums.Present[target] && (item & 1) == 0)
            {
                var to = sums.Base + ((long)target * PointSize);
                Buffer.MemoryCopy((void*)item, to, PointSize, PointSize);
                sums.SetPresent(target, true);
            }
            else
            {
                // A negated single point, or another part of a segment that was cut.
                var sum = new Xyzz<TField, TCurve>(sums[target]);
                sum.Add(PackedPoints<TField, TCurve, TPacked>.Read(item));
                sums.Set(target, sum.ToAffine());
            }
        }
    }
}
