namespace Shale.Groth16.Constraints.Gadgets;

/// <summary>Binary Merkle trees over Poseidon of two.</summary>
public static class MerkleGadget
{
    /// <summary>The root over 2^k leaves, each pair hashed in order; 240 constraints a pair.</summary>
    /// <exception cref="ArgumentException">The number of leaves is not a power of two.</exception>
    public static Variable Root(ConstraintSystem system, ReadOnlySpan<Variable> leaves)
    {
        ArgumentNullException.ThrowIfNull(system);
        if (leaves.IsEmpty || (leaves.Length & (leaves.Length - 1)) != 0)
        {
            throw new ArgumentException("A tree has a power of two of leaves.", nameof(leaves));
        }

        using GadgetScope scope = system.Enter("merkle-root");
        Variable[] level = leaves.ToArray();
        for (int count = level.Length / 2; count > 0; count /= 2)
        {
            for (int i = 0; i < count; i++)
            {
                level[i] = PoseidonGadget.Hash(system, level[2 * i], level[(2 * i) + 1]);
            }
        }

        return level[0];
    }
}
