using System.Numerics;
using Shale.Bn254.Fields;

namespace Shale.Groth16.Constraints.Gadgets;

/// <summary>Decompositions into bits, and what is proved with them.</summary>
public static class Bits
{
    /// <summary>Bits of the scalar field's modulus.</summary>
    public const int FieldBits = 254;

    /// <summary>
    /// The n bits of a value below 2^n, least significant first; n constraints. Bit 0 takes no wire: it is what the others leave.
    /// n stays below 254, so that two decompositions of one element cannot exist; use <see cref="DecomposeBelow"/> beyond.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">n is not in 1..253.</exception>
    public static Variable[] Decompose(ConstraintSystem system, in Variable value, int count)
    {
        ArgumentNullException.ThrowIfNull(system);
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(count, FieldBits);
        using GadgetScope scope = system.Enter("bits");
        Variable[] bits = AllocateBits(system, value, count);
        for (int i = count - 1; i >= 0; i--)
        {
            system.AssertBoolean(bits[i]);
        }

        return bits;
    }

    /// <summary>Asserts that a value lies in [0, 2^n), 1 ≤ n ≤ 253; n constraints.</summary>
    public static void AssertRange(ConstraintSystem system, in Variable value, int count) => Decompose(system, value, count);

    /// <summary>
    /// The bits of a value that lies in [0, bound), for a constant bound of at most the modulus, least significant first, as many
    /// as bound − 1 has. With the modulus itself as the bound this is the one canonical decomposition of any element: 254 bits alone
    /// would admit x + r beside x wherever that fits.
    /// </summary>
    /// <remarks>
    /// From the top, a running product p says whether all bits so far equal those of bound − 1, looking only at its ones. Where
    /// bound − 1 has a zero, (1 − p − b)·b = 0 keeps b boolean, and keeps it zero while p = 1. Below the last zero nothing can exceed.
    /// Costs one constraint a bit, and one more for each one of bound − 1 that stands above its last zero, the topmost excepted.
    /// </remarks>
    /// <exception cref="ArgumentOutOfRangeException">The bound is not in 2..modulus.</exception>
    public static Variable[] DecomposeBelow(ConstraintSystem system, in Variable value, BigInteger bound)
    {
        ArgumentNullException.ThrowIfNull(system);
        ArgumentOutOfRangeException.ThrowIfLessThan(bound, 2);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bound, Fr.Modulus);
        using GadgetScope scope = system.Enter("bits-below");
        BigInteger largest = bound - 1;
        int count = (int)largest.GetBitLength();
        Variable[] bits = AllocateBits(system, value, count);
        int lowestZero = 0;
        while (lowestZero < count && !BitOf(largest, lowestZero).IsZero)
        {
            lowestZero++;
        }

        Variable equalSoFar = Fr.One;
        for (int i = count - 1; i >= 0; i--)
        {
            if (BitOf(largest, i).IsZero)
            {
                system.AssertProduct(Fr.One - equalSoFar - bits[i], bits[i], Fr.Zero, "bit below bound");
                continue;
            }

            system.AssertBoolean(bits[i]);
            if (i > lowestZero)
            {
                equalSoFar = system.Multiply(equalSoFar, bits[i], "equal so far");
            }
        }

        return bits;
    }

    /// <summary>Σ bit_i·2^i: free.</summary>
    public static Variable Recompose(ReadOnlySpan<Variable> bits)
    {
        Variable sum = Fr.Zero;
        Fr power = Fr.One;
        foreach (Variable bit in bits)
        {
            sum += power * bit;
            power += power;
        }

        return sum;
    }

    private static Variable[] AllocateBits(ConstraintSystem system, in Variable value, int count)
    {
        Span<byte> bytes = stackalloc byte[Fr.Size];
        value.Value.ToBytesLittleEndian(bytes);
        var bits = new Variable[count];
        Variable rest = value;
        Variable upper = Fr.Zero;
        Fr power = Fr.One;
        for (int i = 1; i < count; i++)
        {
            power += power;
            bits[i] = system.Hint("bit", Fr.FromUInt64((ulong)(bytes[i >> 3] >> (i & 7)) & 1));
            upper += power * bits[i];
        }

        bits[0] = rest - upper;
        return bits;
    }

    private static BigInteger BitOf(BigInteger number, int index) => (number >> index) & BigInteger.One;
}
