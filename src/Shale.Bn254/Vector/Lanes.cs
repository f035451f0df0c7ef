using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Shale.Bn254.Vector;

/// <summary>
/// Arithmetic on four field elements at once with AVX2. An element quadruple ("lane element") is nine vectors; vector j holds limb j, 29
/// bits, of the four elements, in Montgomery form with radix 2^261. Two states are told apart:
/// <list type="bullet">
/// <item>tidy: every limb below 2^29; the value is below the bound that the method states;</item>
/// <item>loose: limbs below 1.5·2^30, as a difference of tidy elements has them before its carries run.</item>
/// </list>
/// One factor of a product may be loose, the other is tidy: an accumulator then takes at most 9 products of 59.6 bits and 9 of 58 bits,
/// which stays below 2^64. Values are reduced lazily: a product of a &lt; m·p and b &lt; n·p is below (m·n/2^7.4 + 1)·p.
/// All methods take the constants of their modulus as <c>k</c> (see <see cref="LaneConstants{TModulus}"/>).
/// </summary>
internal static unsafe class Lanes
{
    public const int LimbBits = 29;
    public const int LimbCount = 9;
    public const int RadixBits = LimbBits * LimbCount;
    public const ulong LimbMask = (1UL << LimbBits) - 1;

    /// <summary>The weight of the highest limb, as a power of two.</summary>
    public const int TopShift = LimbBits * (LimbCount - 1);

    /// <summary>⌊2^52·2^232/p⌋ is below 2^32 and its product with a highest limb below 2^61.</summary>
    public const int QuotientShift = 52;

    // Places of the constants in their block, in vectors.
    public const int P = 0;
    public const int NegatedInverse = 9;
    public const int FourP = 10;
    public const int EightP = 19;
    public const int Complement = 28;
    public const int QuotientFactor = 37;
    public const int FromRadix256 = 38;
    public const int ToRadix256 = 47;
    public const int ToCanonical = 56;
    public const int One = 65;
    public const int Zero = 74;
    public const int ConstantCount = 75;

    /// <summary>True where this machine has what the kernels use.</summary>
    public static bool IsSupported => Avx2.IsSupported;

    /// <summary>r ← a·b·2^−261; a tidy or loose, b tidy; the result is tidy. r may be a or b.</summary>
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static void Multiply(Vector256<ulong>* r, Vector256<ulong>* a, Vector256<ulong>* b, Vector256<ulong>* k)
    {
        Vector256<ulong> t0 = default, t1 = default, t2 = default, t3 = default, t4 = default, t5 = default, t6 = default, t7 = default, t8 = default;
        Row(a[0], b, k, ref t0, ref t1, ref t2, ref t3, ref t4, ref t5, ref t6, ref t7, ref t8);
        Row(a[1], b, k, ref t1, ref t2, ref t3, ref t4, ref t5, ref t6, ref t7, ref t8, ref t0);
        Row(a[2], b, k, ref t2, ref t3, ref t4, ref t5, ref t6, ref t7, ref t8, ref t0, ref t1);
        Row(a[3], b, k, ref t3, ref t4, ref t5, ref t6, ref t7, ref t8, ref t0, ref t1, ref t2);
        Row(a[4], b, k, ref t4, ref t5, ref t6, ref t7, ref t8, ref t0, ref t1, ref t2, ref t3);
        Row(a[5], b, k, ref t5, ref t6, ref t7, ref t8, ref t0, ref t1, ref t2, ref t3, ref t4);
        Row(a[6], b, k, ref t6, ref t7, ref t8, ref t0, ref t1, ref t2, ref t3, ref t4, ref t5);
        Row(a[7], b, k, ref t7, ref t8, ref t0, ref t1, ref t2, ref t3, ref t4, ref t5, ref t6);
        Row(a[8], b, k, ref t8, ref t0, ref t1, ref t2, ref t3, ref t4, ref t5, ref t6, ref t7);
        Store(r, t0, t1, t2, t3, t4, t5, t6, t7, t8);
    }

    /// <summary>r ← (a·b + c·d)·2^−261 with one reduction; a and c tidy or loose, b and d tidy; the result is tidy. r may be any of them.</summary>
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static void MultiplyTwo(
        Vector256<ulong>* r, Vector256<ulong>* a, Vector256<ulong>* b, Vector256<ulong>* c, Vector256<ulong>* d, Vector256<ulong>* k)
    {
        Vector256<ulong> t0 = default, t1 = default, t2 = default, t3 = default, t4 = default, t5 = default, t6 = default, t7 = default, t8 = default;
        RowTwo(a[0], b, c[0], d, k, ref t0, ref t1, ref t2, ref t3, ref t4, ref t5, ref t6, ref t7, ref t8);
        RowTwo(a[1], b, c[1], d, k, ref t1, ref t2, ref t3, ref t4, ref t5, ref t6, ref t7, ref t8, ref t0);
        RowTwo(a[2], b, c[2], d, k, ref t2, ref t3, ref t4, ref t5, ref t6, ref t7, ref t8, ref t0, ref t1);
        RowTwo(a[3], b, c[3], d, k, ref t3, ref t4, ref t5, ref t6, ref t7, ref t8, ref t0, ref t1, ref t2);
        RowTwo(a[4], b, c[4], d, k, ref t4, ref t5, ref t6, ref t7, ref t8, ref t0, ref t1, ref t2, ref t3);
        RowTwo(a[5], b, c[5], d, k, ref t5, ref t6, ref t7, ref t8, ref t0, ref t1, ref t2, ref t3, ref t4);
        RowTwo(a[6], b, c[6], d, k, ref t6, ref t7, ref t8, ref t0, ref t1, ref t2, ref t3, ref t4, ref t5);
        RowTwo(a[7], b, c[7], d, k, ref t7, ref t8, ref t0, ref t1, ref t2, ref t3, ref t4, ref t5, ref t6);
        RowTwo(a[8], b, c[8], d, k, ref t8, ref t0, ref t1, ref t2, ref t3, ref t4, ref t5, ref t6, ref t7);
        Store(r, t0, t1, t2, t3, t4, t5, t6, t7, t8);
    }

    /// <summary>r ← a − b + 8p; both tidy, b &lt; 4p; the result is loose, below a + 8p.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Subtract(Vector256<ulong>* r, Vector256<ulong>* a, Vector256<ulong>* b, Vector256<ulong>* k)
    {
        for (var i = 0; i < LimbCount; i++)
        {
            r[i] = a[i] + k[EightP + i] - b[i];
        }
    }

    /// <summary>r ← 4p − a; a tidy, below 2p; the result is tidy.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Negate(Vector256<ulong>* r, Vector256<ulong>* a, Vector256<ulong>* k)
    {
        var mask = Vector256.Create(LimbMask);
        var carry = Vector256<ulong>.Zero;
        for (var i = 0; i < LimbCount - 1; i++)
        {
            carry += k[FourP + i] - a[i];
            r[i] = carry & mask;
            carry >>>= LimbBits;
        }

        r[LimbCount - 1] = carry + k[FourP + LimbCount - 1] - a[LimbCount - 1];
    }

    /// <summary>r ← a − b − c + 16p, reduced below 1.01·p and tidy; all tidy, a &lt; 100p, b and c &lt; 4p.</summary>
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static void SubtractTwoReduced(Vector256<ulong>* r, Vector256<ulong>* a, Vector256<ulong>* b, Vector256<ulong>* c, Vector256<ulong>* k)
    {
        Vector256<ulong>* e = k + EightP;
        Reduce(
            r, k,
            a[0] + e[0] + e[0] - b[0] - c[0], a[1] + e[1] + e[1] - b[1] - c[1], a[2] + e[2] + e[2] - b[2] - c[2],
            a[3] + e[3] + e[3] - b[3] - c[3], a[4] + e[4] + e[4] - b[4] - c[4], a[5] + e[5] + e[5] - b[5] - c[5],
            a[6] + e[6] + e[6] - b[6] - c[6], a[7] + e[7] + e[7] - b[7] - c[7], a[8] + e[8] + e[8] - b[8] - c[8]);
    }

    /// <summary>r ← a − b + 8p, reduced below 1.01·p and tidy; both tidy, a &lt; 100p, b &lt; 4p.</summary>
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static void SubtractReduced(Vector256<ulong>* r, Vector256<ulong>* a, Vector256<ulong>* b, Vector256<ulong>* k)
    {
        Vector256<ulong>* e = k + EightP;
        Reduce(
            r, k, a[0] + e[0] - b[0], a[1] + e[1] - b[1], a[2] + e[2] - b[2], a[3] + e[3] - b[3], a[4] + e[4] - b[4],
            a[5] + e[5] - b[5], a[6] + e[6] - b[6], a[7] + e[7] - b[7], a[8] + e[8] - b[8]);
    }

    /// <summary>r ← a + b, reduced below 1.01·p and tidy; both tidy, their sum below 128p.</summary>
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static void AddReduced(Vector256<ulong>* r, Vector256<ulong>* a, Vector256<ulong>* b, Vector256<ulong>* k) =>
        Reduce(r, k, a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3], a[4] + b[4], a[5] + b[5], a[6] + b[6], a[7] + b[7], a[8] + b[8]);

    /// <summary>
    /// Takes ⌊x/p⌋ (or one less, when x is within 10^−6·p above a multiple) off x: estimated from the highest limb, then x + q·(2^261 − p)
    /// with what is above 2^261 dropped, so that no limb goes negative. Limbs may be anything below 2^32.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Reduce(
        Vector256<ulong>* r, Vector256<ulong>* k, Vector256<ulong> t0, Vector256<ulong> t1, Vector256<ulong> t2, Vector256<ulong> t3,
        Vector256<ulong> t4, Vector256<ulong> t5, Vector256<ulong> t6, Vector256<ulong> t7, Vector256<ulong> t8)
    {
        var mask = Vector256.Create(LimbMask);
        Vector256<ulong>* c = k + Complement;
        var q = Times(t8, k[QuotientFactor]) >>> QuotientShift;
        t0 += Times(q, c[0]);
        t1 += Times(q, c[1]) + (t0 >>> LimbBits);
        t2 += Times(q, c[2]) + (t1 >>> LimbBits);
        t3 += Times(q, c[3]) + (t2 >>> LimbBits);
        t4 += Times(q, c[4]) + (t3 >>> LimbBits);
        t5 += Times(q, c[5]) + (t4 >>> LimbBits);
        t6 += Times(q, c[6]) + (t5 >>> LimbBits);
        t7 += Times(q, c[7]) + (t6 >>> LimbBits);
        t8 += Times(q, c[8]) + (t7 >>> LimbBits);
        r[0] = t0 & mask;
        r[1] = t1 & mask;
        r[2] = t2 & mask;
        r[3] = t3 & mask;
        r[4] = t4 & mask;
        r[5] = t5 & mask;
        r[6] = t6 & mask;
        r[7] = t7 & mask;
        r[8] = t8 & mask;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector256<ulong> Times(Vector256<ulong> a, Vector256<ulong> b) => Avx2.Multiply(a.AsUInt32(), b.AsUInt32());

    /// <summary>
    /// The same address, in a way that the JIT can't see. Otherwise it loads the nine limbs of b and of p once for all rows, runs out of
    /// registers and spills them, instead of multiplying straight from memory: 17 ns against 10 for a product on 16 registers.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<ulong>* Opaque(Vector256<ulong>* address, Vector256<ulong>* k) =>
        (Vector256<ulong>*)((byte*)address + Volatile.Read(ref *(long*)(k + Zero)));

    /// <summary>t ← (t + a·b + q·p)/2^29 with the q that makes the lowest limb vanish; t0 comes back as the new, empty highest limb.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Row(
        Vector256<ulong> a, Vector256<ulong>* b, Vector256<ulong>* k,
        ref Vector256<ulong> t0, ref Vector256<ulong> t1, ref Vector256<ulong> t2, ref Vector256<ulong> t3, ref Vector256<ulong> t4,
        ref Vector256<ulong> t5, ref Vector256<ulong> t6, ref Vector256<ulong> t7, ref Vector256<ulong> t8)
    {
        b = Opaque(b, k);
        t0 += Times(a, b[0]);
        var q = Times(t0, k[NegatedInverse]) & Vector256.Create(LimbMask);
        t1 += Times(a, b[1]);
        t2 += Times(a, b[2]);
        t3 += Times(a, b[3]);
        t4 += Times(a, b[4]);
        t5 += Times(a, b[5]);
        t6 += Times(a, b[6]);
        t7 += Times(a, b[7]);
        t8 += Times(a, b[8]);
        ReduceRow(q, k, ref t0, ref t1, ref t2, ref t3, ref t4, ref t5, ref t6, ref t7, ref t8);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void RowTwo(
        Vector256<ulong> a, Vector256<ulong>* b, Vector256<ulong> c, Vector256<ulong>* d, Vector256<ulong>* k,
        ref Vector256<ulong> t0, ref Vector256<ulong> t1, ref Vector256<ulong> t2, ref Vector256<ulong> t3, ref Vector256<ulong> t4,
        ref Vector256<ulong> t5, ref Vector256<ulong> t6, ref Vector256<ulong> t7, ref Vector256<ulong> t8)
    {
        b = Opaque(b, k);
        d = Opaque(d, k);
        t0 += Times(a, b[0]) + Times(c, d[0]);
        var q = Times(t0, k[NegatedInverse]) & Vector256.Create(LimbMask);
        t1 += Times(a, b[1]) + Times(c, d[1]);
        t2 += Times(a, b[2]) + Times(c, d[2]);
        t3 += Times(a, b[3]) + Times(c, d[3]);
        t4 += Times(a, b[4]) + Times(c, d[4]);
        t5 += Times(a, b[5]) + Times(c, d[5]);
        t6 += Times(a, b[6]) + Times(c, d[6]);
        t7 += Times(a, b[7]) + Times(c, d[7]);
        t8 += Times(a, b[8]) + Times(c, d[8]);
        ReduceRow(q, k, ref t0, ref t1, ref t2, ref t3, ref t4, ref t5, ref t6, ref t7, ref t8);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void ReduceRow(
        Vector256<ulong> q, Vector256<ulong>* k,
        ref Vector256<ulong> t0, ref Vector256<ulong> t1, ref Vector256<ulong> t2, ref Vector256<ulong> t3, ref Vector256<ulong> t4,
        ref Vector256<ulong> t5, ref Vector256<ulong> t6, ref Vector256<ulong> t7, ref Vector256<ulong> t8)
    {
        k = Opaque(k, k);
        t0 += Times(q, k[P]);
        t1 += Times(q, k[P + 1]) + (t0 >>> LimbBits);
        t2 += Times(q, k[P + 2]);
        t3 += Times(q, k[P + 3]);
        t4 += Times(q, k[P + 4]);
        t5 += Times(q, k[P + 5]);
        t6 += Times(q, k[P + 6]);
        t7 += Times(q, k[P + 7]);
        t8 += Times(q, k[P + 8]);
        t0 = Vector256<ulong>.Zero;
    }

    /// <summary>Runs the carries and stores.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(
        Vector256<ulong>* r, Vector256<ulong> t0, Vector256<ulong> t1, Vector256<ulong> t2, Vector256<ulong> t3, Vector256<ulong> t4,
        Vector256<ulong> t5, Vector256<ulong> t6, Vector256<ulong> t7, Vector256<ulong> t8)
    {
        var mask = Vector256.Create(LimbMask);
        r[0] = t0 & mask;
        t1 += t0 >>> LimbBits;
        r[1] = t1 & mask;
        t2 += t1 >>> LimbBits;
        r[2] = t2 & mask;
        t3 += t2 >>> LimbBits;
        r[3] = t3 & mask;
        t4 += t3 >>> LimbBits;
        r[4] = t4 & mask;
        t5 += t4 >>> LimbBits;
        r[5] = t5 & mask;
        t6 += t5 >>> LimbBits;
        r[6] = t6 & mask;
        t7 += t6 >>> LimbBits;
        r[7] = t7 & mask;
        r[8] = t8 + (t7 >>> LimbBits);
    }
}
