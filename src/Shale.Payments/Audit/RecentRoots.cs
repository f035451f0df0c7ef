using System.Numerics;
using Shale.Payments.Log;

namespace Shale.Payments.Audit;

/// <summary>
/// The roots that a growing tree had at its last sizes. Not they are kept but the nodes that they are put together from, when they are
/// asked for: a log of many leases names each root some forty times, and most never.
/// </summary>
internal sealed class RecentRoots
{
    /// <summary>How far back a root may lie: the nodes take 4 MiB. A gateway names its newest checkpoint, some entries back.</summary>
    public const int Window = 1 << 16;

    // A level is a ring. It holds the nodes of the window, and one more at either end, where the window cuts a subtree.
    private readonly MerkleHash[]?[] _levels = new MerkleHash[64][];
    private (long Size, MerkleHash Root) _last = (0, MerkleHash.Empty);

    /// <summary>Takes up a subtree that a new leaf completed.</summary>
    public void Add(int height, long index, MerkleHash hash)
    {
        var level = _levels[height] ??= new MerkleHash[Capacity(height)];
        level[index % level.Length] = hash;
    }

    /// <summary>The root at a size that lies fewer than <see cref="Window"/> leaves back.</summary>
    public MerkleHash At(long size)
    {
        if (size != _last.Size)
        {
            _last = (size, Compute(size));
        }

        return _last.Root;
    }

    private MerkleHash Compute(long size)
    {
        if (size == 0)
        {
            return MerkleHash.Empty;
        }

        var height = BitOperations.TrailingZeroCount(size);
        var root = Node(height, size);
        for (height++; size >> height != 0; height++)
        {
            if ((size >> height & 1) == 1)
            {
                root = MerkleHash.Node(Node(height, size), root);
            }
        }

        return root;
    }

    /// <summary>The complete subtree that bit <paramref name="height"/> of a size stands for.</summary>
    private MerkleHash Node(int height, long size)
    {
        var level = _levels[height]!;
        return level[((size >> height) - 1) % level.Length];
    }

    private static int Capacity(int height) => (height < 32 ? Window >> height : 0) + 2;
}
