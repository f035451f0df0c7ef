using Shale.Data;
using Shale.Data.Car;
using Shale.Data.Cids;
using Shale.Data.UnixFs;

namespace Shale.Fuzz.Data;

/// <summary>
/// UnixFS trees whose blocks are an attacker's: the input is a dag-pb block, and every link in it leads to the same block or
/// to a few others, as if hashes did not bind. Walking ends within its limits.
/// </summary>
public sealed class TreeTarget : IFuzzTarget
{
    private static readonly TreeLimits Limits = new(1 << 20, 200);

    /// <inheritdoc/>
    public string Name => "unixfs-tree";

    /// <inheritdoc/>
    public IEnumerable<byte[]> Seeds
    {
        get
        {
            var leaf = Cid.OfBlock(1, Codec.Raw, "leaf"u8);
            var node = Cid.OfBlock(1, Codec.DagPb, "node"u8);
            return
            [
                new DagPbNode([new DagPbLink(leaf, "a", 4), new DagPbLink(node, "b", 4)], new UnixFsData { Type = UnixFsType.Directory }.Encode()).Encode(),
                new DagPbNode([new DagPbLink(leaf, "", 4), new DagPbLink(leaf, "", 4)], new UnixFsData { Type = UnixFsType.File, FileSize = 8, BlockSizes = [4, 4] }.Encode()).Encode(),
                new DagPbNode([new DagPbLink(node, "07", 4), new DagPbLink(leaf, "0Aname", 4)], new UnixFsData { Type = UnixFsType.HamtShard, Data = new byte[] { 4, 0x80 }, HashType = 0x22, Fanout = 256 }.Encode()).Encode(),
                new DagPbNode([], new UnixFsData { Type = UnixFsType.Symlink, Data = "a/b"u8.ToArray() }.Encode()).Encode(),
            ];
        }
    }

    /// <inheritdoc/>
    public void Run(ReadOnlySpan<byte> input)
    {
        var reader = new UnixFsReader(new SameBlock(input.ToArray()));
        long entries = 0;
        reader.Walk(Cid.OfBlock(1, Codec.DagPb, []), Limits, (path, entry) =>
        {
            entries++;
            return path.Split('/').Contains("..") ? throw new InvalidOperationException(path)
                : entry.Kind == EntryKind.File ? reader.Leaves(entry, (_, _, _, _) => DataError.None) : DataError.None;
        });
        if (entries > Limits.MaxEntries)
        {
            throw new InvalidOperationException($"{entries} entries");
        }
    }

    private sealed class SameBlock(byte[] block) : IBlockSource
    {
        private int _reads;

        public DataError TryGet(Cid cid, out byte[] bytes)
        {
            bytes = cid.Codec == Codec.Raw ? "leaf"u8.ToArray() : block;

            // A real tree cannot contain itself, and so cannot make the reader ask without end.
            return ++_reads > 5000 ? new DataError(DataFault.BlockMissing, "enough") : DataError.None;
        }
    }
}
