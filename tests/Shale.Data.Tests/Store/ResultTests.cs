using System.Text.Json;
using Shale.Data.Cids;
using Shale.Data.Store;
using Shale.Data.Tests.Support;
using Shale.Data.Tests.UnixFs;
using Shale.Data.UnixFs;
using Xunit;

namespace Shale.Data.Tests.Store;

public class ResultTests
{
    [Fact]
    public void Pack_OfATree_MakesADealReadyCarThatThePackagesAgreeWith()
    {
        using var scratch = new Scratch();
        var tree = scratch.Tree("tree", links: false);
        var packed = ResultPacker.Pack(new HostFileTree(tree), "/data/out", scratch["results"]);
        Assert.Equal(DataError.None, packed.Error);
        var manifest = packed.Value;
        var folder = Path.Combine(scratch["results"], manifest.PayloadCid);
        var car = Path.Combine(folder, manifest.CarPath);
        Assert.Equal(ImportTests.Root(tree, ImportPreset.UnixFsV1).ToString(), manifest.PayloadCid);
        Assert.Equal(new FileInfo(car).Length, manifest.CarSize);
        var answers = Peer.Ask(new { op = "piece", must = true, path = car }, new { op = "readCar", must = true, path = car });
        Assert.Equal(answers[0].GetProperty("v1").GetString(), manifest.PieceCid);
        Assert.Equal(answers[0].GetProperty("v2").GetString(), manifest.PieceCidV2);
        Assert.Equal(answers[0].GetProperty("size").GetInt64(), manifest.PieceSize);
        Assert.Equal(manifest.PayloadCid, answers[1].GetProperty("roots")[0].GetString());
        using var json = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "manifest.json")));
        Assert.Equal(manifest.PieceCid, json.RootElement.GetProperty("pieceCid").GetString());
        Assert.Equal(manifest with { }, ResultPacker.Read(scratch["results"], Cid.Parse(manifest.PayloadCid)).Value);
        // Again is the same and no error; nothing else lies there.
        Assert.True(ResultPacker.Pack(new HostFileTree(tree), "/data/out", scratch["results"]).Ok);
        Assert.Single(Directory.EnumerateFileSystemEntries(scratch["results"]));
    }

    [Fact]
    public void Get_OfAResult_ChecksItAgainstTheStatementsCid()
    {
        using var scratch = new Scratch();
        var tree = scratch.Tree("tree");
        var manifest = ResultPacker.Pack(new HostFileTree(tree), "/out", scratch["results"]).Value;
        var car = Path.Combine(scratch["results"], manifest.PayloadCid, manifest.CarPath);
        var cid = Cid.Parse(manifest.PayloadCid);
        Directory.CreateDirectory(scratch["client"]);
        using (var stream = File.OpenRead(car))
        {
            Assert.Equal(DataError.None, ResultFetcher.Get(stream, cid, scratch["client/out"]).Error);
        }

        Assert.Equal(StoreTests.Contents(tree), StoreTests.Contents(scratch["client/out"]));
        Directory.Delete(scratch["client/out"], recursive: true);

        // Another tree's CAR, a changed byte, too much of it, a part of it: refused, and nothing stays.
        var other = ResultPacker.Pack(new HostFileTree(scratch.File("other", 10)), "/out", scratch["results"]).Value;
        var bytes = File.ReadAllBytes(car);
        var changed = bytes.ToArray();
        changed[^1] ^= 1;
        foreach (var (candidate, limit, fault) in new[]
        {
            (File.ReadAllBytes(Path.Combine(scratch["results"], other.PayloadCid, other.CarPath)), long.MaxValue, DataFault.CarRoots),
            (changed, long.MaxValue, DataFault.HashMismatch),
            (bytes, bytes.Length - 1L, DataFault.TooLarge),
            (bytes[..^1], long.MaxValue, DataFault.CarTruncated),
        })
        {
            Assert.Equal(fault, ResultFetcher.Get(new MemoryStream(candidate), cid, scratch["client/out"], limit).Error.Fault);
            Assert.Empty(Directory.EnumerateFileSystemEntries(scratch["client"]));
        }
    }
}
