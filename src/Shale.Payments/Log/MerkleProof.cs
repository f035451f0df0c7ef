using System.Numerics;

namespace Shale.Payments.Log;

/// <summary>Inclusion and consistency proofs of RFC 6962, 2.1.1 and 2.1.2, verified as in RFC 9162, 2.1.3.2 and 2.1.4.2.</summary>
public static class MerkleProof
{
    /// <summary>No proof of a tree below 2^63 leaves is longer.</summary>
    public const int MaxLength = 64;

    /// <summary>Makes the inclusion proof of leaf <paramref name="index"/> in the tree of the first <paramref name="size"/> leaves.</summary>
    /// <param name="index">The leaf, from 0.</param>
    /// <param name="size">Leaves of the tree.</param>
    /// <param name="subtree">Gives the root of the complete subtree of a height and index.</param>
    public static IReadOnlyList<MerkleHash> Inclusion(long index, long size, Func<int, long, MerkleHash> subtree)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, size);
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        var proof = new List<MerkleHash>();
        var (from, to) = (0L, size);
        while (to - from > 1)
        {
            var middle = from + Split(to - from);
            if (index < middle)
            {
                proof.Add(Root(middle, to, subtree));
                to = middle;
            }
            else
            {
                proof.Add(Root(from, middle, subtree));
                from = middle;
            }
        }

        proof.Reverse();
        return proof;
    }

    /// <summary>Makes the proof that the tree of the first <paramref name="oldSize"/> leaves is a prefix of the one of <paramref name="size"/>. Empty where either is trivial.</summary>
    public static IReadOnlyList<MerkleHash> Consistency(long oldSize, long size, Func<int, long, MerkleHash> subtree)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(oldSize);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(oldSize, size);
        var proof = new List<MerkleHash>();
        if (oldSize == 0 || oldSize == size)
        {
            return proof;
        }

        // SUBPROOF of RFC 6962, iterated: "whole" is its flag b.
        var (from, to, whole) = (0L, size, true);
        while (oldSize != to)
        {
            var middle = from + Split(to - from);
            if (oldSize <= middle)
            {
                proof.Add(Root(middle, to, subtree));
                to = middle;
            }
            else
            {
                proof.Add(Root(from, middle, subtree));
                from = middle;
                whole = false;
            }
        }

        if (!whole)
        {
            proof.Add(Root(from, to, subtree));
        }

        proof.Reverse();
        return proof;
    }

    /// <summary>Whether <paramref name="proof"/> shows that <paramref name="leaf"/> is leaf <paramref name="index"/> of the tree with this size and root.</summary>
    public static bool VerifyInclusion(long index, long size, in MerkleHash leaf, in MerkleHash root, ReadOnlySpan<MerkleHash> proof)
    {
        if (index < 0 || index >= size)
        {
            return false;
        }

        var (fn, sn, hash) = (index, size - 1, leaf);
        foreach (var sibling in proof)
        {
            if (sn == 0)
            {
                return false;
            }

            if ((fn & 1) == 1 || fn == sn)
            {
                hash = MerkleHash.Node(sibling, hash);
                var shift = (fn & 1) == 1 ? 0 : BitOperations.TrailingZeroCount(fn);
                (fn, sn) = fn == 0 ? (0, 0) : (fn >> shift, sn >> shift);
            }
            else
            {
                hash = MerkleHash.Node(hash, sibling);
            }

            fn >>= 1;
            sn >>= 1;
        }

        return sn == 0 && hash == root;
    }

    /// <summary>Whether <paramref name="proof"/> shows that the tree of <paramref name="oldSize"/> leaves with <paramref name="oldRoot"/> is a prefix of the other one.</summary>
    public static bool VerifyConsistency(long oldSize, long size, in MerkleHash oldRoot, in MerkleHash root, ReadOnlySpan<MerkleHash> proof)
    {
        if (oldSize < 0 || oldSize > size)
        {
            return false;
        }

        if (oldSize == size)
        {
            return proof.IsEmpty && oldRoot == root;
        }

        if (oldSize == 0)
        {
            return proof.IsEmpty && oldRoot == MerkleHash.Empty;
        }

        // A power of two is its own first node and is left out of the proof.
        MerkleHash first;
        if (BitOperations.IsPow2(oldSize))
        {
            first = oldRoot;
        }
        else if (proof.IsEmpty)
        {
            return false;
        }
        else
        {
            first = proof[0];
            proof = proof[1..];
        }

        var (fn, sn) = (oldSize - 1, size - 1);
        var skip = BitOperations.TrailingZeroCount(~fn);
        (fn, sn) = (fn >> skip, sn >> skip);
        var (oldHash, hash) = (first, first);
        foreach (var sibling in proof)
        {
            if (sn == 0)
            {
                return false;
            }

            if ((fn & 1) == 1 || fn == sn)
            {
                oldHash = MerkleHash.Node(sibling, oldHash);
                hash = MerkleHash.Node(sibling, hash);
                while ((fn & 1) == 0 && fn != 0)
                {
                    fn >>= 1;
                    sn >>= 1;
                }
            }
            else
            {
                hash = MerkleHash.Node(hash, sibling);
            }

            fn >>= 1;
            sn >>= 1;
        }

        return sn == 0 && oldHash == oldRoot && hash == root;
    }

    /// <summary>The root over leaves <paramref name="from"/> (aligned as the tree's recursion aligns it) to <paramref name="to"/>.</summary>
    private static MerkleHash Root(long from, long to, Func<int, long, MerkleHash> subtree)
    {
        var size = to - from;
        if (BitOperations.IsPow2(size))
        {
            var height = BitOperations.TrailingZeroCount(size);
            return subtree(height, from >> height);
        }

        var middle = from + Split(size);
        return MerkleHash.Node(Root(from, middle, subtree), Root(middle, to, subtree));
    }

    /// <summary>The largest power of two below <paramref name="size"/> (RFC 6962's k).</summary>
    private static long Split(long size) => 1L << (63 - BitOperations.LeadingZeroCount((ulong)size - 1));
}
