using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Shale.Crypto.Keccak;

namespace Shale.Crypto.PostQuantum;

/// <summary>
/// Polynomials of FIPS 203: 256 coefficients modulo q = 3329, one in each 32-bit lane. Products are reduced after Montgomery with R = 2^16, so a product
/// of two plain values carries a factor 1/R until <see cref="InverseNtt"/> or <see cref="ToMontgomery"/> takes it out. No branch and no address depends on a coefficient.
/// </summary>
internal static class MlKemPolynomial
{
    internal const int N = 256;
    internal const int Q = 3329;

    private const int QInverse = -3327; // q^-1 mod 2^16, as a signed 16-bit number
    private const int BarrettFactor = 20159; // round(2^26 / q)

    // 17^BitRev7(i) in Montgomery form (FIPS 203 appendix A times 2^16), centred; and the same for the odd powers that multiplication takes.
    private static readonly int[] Zetas = MakeZetas(i => BitReverse7(i));
    private static readonly int[] Gammas = MakeZetas(i => (2 * BitReverse7(i)) + 1);

    /// <summary>FIPS 203 algorithm 9; input in (-q, q), output fully reduced to (-q, q).</summary>
    internal static void Ntt(Span<int> f)
    {
        f = f[..N];
        var k = 1;
        for (var length = 128; length >= 8; length >>= 1)
        {
            for (var start = 0; start < N; start += 2 * length)
            {
                var zeta = Vector256.Create(Zetas[k++]);
                for (var j = start; j < start + length; j += 8)
                {
                    ref var low = ref Lanes(f, j);
                    ref var high = ref Lanes(f, j + length);
                    var t = Montgomery(zeta * high);
                    high = low - t;
                    low += t;
                }
            }
        }

        for (var length = 4; length >= 2; length >>= 1)
        {
            for (var start = 0; start < N; start += 2 * length)
            {
                var zeta = Zetas[k++];
                for (var j = start; j < start + length; j++)
                {
                    var t = Montgomery(zeta * f[j + length]);
                    f[j + length] = f[j] - t;
                    f[j] += t;
                }
            }
        }

        Reduce(f);
    }

    /// <summary>FIPS 203 algorithm 10 on a product: takes out the factor 1/R as well. Output in (-q, q).</summary>
    internal static void InverseNtt(Span<int> f)
    {
        f = f[..N];
        var k = 127;
        for (var length = 2; length <= 4; length <<= 1)
        {
            for (var start = 0; start < N; start += 2 * length)
            {
                var zeta = Zetas[k--];
                for (var j = start; j < start + length; j++)
                {
                    var t = f[j];
                    f[j] = Barrett(t + f[j + length]);
                    f[j + length] = Montgomery(zeta * (f[j + length] - t));
                }
            }
        }

        for (var length = 8; length <= 128; length <<= 1)
        {
            for (var start = 0; start < N; start += 2 * length)
            {
                var zeta = Vector256.Create(Zetas[k--]);
                for (var j = start; j < start + length; j += 8)
                {
                    ref var low = ref Lanes(f, j);
                    ref var high = ref Lanes(f, j + length);
                    var t = low;
                    low = Barrett(t + high);
                    high = Montgomery(zeta * (high - t));
                }
            }
        }

        // 1441 = R^2 / 128 mod q: divides by 128 and multiplies by R.
        var scale = Vector256.Create(1441);
        for (var j = 0; j < N; j += 8)
        {
            ref var lanes = ref Lanes(f, j);
            lanes = Montgomery(scale * lanes);
        }
    }

    /// <summary>
    /// Adds up products of <paramref name="count"/> pairs of polynomials in the NTT domain (FIPS 203 algorithms 11 and 12), each pair of 256 following the other in memory.
    /// The result carries a factor 1/R. Three pairs of coefficients below q in magnitude stay below q * 2^15, where one reduction is enough.
    /// </summary>
    internal static void MultiplyAdd(ReadOnlySpan<int> a, ReadOnlySpan<int> b, int count, Span<int> result)
    {
        a = a[..(count * N)];
        b = b[..(count * N)];
        for (var i = 0; i < N; i += 2)
        {
            int even = 0, odd = 0;
            for (var k = i; k < a.Length; k += N)
            {
                int a0 = a[k], a1 = a[k + 1], b0 = b[k], b1 = b[k + 1];
                even += (a0 * b0) + (Montgomery(a1 * b1) * Gammas[i >> 1]);
                odd += (a0 * b1) + (a1 * b0);
            }

            result[i] = Montgomery(even);
            result[i + 1] = Montgomery(odd);
        }
    }

    /// <summary>Multiplies by R, which takes the factor 1/R out of a product.</summary>
    internal static void ToMontgomery(Span<int> f)
    {
        var square = Vector256.Create(1353); // R^2 mod q
        for (var j = 0; j < N; j += 8)
        {
            ref var lanes = ref Lanes(f, j);
            lanes = Montgomery(square * lanes);
        }
    }

    internal static void Add(Span<int> f, ReadOnlySpan<int> g)
    {
        for (var j = 0; j < N; j += 8)
        {
            ref var lanes = ref Lanes(f, j);
            lanes = Barrett(lanes + Vector256.Create(g.Slice(j, 8)));
        }
    }

    /// <summary>f = g - f.</summary>
    internal static void SubtractFrom(Span<int> f, ReadOnlySpan<int> g)
    {
        for (var j = 0; j < N; j += 8)
        {
            ref var lanes = ref Lanes(f, j);
            lanes = Barrett(Vector256.Create(g.Slice(j, 8)) - lanes);
        }
    }

    /// <summary>Brings coefficients into [0, q).</summary>
    internal static void Normalize(Span<int> f)
    {
        var q = Vector256.Create(Q);
        for (var j = 0; j < N; j += 8)
        {
            ref var lanes = ref Lanes(f, j);
            var r = Barrett(lanes);
            lanes = r + (q & Vector256.ShiftRightArithmetic(r, 31));
        }
    }

    /// <summary>FIPS 203 algorithm 7 on a XOF that has absorbed the seed; what it rejects is public.</summary>
    internal static void SampleNtt(ref KeccakSponge xof, Span<int> f)
    {
        Span<byte> block = stackalloc byte[KeccakSponge.Shake128Rate];
        var count = 0;
        while (count < N)
        {
            xof.Squeeze(block);
            for (var i = 0; i < block.Length && count < N; i += 3)
            {
                var d1 = block[i] | ((block[i + 1] & 0x0f) << 8);
                var d2 = (block[i + 1] >> 4) | (block[i + 2] << 4);
                if (d1 < Q)
                {
                    f[count++] = d1;
                }

                if (d2 < Q && count < N)
                {
                    f[count++] = d2;
                }
            }
        }
    }

    /// <summary>FIPS 203 algorithm 8 with eta = 2, from 128 bytes.</summary>
    internal static void SampleCbd2(ReadOnlySpan<byte> bytes, Span<int> f)
    {
        for (var i = 0; i < N / 2; i++)
        {
            // Pairs of bits added in place: each nibble becomes x (low two bits) and y.
            var sums = (bytes[i] & 0x55) + ((bytes[i] >> 1) & 0x55);
            f[2 * i] = (sums & 3) - ((sums >> 2) & 3);
            f[(2 * i) + 1] = ((sums >> 4) & 3) - ((sums >> 6) & 3);
        }
    }

    private static void Reduce(Span<int> f)
    {
        for (var j = 0; j < N; j += 8)
        {
            ref var lanes = ref Lanes(f, j);
            lanes = Barrett(lanes);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ref Vector256<int> Lanes(Span<int> f, int index) =>
        ref Unsafe.As<int, Vector256<int>>(ref f.Slice(index, 8)[0]);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Montgomery(int product) => (product - ((short)(product * QInverse) * Q)) >> 16;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Montgomery(Vector256<int> product)
    {
        var low = Vector256.ShiftRightArithmetic(Vector256.ShiftLeft(product * Vector256.Create(QInverse), 16), 16);
        return Vector256.ShiftRightArithmetic(product - (low * Vector256.Create(Q)), 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Barrett(int value) => value - ((((value * BarrettFactor) + (1 << 25)) >> 26) * Q);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Barrett(Vector256<int> value)
    {
        var quotient = Vector256.ShiftRightArithmetic((value * Vector256.Create(BarrettFactor)) + Vector256.Create(1 << 25), 26);
        return value - (quotient * Vector256.Create(Q));
    }

    private static int BitReverse7(int i)
    {
        var reversed = 0;
        for (var bit = 0; bit < 7; bit++)
        {
            reversed |= ((i >> bit) & 1) << (6 - bit);
        }

        return reversed;
    }

    private static int[] MakeZetas(Func<int, int> exponent)
    {
        var zetas = new int[128];
        for (var i = 0; i < zetas.Length; i++)
        {
            var value = (int)(BigInteger.ModPow(17, exponent(i), Q) * 65536 % Q);
            zetas[i] = value > Q / 2 ? value - Q : value;
        }

        return zetas;
    }
}
