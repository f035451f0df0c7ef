using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Shale.Data.Hashing;

/// <summary>
/// SHA-256 of sixteen messages at once with AVX-512 (rotations and three-operand logic are single instructions there).
/// FIPS 180-4 in its own symbols; lane i of every vector belongs to message i.
/// </summary>
internal static unsafe class Sha256Lanes512
{
    public const int Lanes = 16;

    public static bool IsSupported => Avx512F.IsSupported && Avx512BW.IsSupported;

    /// <summary>
    /// Hashes pairs of 32-byte nodes: 16 times 64 bytes at <paramref name="source"/> to 16 times 32 bytes at
    /// <paramref name="destination"/>, the last two bits of each digest cleared. The two may be the same place.
    /// </summary>
    [SkipLocalsInit]
    public static void HashPairs(byte* source, byte* destination)
    {
        var w = stackalloc uint[16 * Lanes];
        var state = stackalloc uint[8 * Lanes];
        LoadMessages(source, 64, w);
        Start(state);
        Compress(state, w);
        CompressPadding64(state);
        StoreDigests(state, destination, 0x3f);
    }

    /// <summary>Hashes whole messages of one length, 16 at a time; digests of 32 bytes follow one another.</summary>
    [SkipLocalsInit]
    public static void HashMessages(byte** messages, long length, byte* destination)
    {
        var w = stackalloc uint[16 * Lanes];
        var state = stackalloc uint[8 * Lanes];
        var rows = stackalloc byte*[Lanes];
        Start(state);
        var whole = length & ~63L;
        for (long at = 0; at < whole; at += 64)
        {
            for (var i = 0; i < Lanes; i++)
            {
                rows[i] = messages[i] + at;
            }

            LoadRows(rows, w);
            Compress(state, w);
        }

        // The tail, 0x80, zeros and the length in bits: one block or two.
        var rest = (int)(length - whole);
        var blocks = rest < 56 ? 1 : 2;
        var tails = stackalloc byte[128 * Lanes];
        new Span<byte>(tails, 128 * Lanes).Clear();
        for (var i = 0; i < Lanes; i++)
        {
            var tail = tails + (128 * i);
            new ReadOnlySpan<byte>(messages[i] + whole, rest).CopyTo(new Span<byte>(tail, 128));
            tail[rest] = 0x80;
            System.Buffers.Binary.BinaryPrimitives.WriteInt64BigEndian(new Span<byte>(tail + (64 * blocks) - 8, 8), length * 8);
        }

        for (var block = 0; block < blocks; block++)
        {
            LoadMessages(tails + (64 * block), 128, w);
            Compress(state, w);
        }

        StoreDigests(state, destination, 0xff);
    }

    private static void Start(uint* state)
    {
        for (var i = 0; i < 8; i++)
        {
            Store(Vector512.Create(Sha256Constants.InitialState[i]), state, i);
        }
    }

    private static void Compress(uint* state, uint* w)
    {
        Vector512<uint> a = Load(state, 0), b = Load(state, 1), c = Load(state, 2), d = Load(state, 3);
        Vector512<uint> e = Load(state, 4), f = Load(state, 5), g = Load(state, 6), h = Load(state, 7);
        Vector512<uint> t, x;
        fixed (uint* k = Sha256Constants.K)
        {
            var i = 0;
            t = T1(h, e, f, g, Load(w, 0) + Vector512.Create(k[i + 0]));
            d += t;
            h = t + T2(a, b, c);
            t = T1(g, d, e, f, Load(w, 1) + Vector512.Create(k[i + 1]));
            c += t;
            g = t + T2(h, a, b);
            t = T1(f, c, d, e, Load(w, 2) + Vector512.Create(k[i + 2]));
            b += t;
            f = t + T2(g, h, a);
            t = T1(e, b, c, d, Load(w, 3) + Vector512.Create(k[i + 3]));
            a += t;
            e = t + T2(f, g, h);
            t = T1(d, a, b, c, Load(w, 4) + Vector512.Create(k[i + 4]));
            h += t;
            d = t + T2(e, f, g);
            t = T1(c, h, a, b, Load(w, 5) + Vector512.Create(k[i + 5]));
            g += t;
            c = t + T2(d, e, f);
            t = T1(b, g, h, a, Load(w, 6) + Vector512.Create(k[i + 6]));
            f += t;
            b = t + T2(c, d, e);
            t = T1(a, f, g, h, Load(w, 7) + Vector512.Create(k[i + 7]));
            e += t;
            a = t + T2(b, c, d);
            t = T1(h, e, f, g, Load(w, 8) + Vector512.Create(k[i + 8]));
            d += t;
            h = t + T2(a, b, c);
            t = T1(g, d, e, f, Load(w, 9) + Vector512.Create(k[i + 9]));
            c += t;
            g = t + T2(h, a, b);
            t = T1(f, c, d, e, Load(w, 10) + Vector512.Create(k[i + 10]));
            b += t;
            f = t + T2(g, h, a);
            t = T1(e, b, c, d, Load(w, 11) + Vector512.Create(k[i + 11]));
            a += t;
            e = t + T2(f, g, h);
            t = T1(d, a, b, c, Load(w, 12) + Vector512.Create(k[i + 12]));
            h += t;
            d = t + T2(e, f, g);
            t = T1(c, h, a, b, Load(w, 13) + Vector512.Create(k[i + 13]));
            g += t;
            c = t + T2(d, e, f);
            t = T1(b, g, h, a, Load(w, 14) + Vector512.Create(k[i + 14]));
            f += t;
            b = t + T2(c, d, e);
            t = T1(a, f, g, h, Load(w, 15) + Vector512.Create(k[i + 15]));
            e += t;
            a = t + T2(b, c, d);

            for (i = 16; i < 64; i += 16)
            {
                x = Load(w, 0) + Sigma0(Load(w, 1)) + Load(w, 9) + Sigma1(Load(w, 14));
                Store(x, w, 0);
                t = T1(h, e, f, g, x + Vector512.Create(k[i + 0]));
                d += t;
                h = t + T2(a, b, c);
                x = Load(w, 1) + Sigma0(Load(w, 2)) + Load(w, 10) + Sigma1(Load(w, 15));
                Store(x, w, 1);
                t = T1(g, d, e, f, x + Vector512.Create(k[i + 1]));
                c += t;
                g = t + T2(h, a, b);
                x = Load(w, 2) + Sigma0(Load(w, 3)) + Load(w, 11) + Sigma1(Load(w, 0));
                Store(x, w, 2);
                t = T1(f, c, d, e, x + Vector512.Create(k[i + 2]));
                b += t;
                f = t + T2(g, h, a);
                x = Load(w, 3) + Sigma0(Load(w, 4)) + Load(w, 12) + Sigma1(Load(w, 1));
                Store(x, w, 3);
                t = T1(e, b, c, d, x + Vector512.Create(k[i + 3]));
                a += t;
                e = t + T2(f, g, h);
                x = Load(w, 4) + Sigma0(Load(w, 5)) + Load(w, 13) + Sigma1(Load(w, 2));
                Store(x, w, 4);
                t = T1(d, a, b, c, x + Vector512.Create(k[i + 4]));
                h += t;
                d = t + T2(e, f, g);
                x = Load(w, 5) + Sigma0(Load(w, 6)) + Load(w, 14) + Sigma1(Load(w, 3));
                Store(x, w, 5);
                t = T1(c, h, a, b, x + Vector512.Create(k[i + 5]));
                g += t;
                c = t + T2(d, e, f);
                x = Load(w, 6) + Sigma0(Load(w, 7)) + Load(w, 15) + Sigma1(Load(w, 4));
                Store(x, w, 6);
                t = T1(b, g, h, a, x + Vector512.Create(k[i + 6]));
                f += t;
                b = t + T2(c, d, e);
                x = Load(w, 7) + Sigma0(Load(w, 8)) + Load(w, 0) + Sigma1(Load(w, 5));
                Store(x, w, 7);
                t = T1(a, f, g, h, x + Vector512.Create(k[i + 7]));
                e += t;
                a = t + T2(b, c, d);
                x = Load(w, 8) + Sigma0(Load(w, 9)) + Load(w, 1) + Sigma1(Load(w, 6));
                Store(x, w, 8);
                t = T1(h, e, f, g, x + Vector512.Create(k[i + 8]));
                d += t;
                h = t + T2(a, b, c);
                x = Load(w, 9) + Sigma0(Load(w, 10)) + Load(w, 2) + Sigma1(Load(w, 7));
                Store(x, w, 9);
                t = T1(g, d, e, f, x + Vector512.Create(k[i + 9]));
                c += t;
                g = t + T2(h, a, b);
                x = Load(w, 10) + Sigma0(Load(w, 11)) + Load(w, 3) + Sigma1(Load(w, 8));
                Store(x, w, 10);
                t = T1(f, c, d, e, x + Vector512.Create(k[i + 10]));
                b += t;
                f = t + T2(g, h, a);
                x = Load(w, 11) + Sigma0(Load(w, 12)) + Load(w, 4) + Sigma1(Load(w, 9));
                Store(x, w, 11);
                t = T1(e, b, c, d, x + Vector512.Create(k[i + 11]));
                a += t;
                e = t + T2(f, g, h);
                x = Load(w, 12) + Sigma0(Load(w, 13)) + Load(w, 5) + Sigma1(Load(w, 10));
                Store(x, w, 12);
                t = T1(d, a, b, c, x + Vector512.Create(k[i + 12]));
                h += t;
                d = t + T2(e, f, g);
                x = Load(w, 13) + Sigma0(Load(w, 14)) + Load(w, 6) + Sigma1(Load(w, 11));
                Store(x, w, 13);
                t = T1(c, h, a, b, x + Vector512.Create(k[i + 13]));
                g += t;
                c = t + T2(d, e, f);
                x = Load(w, 14) + Sigma0(Load(w, 15)) + Load(w, 7) + Sigma1(Load(w, 12));
                Store(x, w, 14);
                t = T1(b, g, h, a, x + Vector512.Create(k[i + 14]));
                f += t;
                b = t + T2(c, d, e);
                x = Load(w, 15) + Sigma0(Load(w, 0)) + Load(w, 8) + Sigma1(Load(w, 13));
                Store(x, w, 15);
                t = T1(a, f, g, h, x + Vector512.Create(k[i + 15]));
                e += t;
                a = t + T2(b, c, d);
            }
        }

        Add(state, a, b, c, d, e, f, g, h);
    }

    private static void CompressPadding64(uint* state)
    {
        Vector512<uint> a = Load(state, 0), b = Load(state, 1), c = Load(state, 2), d = Load(state, 3);
        Vector512<uint> e = Load(state, 4), f = Load(state, 5), g = Load(state, 6), h = Load(state, 7);
        Vector512<uint> t;
        fixed (uint* kw = Sha256Constants.PaddingSchedule64)
        {
            for (var i = 0; i < 64; i += 8)
            {
                t = T1(h, e, f, g, Vector512.Create(kw[i + 0]));
                d += t;
                h = t + T2(a, b, c);
                t = T1(g, d, e, f, Vector512.Create(kw[i + 1]));
                c += t;
                g = t + T2(h, a, b);
                t = T1(f, c, d, e, Vector512.Create(kw[i + 2]));
                b += t;
                f = t + T2(g, h, a);
                t = T1(e, b, c, d, Vector512.Create(kw[i + 3]));
                a += t;
                e = t + T2(f, g, h);
                t = T1(d, a, b, c, Vector512.Create(kw[i + 4]));
                h += t;
                d = t + T2(e, f, g);
                t = T1(c, h, a, b, Vector512.Create(kw[i + 5]));
                g += t;
                c = t + T2(d, e, f);
                t = T1(b, g, h, a, Vector512.Create(kw[i + 6]));
                f += t;
                b = t + T2(c, d, e);
                t = T1(a, f, g, h, Vector512.Create(kw[i + 7]));
                e += t;
                a = t + T2(b, c, d);
            }
        }

        Add(state, a, b, c, d, e, f, g, h);
    }

    private static void Add(uint* state, Vector512<uint> a, Vector512<uint> b, Vector512<uint> c, Vector512<uint> d, Vector512<uint> e, Vector512<uint> f, Vector512<uint> g, Vector512<uint> h)
    {
        Store(Load(state, 0) + a, state, 0);
        Store(Load(state, 1) + b, state, 1);
        Store(Load(state, 2) + c, state, 2);
        Store(Load(state, 3) + d, state, 3);
        Store(Load(state, 4) + e, state, 4);
        Store(Load(state, 5) + f, state, 5);
        Store(Load(state, 6) + g, state, 6);
        Store(Load(state, 7) + h, state, 7);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> T1(Vector512<uint> h, Vector512<uint> e, Vector512<uint> f, Vector512<uint> g, Vector512<uint> kw) =>
        h + kw + Avx512F.TernaryLogic(Avx512F.RotateRight(e, 6), Avx512F.RotateRight(e, 11), Avx512F.RotateRight(e, 25), 0x96) + Avx512F.TernaryLogic(e, f, g, 0xca);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> T2(Vector512<uint> a, Vector512<uint> b, Vector512<uint> c) =>
        Avx512F.TernaryLogic(Avx512F.RotateRight(a, 2), Avx512F.RotateRight(a, 13), Avx512F.RotateRight(a, 22), 0x96) + Avx512F.TernaryLogic(a, b, c, 0xe8);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> Sigma0(Vector512<uint> x) =>
        Avx512F.TernaryLogic(Avx512F.RotateRight(x, 7), Avx512F.RotateRight(x, 18), x >>> 3, 0x96);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> Sigma1(Vector512<uint> x) =>
        Avx512F.TernaryLogic(Avx512F.RotateRight(x, 17), Avx512F.RotateRight(x, 19), x >>> 10, 0x96);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> Load(uint* at, int index) => Vector512.Load(at + (index * Lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(Vector512<uint> value, uint* at, int index) => value.Store(at + (index * Lanes));

    private static void LoadMessages(byte* source, int stride, uint* w)
    {
        var rows = stackalloc byte*[Lanes];
        for (var i = 0; i < Lanes; i++)
        {
            rows[i] = source + (i * stride);
        }

        LoadRows(rows, w);
    }

    // Sixteen messages' blocks are the rows of a 16 by 16 matrix of words; the compression wants its columns, in host order.
    [SkipLocalsInit]
    private static void LoadRows(byte** rows, uint* w)
    {
        var swap = Vector512.Create(Vector256.Create(SwapBytes, SwapBytes), Vector256.Create(SwapBytes, SwapBytes));
        var m = stackalloc uint[16 * Lanes];
        for (var i = 0; i < 16; i++)
        {
            Store(Avx512BW.Shuffle(Vector512.Load(rows[i]), swap).AsUInt32(), m, i);
        }

        Transpose(m, w);
    }

    // Words, then pairs of words, then 128-bit quarters change places: each step doubles the part that stands right.
    private static void Transpose(uint* m, uint* w)
    {
        for (var i = 0; i < 16; i += 4)
        {
            Vector512<uint> r0 = Load(m, i), r1 = Load(m, i + 1), r2 = Load(m, i + 2), r3 = Load(m, i + 3);
            var t0 = Avx512F.UnpackLow(r0, r1).AsUInt64();
            var t1 = Avx512F.UnpackHigh(r0, r1).AsUInt64();
            var t2 = Avx512F.UnpackLow(r2, r3).AsUInt64();
            var t3 = Avx512F.UnpackHigh(r2, r3).AsUInt64();
            Store(Avx512F.UnpackLow(t0, t2).AsUInt32(), m, i);
            Store(Avx512F.UnpackHigh(t0, t2).AsUInt32(), m, i + 1);
            Store(Avx512F.UnpackLow(t1, t3).AsUInt32(), m, i + 2);
            Store(Avx512F.UnpackHigh(t1, t3).AsUInt32(), m, i + 3);
        }

        for (var i = 0; i < 4; i++)
        {
            Vector512<uint> q0 = Load(m, i), q1 = Load(m, i + 4), q2 = Load(m, i + 8), q3 = Load(m, i + 12);
            var lowEven = Avx512F.Shuffle4x128(q0, q1, 0x88);
            var lowOdd = Avx512F.Shuffle4x128(q0, q1, 0xdd);
            var highEven = Avx512F.Shuffle4x128(q2, q3, 0x88);
            var highOdd = Avx512F.Shuffle4x128(q2, q3, 0xdd);
            Store(Avx512F.Shuffle4x128(lowEven, highEven, 0x88), w, i);
            Store(Avx512F.Shuffle4x128(lowOdd, highOdd, 0x88), w, i + 4);
            Store(Avx512F.Shuffle4x128(lowEven, highEven, 0xdd), w, i + 8);
            Store(Avx512F.Shuffle4x128(lowOdd, highOdd, 0xdd), w, i + 12);
        }
    }

    [SkipLocalsInit]
    private static void StoreDigests(uint* state, byte* destination, byte lastByteMask)
    {
        // The state is 8 rows of 16; as the upper half of a 16 by 16 matrix its columns are the digests.
        var m = stackalloc uint[16 * Lanes];
        var columns = stackalloc uint[16 * Lanes];
        Buffer.MemoryCopy(state, m, 8 * Lanes * 4, 8 * Lanes * 4);
        for (var i = 8; i < 16; i++)
        {
            Store(Vector512<uint>.Zero, m, i);
        }

        Transpose(m, columns);
        var swap = Vector256.Create(SwapBytes, SwapBytes);
        for (var i = 0; i < Lanes; i++)
        {
            Avx2.Shuffle(Vector256.Load((byte*)(columns + (i * Lanes))), swap).Store(destination + (32 * i));
            destination[(32 * i) + 31] &= lastByteMask;
        }
    }

    private static Vector128<byte> SwapBytes => Vector128.Create((byte)3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12);
}
