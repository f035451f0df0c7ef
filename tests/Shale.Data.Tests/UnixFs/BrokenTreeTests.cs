using Shale.Data.Car;
using Shale.Data.Cids;
using Shale.Data.Store;
using Shale.Data.Tests.Store;
using Shale.Data.Tests.Support;
using Shale.Data.UnixFs;
using Xunit;

namespace Shale.Data.Tests.UnixFs;

/// <summary>CARs that are wrong, each in one way: refused with its own fault, and nothing stays.</summary>
public class BrokenTreeTests
{
    private static readonly (Cid Cid, byte[] Bytes) Leaf = Raw("leaf"u8.ToArray());

    private static (Cid Cid, byte[] Bytes) Raw(byte[] bytes) => (Cid.OfBlock(1, Codec.Raw, bytes), bytes);

    private static (Cid Cid, byte[] Bytes) Node(UnixFsData? data, params DagPbLink[] links)
    {
        var bytes = new DagPbNode(links, data?.Encode()).Encode();
        return (Cid.OfBlock(1, Codec.DagPb, bytes), bytes);
    }

    private static DagPbLink Link(string name, (Cid Cid, byte[] Bytes) block) => new(block.Cid, name, (ulong)block.Bytes.Length);

    private static UnixFsData Directory => new() { Type = UnixFsType.Directory };

    private static UnixFsData Symlink(string target) => new() { Type = UnixFsType.Symlink, Data = System.Text.Encoding.UTF8.GetBytes(target) };

    private static UnixFsData FileOf(params ulong[] sizes) => new() { Type = UnixFsType.File, FileSize = sizes.Aggregate(0UL, (a, b) => a + b), BlockSizes = sizes };

    private static UnixFsData Shard(byte[] bits, ulong hash = 0x22, ulong fanout = 256) => new() { Type = UnixFsType.HamtShard, Data = bits, HashType = hash, Fanout = fanout };

    private static IEnumerable<(string Name, DataFault Fault, (Cid Cid, byte[] Bytes)[] Blocks)> Corpus()
    {
        // The last block is the root.
        foreach (var name in new[] { "..", ".", "", "../x", "a/b", "/etc/passwd", "a\0b", new string('n', 256) })
        {
            yield return ($"name {name}", DataFault.UnsafeName, [Leaf, Node(Directory, Link(name, Leaf))]);
        }

        foreach (var target in new[] { "/etc/passwd", "../x", "a/../../x", "x/..", "", "a\0b" })
        {
            var link = Node(Symlink(target));
            yield return ($"link {target}", DataFault.UnsafeLink, [link, Node(Directory, Link("l", link))]);
        }

        yield return ("duplicate name", DataFault.DuplicateName, [Leaf, Node(Directory, Link("a", Leaf), Link("a", Leaf))]);
        yield return ("missing block", DataFault.BlockMissing, [Node(Directory, Link("a", Leaf))]);
        yield return ("wrong hash", DataFault.HashMismatch, [(Leaf.Cid, "loaf"u8.ToArray()), Node(Directory, Link("a", Leaf))]);

        // A tree that contains itself can only be made with CIDs that lie.
        var loop = Node(Directory);
        yield return ("loop", DataFault.HashMismatch, [(loop.Cid, new DagPbNode([Link("again", loop)], Directory.Encode()).Encode())]);
        yield return ("size too small", DataFault.SizeMismatch, [Leaf, Node(FileOf(3), Link("", Leaf))]);
        yield return ("size too large", DataFault.SizeMismatch, [Leaf, Node(FileOf(5), Link("", Leaf))]);
        yield return ("file size", DataFault.SizeMismatch, [Leaf, Node(FileOf(4) with { FileSize = 5 }, Link("", Leaf))]);
        yield return ("sizes missing", DataFault.SizeMismatch, [Leaf, Node(FileOf(4), Link("", Leaf), Link("", Leaf))]);
        yield return ("empty part", DataFault.SizeMismatch, [Leaf, Raw([]), Node(FileOf(4, 0), Link("", Leaf), Link("", Raw([])))]);
        yield return ("part larger than a block", DataFault.SizeMismatch, [Leaf, Node(FileOf(64 << 20), Link("", Leaf))]);
        yield return ("directory as a part", DataFault.UnixFs, [Node(Directory), Node(FileOf(4), Link("", Node(Directory)))]);
        yield return ("metadata node", DataFault.UnixFs, [Node(new UnixFsData { Type = UnixFsType.Metadata })]);
        yield return ("no message", DataFault.UnixFs, [Node(null)]);
        yield return ("not dag-pb", DataFault.DagPb, [(Cid.OfBlock(1, Codec.DagPb, "xyz"u8), "xyz"u8.ToArray())]);
        yield return ("dag-cbor", DataFault.CodecUnsupported, [(Cid.OfBlock(1, Codec.DagCbor, [0xa0]), [0xa0])]);
        yield return ("root is a link", DataFault.WrongType, [Node(Symlink("a"))]);
        yield return ("shard with slots too many", DataFault.Hamt, [Leaf, Node(Shard([3]), Link("00a", Leaf))]);
        yield return ("shard with a slot too few", DataFault.Hamt, [Leaf, Node(Shard([1]), Link("00a", Leaf), Link("01b", Leaf))]);
        yield return ("shard out of order", DataFault.Hamt, [Leaf, Node(Shard([3]), Link("01b", Leaf), Link("00a", Leaf))]);
        yield return ("shard with a bad prefix", DataFault.Hamt, [Leaf, Node(Shard([1]), Link("zza", Leaf))]);
        yield return ("shard with another hash", DataFault.Hamt, [Leaf, Node(Shard([1], hash: 0x12), Link("00a", Leaf))]);
        yield return ("shard with another fanout", DataFault.Hamt, [Leaf, Node(Shard([1], fanout: 255), Link("00a", Leaf))]);
        yield return ("shard below is a directory", DataFault.Hamt, [Node(Directory), Node(Shard([1]), Link("00", Node(Directory)))]);
        yield return ("shard below is empty", DataFault.Hamt, [Node(Shard([])), Node(Shard([1]), Link("00", Node(Shard([]))))]);
        yield return ("shard with an unsafe name", DataFault.UnsafeName, [Leaf, Node(Shard([1]), Link("00..", Leaf))]);
        yield return ("file bomb", DataFault.TooLarge, Bomb(6));

        var deep = new List<(Cid Cid, byte[] Bytes)> { Node(Directory) };
        for (var i = 0; i < TreeImporter.MaxDepth + 1; i++)
        {
            deep.Add(Node(Directory, Link("d", deep[^1])));
        }

        yield return ("deep", DataFault.TooDeep, [.. deep]);
    }

    // Six nodes of 512 links to one block each: 4 bytes become 2^56.
    private static (Cid Cid, byte[] Bytes)[] Bomb(int height)
    {
        var blocks = new List<(Cid Cid, byte[] Bytes)> { Leaf };
        ulong size = 4;
        for (var i = 0; i < height; i++)
        {
            var link = Link("", blocks[^1]);
            blocks.Add(Node(FileOf([.. Enumerable.Repeat(size, 512)]), [.. Enumerable.Repeat(link, 512)]));
            size *= 512;
        }

        return [.. blocks];
    }

    private static void Write(string path, (Cid Cid, byte[] Bytes)[] blocks)
    {
        using var stream = File.Create(path);
        var writer = new CarWriter(stream, [blocks[^1].Cid]);
        foreach (var (cid, bytes) in blocks)
        {
            writer.Write(cid, bytes);
        }

        writer.Finish();
    }

    [Fact]
    public void Add_OfEachBrokenCar_IsRefusedWithItsFaultAndLeavesNothing()
    {
        using var scratch = new Scratch();
        var store = StoreTests.Open(scratch);
        foreach (var (name, fault, blocks) in Corpus())
        {
            Write(scratch["broken.car"], blocks);
            var added = store.Add(new AddRequest { Path = scratch["broken.car"], IsCar = true });
            Assert.Equal((name, fault), (name, added.Error.Fault));
            foreach (var folder in new[] { "staging", "partial", "datasets" })
            {
                Assert.Empty(System.IO.Directory.EnumerateFileSystemEntries(scratch[$"store/{folder}"]));
            }
        }
    }

    [Fact]
    public void Extract_OfADirectoryBomb_EndsAtTheLimit()
    {
        using var scratch = new Scratch();
        var blocks = new List<(Cid Cid, byte[] Bytes)> { Leaf };
        for (var i = 0; i < 5; i++)
        {
            var below = blocks[^1];
            blocks.Add(Node(Directory, [.. Enumerable.Range(0, 100).Select(n => Link($"{n:d3}", below))]));
        }

        Write(scratch["bomb.car"], [.. blocks]);
        using var car = CarBlockSource.Open(scratch["bomb.car"]).Value;
        Assert.Equal(DataFault.TooLarge, new TreeExtractor(car, new TreeLimits(long.MaxValue, 5000)).Extract(car.Roots[0], scratch["out"]).Error.Fault);
        Assert.Equal(["bomb.car"], System.IO.Directory.EnumerateFileSystemEntries(scratch.Root).Select(Path.GetFileName));
    }

    [Fact]
    public void Add_OfACarWithTwoRoots_WantsOneNamed()
    {
        using var scratch = new Scratch();
        var other = Raw("other"u8.ToArray());
        using (var stream = File.Create(scratch["two.car"]))
        {
            var writer = new CarWriter(stream, [Leaf.Cid, other.Cid]);
            writer.Write(Leaf.Cid, Leaf.Bytes);
            writer.Write(other.Cid, other.Bytes);
            writer.Finish();
        }

        var store = StoreTests.Open(scratch);
        Assert.Equal(DataFault.CarRoots, store.Add(new AddRequest { Path = scratch["two.car"], IsCar = true }).Error.Fault);
        var dataset = StoreTests.Add(store, new AddRequest { Path = scratch["two.car"], IsCar = true, Root = other.Cid });
        Assert.Equal("other", File.ReadAllText(dataset.Content));
    }

    [Fact]
    public void Extract_WithModesAndTimes_GivesThemBackWithoutPrivileges()
    {
        using var scratch = new Scratch();
        var file = Node(new UnixFsData { Type = UnixFsType.File, Data = "x"u8.ToArray(), FileSize = 1, Mode = 0xfff, ModifiedAt = new UnixFsTime(1_000_000_000, 500) });
        Write(scratch["m.car"], [file, Node(Directory, Link("f", file))]);
        using var car = CarBlockSource.Open(scratch["m.car"]).Value;
        Assert.Equal(DataError.None, new TreeExtractor(car).Extract(car.Roots[0], scratch["out"]).Error);
        Assert.Equal(0x1ff, (int)File.GetUnixFileMode(scratch["out/f"]));
        Assert.Equal(DateTime.UnixEpoch.AddSeconds(1_000_000_000).AddTicks(5), File.GetLastWriteTimeUtc(scratch["out/f"]));
    }
}
