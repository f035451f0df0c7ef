using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Shale.Bn254.Fields;

/// <summary>
/// Arithmetic modulo one prime on numbers in Montgomery form, x·2^256 mod p, always fully reduced. Everything but
/// <see cref="Inverse"/> and <see cref="Power"/> (which depends on the exponent only) runs the same instructions whatever the
/// values are.
/// </summary>
/// <typeparam name="TModulus">The modulus; below 2^254, so that the sum of two elements fits 256 bits and the rows of
/// <see cref="Multiply"/> need no fifth limb.</typeparam>
internal static class Montgomery<TModulus>
    where TModulus : struct, IModulus
{
    public static Limbs4 Modulus => new(TModulus.P0, TModulus.P1, TModulus.P2, TModulus.P3);

    /// <summary>
    /// a·b·2^−256 mod p (coarsely integrated operand scanning). <paramref name="a"/> may be any 256-bit value;
    /// <paramref name="b"/> must be below p.
    /// </summary>
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static Limbs4 Multiply(in Limbs4 a, in Limbs4 b)
    {
        ulong b0 = b.L0, b1 = b.L1, b2 = b.L2, b3 = b.L3;
        ulong t0 = 0, t1 = 0, t2 = 0, t3 = 0;
        Row(a.L0, b0, b1, b2, b3, ref t0, ref t1, ref t2, ref t3);
        Row(a.L1, b0, b1, b2, b3, ref t0, ref t1, ref t2, ref t3);
        Row(a.L2, b0, b1, b2, b3, ref t0, ref t1, ref t2, ref t3);
        Row(a.L3, b0, b1, b2, b3, ref t0, ref t1, ref t2, ref t3);
        return SubtractModulusOnce(t0, t1, t2, t3);
    }

    public static Limbs4 Square(in Limbs4 a) => Multiply(a, a);

    public static Limbs4 Add(in Limbs4 a, in Limbs4 b)
    {
        // Both are below 2^254: no carry leaves the top limb.
        Limbs4 sum = Limbs4.Add(a, b, out _);
        return SubtractModulusOnce(sum.L0, sum.L1, sum.L2, sum.L3);
    }

    public static Limbs4 Subtract(in Limbs4 a, in Limbs4 b)
    {
        Limbs4 difference = Limbs4.Subtract(a, b, out ulong borrow);
        ulong mask = 0 - borrow;
        return Limbs4.Add(
            difference, new Limbs4(TModulus.P0 & mask, TModulus.P1 & mask, TModulus.P2 & mask, TModulus.P3 & mask), out _);
    }

    public static Limbs4 Negate(in Limbs4 a) => Subtract(default, a);

    /// <summary>Into Montgomery form; any 256-bit value is reduced.</summary>
    public static Limbs4 FromCanonical(in Limbs4 value) => Multiply(value, TModulus.R2);

    public static Limbs4 ToCanonical(in Limbs4 value) => Multiply(value, new Limbs4(1, 0, 0, 0));

    /// <summary>Into Montgomery form from a 512-bit value, reduced.</summary>
    public static Limbs4 FromWide(in Limbs4 low, in Limbs4 high) => Add(Multiply(low, TModulus.R2), Multiply(high, TModulus.R3));

    /// <summary>The inverse in Montgomery form; zero for zero. Its time depends on the value.</summary>
    public static Limbs4 Inverse(in Limbs4 value) =>
        Multiply(ModularInverse.Invert(value, Modulus, 0 - TModulus.NegatedInverse), TModulus.R3);

    /// <summary>
    /// value^exponent with fixed windows of four bits; the exponent's limbs are least significant first. The time depends on
    /// the exponent, not on the value.
    /// </summary>
    public static Limbs4 Power(in Limbs4 value, ReadOnlySpan<ulong> exponent)
    {
        Span<Limbs4> table = stackalloc Limbs4[16];
        table[0] = TModulus.R;
        table[1] = value;
        for (int i = 2; i < 16; i++)
        {
            table[i] = Multiply(table[i - 1], value);
        }

        Limbs4 result = TModulus.R;
        bool started = false;
        for (int i = exponent.Length - 1; i >= 0; i--)
        {
            for (int shift = 60; shift >= 0; shift -= 4)
            {
                if (started)
                {
                    result = Multiply(result, result);
                    result = Multiply(result, result);
                    result = Multiply(result, result);
                    result = Multiply(result, result);
                }

                int window = (int)(exponent[i] >> shift) & 15;
                if (window != 0)
                {
                    result = started ? Multiply(result, table[window]) : table[window];
                    started = true;
                }
            }
        }

        return result;
    }

    /// <summary>The inverse by Fermat's little theorem: slower than <see cref="Inverse"/>, and in fixed time.</summary>
    public static Limbs4 InverseFixedTime(in Limbs4 value) =>
        Power(value, [TModulus.P0 - 2, TModulus.P1, TModulus.P2, TModulus.P3]);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Limbs4 SubtractModulusOnce(ulong t0, ulong t1, ulong t2, ulong t3)
    {
        Limbs4 difference = Limbs4.Subtract(new Limbs4(t0, t1, t2, t3), Modulus, out ulong borrow);
        ulong mask = 0 - borrow;
        return Limbs4.Select(mask, new Limbs4(t0, t1, t2, t3), difference);
    }

    /// <summary>t ← (t + a·b + m·p) / 2^64 with the m that makes the lowest limb vanish. t stays below b + p &lt; 2^255.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Row(
        ulong a, ulong b0, ulong b1, ulong b2, ulong b3, ref ulong t0, ref ulong t1, ref ulong t2, ref ulong t3)
    {
        ulong u = MultiplyAdd(a, b0, t0, 0, out ulong c);
        ulong m = u * TModulus.NegatedInverse;
        _ = MultiplyAdd(m, TModulus.P0, u, 0, out ulong d);
        u = MultiplyAdd(a, b1, t1, c, out c);
        t0 = MultiplyAdd(m, TModulus.P1, u, d, out d);
        u = MultiplyAdd(a, b2, t2, c, out c);
        t1 = MultiplyAdd(m, TModulus.P2, u, d, out d);
        u = MultiplyAdd(a, b3, t3, c, out c);
        t2 = MultiplyAdd(m, TModulus.P3, u, d, out d);
        t3 = c + d;
    }

    /// <summary>
    /// a·b + c + d, which never overflows 128 bits. The two halves by two instructions: the JIT has no form of MULX with two
    /// register results, and going through memory costs twice as much.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong MultiplyAdd(ulong a, ulong b, ulong c, ulong d, out ulong high)
    {
        ulong low = a * b;
        high = Bmi2.X64.IsSupported ? Bmi2.X64.MultiplyNoFlags(a, b) : Math.BigMul(a, b, out _);
        low += c;
        high += low < c ? 1UL : 0;
        low += d;
        high += low < d ? 1UL : 0;
        return low;
    }
}
