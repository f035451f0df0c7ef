using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Shale.Data.Hashing;

/// <summary>
/// SHA-256 of eight messages at once with AVX2.
/// FIPS 180-4 in its own symbols; lane i of every vector belongs to message i.
/// </summary>
internal static unsafe class Sha256Lanes256
{
    public const int Lanes = 8;

    public static bool IsSupported => Avx2.IsSupported;

    /// <summary>
    /// Hashes pairs of 32-byte nodes: 8 times 64 bytes at <paramref name="source"/> to 8 times 32 bytes at
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

    /// <summary>Hashes whole messages of one length, 8 at a time; digests of 32 bytes follow one another.</summary>
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
            Store(Vector256.Create(Sha256Constants.InitialState[i]), state, i);
        }
    }

    private static void Compress(uint* state, uint* w)
    {
        Vector256<uint> a = Load(state, 0), b = Load(state, 1), c = Load(state, 2), d = Load(state, 3);
        Vector256<uint> e = Load(state, 4), f = Load(state, 5), g = Load(state, 6), h = Load(state, 7);
        Vector256<uint> t, x;
        fixed (uint* k = Sha256Constants.K)
        {
            var i = 0;
            t = T1(h, e, f, g, Load(w, 0) + Vector256.Create(k[i + 0]));
            d += t;
            h = t + T2(a, b, c);
            t = T1(g, d, e, f, Load(w, 1) + Vector256.Create(k[i + 1]));
            c += t;
            g = t + T2(h, a, b);
            t = T1(f, c, d, e, Load(w, 2) + Vector256.Create(k[i + 2]));
            b += t;
            f = t + T2(g, h, a);
            t = T1(e, b, c, d, Load(w, 3) + Vector256.Create(k[i + 3]));
            a += t;
            e = t + T2(f, g, h);
            t = T1(d, a, b, c, Load(w, 4) + Vector256.Create(k[i + 4]));
            h += t;
            d = t + T2(e, f, g);
            t = T1(c, h, a, b, Load(w, 5) + Vector256.Create(k[i + 5]));
            g += t;
            c = t + T2(d, e, f);
            t = T1(b, g, h, a, Load(w, 6) + Vector256.Create(k[i + 6]));
            f += t;
            b = t + T2(c, d, e);
            t = T1(a, f, g, h, Load(w, 7) + Vector256.Create(k[i + 7]));
            e += t;
            a = t + T2(b, c, d);
            t = T1(h, e, f, g, Load(w, 8) + Vector256.Create(k[i + 8]));
            d += t;
            h = t + T2(a, b, c);
            t = T1(g, d, e, f, Load(w, 9) + Vector256.Create(k[i + 9]));
            c += t;
            g = t + T2(h, a, b);
            t = T1(f, c, d, e, Load(w, 10) + Vector256.Create(k[i + 10]));
            b += t;
            f = t + T2(g, h, a);
            t = T1(e, b, c, d, Load(w, 11) + Vector256.Create(k[i + 11]));
            a += t;
            e = t + T2(f, g, h);
            t = T1(d, a, b, c, Load(w, 12) + Vector256.Create(k[i + 12]));
            h += t;
            d = t + T2(e, f, g);
            t = T1(c, h, a, b, Load(w, 13) + Vector256.Create(k[i + 13]));
            g += t;
            c = t + T2(d, e, f);
            t = T1(b, g, h, a, Load(w, 14) + Vector256.Create(k[i + 14]));
            f += t;
            b = t + T2(c, d, e);
            t = T1(a, f, g, h, Load(w, 15) + Vector256.Create(k[i + 15]));
            e += t;
            a = t + T2(b, c, d);

            for (i = 16; i < 64; i += 16)
            {
                x = Load(w, 0) + Sigma0(Load(w, 1)) + Load(w, 9) + Sigma1(Load(w, 14));
                Store(x, w, 0);
                t = T1(h, e, f, g, x + Vector256.Create(k[i + 0]));
                d += t;
                h = t + T2(a, b, c);
                x = Load(w, 1) + Sigma0(Load(w, 2)) + Load(w, 10) + Sigma1(Load(w, 15));
                Store(x, w, 1);
                t = T1(g, d, e, f, x + Vector256.Create(k[i + 1]));
                c += t;
                g = t + T2(h, a, b);
                x = Load(w, 2) + Sigma0(Load(w, 3)) + Load(w, 11) + Sigma1(Load(w, 0));
                Store(x, w, 2);
                t = T1(f, c, d, e, x + Vector256.Create(k[i + 2]));
                b += t;
                f = t + T2(g, h, a);
                x = Load(w, 3) + Sigma0(Load(w, 4)) + Load(w, 12) + Sigma1(Load(w, 1));
                Store(x, w, 3);
                t = T1(e, b, c, d, x + Vector256.Create(k[i + 3]));
                a += t;
                e = t + T2(f, g, h);
                x = Load(w, 4) + Sigma0(Load(w, 5)) + Load(w, 13) + Sigma1(Load(w, 2));
                Store(x, w, 4);
                t = T1(d, a, b, c, x + Vector256.Create(k[i + 4]));
                h += t;
                d = t + T2(e, f, g);
                x = Load(w, 5) + Sigma0(Load(w, 6)) + Load(w, 14) + Sigma1(Load(w, 3));
                Store(x, w, 5);
                t = T1(c, h, a, b, x + Vector256.Create(k[i + 5]));
                g += t;
                c = t + T2(d, e, f);
                x = Load(w, 6) + Sigma0(Load(w, 7)) + Load(w, 15) + Sigma1(Load(w, 4));
                Store(x, w, 6);
                t = T1(b, g, h, a, x + Vector256.Create(k[i + 6]));
                f += t;
                b = t + T2(c, d, e);
                x = Load(w, 7) + Sigma0(Load(w, 8)) + Load(w, 0) + Sigma1(Load(w, 5));
                Store(x, w, 7);
                t = T1(a, f, g, h, x + Vector256.Create(k[i + 7]));
                e += t;
                a = t + T2(b, c, d);
                x = Load(w, 8) + Sigma0(Load(w, 9)) + Load(w, 1) + Sigma1(Load(w, 6));
                Store(x, w, 8);
                t = T1(h, e, f, g, x + Vector256.Create(k[i + 8]));
                d += t;
                h = t + T2(a, b, c);
                x = Load(w, 9) + Sigma0(Load(w, 10)) + Load(w, 2) + Sigma1(Load(w, 7));
                Store(x, w, 9);
                t = T1(g, d, e, f, x + Vector256.Create(k[i + 9]));
                c += t;
                g = t + T2(h, a, b);
                x = Load(w, 10) + Sigma0(Load(w, 11)) + Load(w, 3) + Sigma1(Load(w, 8));
                Store(x, w, 10);
                t = T1(f, c, d, e, x + Vector256.Create(k[i + 10]));
                b += t;
                f = t + T2(g, h, a);
                x = Load(w, 11) + Sigma0(Load(w, 12)) + Load(w, 4) + Sigma1(Load(w, 9));
                Store(x, w, 11);
                t = T1(e, b, c, d, x + Vector256.Create(k[i + 11]));
                a += t;
                e = t + T2(f, g, h);
                x = Load(w, 12) + Sigma0(Load(w, 13)) + Load(w, 5) + Sigma1(Load(w, 10));
                Store(x, w, 12);
                t = T1(d, a, b, c, x + Vector256.Create(k[i + 12]));
                h += t;
                d = t + T2(e, f, g);
                x = Load(w, 13) + Sigma0(Load(w, 14)) + Load(w, 6) + Sigma1(Load(w, 11));
                Store(x, w, 13);
                t = T1(c, h, a, b, x + Vector256.Create(k[i + 13]));
                g += t;
                c = t + T2(d, e, f);
                x = Load(w, 14) + Sigma0(Load(w, 15)) + Load(w, 7) + Sigma1(Load(w, 12));
                Store(x, w, 14);
                t = T1(b, g, h, a, x + Vector256.Create(k[i + 14]));
                f += t;
                b = t + T2(c, d, e);
                x = Load(w, 15) + Sigma0(Load(w, 0)) + Load(w, 8) + Sigma1(Load(w, 13));
                Store(x, w, 15);
                t = T1(a, f, g, h, x + Vector256.Create(k[i + 15]));
                e += t;
                a = t + T2(b, c, d);
            }
        }

        Add(state, a, b, c, d, e, f, g, h);
    }

    private static void CompressPadding64(uint* state)
    {
        Vector256<uint> a = Load(state, 0), b = Load(state, 1), c = Load(state, 2), d = Load(state, 3);
        Vector256<uint> e = Load(state, 4), f = Load(state, 5), g = Load(state, 6), h = Load(state, 7);
        Vector256<uint> t;
        fixed (uint* kw = Sha256Constants.PaddingSchedule64)
        {
            for (var i = 0; i < 64; i += 8)
            {
                t = T1(h, e, f, g, Vector256.Create(kw[i + 0]));
                d += t;
                h = t + T2(a, b, c);
                t = T1(g, d, e, f, Vector256.Create(kw[i + 1]));
                c += t;
                g = t + T2(h, a, b);
                t = T1(f, c, d, e, Vector256.Create(kw[i + 2]));
                b += t;
                f = t + T2(g, h, a);
                t = T1(e, b, c, d, Vector256.Create(kw[i + 3]));
                a += t;
                e = t + T2(f, g, h);
                t = T1(d, a, b, c, Vector256.Create(kw[i + 4]));
                h += t;
                d = t + T2(e, f, g);
                t = T1(c, h, a, b, Vector256.Create(kw[i + 5]));
                g += t;
                c = t + T2(d, e, f);
                t = T1(b, g, h, a, Vector256.Create(kw[i + 6]));
                f += t;
                b = t + T2(c, d, e);
                t = T1(a, f, g, h, Vector256.Create(kw[i + 7]));
                e += t;
                a = t + T2(b, c, d);
            }
        }

        Add(state, a, b, c, d, e, f, g, h);
    }

    private static void Add(uint* state, Vector256<uint> a, Vector256<uint> b, Vector256<uint> c, Vector256<uint> d, Vector256<uint> e, Vector256<uint> f, Vector256<uint> g, Vector256<uint> h)
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
    private static Vector256<uint> T1(Vector256<uint> h, Vector256<uint> e, Vector256<uint> f, Vector256<uint> g, Vector256<uint> kw) =>
        h + kw + (((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7))) + (((f ^ g) & e) ^ g);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<uint> T2(Vector256<uint> a, Vector256<uint> b, Vector256<uint> c) =>
        (((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10))) + ((a & b) | ((a | b) & c));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<uint> Sigma0(Vector256<uint> x) =>
        (((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<uint> Sigma1(Vector256<uint> x) =>
        (((x >>> 17) | (x << 15)) ^ ((x >>> 19) | (x << 13)) ^ (x >>> 10));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<uint> Load(uint* at, int index) => Vector256.Load(at + (index * Lanes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(Vector256<uint> value, uint* at, int index) => value.Store(at + (index * Lanes));

    private static void LoadMessages(byte* source, int stride, uint* w)
    {
        var rows = stackalloc byte*[Lanes];
        for (var i = 0; i < Lanes; i++)
        {
            rows[i] = source + (i * stride);
        }

        LoadRows(rows, w);
    }

    // Eight messages' blocks are the rows of an 8 by 16 matrix of words; the compression wants its columns, in host order.
    [SkipLocalsInit]
    private static void LoadRows(byte** rows, uint* w)
    {
        var swap = Vector256.Create(SwapBytes, SwapBytes);
        var m = stackalloc uint[8 * Lanes];
        for (var half = 0; half < 2; half++)
        {
            for (var i = 0; i < Lanes; i++)
            {
                Store(Avx2.Shuffle(Vector256.Load(rows[i] + (32 * half)), swap).AsUInt32(), m, i);
            }

            Transpose(m, w + (half * 8 * Lanes));
        }
    }

    // Words, then pairs of words, then 128-bit halves change places: each step doubles the part that stands right.
    private static void Transpose(uint* m, uint* w)
    {
        for (var i = 0; i < 8; i += 4)
        {
            Vector256<uint> r0 = Load(m, i), r1 = Load(m, i + 1), r2 = Load(m, i + 2), r3 = Load(m, i + 3);
            var t0 = Avx2.UnpackLow(r0, r1).AsUInt64();
            var t1 = Avx2.UnpackHigh(r0, r1).AsUInt64();
            var t2 = Avx2.UnpackLow(r2, r3).AsUInt64();
            var t3 = Avx2.UnpackHigh(r2, r3).AsUInt64();
            Store(Avx2.UnpackLow(t0, t2).AsUInt32(), m, i);
            Store(Avx2.UnpackHigh(t0, t2).AsUInt32(), m, i + 1);
            Store(Avx2.UnpackLow(t1, t3).AsUInt32(), m, i + 2);
            Store(Avx2.UnpackHigh(t1, t3).AsUInt32(), m, i + 3);
        }

        for (var i = 0; i < 4; i++)
        {
            Vector256<uint> q0 = Load(m, i), q1 = Load(m, i + 4);
            Store(Avx2.Permute2x128(q0, q1, 0x20), w, i);
            Store(Avx2.Permute2x128(q0, q1, 0x31), w, i + 4);
        }
    }

    [SkipLocalsInit]
    private static void StoreDigests(uint* state, byte* destination, byte lastByteMask)
    {
        var m = stackalloc uint[8 * Lanes];
        var columns = stackalloc uint[8 * Lanes];
        Buffer.MemoryCopy(state, m, 8 * Lanes * 4, 8 * Lanes * 4);
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
