using System.Numerics;

namespace Shale.Payments.Log;

/// <summary>
/// The right edge of a growing RFC 6962 tree: for each bit of its size, the root of the complete subtree that the bit stands for.
/// An append costs one leaf hash and, on average, one inner hash.
/// </summary>
public sealed class MerkleFrontier
{
    private readonly MerkleHash[] _complete = new MerkleHash[64];

    /// <summary>The number of leaves.</summary>
    public long Size { get; private set; }

    /// <summary>Appends a leaf. <paramref name="completed"/> is told each subtree that the leaf completes: its height (0 for the leaf itself), its index among the subtrees of that height, its root.</summary>
    public void Append(in MerkleHash leaf, Action<int, long, MerkleHash>? completed = null)
    {
        var hash = leaf;
        var height = 0;
        completed?.Invoke(0, Size, hash);
        for (; (Size >> height & 1) == 1; height++)
        {
            hash = MerkleHash.Node(_complete[height], hash);
            completed?.Invoke(height + 1, Size >> (height + 1), hash);
        }

        _complete[height] = hash;
        Size++;
    }

    /// <summary>The root of the tree as it stands.</summary>
    public MerkleHash Root()
    {
        if (Size == 0)
        {
            return MerkleHash.Empty;
        }

        var height = BitOperations.TrailingZeroCount(Size);
        var root = _complete[height];
        for (height++; Size >> height != 0; height++)
        {
            if ((Size >> height & 1) == 1)
            {
                root = MerkleHash.Node(_complete[height], root);
            }
        }

        return root;
    }

    /// <summary>Sets the edge of a tree of <paramref name="size"/> leaves from its complete subtrees.</summary>
    /// <param name="size">Leaves.</param>
    /// <param name="subtree">Gives the root of the subtree of a height and index.</param>
    public void Restore(long size, Func<int, long, MerkleHash> subtree)
    {
        Size = size;
        for (var height = 0; size >> height != 0; height++)
        {
            if ((size >> height & 1) == 1)
            {
                _complete[height] = subtree(height, (size >> height) - 1);
            }
        }
    }
}
