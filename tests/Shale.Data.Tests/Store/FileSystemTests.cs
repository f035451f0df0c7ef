using Shale.Data.Store;
using Shale.Data.Tests.Support;
using Xunit;

namespace Shale.Data.Tests.Store;

/// <summary>Placement and trust on real file systems: shared blocks where they can be shared, second names, copies, and a network mount.</summary>
public class FileSystemTests
{
    private const int Size = 48 << 20;

    [Theory]
    [InlineData("xfs")]
    [InlineData("btrfs")]
    public void Add_OnAFileSystemWithReflinks_SharesTheBlocksAndNothingElse(string kind)
    {
        using var scratch = new Scratch();
        using var disk = Mounted.New(scratch, kind);
        var source = disk["set"];
        Directory.CreateDirectory(source);
        File.Move(scratch.File("large", Size), Path.Combine(source, "large"));
        Mounted.Run("sync", "-f", source);
        var free = new DriveInfo(disk.Root).AvailableFreeSpace;

        var dataset = Open(disk["store"]).Add(new AddRequest { Path = source }).Value;
        Assert.Equal(Placement.Reflink, dataset.Manifest.Placement);
        Mounted.Run("sync", "-f", source);
        Assert.True(free - new DriveInfo(disk.Root).AvailableFreeSpace < Size / 2, "the data set took its own blocks");
        var stored = Path.Combine(dataset.Content, "large");
        Assert.Contains("shared", Mounted.Run("filefrag", "-v", stored), StringComparison.Ordinal);
        Assert.NotEqual(HostFiles.Identity(Path.Combine(source, "large"))!.Value.Inode, HostFiles.Identity(stored)!.Value.Inode);

        // What is written to the source later is the source's alone; identities of this file system are trusted.
        using (var stream = File.OpenWrite(Path.Combine(source, "large")))
        {
            stream.Write("changed"u8);
        }

        Assert.Equal(DataError.None, Open(disk["store"]).Verify(dataset.Cid));
        Assert.Equal(0, Open(disk["store"]).Mount(dataset.Cid, "").Value.HashedBytes);
    }

    [Fact]
    public void Add_OnTheSameFileSystemWithoutReflinks_GivesTheFileASecondName()
    {
        using var scratch = new Scratch();
        using var disk = Mounted.New(scratch, "ext4");
        File.Move(scratch.File("large", Size), disk["large"]);
        var dataset = Open(disk["store"]).Add(new AddRequest { Path = disk["large"] }).Value;
        Assert.Equal(Placement.HardLink, dataset.Manifest.Placement);
        Assert.Equal(HostFiles.Identity(disk["large"])!.Value.Inode, HostFiles.Identity(dataset.Content)!.Value.Inode);

        var independent = Open(disk["other"]).Add(new AddRequest { Path = disk["large"], Placement = PlacementRule.Independent }).Value;
        Assert.Equal(Placement.Copy, independent.Manifest.Placement);
        Assert.Equal(dataset.Cid, independent.Cid);
    }

    [Fact]
    public void Add_AcrossFileSystems_Copies()
    {
        using var scratch = new Scratch();
        using var disk = Mounted.New(scratch, "ext4");
        var source = scratch.File("large", Size);
        var dataset = Open(disk["store"]).Add(new AddRequest { Path = source }).Value;
        Assert.Equal(Placement.Copy, dataset.Manifest.Placement);
        File.Delete(source);
        Assert.Equal(DataError.None, Open(disk["store"]).Verify(dataset.Cid));
    }

    [Fact]
    public void NetworkMount_IsHashedAtEveryMountAndItsChangesAreSeen()
    {
        using var scratch = new Scratch();
        scratch.File("server/set/one", 1 << 20, 2);
        scratch.File("server/set/two", 3 << 20, 3);
        using var mounted = Mounted.Remote(scratch, scratch["server"]);
        Assert.False(HostFiles.TrustsIdentity(mounted.Root));
        var source = new NetworkMountSource(mounted.Root);
        Assert.Equal(["set"], source.List().Select(i => i.Name));
        var dataset = Open(scratch["store"]).Add(source.Locate("set", scratch["fetched"]).Value).Value;
        Assert.Equal(Placement.InPlace, dataset.Manifest.Placement);
        Assert.Equal(mounted["set"], dataset.Content);

        // The server could say that nothing changed: so nothing that it says is believed.
        for (var i = 0; i < 2; i++)
        {
            Assert.Equal(4 << 20, Open(scratch["store"]).Mount(dataset.Cid, "").Value.HashedBytes);
        }

        Assert.Equal(1 << 20, Open(scratch["store"]).Mount(dataset.Cid, "one").Value.HashedBytes);
        var changed = scratch["server/set/two"];
        var time = File.GetLastWriteTimeUtc(changed);
        using (var stream = File.OpenWrite(changed))
        {
            stream.Position = 1 << 20;
            stream.WriteByte((byte)(stream.Length % 251));
            stream.Write("changed"u8);
        }

        File.SetLastWriteTimeUtc(changed, time);
        Assert.Equal(DataFault.Changed, Open(scratch["store"]).Mount(dataset.Cid, "").Error.Fault);
        Assert.True(Open(scratch["store"]).Mount(dataset.Cid, "one").Ok);
    }

    [Fact]
    public void NetworkMount_BelowALocalDataSet_IsHashedAtEveryMount()
    {
        using var scratch = new Scratch();
        scratch.File("server/two", 3 << 20, 3);
        scratch.File("set/one", 1 << 20, 2);
        Directory.CreateDirectory(scratch["set/sub"]);
        using var mounted = Mounted.Remote(scratch, scratch["server"], scratch["set/sub"]);
        var dataset = Open(scratch["store"]).Add(new AddRequest { Path = scratch["set"], Placement = PlacementRule.InPlace }).Value;
        Assert.True(HostFiles.TrustsIdentity(dataset.Content));
        Thread.Sleep(100);
        Assert.InRange(Open(scratch["store"]).Mount(dataset.Cid, "").Value.HashedBytes, 3 << 20, 4 << 20);
        Assert.Equal(3 << 20, Open(scratch["store"]).Mount(dataset.Cid, "").Value.HashedBytes);
    }

    private static DatasetStore Open(string folder) => DatasetStore.Open(folder).Value;
}
