using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Shale.Crypto.PostQuantum;

/// <summary>Sorts by a network of comparisons that depends on the length only (Batcher's merge exchange, Knuth volume 3, algorithm 5.2.2M).</summary>
internal static class ConstantTimeSort
{
    internal static void Sort(Span<uint> values)
    {
        var n = values.Length;
        if (n < 2)
        {
            return;
        }

        ref var x = ref MemoryMarshal.GetReference(values);
        var top = 1;
        while (top < n - top)
        {
            top += top;
        }

        for (var p = top; p > 0; p >>= 1)
        {
            // Pairs (i, i + p) where bit p of i is clear.
            for (var i = 0; i < n - p; i += 2 * p)
            {
                CompareExchange(ref x, i, p, Math.Min(p, n - p - i));
            }

            for (var q = top; q > p; q >>= 1)
            {
                // Pairs (i + p, i + q) where bit p of i is clear.
                for (var i = 0; i < n - q; i += 2 * p)
                {
                    CompareExchange(ref x, i + p, q - p, Math.Min(p, n - q - i));
                }
            }
        }
    }

    // Orders the pairs (start + k, start + distance + k) for k below count, which never overlap.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void CompareExchange(ref uint x, int start, int distance, int count)
    {
        var k = 0;
        for (; k + 8 <= count; k += 8)
        {
            var a = Vector256.LoadUnsafe(ref x, (nuint)(start + k));
            var b = Vector256.LoadUnsafe(ref x, (nuint)(start + distance + k));
            Vector256.Min(a, b).StoreUnsafe(ref x, (nuint)(start + k));
            Vector256.Max(a, b).StoreUnsafe(ref x, (nuint)(start + distance + k));
        }

        for (; k < count; k++)
        {
            ref var a = ref Unsafe.Add(ref x, start + k);
            ref var b = ref Unsafe.Add(ref x, start + distance + k);
            var difference = (a ^ b) & (uint)(((long)b - a) >> 63);
            a ^= difference;
            b ^= difference;
        }
    }
}
