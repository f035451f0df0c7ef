using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Shale.Bn254.Fields;

namespace Shale.Bn254.Vector;

/// <summary>
/// Between lane elements and memory. Two forms of one element: plain, 32 bytes in Montgomery form with radix 2^256 as <see cref="Fp"/> and
/// .zkey have it; packed, 40 bytes, nine 29-bit limbs as 32-bit words (radix 2^261) and four bytes of padding, which four transposing
/// loads turn into lanes.
/// </summary>
internal static unsafe class LaneMemory
{
    /// <summary>Bytes of a packed element.</summary>
    public const int PackedSize = 40;

    /// <summary>Loads four packed elements.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadPacked(Vector256<ulong>* r, byte* e0, byte* e1, byte* e2, byte* e3)
    {
        var low = Vector256.Create(0xffffffffUL);
        Transpose(
            Vector256.Load((ulong*)e0), Vector256.Load((ulong*)e1), Vector256.Load((ulong*)e2), Vector256.Load((ulong*)e3),
            out var w0, out var w1, out var w2, out var w3);
        r[0] = w0 & low;
        r[1] = w0 >>> 32;
        r[2] = w1 & low;
        r[3] = w1 >>> 32;
        r[4] = w2 & low;
        r[5] = w2 >>> 32;
        r[6] = w3 & low;
        r[7] = w3 >>> 32;
        r[8] = Vector256.Create(*(ulong*)(e0 + 32), *(ulong*)(e1 + 32), *(ulong*)(e2 + 32), *(ulong*)(e3 + 32));
    }

    /// <summary>Stores a tidy element as four packed ones, 0 in the padding.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StorePacked(Vector256<ulong>* a, byte* e0, byte* e1, byte* e2, byte* e3)
    {
        Transpose(
            a[0] | (a[1] << 32), a[2] | (a[3] << 32), a[4] | (a[5] << 32), a[6] | (a[7] << 32), out var v0, out var v1, out var v2, out var v3);
        v0.Store((ulong*)e0);
        v1.Store((ulong*)e1);
        v2.Store((ulong*)e2);
        v3.Store((ulong*)e3);
        *(ulong*)(e0 + 32) = a[8].GetElement(0);
        *(ulong*)(e1 + 32) = a[8].GetElement(1);
        *(ulong*)(e2 + 32) = a[8].GetElement(2);
        *(ulong*)(e3 + 32) = a[8].GetElement(3);
    }

    /// <summary>Cuts four plain 256-bit numbers into limbs; the value is taken as it is (no change of radix). The result is tidy.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadPlain(Vector256<ulong>* r, byte* e0, byte* e1, byte* e2, byte* e3)
    {
        Transpose(
            Vector256.Load((ulong*)e0), Vector256.Load((ulong*)e1), Vector256.Load((ulong*)e2), Vector256.Load((ulong*)e3),
            out var x0, out var x1, out var x2, out var x3);
        var mask = Vector256.Create(Lanes.LimbMask);
        r[0] = x0 & mask;
        r[1] = (x0 >>> 29) & mask;
        r[2] = ((x0 >>> 58) | (x1 << 6)) & mask;
        r[3] = (x1 >>> 23) & mask;
        r[4] = ((x1 >>> 52) | (x2 << 12)) & mask;
        r[5] = (x2 >>> 17) & mask;
        r[6] = ((x2 >>> 46) | (x3 << 18)) & mask;
        r[7] = (x3 >>> 11) & mask;
        r[8] = x3 >>> 40;
    }

    /// <summary>Joins the limbs of a tidy element below 2^256 into four plain numbers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StorePlain(Vector256<ulong>* a, byte* e0, byte* e1, byte* e2, byte* e3)
    {
        Transpose(
            a[0] | (a[1] << 29) | (a[2] << 58),
            (a[2] >>> 6) | (a[3] << 23) | (a[4] << 52),
            (a[4] >>> 12) | (a[5] << 17) | (a[6] << 46),
            (a[6] >>> 18) | (a[7] << 11) | (a[8] << 40),
            out var v0, out var v1, out var v2, out var v3);
        v0.Store((ulong*)e0);
        v1.Store((ulong*)e1);
        v2.Store((ulong*)e2);
        v3.Store((ulong*)e3);
    }

    /// <summary>A packed element as a number below 2^256 (radix still 2^261).</summary>
    public static Limbs4 ReadPacked(byte* element)
    {
        var w = (uint*)element;
        ulong a0 = w[0], a1 = w[1], a2 = w[2], a3 = w[3], a4 = w[4], a5 = w[5], a6 = w[6], a7 = w[7], a8 = w[8];
        return new Limbs4(
            a0 | (a1 << 29) | (a2 << 58), (a2 >> 6) | (a3 << 23) | (a4 << 52), (a4 >> 12) | (a5 << 17) | (a6 << 46), (a6 >> 18) | (a7 << 11) | (a8 << 40));
    }

    /// <summary>The opposite.</summary>
    public static void WritePacked(byte* element, in Limbs4 x)
    {
        var w = (uint*)element;
        const uint Mask = (uint)Lanes.LimbMask;
        w[0] = (uint)x.L0 & Mask;
        w[1] = (uint)(x.L0 >> 29) & Mask;
        w[2] = (uint)((x.L0 >> 58) | (x.L1 << 6)) & Mask;
        w[3] = (uint)(x.L1 >> 23) & Mask;
        w[4] = (uint)((x.L1 >> 52) | (x.L2 << 12)) & Mask;
        w[5] = (uint)(x.L2 >> 17) & Mask;
        w[6] = (uint)((x.L2 >> 46) | (x.L3 << 18)) & Mask;
        w[7] = (uint)(x.L3 >> 11) & Mask;
        w[8] = (uint)(x.L3 >> 40);
        w[9] = 0;
    }

    /// <summary>Rows to columns, 64 bits at a time.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Transpose(
        Vector256<ulong> a, Vector256<ulong> b, Vector256<ulong> c, Vector256<ulong> d,
        out Vector256<ulong> r0, out Vector256<ulong> r1, out Vector256<ulong> r2, out Vector256<ulong> r3)
    {
        var ab0 = Avx2.UnpackLow(a, b);
        var ab1 = Avx2.UnpackHigh(a, b);
        var cd0 = Avx2.UnpackLow(c, d);
        var cd1 = Avx2.UnpackHigh(c, d);
        r0 = Avx2.Permute2x128(ab0, cd0, 0x20);
        r1 = Avx2.Permute2x128(ab1, cd1, 0x20);
        r2 = Avx2.Permute2x128(ab0, cd0, 0x31);
        r3 = Avx2.Permute2x128(ab1, cd1, 0x31);
    }
}
