using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Shale.Bn254.Fields;
using Shale.Bn254.Vector;

namespace Shale.Bn254.Ntt;

/// <summary>
/// The transforms of <see cref="ScalarNtt"/>, four butterflies at a time with AVX2. Values lie in quads: elements 4i to 4i + 3 as nine
/// groups of four 32-bit limbs (144 bytes), which one widening load each turns into a lane element. Recursion down to pieces that fit the
/// second-level cache keeps the large sizes from streaming through memory once a level. Twiddle tables are made once an instance and shared
/// by its threads.
/// </summary>
internal sealed unsafe class VectorNtt : IDisposable
{
    /// <summary>The smallest transform: two quads, which the last levels work on together.</summary>
    public const int MinimumLog = 3;

    /// <summary>Bytes of a quad.</summary>
    public const int QuadSize = 4 * 4 * Lanes.LimbCount;

    private const int LimbCount = Lanes.LimbCount;

    // 2^12 elements are 144 KiB; with their twiddles they stay in the second-level cache.
    private const int BlockLog = 12;

    private readonly int _log;
    private readonly int _workers;

    // For each size 2^l from 8 on, 2^(l−1) twiddles from quad 2^(l−3) on: inverse ones and those of the odd coset.
    private readonly byte* _inverse;
    private readonly byte* _forward;

    public VectorNtt(int log, int workers, CancellationToken cancellation)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(log, MinimumLog);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(log, Domain.MaximumLog - 1);
        _log = log;
        _workers = workers;
        _inverse = Allocate(1L << (log - 2));
        _forward = Allocate(1L << (log - 2));
        for (var l = MinimumLog; l <= log; l++)
        {
            var size = l;
            Fill(_inverse + Place(l), 1L << (l - 3), Domain.Root(size).Inverse(), Fr.One, workers, cancellation);
            Fill(_forward + Place(l), 1L << (l - 3), Domain.Root(size), Domain.Root(size + 1), workers, cancellation);
        }
    }

    /// <summary>Memory for so many quads; the caller frees it.</summary>
    public static byte* Allocate(long quads) => LargeMemory.Allocate(quads * QuadSize);

    public static void Free(byte* quads) => LargeMemory.Free(quads);

    public void Dispose()
    {
        Free(_inverse);
        Free(_forward);
    }

    /// <summary>As <see cref="ScalarNtt.InverseUnscaled"/>. Values tidy and below 2p before and after.</summary>
    public void InverseUnscaled(byte* values) => Inverse(values, _log, SplitLevels());

    /// <summary>As <see cref="ScalarNtt.ForwardOnOddCoset"/>. Values tidy and below 2p before; tidy and below 2^261 after.</summary>
    public void ForwardOnOddCoset(byte* values) => Forward(values, _log, SplitLevels());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load(Vector256<ulong>* r, byte* quad)
    {
        for (var i = 0; i < LimbCount; i++)
        {
            r[i] = Avx2.ConvertToVector256Int64((uint*)quad + (4 * i)).AsUInt64();
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(byte* quad, Vector256<ulong>* a)
    {
        var evenWords = Vector256.Create(0u, 2, 4, 6, 0, 2, 4, 6);
        for (var i = 0; i < LimbCount; i++)
        {
            Avx2.PermuteVar8x32(a[i].AsUInt32(), evenWords).GetLower().Store((uint*)quad + (4 * i));
        }
    }

    private static long Place(int log) => (1L << (log - 3)) * QuadSize;

    /// <summary>How many levels of the recursion go to two tasks each.</summary>
    private int SplitLevels() => _workers == 1 ? 0 : BitOperations.Log2((uint)_workers - 1) + 1;

    private void Inverse(byte* values, int log, int split)
    {
        if (log <= BlockLog)
        {
            for (var l = log; l >= MinimumLog; l--)
            {
                for (var start = 0L; start < 1L << (log - 2); start += 1L << (l - 2))
                {
                    InverseLevel(values + (start * QuadSize), l, 0, 1L << (l - 3));
                }
            }

            InverseLast(values, 1L << (log - 2));
            return;
        }

        var half = 1L << (log - 3);
        var second = values + (half * QuadSize);
        if (split > 0)
        {
            var parts = 1 << split;
            Parallel.For(0, parts, part => InverseLevel(values, log, half * part / parts, half * (part + 1) / parts));
            Parallel.Invoke(() => Inverse(values, log - 1, split - 1), () => Inverse(second, log - 1, split - 1));
        }
        else
        {
            InverseLevel(values, log, 0, half);
            Inverse(values, log - 1, 0);
            Inverse(second, log - 1, 0);
        }
    }

    private void Forward(byte* values, int log, int split)
    {
        if (log <= BlockLog)
        {
            ForwardFirst(values, 1L << (log - 2));
            for (var l = MinimumLog; l <= log; l++)
            {
                for (var start = 0L; start < 1L << (log - 2); start += 1L << (l - 2))
                {
                    ForwardLevel(values + (start * QuadSize), l, 0, 1L << (l - 3));
                }
            }

            return;
        }

        var half = 1L << (log - 3);
        var second = values + (half * QuadSize);
        if (split > 0)
        {
            var parts = 1 << split;
            Parallel.Invoke(() => Forward(values, log - 1, split - 1), () => Forward(second, log - 1, split - 1));
            Parallel.For(0, parts, part => ForwardLevel(values, log, half * part / parts, half * (part + 1) / parts));
        }
        else
        {
            Forward(values, log - 1, 0);
            Forward(second, log - 1, 0);
            ForwardLevel(values, log, 0, half);
        }
    }

    /// <summary>(a, b) ← (a + b, (a − b)·w) for quads from..to of the first half of a piece of 2^log elements.</summary>
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void InverseLevel(byte* values, int log, long from, long to)
    {
        var k = LaneConstants<FrModulus>.Block;
        var a = stackalloc Vector256<ulong>[4 * LimbCount];
        var b = a + LimbCount;
        var w = b + LimbCount;
        var d = w + LimbCount;
        var twiddles = _inverse + Place(log);
        var second = values + ((1L << (log - 3)) * QuadSize);
        for (var i = from * QuadSize; i < to * QuadSize; i += QuadSize)
        {
            Load(a, values + i);
            Load(b, second + i);
            Load(w, twiddles + i);
            Lanes.Subtract(d, a, b, k);
            Lanes.AddReduced(a, a, b, k);
            Lanes.Multiply(b, d, w, k);
            Store(values + i, a);
            Store(second + i, b);
        }
    }

    /// <summary>(a, b) ← (a + b·w, a − b·w) likewise.</summary>
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void ForwardLevel(byte* values, int log, long from, long to)
    {
        var k = LaneConstants<FrModulus>.Block;
        var a = stackalloc Vector256<ulong>[3 * LimbCount];
        var b = a + LimbCount;
        var w = b + LimbCount;
        var twiddles = _forward + Place(log);
        var second = values + ((1L << (log - 3)) * QuadSize);
        for (var i = from * QuadSize; i < to * QuadSize; i += QuadSize)
        {
            Load(a, values + i);
            Load(b, second + i);
            Load(w, twiddles + i);
            Lanes.Multiply(b, b, w, k);
            StoreSumAndDifference(values + i, second + i, a, b, k);
        }
    }

    /// <summary>
    /// Stores a + b and a − b + 4p with tidy limbs and no reduction: b, a product, is below 2p, so that a value grows by at most 4p a level,
    /// to 2p + 28·4p &lt; 2^261 in the largest domain.
    /// </summary>
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreSumAndDifference(byte* sum, byte* difference, Vector256<ulong>* a, Vector256<ulong>* b, Vector256<ulong>* k)
    {
        SumAndDifference(a, b, a, b, k);
        Store(sum, a);
        Store(difference, b);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void SumAndDifference(Vector256<ulong>* sum, Vector256<ulong>* difference, Vector256<ulong>* a, Vector256<ulong>* b, Vector256<ulong>* k)
    {
        var mask = Vector256.Create(Lanes.LimbMask);
        var (s, d) = (Vector256<ulong>.Zero, Vector256<ulong>.Zero);
        for (var i = 0; i < LimbCount - 1; i++)
        {
            var (x, y) = (a[i], b[i]);
            s += x + y;
            d += x + k[Lanes.FourP + i] - y;
            sum[i] = s & mask;
            difference[i] = d & mask;
            s >>>= Lanes.LimbBits;
            d >>>= Lanes.LimbBits;
        }

        var (top, other) = (a[LimbCount - 1], b[LimbCount - 1]);
        sum[LimbCount - 1] = s + top + other;
        difference[LimbCount - 1] = d + top + k[Lanes.FourP + LimbCount - 1] - other;
    }

    /// <summary>The levels of 4 and 2 elements, on two quads at a time.</summary>
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void InverseLast(byte* values, long quads)
    {
        var k = LaneConstants<FrModulus>.Block;
        var u = stackalloc Vector256<ulong>[4 * LimbCount];
        var v = u + LimbCount;
        var d = v + LimbCount;
        var w = d + LimbCount;

        // Lanes 0 and 2 are the first butterfly of their piece of four, lanes 1 and 3 the second.
        var i4 = Domain.Root(2).Inverse();
        Insert(w, Fr.One, i4);
        for (var at = values; at < values + (quads * QuadSize); at += 2 * QuadSize)
        {
            Load(u, at);
            Load(v, at + QuadSize);
            SplitHalves(u, v);
            Lanes.Subtract(d, u, v, k);
            Lanes.AddReduced(u, u, v, k);
            Lanes.Multiply(v, d, w, k);
            SplitPairs(u, v);
            Lanes.SubtractReduced(d, u, v, k);
            Lanes.AddReduced(u, u, v, k);
            SplitPairs(u, d);
            SplitHalves(u, d);
            Store(at, u);
            Store(at + QuadSize, d);
        }
    }

    /// <summary>The levels of 2 and 4 elements of the odd coset: their twiddles are ω_4, and ω_8 and ω_8³.</summary>
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ForwardFirst(byte* values, long quads)
    {
        var k = LaneConstants<FrModulus>.Block;
        var u = stackalloc Vector256<ulong>[4 * LimbCount];
        var v = u + LimbCount;
        var w2 = v + LimbCount;
        var w4 = w2 + LimbCount;
        var root = Domain.Root(3);
        Insert(w2, Domain.Root(2), Domain.Root(2));
        Insert(w4, root, root.Square() * root);
        for (var at = values; at < values + (quads * QuadSize); at += 2 * QuadSize)
        {
            Load(u, at);
            Load(v, at + QuadSize);
            SplitHalves(u, v);
            SplitPairs(u, v);
            Lanes.Multiply(v, v, w2, k);
            SumAndDifference(u, v, u, v, k);
            SplitPairs(u, v);
            Lanes.Multiply(v, v, w4, k);
            SumAndDifference(u, v, u, v, k);
            SplitHalves(u, v);
            Store(at, u);
            Store(at + QuadSize, v);
        }
    }

    /// <summary>[0 1 2 3] [4 5 6 7] to [0 1 4 5] [2 3 6 7]; its own opposite.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void SplitHalves(Vector256<ulong>* u, Vector256<ulong>* v)
    {
        for (var i = 0; i < LimbCount; i++)
        {
            var (x, y) = (u[i], v[i]);
            u[i] = Avx2.Permute2x128(x, y, 0x20);
            v[i] = Avx2.Permute2x128(x, y, 0x31);
        }
    }

    /// <summary>[0 1 4 5] [2 3 6 7] to [0 2 4 6] [1 3 5 7]; its own opposite.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void SplitPairs(Vector256<ulong>* u, Vector256<ulong>* v)
    {
        for (var i = 0; i < LimbCount; i++)
        {
            var (x, y) = (u[i], v[i]);
            u[i] = Avx2.UnpackLow(x, y);
            v[i] = Avx2.UnpackHigh(x, y);
        }
    }

    private static void Insert(Vector256<ulong>* r, in Fr even, in Fr odd)
    {
        LaneConstants<FrModulus>.Put(r, Packed(even));
        var other = stackalloc Vector256<ulong>[LimbCount];
        LaneConstants<FrModulus>.Put(other, Packed(odd));
        for (var i = 0; i < LimbCount; i++)
        {
            r[i] = Vector256.Create(r[i].ToScalar(), other[i].ToScalar(), r[i].ToScalar(), other[i].ToScalar());
        }

        static BigInteger Packed(in Fr value) => (value.ToBigInteger() << Lanes.RadixBits) % Fr.Modulus;
    }

    /// <summary>quads of first·ratio^i.</summary>
    private static void Fill(byte* destination, long quads, Fr ratio, Fr first, int workers, CancellationToken cancellation)
    {
        const int BlockLength = 1024;
        Parallel.For(
            0L, (quads + BlockLength - 1) / BlockLength,
            new ParallelOptions { MaxDegreeOfParallelism = workers, CancellationToken = cancellation },
            block => FillBlock(destination, block * BlockLength, Math.Min(quads, (block + 1) * BlockLength), ratio, first));
    }

    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FillBlock(byte* destination, long from, long to, Fr ratio, Fr first)
    {
        var k = LaneConstants<FrModulus>.Block;
        var power = stackalloc Vector256<ulong>[2 * LimbCount];
        var step = power + LimbCount;
        var start = first * ratio.Pow(4 * from);
        var plain = stackalloc Fr[4];
        for (var i = 0; i < 4; i++, start *= ratio)
        {
            plain[i] = start;
        }

        LaneMemory.LoadPlain(power, (byte*)plain, (byte*)(plain + 1), (byte*)(plain + 2), (byte*)(plain + 3));
        Lanes.Multiply(power, power, k + Lanes.FromRadix256, k);
        var ratio4 = ratio.Square().Square();
        Insert(step, ratio4, ratio4);
        for (var i = from; i < to; i++)
        {
            Store(destination + (i * QuadSize), power);
            Lanes.Multiply(power, power, step, k);
        }
    }
}
