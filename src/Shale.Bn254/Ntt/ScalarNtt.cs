using System.Numerics;
using Shale.Bn254.Fields;

namespace Shale.Bn254.Ntt;

/// <summary>
/// Number-theoretic transforms over Fr without vector instructions: the path for machines without AVX2, and the yardstick of the
/// vectorised ones. <see cref="Naive"/> is the yardstick of both.
/// </summary>
internal static class ScalarNtt
{
    /// <summary>The definition: the polynomial of these coefficients at shift·ω^i, i = 0 … n − 1.</summary>
    public static Fr[] Naive(ReadOnlySpan<Fr> coefficients, in Fr shift)
    {
        var root = Domain.Root(BitOperations.Log2((uint)coefficients.Length));
        var result = new Fr[coefficients.Length];
        var x = shift;
        for (var i = 0; i < result.Length; i++, x *= root)
        {
            for (var k = coefficients.Length - 1; k >= 0; k--)
            {
                result[i] = (result[i] * x) + coefficients[k];
            }
        }

        return result;
    }

    /// <summary>Values on the domain to n times the coefficients, in bit-reversed order (decimation in frequency).</summary>
    public static void InverseUnscaled(Span<Fr> values)
    {
        var log = BitOperations.Log2((uint)values.Length);
        for (; log > 0; log--)
        {
            var (size, half) = (1 << log, 1 << (log - 1));
            var twiddles = Powers(Domain.Root(log).Inverse(), Fr.One, half);
            for (var start = 0; start < values.Length; start += size)
            {
                for (var j = start; j < start + half; j++)
                {
                    var (a, b) = (values[j], values[j + half]);
                    values[j] = a + b;
                    values[j + half] = (a - b) * twiddles[j - start];
                }
            }
        }
    }

    /// <summary>
    /// Coefficients in bit-reversed order to values on the coset ω_2n·⟨ω_n⟩ (decimation in time). Evaluating at ω_2n·x splits into even and
    /// odd parts whose twiddles are the odd powers of ω_2m at each size m: the coset costs nothing.
    /// </summary>
    public static void ForwardOnOddCoset(Span<Fr> values)
    {
        var last = BitOperations.Log2((uint)values.Length);
        for (var log = 1; log <= last; log++)
        {
            var (size, half) = (1 << log, 1 << (log - 1));
            var twiddles = Powers(Domain.Root(log), Domain.Root(log + 1), half);
            for (var start = 0; start < values.Length; start += size)
            {
                for (var j = start; j < start + half; j++)
                {
                    var a = values[j];
                    var b = values[j + half] * twiddles[j - start];
                    values[j] = a + b;
                    values[j + half] = a - b;
                }
            }
        }
    }

    /// <summary>first·ratio^i.</summary>
    public static Fr[] Powers(in Fr ratio, in Fr first, int count)
    {
        var powers = new Fr[count];
        var power = first;
        for (var i = 0; i < count; i++, power *= ratio)
        {
            powers[i] = power;
        }

        return powers;
    }
}
