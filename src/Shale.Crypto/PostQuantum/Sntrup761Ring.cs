using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Shale.Crypto.PostQuantum;

/// <summary>
/// Arithmetic of Streamlined NTRU Prime sntrup761: polynomials modulo x^p - x - 1 with p = 761, over Z/q with q = 4591 (centred, in [-2295, 2295]) and over Z/3
/// (in {-1, 0, 1}). Loops run over public sizes only; nothing branches on, or indexes by, a coefficient.
/// </summary>
internal static class Sntrup761Ring
{
    internal const int P = 761;
    internal const int Q = 4591;
    internal const int HalfQ = 2295;
    internal const int W = 286;

    private const int Padded = 768; // P up to whole vectors
    private const int Steps = (2 * P) - 1; // divsteps that surely suffice (Bernstein and Yang, 2019)
    private const int QInverse = 15631; // q^-1 mod 2^16
    private const int Slack = 64; // room for the vectors that run past the end

    /// <summary>The centred residue of any x with |x| below 2^26.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static int Freeze(int x)
    {
        // 935519 = floor(2^32 / q), so that the quotient is short by one at most; then the remainder in [0, 2q) is centred.
        x -= (int)(((long)x * 935519) >> 32) * Q;
        x -= Q & ((HalfQ - x) >> 31);
        return x - (Q & ((HalfQ - x) >> 31));
    }

    /// <summary>The centred residue modulo 3 of any x with |x| below 2^15.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static int Freeze3(int x)
    {
        x -= 3 * ((x * 10923) >> 15);
        x -= 3 & ((1 - x) >> 31);
        return x - (3 & ((1 - x) >> 31));
    }

    /// <summary>a * b for any a with |coefficients| up to 2295 and b with coefficients in {-1, 0, 1}; the product is neither reduced modulo q nor 3.</summary>
    internal static void MultiplySmall(ReadOnlySpan<short> a, ReadOnlySpan<short> b, Span<int> product)
    {
        // shifted[Padded + k] = a[k], zeros around: every read below stays inside, whatever the shift.
        Span<short> shifted = stackalloc short[3 * Padded];
        Span<int> full = stackalloc int[2 * Padded];
        shifted.Clear();
        full.Clear();
        a[..P].CopyTo(shifted[Padded..]);
        ref var source = ref MemoryMarshal.GetReference(shifted);
        ref var factor = ref MemoryMarshal.GetReference(b);

        // 64 results at a time stay in registers. 14 rows of |a| <= 2295 still fit 16 bits; then they are added up in 32.
        const int block = 64, rows = 14;
        for (var k = 0; k < 2 * Padded; k += block)
        {
            // Row i touches results i … i + 760.
            var first = Math.Max(0, k - P + 1);
            var last = Math.Min(P, k + block);
            for (var i = first; i < last; i += rows)
            {
                Vector256<short> s0 = default, s1 = default, s2 = default, s3 = default;
                var end = Math.Min(last, i + rows);
                for (var row = i; row < end; row++)
                {
                    var scale = Vector256.Create(Unsafe.Add(ref factor, row));
                    ref var at = ref Unsafe.Add(ref source, Padded + k - row);
                    s0 += scale * Vector256.LoadUnsafe(ref at);
                    s1 += scale * Vector256.LoadUnsafe(ref at, 16);
                    s2 += scale * Vector256.LoadUnsafe(ref at, 32);
                    s3 += scale * Vector256.LoadUnsafe(ref at, 48);
                }

                ref var target = ref MemoryMarshal.GetReference(full.Slice(k, block));
                Accumulate(s0, ref target);
                Accumulate(s1, ref Unsafe.Add(ref target, 16));
                Accumulate(s2, ref Unsafe.Add(ref target, 32));
                Accumulate(s3, ref Unsafe.Add(ref target, 48));
            }
        }

        // x^p = x + 1
        for (var i = (2 * P) - 2; i >= P; i--)
        {
            full[i - P] += full[i];
            full[i - P + 1] += full[i];
        }

        full[..P].CopyTo(product);
        full.Clear();
        shifted.Clear();
    }

    /// <summary>1 / (3 * f) in (Z/q)[x] / (x^p - x - 1), which is a field, for a nonzero f with coefficients in {-1, 0, 1}; constant-time divsteps.</summary>
    internal static void Reciprocal3(ReadOnlySpan<short> input, Span<short> result)
    {
        Span<int> f = stackalloc int[Padded + Slack], g = stackalloc int[Padded + Slack], v = stackalloc int[Padded + Slack], r = stackalloc int[Padded + Slack];
        f.Clear();
        g.Clear();
        v.Clear();
        r.Clear();
        r[0] = -1530; // 1/3 mod q
        f[0] = 1;
        f[P - 1] = -1;
        f[P] = -1;
        for (var i = 0; i < P; i++)
        {
            g[P - 1 - i] = input[i];
        }

        ref var vf = ref MemoryMarshal.GetReference(f);
        ref var vg = ref MemoryMarshal.GetReference(g);
        ref var vv = ref MemoryMarshal.GetReference(v);
        ref var vr = ref MemoryMarshal.GetReference(r);
        var delta = 1;
        for (var step = 0; step < Steps; step++)
        {
            // v = x * v
            v[..(P + 1)].CopyTo(v[1..]);
            v[0] = 0;

            var swap = NegativeMask(-delta) & NonzeroMask(g[0]);
            delta = (delta ^ (swap & (delta ^ -delta))) + 1;
            int f0 = (g[0] & swap) | (f[0] & ~swap), g0 = (f[0] & swap) | (g[0] & ~swap);

            // Each further step looks one coefficient less ahead, and reaches one degree more: both bounds are public.
            Combine(ref vf, ref vg, Math.Min(P + 1, Steps - step + 1), swap, f0, g0);
            Combine(ref vv, ref vr, Math.Min(P + 1, step + 2), swap, f0, g0);

            // g = g / x; its constant term is zero now.
            g[1..(P + 1)].CopyTo(g);
            g[P] = 0;
        }

        var scale = Inverse(f[0]);
        for (var i = 0; i < P; i++)
        {
            result[i] = (short)Freeze(scale * Freeze(v[P - 1 - i]));
        }

        f.Clear();
        g.Clear();
        v.Clear();
        r.Clear();
    }

    /// <summary>1 / f in (Z/3)[x] / (x^p - x - 1).</summary>
    /// <returns>False when f has no inverse there.</returns>
    internal static bool TryReciprocalMod3(ReadOnlySpan<short> input, Span<short> result)
    {
        Span<sbyte> f = stackalloc sbyte[Padded + Slack], g = stackalloc sbyte[Padded + Slack], v = stackalloc sbyte[Padded + Slack], r = stackalloc sbyte[Padded + Slack];
        f.Clear();
        g.Clear();
        v.Clear();
        r.Clear();
        r[0] = 1;
        f[0] = 1;
        f[P - 1] = -1;
        f[P] = -1;
        for (var i = 0; i < P; i++)
        {
            g[P - 1 - i] = (sbyte)input[i];
        }

        ref var vf = ref MemoryMarshal.GetReference(f);
        ref var vg = ref MemoryMarshal.GetReference(g);
        ref var vv = ref MemoryMarshal.GetReference(v);
        ref var vr = ref MemoryMarshal.GetReference(r);
        var delta = 1;
        for (var step = 0; step < Steps; step++)
        {
            v[..(P + 1)].CopyTo(v[1..]);
            v[0] = 0;
            var sign = -g[0] * f[0];
            var swap = NegativeMask(-delta) & NonzeroMask(g[0]);
            delta = (delta ^ (swap & (delta ^ -delta))) + 1;
            Combine3(ref vf, ref vg, Math.Min(P + 1, Steps - step + 1), swap, sign);
            Combine3(ref vv, ref vr, Math.Min(P + 1, step + 2), swap, sign);
            g[1..(P + 1)].CopyTo(g);
            g[P] = 0;
        }

        for (var i = 0; i < P; i++)
        {
            result[i] = (short)(f[0] * v[P - 1 - i]);
        }

        f.Clear();
        g.Clear();
        v.Clear();
        r.Clear();
        return delta == 0;
    }

    // (a, b) = (a, b) or (b, a) by the mask; then b = (f0 * b - g0 * a) / 2^16 mod q. That factor is the same for every coefficient and for both pairs, so the
    // quotient that is taken at the end does not see it.
    private static void Combine(ref int a, ref int b, int count, int swap, int f0, int g0)
    {
        Vector256<int> mask = Vector256.Create(swap), vf0 = Vector256.Create(f0), vg0 = Vector256.Create(g0);
        Vector256<int> inverse = Vector256.Create(QInverse), q = Vector256.Create(Q);
        for (nuint i = 0; i < (nuint)count; i += 8)
        {
            var x = Vector256.LoadUnsafe(ref a, i);
            var y = Vector256.LoadUnsafe(ref b, i);
            var t = (x ^ y) & mask;
            x ^= t;
            y ^= t;
            var product = (vf0 * y) - (vg0 * x);
            var low = Vector256.ShiftRightArithmetic(Vector256.ShiftLeft(product * inverse, 16), 16);
            x.StoreUnsafe(ref a, i);
            Vector256.ShiftRightArithmetic(product - (low * q), 16).StoreUnsafe(ref b, i);
        }
    }

    // The same over Z/3: b = b + sign * a.
    private static void Combine3(ref sbyte a, ref sbyte b, int count, int swap, int sign)
    {
        Vector256<sbyte> mask = Vector256.Create((sbyte)swap), negate = Vector256.Create((sbyte)NegativeMask(sign)), keep = Vector256.Create((sbyte)NonzeroMask(sign));
        Vector256<sbyte> one = Vector256<sbyte>.One, three = Vector256.Create((sbyte)3);
        for (nuint i = 0; i < (nuint)count; i += 32)
        {
            var x = Vector256.LoadUnsafe(ref a, i);
            var y = Vector256.LoadUnsafe(ref b, i);
            var t = (x ^ y) & mask;
            x ^= t;
            y ^= t;
            x.StoreUnsafe(ref a, i);
            y += ((x ^ negate) - negate) & keep;
            y -= Vector256.GreaterThan(y, one) & three;
            y += Vector256.LessThan(y, -one) & three;
            y.StoreUnsafe(ref b, i);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Accumulate(Vector256<short> sums, ref int target)
    {
        (Vector256.WidenLower(sums) + Vector256.LoadUnsafe(ref target)).StoreUnsafe(ref target);
        (Vector256.WidenUpper(sums) + Vector256.LoadUnsafe(ref target, 8)).StoreUnsafe(ref target, 8);
    }

    // a^(q-2) mod q.
    private static int Inverse(int a)
    {
        int result = 1, power = Freeze(a);
        for (var e = Q - 2; e > 0; e >>= 1)
        {
            if ((e & 1) != 0)
            {
                result = Freeze(result * power);
            }

            power = Freeze(power * power);
        }

        return result;
    }

    private static int NegativeMask(int x) => x >> 31;

    private static int NonzeroMask(int x) => (x | -x) >> 31;
}
