using System.Text;
using Shale.Data.Car;
using Shale.Data.Cids;
using Shale.Data.Store;
using Shale.Data.Tests.Support;
using Shale.Data.Tests.UnixFs;
using Shale.Data.UnixFs;
using Xunit;

namespace Shale.Data.Tests.Store;

public class StoreTests
{
    internal static DatasetStore Open(Scratch scratch)
    {
        var store = DatasetStore.Open(scratch["store"]);
        Assert.Equal(DataError.None, store.Error);
        return store.Value;
    }

    internal static Dataset Add(DatasetStore store, AddRequest request)
    {
        var added = store.Add(request);
        Assert.Equal(DataError.None, added.Error);
        return added.Value;
    }

    internal static Dictionary<string, string> Contents(string path) =>
        File.Exists(path) ? new() { [""] = Hash(path) }
        : Directory.EnumerateFileSystemEntries(path, "*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = 0 })
            .ToDictionary(f => Path.GetRelativePath(path, f), f => new FileInfo(f).LinkTarget ?? (Directory.Exists(f) ? "directory" : Hash(f)));

    private static string Hash(string path) => Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(path)));

    private static void AssertNoLeftovers(Scratch scratch)
    {
        Assert.Empty(Directory.EnumerateFileSystemEntries(scratch["store/staging"]));
        Assert.Empty(Directory.EnumerateFileSystemEntries(scratch["store/partial"]));
    }

    [Theory]
    [InlineData(PlacementRule.Auto)]
    [InlineData(PlacementRule.Independent)]
    [InlineData(PlacementRule.InPlace)]
    public void Add_OfADirectory_IsListedMountedAndVerified(PlacementRule rule)
    {
        using var scratch = new Scratch();
        var tree = scratch.Tree("tree");
        var store = Open(scratch);
        var dataset = Add(store, new AddRequest { Path = tree, Placement = rule, Piece = new PieceRecord(null, null, 0, "deal-17") });
        Assert.Equal(ImportTests.Root(tree, ImportPreset.UnixFsV1), dataset.Cid);
        var listed = Assert.Single(Open(scratch).List());
        Assert.Equal(("tree", "directory", "deal-17"), (listed.Manifest.Name, listed.Manifest.Kind, listed.Manifest.Piece!.Deal));
        Assert.Equal(listed.Manifest.Entries, listed.Entries().Count());
        Assert.Equal(Contents(tree), Contents(listed.Content));
        var mount = store.Mount(dataset.Cid, "");
        Assert.Equal(DataError.None, mount.Error);
        Assert.True(mount.Value.IsDirectory);
        Assert.Equal(listed.Content, mount.Value.HostPath);
        var file = store.Mount(dataset.Cid, "/a.b/c");
        Assert.Equal(Path.Combine(listed.Content, "a.b/c"), file.Value.HostPath);
        Assert.Equal(DataFault.NotFound, store.Mount(dataset.Cid, "a.b/d").Error.Fault);
        Assert.Equal(DataFault.UnsafeName, store.Mount(dataset.Cid, "a.b/../../..").Error.Fault);
        Assert.Equal(DataFault.WrongType, store.Mount(dataset.Cid, "link").Error.Fault);
        Assert.Equal(DataError.None, store.Verify(dataset.Cid));
        Assert.Equal(DataFault.AlreadyExists, store.Add(new AddRequest { Path = tree, Placement = rule }).Error.Fault);
        Assert.Equal(DataError.None, store.Remove(dataset.Cid));
        Assert.Empty(store.List());
        Assert.Equal(DataFault.NotFound, store.Remove(dataset.Cid).Fault);
        Assert.True(Directory.Exists(tree));
        AssertNoLeftovers(scratch);
    }

    [Theory]
    [InlineData("unixfs-v0-2015")]
    [InlineData("unixfs-v1-2025")]
    public void Add_OfACar_HoldsItsTree(string preset)
    {
        using var scratch = new Scratch();
        var tree = scratch.Tree("tree");
        var root = ImportTests.Pack(tree, ImportPreset.Find(preset)!, scratch["data.car"]);
        var store = Open(scratch);
        var dataset = Add(store, new AddRequest { Path = scratch["data.car"], IsCar = true });
        Assert.Equal(root, dataset.Cid);
        Assert.Equal(Contents(tree), Contents(dataset.Content));
        Assert.True(store.Mount(root, "several").Ok);
        Assert.Equal(DataError.None, store.Verify(root));
        // The other version of the same CID names the same data set.
        Assert.True(store.Find(root.ToV1()).Ok);
        AssertNoLeftovers(scratch);
    }

    /// <summary>No preset writes this layout (kubo's <c>add --trickle</c>); what others wrote so is held and served like anything else.</summary>
    [Theory]
    [InlineData(16, 20 << 20)]
    [InlineData(3, 5 << 20)]
    public void Add_OfACarWithATrickleFile_HoldsItsBytes(int width, int length)
    {
        using var scratch = new Scratch();
        var file = scratch.File("f", length);
        var root = Peer.One(new { op = "importUnixFs", must = true, path = file, @out = scratch["f.car"], trickle = width, options = new { cidVersion = 1, rawLeaves = true } }).GetString();
        Assert.NotEqual(ImportTests.Root(file, ImportPreset.KuboV1).ToString(), root);
        var dataset = Add(Open(scratch), new AddRequest { Path = scratch["f.car"], IsCar = true });
        Assert.Equal(root, dataset.Manifest.Cid);
        Assert.Equal(Contents(file), Contents(dataset.Content));
    }

    [Fact]
    public void Mount_OfWhatWasVerified_HashesNothingUntilItChanges()
    {
        using var scratch = new Scratch();
        scratch.File("d/one", 5000);
        scratch.File("d/two", 7000, 2);
        var store = Open(scratch);
        var dataset = Add(store, new AddRequest { Path = scratch["d"], Placement = PlacementRule.Independent });
        Assert.True(HostFiles.TrustsIdentity(dataset.Content), "this test wants a local file system for its scratch folder");
        Assert.Equal(0, store.Mount(dataset.Cid, "").Value.HashedBytes);

        // Touched: the identity is another, the bytes are the same, and only that file is hashed again, once.
        Thread.Sleep(100);
        File.SetLastWriteTimeUtc(Path.Combine(dataset.Content, "one"), DateTime.UtcNow);
        Thread.Sleep(100);
        Assert.Equal(5000, store.Mount(dataset.Cid, "").Value.HashedBytes);
        Assert.Equal(0, store.Mount(dataset.Cid, "").Value.HashedBytes);
        Assert.Equal(12000, new Func<long>(() => { var v = new ContentVerifier(dataset); v.Check("", true, null, default); return v.HashedBytes; })());
    }

    [Theory]
    [InlineData(PlacementRule.Auto)]
    [InlineData(PlacementRule.InPlace)]
    public void Mount_OfAFileThatChangedUnderneath_IsRefused(PlacementRule rule)
    {
        using var scratch = new Scratch();
        var source = scratch.File("d/one", 5000);
        var store = Open(scratch);
        var dataset = Add(store, new AddRequest { Path = scratch["d"], Placement = rule });
        var shown = Path.Combine(dataset.Content, "one");
        Assert.True(store.Mount(dataset.Cid, "one").Ok);
        // One byte, the length and the modification time as they were: what a careless or hostile process could do.
        var time = File.GetLastWriteTimeUtc(shown);
        using (var stream = File.OpenWrite(dataset.Manifest.Placement == Placement.HardLink ? source : shown))
        {
            stream.Position = 2500;
            stream.WriteByte(0xee);
        }

        File.SetLastWriteTimeUtc(shown, time);
        Assert.Equal(DataFault.Changed, store.Mount(dataset.Cid, "one").Error.Fault);
        Assert.Equal(DataFault.Changed, store.Verify(dataset.Cid).Fault);
    }

    [Fact]
    public void Mount_OfADirectoryWithAnotherFileInIt_IsRefused()
    {
        using var scratch = new Scratch();
        scratch.File("d/sub/one", 10);
        var store = Open(scratch);
        var dataset = Add(store, new AddRequest { Path = scratch["d"] });
        File.WriteAllText(Path.Combine(dataset.Content, "sub/two"), "x");
        Assert.Equal(DataFault.Changed, store.Mount(dataset.Cid, "sub").Error.Fault);
        Assert.Equal(DataFault.Changed, store.Mount(dataset.Cid, "").Error.Fault);
        Assert.True(store.Mount(dataset.Cid, "sub/one").Ok);
        File.Delete(Path.Combine(dataset.Content, "sub/two"));
        File.Delete(Path.Combine(dataset.Content, "sub/one"));
        Assert.Equal(DataFault.Changed, store.Mount(dataset.Cid, "").Error.Fault);
    }

    [Fact]
    public void Verifier_WithoutTrustInIdentities_HashesEachTime()
    {
        // procfs stands for a file system whose identities say nothing; a data set on NFS is treated the same way.
        Assert.False(HostFiles.TrustsIdentity("/proc/self"));
        Assert.False(HostFiles.TrustsIdentity("/does/not/exist"));
    }

    [Fact]
    public void Store_InAFolderWithOtherFiles_IsRefused()
    {
        using var scratch = new Scratch();
        scratch.File("store/precious", 1);
        Assert.Equal(DataFault.Store, DatasetStore.Open(scratch["store"]).Error.Fault);
    }

    [Fact]
    public void Add_OfAnIncompleteCar_IsRefusedAndLeavesNothing()
    {
        using var scratch = new Scratch();
        var tree = scratch.Tree("tree");
        ImportTests.Pack(tree, ImportPreset.UnixFsV1, scratch["whole.car"]);
        WriteWithout(scratch["whole.car"], scratch["data.car"], 3);
        var store = Open(scratch);
        Assert.Equal(DataFault.BlockMissing, store.Add(new AddRequest { Path = scratch["data.car"], IsCar = true }).Error.Fault);
        Assert.Empty(store.List());
        AssertNoLeftovers(scratch);
    }

    internal static void WriteWithout(string source, string destination, int index)
    {
        Assert.False(Car.CarTests.ReadAll(File.ReadAllBytes(source), out var blocks).IsError);
        using var input = File.OpenRead(source);
        CarReader.TryOpen(input, false, out var reader);
        using var output = File.Create(destination);
        var writer = new CarWriter(output, reader!.Roots);
        for (var i = 0; i < blocks.Count; i++)
        {
            if (i != index)
            {
                writer.Write(blocks[i].Cid, blocks[i].Data);
            }
        }

        writer.Finish();
    }
}
