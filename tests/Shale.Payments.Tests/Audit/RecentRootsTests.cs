using System.Buffers.Binary;
using Shale.Payments.Audit;
using Shale.Payments.Log;
using Xunit;

namespace Shale.Payments.Tests.Audit;

public sealed class RecentRootsTests
{
    [Fact]
    public void At_AnySizeOfTheWindow_IsTheRootThatTheTreeHad()
    {
        const int Sizes = (2 * RecentRoots.Window) + 1000;
        var (frontier, recent, roots) = (new MerkleFrontier(), new RecentRoots(), new MerkleHash[Sizes + 1]);
        roots[0] = frontier.Root();
        Assert.Equal(MerkleHash.Empty, recent.At(0));
        Span<byte> leaf = stackalloc byte[8];
        for (var size = 1; size <= Sizes; size++)
        {
            BinaryPrimitives.WriteInt64BigEndian(leaf, size);
            frontier.Append(MerkleHash.Leaf(leaf), recent.Add);
            roots[size] = frontier.Root();
            if (size % 499 == 0 || size is RecentRoots.Window - 1 or RecentRoots.Window or RecentRoots.Window + 1)
            {
                // The newest, the oldest that is in the window, and powers of two between them.
                for (var back = 0; back < RecentRoots.Window && back <= size; back = (2 * back) + 1)
                {
                    Assert.Equal(roots[size - back], recent.At(size - back));
                }
            }
        }
    }
}
