using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Shale.Bn254.Curve;
using Shale.Bn254.Vector;

namespace Shale.Bn254.Msm;

/// <summary>
/// Adds many pairs of affine points, four at a time, with one inversion a batch (running products forward, peeled off backward). Points
/// are packed (<see cref="LaneMemory"/>): x then y. A pair of equal or opposite points has a zero denominator and makes the batch's
/// product zero: such a batch is redone by the complete formulas, so that nothing is checked on the way. Not for several threads.
/// </summary>
internal sealed unsafe class BatchAdder<TField, TCurve, TPacked> : IDisposable
    where TField : unmanaged
    where TCurve : struct, ICurve<TField>
    where TPacked : struct, IPackedField<TField>
{
    /// <summary>
    /// Pairs that share an inversion: 256 vectors. An inversion costs as much as some twenty additions, so at 1,024 it is 2 %; the running
    /// products stay in the second-level cache (72 KiB in G1).
    /// </summary>
    public const int BatchLength = 1024;

    // Vectors between asking for points and using them. The first round of a bucket sum reads points all over the key.
    private const int PrefetchDistance = 8;

    private static readonly int Vectors = Lanes.LimbCount * TPacked.Components;
    private static readonly int CoordinateSize = LaneMemory.PackedSize * TPacked.Components;

    private readonly Vector256<ulong>* _memory;
    private readonly byte* _dummy;

    public BatchAdder()
    {
        // Running products, then eight temporaries, then two points that fill the lanes of an incomplete vector.
        var bytes = ((((BatchLength / 4) + 8) * Vectors) * sizeof(Vector256<ulong>)) + (2 * PointSize);
        _memory = (Vector256<ulong>*)NativeMemory.AlignedAlloc((nuint)bytes, 64);
        _dummy = (byte*)(_memory + (((BatchLength / 4) + 8) * Vectors));
    }

    /// <summary>Bytes of a packed point.</summary>
    public static int PointSize { get; } = 2 * LaneMemory.PackedSize * TPacked.Components;

    public void Dispose() => NativeMemory.AlignedFree(_memory);

    /// <summary>
    /// results[i] ← pairs[2i] + pairs[2i + 1]. A point is an address, negated when its lowest bit is set (points lie at even addresses).
    /// results are consecutive packed points. Returns false when some sum is infinity; then <paramref name="infinite"/>[i] is set for it
    /// and its packed result is undefined.
    /// </summary>
    public bool Add(ReadOnlySpan<nuint> pairs, byte* results, Span<bool> infinite)
    {
        var finite = true;
        var count = pairs.Length / 2;
        for (var start = 0; start < count; start += BatchLength)
        {
            var length = Math.Min(BatchLength, count - start);
            fixed (nuint* batch = pairs.Slice(2 * start, 2 * length))
            {
                if (!AddBatch(batch, length, results + ((long)start * PointSize)))
                {
                    finite &= AddCompletely(batch, length, results + ((long)start * PointSize), infinite[start..]);
                }
            }
        }

        return finite;
    }

    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private bool AddBatch(nuint* pairs, int count, byte* results)
    {
        var vectors = (count + 3) / 4;
        var k = LaneConstants<Fields.FpModulus>.Block;
        var products = _memory;
        var temporary = _memory + (BatchLength / 4 * Vectors);
        var x1 = temporary;
        var x2 = temporary + Vectors;
        var dx = temporary + (2 * Vectors);
        var inverse = temporary + (3 * Vectors);

        // The last vector's missing lanes repeat its first pair.
        var last = stackalloc nuint[8];
        var lastPairs = pairs + (8 * (vectors - 1));
        for (var i = 0; i < 4; i++)
        {
            var present = (4 * (vectors - 1)) + i < count;
            last[2 * i] = lastPairs[present ? 2 * i : 0];
            last[(2 * i) + 1] = lastPairs[present ? (2 * i) + 1 : 1];
        }

        for (var v = 0; v < vectors; v++)
        {
            var at = v == vectors - 1 ? last : pairs + (8 * v);
            if (v + PrefetchDistance < vectors)
            {
                Prefetch(pairs + (8 * (v + PrefetchDistance)));
            }

            LoadX(x1, at[0], at[2], at[4], at[6]);
            LoadX(x2, at[1], at[3], at[5], at[7]);
            Difference(dx, x2, x1, k);
            if (v == 0)
            {
                Tidy(products, dx);
            }
            else
            {
                TPacked.Multiply(products + (v * Vectors), dx, products + ((v - 1) * Vectors));
            }
        }

        if (!TryInvert(inverse, products + ((vectors - 1) * Vectors)))
        {
            return false;
        }

        Peel(pairs, last, vectors, count, results, k);
        return true;
    }

    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Peel(nuint* pairs, nuint* last, int vectors, int count, byte* results, Vector256<ulong>* k)
    {
        var products = _memory;
        var temporary = _memory + (BatchLength / 4 * Vectors);
        var x1 = temporary;
        var x2 = temporary + Vectors;
        var dx = temporary + (2 * Vectors);
        var inverse = temporary + (3 * Vectors);
        var y1 = temporary + (4 * Vectors);
        var y2 = temporary + (5 * Vectors);
        var slope = temporary + (6 * Vectors);
        var x3 = temporary + (7 * Vectors);
        for (var v = vectors - 1; v >= 0; v--)
        {
            var at = v == vectors - 1 ? last : pairs + (8 * v);
            LoadX(x1, at[0], at[2], at[4], at[6]);
            LoadX(x2, at[1], at[3], at[5], at[7]);
            Vector256<ulong>* own;
            if (v == 0)
            {
                own = inverse;
            }
            else
            {
                // Only now is the running product of this vector needed no more: its place takes 1/dx.
                own = products + (v * Vectors);
                TPacked.Multiply(own, products + ((v - 1) * Vectors), inverse);
                Difference(dx, x2, x1, k);
                TPacked.Multiply(inverse, dx, inverse);
            }

            LoadY(y1, at[0], at[2], at[4], at[6], k);
            LoadY(y2, at[1], at[3], at[5], at[7], k);
            Difference(dx, y2, y1, k);
            TPacked.Multiply(slope, dx, own);
            TPacked.Square(dx, slope);
            for (var c = 0; c < Vectors; c += Lanes.LimbCount)
            {
                Lanes.SubtractTwoReduced(x3 + c, dx + c, x1 + c, x2 + c, k);
            }

            Difference(dx, x1, x3, k);
            TPacked.Multiply(x2, dx, slope);
            for (var c = 0; c < Vectors; c += Lanes.LimbCount)
            {
                Lanes.SubtractReduced(x2 + c, x2 + c, y1 + c, k);
            }

            var to = results + ((long)v * 4 * PointSize);
            var lanes = Math.Min(4, count - (4 * v));
            StorePoint(x3, x2, to, lanes);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(nuint* at)
    {
        for (var i = 0; i < 8; i++)
        {
            for (var line = 0; line < PointSize; line += 64)
            {
                Sse.Prefetch0((byte*)at[i] + line);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void StorePoint(Vector256<ulong>* x, Vector256<ulong>* y, byte* to, int lanes)
    {
        var e1 = lanes > 1 ? to + PointSize : _dummy;
        var e2 = lanes > 2 ? to + (2 * PointSize) : _dummy;
        var e3 = lanes > 3 ? to + (3 * PointSize) : _dummy;
        for (var c = 0; c < TPacked.Components; c++)
        {
            var offset = c * LaneMemory.PackedSize;
            LaneMemory.StorePacked(x + (c * Lanes.LimbCount), to + offset, e1 + offset, e2 + offset, e3 + offset);
            offset += CoordinateSize;
            LaneMemory.StorePacked(y + (c * Lanes.LimbCount), to + offset, e1 + offset, e2 + offset, e3 + offset);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void LoadX(Vector256<ulong>* r, nuint a, nuint b, nuint c, nuint d)
    {
        var address = ~(nuint)1;
        var e0 = (byte*)(a & address);
        var e1 = (byte*)(b & address);
        var e2 = (byte*)(c & address);
        var e3 = (byte*)(d & address);
        LaneMemory.LoadPacked(r, e0, e1, e2, e3);
        if (TPacked.Components == 2)
        {
            LaneMemory.LoadPacked(
                r + Lanes.LimbCount, e0 + LaneMemory.PackedSize, e1 + LaneMemory.PackedSize, e2 + LaneMemory.PackedSize, e3 + LaneMemory.PackedSize);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void LoadY(Vector256<ulong>* r, nuint a, nuint b, nuint c, nuint d, Vector256<ulong>* k)
    {
        var offset = (nuint)CoordinateSize;
        LoadX(r, a + offset, b + offset, c + offset, d + offset);
        if (((a | b | c | d) & 1) != 0)
        {
            NegateSome(r, Vector256.Create(0 - (ulong)(a & 1), 0 - (ulong)(b & 1), 0 - (ulong)(c & 1), 0 - (ulong)(d & 1)), k);
        }
    }

    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void NegateSome(Vector256<ulong>* r, Vector256<ulong> which, Vector256<ulong>* k)
    {
        var negated = stackalloc Vector256<ulong>[Lanes.LimbCount];
        for (var c = 0; c < Vectors; c += Lanes.LimbCount)
        {
            Lanes.Negate(negated, r + c, k);
            for (var i = 0; i < Lanes.LimbCount; i++)
            {
                r[c + i] = Avx2.BlendVariable(r[c + i], negated[i], which);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Difference(Vector256<ulong>* r, Vector256<ulong>* a, Vector256<ulong>* b, Vector256<ulong>* k)
    {
        Lanes.Subtract(r, a, b, k);
        if (TPacked.Components == 2)
        {
            Lanes.Subtract(r + Lanes.LimbCount, a + Lanes.LimbCount, b + Lanes.LimbCount, k);
        }
    }

    /// <summary>Loose to tidy and below 2p: times one.</summary>
    private static void Tidy(Vector256<ulong>* r, Vector256<ulong>* a)
    {
        var k = LaneConstants<Fields.FpModulus>.Block;
        for (var c = 0; c < Vectors; c += Lanes.LimbCount)
        {
            Lanes.Multiply(r + c, a + c, k + Lanes.One, k);
        }
    }

    /// <summary>1/a in each lane with one inversion; false when a lane is zero.</summary>
    private static bool TryInvert(Vector256<ulong>* r, Vector256<ulong>* a)
    {
        Span<TField> values = stackalloc TField[4];
        Span<TField> products = stackalloc TField[4];
        var product = TCurve.One;
        for (var i = 0; i < 4; i++)
        {
            values[i] = TPacked.Extract(a, i);
            products[i] = product;
            product = TCurve.Multiply(product, values[i]);
        }

        if (TCurve.IsZero(product))
        {
            return false;
        }

        var inverse = TPacked.Inverse(product);
        for (var i = 3; i >= 0; i--)
        {
            products[i] = TCurve.Multiply(products[i], inverse);
            inverse = TCurve.Multiply(inverse, values[i]);
        }

        TPacked.Insert(r, products);
        return true;
    }

    /// <summary>The batch by the complete formulas.</summary>
    private static bool AddCompletely(nuint* pairs, int count, byte* results, Span<bool> infinite)
    {
        var sums = new Xyzz<TField, TCurve>[count];
        var finite = true;
        for (var i = 0; i < count; i++)
        {
            sums[i] = new Xyzz<TField, TCurve>(PackedPoints<TField, TCurve, TPacked>.Read(pairs[2 * i]));
            sums[i].Add(PackedPoints<TField, TCurve, TPacked>.Read(pairs[(2 * i) + 1]));
            infinite[i] = sums[i].IsInfinity;
            finite &= !infinite[i];
        }

        var points = new Affine<TField, TCurve>[count];
        ScalarFixedBase<TField, TCurve>.ToAffine(sums, points);
        for (var i = 0; i < count; i++)
        {
            PackedPoints<TField, TCurve, TPacked>.Write(results + ((long)i * PointSize), points[i]);
        }

        return finite;
    }
}
