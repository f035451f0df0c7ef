using System.Numerics;

namespace Shale.Bn254.Fields;

/// <summary>
/// Inversion by divsteps (Bernstein and Yang, "Fast constant-time gcd computation and modular inversion", eprint 2019/266), in
/// the variable-time batched form that libsecp256k1 documents in doc/safegcd_implementation.md: 62 steps at a time on the low
/// words, then one pass over the full numbers. Not for secrets.
/// </summary>
internal static class ModularInverse
{
    private const ulong Mask62 = ulong.MaxValue >> 2;

    /// <summary>The inverse of x modulo the odd prime m, 0 for 0; x &lt; m &lt; 2^254.</summary>
    /// <param name="value">x, as a plain integer.</param>
    /// <param name="modulus">m.</param>
    /// <param name="inverse64">m⁻¹ mod 2^64 (its low 62 bits are used).</param>
    public static Limbs4 Invert(in Limbs4 value, in Limbs4 modulus, ulong inverse64)
    {
        if (value.IsZero)
        {
            return default;
        }

        Span<long> m = stackalloc long[5], f = stackalloc long[5], g = stackalloc long[5], d = stackalloc long[5], e = stackalloc long[5];
        ToSigned62(modulus, m);
        m.CopyTo(f);
        ToSigned62(value, g);
        d.Clear();
        e.Clear();
        e[0] = 1;
        long eta = -1;
        do
        {
            eta = DivSteps(eta, (ulong)f[0], (ulong)g[0], out Transition t);
            UpdateDE(d, e, t, m, inverse64 & Mask62);
            UpdateFG(f, g, t);
        }
        while ((g[0] | g[1] | g[2] | g[3] | g[4]) != 0);

        // f is now ±1 and d·value ≡ f.
        return Normalise(d, f[4] < 0, m);
    }

    /// <summary>62 divsteps; returns the new eta and the transition matrix scaled by 2^62.</summary>
    private static long DivSteps(long eta, ulong f, ulong g, out Transition t)
    {
        ulong u = 1, v = 0, q = 0, r = 1;
        int i = 62;
        while (true)
        {
            int zeros = BitOperations.TrailingZeroCount(g | (ulong.MaxValue << i));
            g >>= zeros;
            u <<= zeros;
            v <<= zeros;
            eta -= zeros;
            i -= zeros;
            if (i == 0)
            {
                break;
            }

            ulong w;
            if (eta < 0)
            {
                eta = -eta;
                (f, g) = (g, 0 - f);
                (u, q) = (q, 0 - u);
                (v, r) = (r, 0 - v);
                int limit = eta + 1 > i ? i : (int)eta + 1;
                ulong mask = (ulong.MaxValue >> (64 - limit)) & 63;
                w = (f * g * ((f * f) - 2)) & mask;
            }
            else
            {
                int limit = eta + 1 > i ? i : (int)eta + 1;
                ulong mask = (ulong.MaxValue >> (64 - limit)) & 15;
                w = f + (((f + 1) & 4) << 1);
                w = ((0 - w) * g) & mask;
            }

            g += f * w;
            q += u * w;
            r += v * w;
        }

        t = new Transition((long)u, (long)v, (long)q, (long)r);
        return eta;
    }

    private static void UpdateDE(Span<long> d, Span<long> e, in Transition t, ReadOnlySpan<long> m, ulong inverse62)
    {
        long signD = d[4] >> 63, signE = e[4] >> 63;
        long md = (t.U & signD) + (t.V & signE);
        long me = (t.Q & signD) + (t.R & signE);
        Int128 cd = Product(t.U, d[0]) + Product(t.V, e[0]);
        Int128 ce = Product(t.Q, d[0]) + Product(t.R, e[0]);
        md -= (long)(((inverse62 * (ulong)(long)cd) + (ulong)md) & Mask62);
        me -= (long)(((inverse62 * (ulong)(long)ce) + (ulong)me) & Mask62);
        cd = (cd + Product(m[0], md)) >> 62;
        ce = (ce + Product(m[0], me)) >> 62;
        for (int i = 1; i < 5; i++)
        {
            cd += Product(t.U, d[i]) + Product(t.V, e[i]) + Product(m[i], md);
            ce += Product(t.Q, d[i]) + Product(t.R, e[i]) + Product(m[i], me);
            d[i - 1] = (long)cd & (long)Mask62;
            e[i - 1] = (long)ce & (long)Mask62;
            cd >>= 62;
            ce >>= 62;
        }

        d[4] = (long)cd;
        e[4] = (long)ce;
    }

    private static void UpdateFG(Span<long> f, Span<long> g, in Transition t)
    {
        Int128 cf = (Product(t.U, f[0]) + Product(t.V, g[0])) >> 62;
        Int128 cg = (Product(t.Q, f[0]) + Product(t.R, g[0])) >> 62;
        for (int i = 1; i < 5; i++)
        {
            cf += Product(t.U, f[i]) + Product(t.V, g[i]);
            cg += Product(t.Q, f[i]) + Product(t.R, g[i]);
            f[i - 1] = (long)cf & (long)Mask62;
            g[i - 1] = (long)cg & (long)Mask62;
            cf >>= 62;
            cg >>= 62;
        }

        f[4] = (long)cf;
        g[4] = (long)cg;
    }

    /// <summary>±d reduced into [0, m), from the range (−2m, m).</summary>
    private static Limbs4 Normalise(Span<long> d, bool negate, ReadOnlySpan<long> m)
    {
        if (d[4] < 0)
        {
            AddTimes(d, m, 1);
        }

        if (negate)
        {
            for (int i = 0; i < 5; i++)
            {
                d[i] = -d[i];
            }

            Carry(d);
        }

        if (d[4] < 0)
        {
            AddTimes(d, m, 1);
        }

        return new Limbs4(
            (ulong)d[0] | ((ulong)d[1] << 62),
            ((ulong)d[1] >> 2) | ((ulong)d[2] << 60),
            ((ulong)d[2] >> 4) | ((ulong)d[3] << 58),
            ((ulong)d[3] >> 6) | ((ulong)d[4] << 56));
    }

    private static void AddTimes(Span<long> d, ReadOnlySpan<long> m, long times)
    {
        for (int i = 0; i < 5; i++)
        {
            d[i] += m[i] * times;
        }

        Carry(d);
    }

    private static void Carry(Span<long> d)
    {
        for (int i = 0; i < 4; i++)
        {
            d[i + 1] += d[i] >> 62;
            d[i] &= (long)Mask62;
        }
    }

    private static void ToSigned62(in Limbs4 a, Span<long> limbs)
    {
        limbs[0] = (long)(a.L0 & Mask62);
        limbs[1] = (long)(((a.L0 >> 62) | (a.L1 << 2)) & Mask62);
        limbs[2] = (long)(((a.L1 >> 60) | (a.L2 << 4)) & Mask62);
        limbs[3] = (long)(((a.L2 >> 58) | (a.L3 << 6)) & Mask62);
        limbs[4] = (long)(a.L3 >> 56);
    }

    private static Int128 Product(long a, long b)
    {
        long high = Math.BigMul(a, b, out long low);
        return new Int128((ulong)high, (ulong)low);
    }

    private readonly record struct Transition(long U, long V, long Q, long R);
}
