using Shale.Data.Store;
using Shale.Data.Tests.Support;
using Shale.Data.Tests.UnixFs;
using Shale.Data.UnixFs;
using Xunit;

namespace Shale.Data.Tests.Store;

/// <summary>SIGKILL at points spread over the work: what is seen afterwards is nothing or all, and the next run ends well.</summary>
public class KillTests
{
    // Lines of progress after which to kill: early, in the middle, and in the last stages.
    private static readonly int[] Points = [1, 5, 17, 28];

    private static void MakeTree(Scratch scratch)
    {
        scratch.Tree("tree");
        scratch.File("tree/large", 50 << 20, 99);
    }

    [Fact]
    public void Add_Killed_ShowsNothingAndLeavesNothing()
    {
        using var scratch = new Scratch();
        MakeTree(scratch);
        var kills = 0;
        foreach (var point in Points)
        {
            kills += Child.RunAndKill(["add", scratch["store"], scratch["tree"]], point) ? 1 : 0;
            var store = StoreTests.Open(scratch);
            foreach (var dataset in store.List())
            {
                Assert.Equal(DataError.None, store.Verify(dataset.Cid));
                Assert.Equal(DataError.None, store.Remove(dataset.Cid));
            }

            Assert.Empty(Directory.EnumerateFileSystemEntries(scratch["store/staging"]));
            Assert.Empty(Directory.EnumerateFileSystemEntries(scratch["store/datasets"]));
        }

        Assert.InRange(kills, 2, Points.Length);
        Assert.Equal(0, Child.Run(["add", scratch["store"], scratch["tree"]]).ExitCode);
        Assert.Equal(StoreTests.Contents(scratch["tree"]), StoreTests.Contents(Assert.Single(StoreTests.Open(scratch).List()).Content));
    }

    [Fact]
    public void AddOfACar_Killed_ShowsNothingAndIsResumed()
    {
        using var scratch = new Scratch();
        MakeTree(scratch);
        ImportTests.Pack(scratch["tree"], ImportPreset.UnixFsV1, scratch["data.car"]);
        foreach (var point in Points)
        {
            Child.RunAndKill(["add", scratch["store"], scratch["data.car"]], point);
            var store = StoreTests.Open(scratch);
            foreach (var dataset in store.List())
            {
                Assert.Equal(DataError.None, store.Verify(dataset.Cid));
                Assert.Equal(DataError.None, store.Remove(dataset.Cid));
            }

            Assert.Empty(Directory.EnumerateFileSystemEntries(scratch["store/staging"]));
        }

        var (exit, output) = Child.Run(["add", scratch["store"], scratch["data.car"]]);
        Assert.True(exit == 0, output);
        Assert.Equal(StoreTests.Contents(scratch["tree"]), StoreTests.Contents(Assert.Single(StoreTests.Open(scratch).List()).Content));
        Assert.Empty(Directory.EnumerateFileSystemEntries(scratch["store/partial"]));
    }

    [Fact]
    public void Extract_Killed_ShowsNothingAndResumes()
    {
        using var scratch = new Scratch();
        MakeTree(scratch);
        ImportTests.Pack(scratch["tree"], ImportPreset.UnixFsV1, scratch["data.car"]);
        Directory.CreateDirectory(scratch["out"]);
        var killed = false;
        foreach (var point in Points)
        {
            if (Child.RunAndKill(["extract", scratch["data.car"], scratch["out/x"]], point))
            {
                killed = true;
                Assert.False(Directory.Exists(scratch["out/x"]));
            }
            else
            {
                Directory.Delete(scratch["out/x"], recursive: true);
            }
        }

        Assert.True(killed);
        Assert.Equal(0, Child.Run(["extract", scratch["data.car"], scratch["out/x"]]).ExitCode);
        Assert.Equal(StoreTests.Contents(scratch["tree"]), StoreTests.Contents(scratch["out/x"]));
        Assert.Single(Directory.EnumerateFileSystemEntries(scratch["out"]));
    }

    [Fact]
    public void Extract_KilledInALargeFile_UsesItsBytesAgain()
    {
        using var scratch = new Scratch();
        var file = scratch.File("large", 160 << 20);
        ImportTests.Pack(file, ImportPreset.UnixFsV1, scratch["data.car"]);

        // The third line comes when the first groups of leaves are on disk.
        Assert.True(Child.RunAndKill(["extract", scratch["data.car"], scratch["out"]], 3));
        Assert.False(File.Exists(scratch["out"]));
        var (exit, output) = Child.Run(["extract", scratch["data.car"], scratch["out"]]);
        Assert.True(exit == 0, output);
        var reused = long.Parse(output.Split('\n').First(l => l.StartsWith("reused ", StringComparison.Ordinal))[7..]);
        Assert.InRange(reused, 16 << 20, 160 << 20);
        Assert.Equal(StoreTests.Contents(file), StoreTests.Contents(scratch["out"]));
    }

    [Fact]
    public void Pack_Killed_ShowsNothingAndLeavesNothing()
    {
        using var scratch = new Scratch();
        MakeTree(scratch);
        var kills = 0;
        foreach (var point in Points)
        {
            if (Child.RunAndKill(["pack", scratch["tree"], scratch["results"]], point))
            {
                kills++;
                Assert.DoesNotContain(Directory.EnumerateDirectories(scratch["results"]), d => !Path.GetFileName(d).StartsWith(".packing-", StringComparison.Ordinal) && !File.Exists(Path.Combine(d, "manifest.json")));
            }
        }

        Assert.InRange(kills, 2, Points.Length);
        var packed = ResultPacker.Pack(new HostFileTree(scratch["tree"]), "/out", scratch["results"]);
        Assert.Equal(DataError.None, packed.Error);
        Assert.Equal([packed.Value.PayloadCid], Directory.EnumerateFileSystemEntries(scratch["results"]).Select(Path.GetFileName));
    }
}
