using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Shale.Bn254.Fields;
using Shale.Bn254.Vector;

namespace Shale.Bn254.Ntt;

/// <summary>
/// a(x)·b(x) − c(x) at the points ω_2n^(2i+1), where a and b are given by their values on the domain ⟨ω_n⟩ and c interpolates the products
/// of these values. What Groth16 needs from transforms: three inverse ones, three on the odd coset.
/// </summary>
internal static unsafe class OddCoset
{
    /// <summary>The values as canonical scalars. <paramref name="a"/> and <paramref name="b"/> (of one power-of-two length) are overwritten.</summary>
    public static Limbs4[] Quotient(Fr[] a, Fr[] b, int workers, bool vectors, CancellationToken cancellation) =>
        vectors && a.Length >= 1 << VectorNtt.MinimumLog
            ? QuotientByVectors(a, b, workers, cancellation)
            : QuotientByScalars(a, b, workers, cancellation);

    internal static Limbs4[] QuotientByScalars(Fr[] a, Fr[] b, int workers, CancellationToken cancellation)
    {
        var n = a.Length;
        var c = new Fr[n];
        for (var i = 0; i < n; i++)
        {
            c[i] = a[i] * b[i];
        }

        Parallel.ForEach([a, b, c], new ParallelOptions { MaxDegreeOfParallelism = workers, CancellationToken = cancellation }, values =>
        {
            ScalarNtt.InverseUnscaled(values);
            cancellation.ThrowIfCancellationRequested();
            ScalarNtt.ForwardOnOddCoset(values);
        });

        // Each inverse transform left a factor of n.
        var scale = Fr.FromUInt64((ulong)n).Inverse();
        var result = new Limbs4[n];
        for (var i = 0; i < n; i++)
        {
            result[i] = (((a[i] * b[i] * scale) - c[i]) * scale).ToCanonicalLimbs();
        }

        return result;
    }

    internal static Limbs4[] QuotientByVectors(Fr[] a, Fr[] b, int workers, CancellationToken cancellation)
    {
        var n = a.Length;
        var options = new ParallelOptions { MaxDegreeOfParallelism = workers, CancellationToken = cancellation };
        var result = new Limbs4[n];
        using var ntt = new VectorNtt(BitOperations.Log2((uint)n), workers, cancellation);
        var quads = n / 4;
        var va = VectorNtt.Allocate(quads);
        var vb = VectorNtt.Allocate(quads);
        var vc = VectorNtt.Allocate(quads);
        try
        {
            ForBlocks(quads, options, (from, to) => Pack(a, b, va, vb, vc, from, to));
            foreach (var values in new[] { (nint)va, (nint)vb, (nint)vc })
            {
                cancellation.ThrowIfCancellationRequested();
                ntt.InverseUnscaled((byte*)values);
                cancellation.ThrowIfCancellationRequested();
                ntt.ForwardOnOddCoset((byte*)values);
            }

            ForBlocks(quads, options, (from, to) => Join(va, vb, vc, result, from, to));
        }
        finally
        {
            VectorNtt.Free(va);
            VectorNtt.Free(vb);
            VectorNtt.Free(vc);
        }

        return result;
    }

    private static void ForBlocks(int quads, ParallelOptions options, Action<int, int> body)
    {
        const int BlockLength = 1024;
        Parallel.For(0, (quads + BlockLength - 1) / BlockLength, options, block =>
            body(block * BlockLength, Math.Min(quads, (block + 1) * BlockLength)));
    }

    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Pack(Fr[] a, Fr[] b, byte* va, byte* vb, byte* vc, int from, int to)
    {
        var k = LaneConstants<FrModulus>.Block;
        var x = stackalloc Vector256<ulong>[2 * Lanes.LimbCount];
        var y = x + Lanes.LimbCount;
        fixed (Fr* pa = a, pb = b)
        {
            for (var i = from; i < to; i++)
            {
                var source = (byte*)(pa + (4 * i));
                LaneMemory.LoadPlain(x, source, source + 32, source + 64, source + 96);
                Lanes.Multiply(x, x, k + Lanes.FromRadix256, k);
                VectorNtt.Store(va + ((long)i * VectorNtt.QuadSize), x);
                source = (byte*)(pb + (4 * i));
                LaneMemory.LoadPlain(y, source, source + 32, source + 64, source + 96);
                Lanes.Multiply(y, y, k + Lanes.FromRadix256, k);
                VectorNtt.Store(vb + ((long)i * VectorNtt.QuadSize), y);
                Lanes.Multiply(x, x, y, k);
                VectorNtt.Store(vc + ((long)i * VectorNtt.QuadSize), x);
            }
        }
    }

    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Join(byte* va, byte* vb, byte* vc, Limbs4[] result, int from, int to)
    {
        var k = LaneConstants<FrModulus>.Block;
        var x = stackalloc Vector256<ulong>[4 * Lanes.LimbCount];
        var y = x + Lanes.LimbCount;
        var scale = y + Lanes.LimbCount;
        var scaleTwice = scale + Lanes.LimbCount;

        // a·b carries n², c carries n.
        var inverse = Fr.FromUInt64((ulong)result.Length).Inverse();
        LaneConstants<FrModulus>.Put(scale, (inverse.ToBigInteger() << Lanes.RadixBits) % Fr.Modulus);
        LaneConstants<FrModulus>.Put(scaleTwice, (inverse.Square().ToBigInteger() << Lanes.RadixBits) % Fr.Modulus);
        var modulus = Montgomery<FrModulus>.Modulus;
        fixed (Limbs4* target = result)
        {
            for (var i = from; i < to; i++)
            {
                VectorNtt.Load(x, va + ((long)i * VectorNtt.QuadSize));
                VectorNtt.Load(y, vb + ((long)i * VectorNtt.QuadSize));
                Lanes.Multiply(x, x, scaleTwice, k);
                Lanes.Multiply(x, y, x, k);
                VectorNtt.Load(y, vc + ((long)i * VectorNtt.QuadSize));
                Lanes.Multiply(y, y, scale, k);
                Lanes.SubtractReduced(x, x, y, k);
                Lanes.Multiply(x, x, k + Lanes.ToCanonical, k);
                var to4 = (byte*)(target + (4 * i));
                LaneMemory.StorePlain(x, to4, to4 + 32, to4 + 64, to4 + 96);

                // Only a multiple of p that is not zero comes out as p itself; everything else is below.
                for (var lane = 0; lane < 4; lane++)
                {
                    var difference = Limbs4.Subtract(target[(4 * i) + lane], modulus, out var borrow);
                    if (borrow == 0)
                    {
                        target[(4 * i) + lane] = difference;
                    }
                }
            }
        }
    }
}
