using System.Diagnostics;
using Shale.Bn254.Fields;

namespace Shale.Bn254.Msm;

/// <summary>
/// Many scalars in base 2^c with digits from −2^(c−1) to 2^(c−1) − 1, so that 2^(c−1) buckets serve a window. Digits are stored window by
/// window (digit of scalar i in window w at w·count + i): one decomposition serves every sum over the same scalars.
/// </summary>
internal sealed unsafe class SignedDigits
{
    /// <summary>Bits of a scalar: r is below 2^254.</summary>
    private const int ScalarBits = 254;

    /// <summary>With windows of 3 bits the last one ends at bit 255 and r's own three highest bits leave no room for a carry.</summary>
    private const int MinimumWindowBits = 4;

    private readonly short[] _digits;

    private SignedDigits(short[] digits, int count, int windowBits, int windows)
    {
        _digits = digits;
        Count = count;
        WindowBits = windowBits;
        Windows = windows;
    }

    public int Count { get; }

    /// <summary>c.</summary>
    public int WindowBits { get; }

    public int Windows { get; }

    /// <summary>The buckets of a window: |digit| is at most this.</summary>
    public int Buckets => 1 << (WindowBits - 1);

    public ReadOnlySpan<short> Window(int window) => _digits.AsSpan(checked(window * Count), Count);

    /// <summary>Decomposes canonical scalars (four limbs each, below r).</summary>
    /// <exception cref="OutOfMemoryException">More than 2^31 digits in all.</exception>
    public static SignedDigits Decompose(Limbs4* scalars, int count, int windowBits, int workers)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(windowBits, MinimumWindowBits);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(windowBits, 16);

        var windows = WindowsOf(windowBits);
        var digits = new short[checked(windows * count)];
        const int BlockLength = 4096;
        Parallel.For(0, (count + BlockLength - 1) / BlockLength, new ParallelOptions { MaxDegreeOfParallelism = workers }, block =>
        {
            var end = Math.Min(count, (block + 1) * BlockLength);
            for (var i = block * BlockLength; i < end; i++)
            {
                Decompose(scalars + i, digits, i, count, windowBits, windows);
            }
        });
        return new SignedDigits(digits, count, windowBits, windows);
    }

    /// <summary>Takes digits as they are, window by window, each at most 2^(windowBits − 1) in size: other representations, to compare with.</summary>
    internal static SignedDigits FromDigits(short[] digits, int count, int windowBits, int windows)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(digits.Length, windows * count);
        return new SignedDigits(digits, count, windowBits, windows);
    }

    /// <summary>The windows of a scalar; one more bit than the scalar has takes the carry of the last one.</summary>
    public static int WindowsOf(int windowBits) => (ScalarBits + 1 + windowBits - 1) / windowBits;

    /// <summary>
    /// The c that makes windows × (additions into buckets + two additions a bucket) smallest.
    /// </summary>
    public static int BestWindowBits(int count)
    {
        var (best, bestCost) = (MinimumWindowBits, long.MaxValue);
        for (var c = MinimumWindowBits; c <= 16; c++)
        {
            var cost = (long)WindowsOf(c) * (count + (2L << (c - 1)));
            if (cost < bestCost)
            {
                (best, bestCost) = (c, cost);
            }
        }

        return best;
    }

    private static void Decompose(Limbs4* scalar, short[] digits, int index, int count, int windowBits, int windows)
    {
        var limbs = (ulong*)scalar;
        var mask = (1u << windowBits) - 1;
        var half = 1 << (windowBits - 1);
        var carry = 0;
        var position = index;
        for (var w = 0; w < windows; w++, position += count)
        {
            var bit = w * windowBits;
            var (limb, shift) = (bit >> 6, bit & 63);
            var bits = limb < 4 ? limbs[limb] >> shift : 0;
            if (shift + windowBits > 64 && limb < 3)
            {
                bits |= limbs[limb + 1] << (64 - shift);
            }

            var digit = (int)((uint)bits & mask) + carry;
            carry = digit >= half ? 1 : 0;
            digits[position] = (short)(digit - (carry << windowBits));
        }

        Debug.Assert(carry == 0, "a scalar was not below r");
    }
}
