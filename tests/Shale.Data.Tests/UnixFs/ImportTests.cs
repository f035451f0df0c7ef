using System.Text;
using Shale.Data.Car;
using Shale.Data.Cids;
using Shale.Data.Tests.Support;
using Shale.Data.UnixFs;
using Xunit;

namespace Shale.Data.Tests.UnixFs;

public class ImportTests
{
    internal static Cid Root(string path, ImportPreset preset, ImportOptions? options = null)
    {
        var result = new TreeImporter(preset, NoBlockSink.Instance, options).Import(new HostFileTree(path));
        Assert.Equal(DataError.None, result.Error);
        return result.Value.Root;
    }

    internal static Cid Pack(string path, ImportPreset preset, string car, bool withIndex = false)
    {
        using var stream = File.Create(car);
        var writer = new CarWriter(stream, [preset.RootPlaceholder], withIndex);
        var result = new TreeImporter(preset, writer).Import(new HostFileTree(path));
        Assert.Equal(DataError.None, result.Error);
        writer.Finish([result.Value.Root]);
        return result.Value.Root;
    }

    private static object Question(ImportPreset preset, string path, object? extra = null) =>
        new { op = "importUnixFs", must = true, path, options = Options(preset) };

    private static object Options(ImportPreset preset) => preset.Name switch
    {
        "kubo-v1" => new { profile = "unixfs-v0-2015", cidVersion = 1, rawLeaves = true },
        _ => (object)new { profile = preset.Name },
    };

    [Theory]
    [InlineData("unixfs-v0-2015", 0, "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH")]
    [InlineData("unixfs-v1-2025", 0, "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku")]
    public void Import_OfAnEmptyFile_IsTheKnownCid(string preset, int length, string cid)
    {
        using var scratch = new Scratch();
        Assert.Equal(cid, Root(scratch.File("f", length), ImportPreset.Find(preset)!).ToString());
    }

    [Theory]
    // The empty directory and "hello world" with a line feed, as `ipfs add` has printed them since 2015.
    [InlineData("unixfs-v0-2015", "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn", "QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o")]
    [InlineData("unixfs-v1-2025", "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354", "bafkreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei4")]
    public void Import_OfKnownContent_IsTheKnownCid(string preset, string emptyDirectory, string helloWorld)
    {
        using var scratch = new Scratch();
        Directory.CreateDirectory(scratch["d"]);
        File.WriteAllText(scratch["f"], "hello world\n");
        Assert.Equal(emptyDirectory, Root(scratch["d"], ImportPreset.Find(preset)!).ToString());
        Assert.Equal(helloWorld, Root(scratch["f"], ImportPreset.Find(preset)!).ToString());
    }

    [Fact]
    public void Import_OfFilesAtChunkAndWidthEdges_IsWhatTheImporterComputes()
    {
        using var scratch = new Scratch();
        var lengths = new long[] { 0, 1, (256 << 10) - 1, 256 << 10, (256 << 10) + 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 16 << 20, (16 << 20) + 1, 174L * (256 << 10), (174L * (256 << 10)) + 1, (2 * 174L * (256 << 10)) - 5 };
        var files = lengths.Select((n, i) => scratch.File($"f{i}", n, i)).ToArray();
        foreach (var preset in new[] { ImportPreset.UnixFsV0, ImportPreset.KuboV1, ImportPreset.UnixFsV1 })
        {
            var answers = Peer.Ask(files.Select(f => Question(preset, f)).ToArray());
            for (var i = 0; i < files.Length; i++)
            {
                Assert.Equal($"{lengths[i]}: {answers[i]}", $"{lengths[i]}: {Root(files[i], preset)}");
            }
        }
    }

    [Fact]
    public void Layout_OfEveryHeight_IsWhatTheImporterComputes()
    {
        // A width of 2 and chunks of 3 bytes make in a few bytes what takes terabytes with the presets' own numbers.
        using var scratch = new Scratch();
        foreach (var rawLeaves in new[] { true, false })
        {
            var preset = new ImportPreset("tiny", 1, rawLeaves, 3, 174, ShardingRule.LinkBytes, 256 << 10);
            var lengths = new[] { 3 * 173, 3 * 174, (3 * 174) + 1, 3 * 174 * 2, (3 * 174 * 174) - 1, 3 * 174 * 174, (3 * 174 * 174) + 1, (3 * 174 * 175) + 3 };
            var files = lengths.Select((n, i) => scratch.File($"{rawLeaves}{i}", n, i)).ToArray();
            var answers = Peer.Ask(files.Select(f => (object)new { op = "importTiny", must = true, path = f, rawLeaves }).ToArray());
            for (var i = 0; i < files.Length; i++)
            {
                Assert.Equal($"{lengths[i]}: {answers[i]}", $"{lengths[i]}: {Root(files[i], preset)}");
            }
        }
    }

    [Theory]
    [InlineData("unixfs-v0-2015")]
    [InlineData("kubo-v1")]
    [InlineData("unixfs-v1-2025")]
    public void Import_OfATree_IsWhatTheImporterComputes(string name)
    {
        using var scratch = new Scratch();
        var preset = ImportPreset.Find(name)!;
        var tree = scratch.Tree("tree");
        Assert.Equal(Peer.One(Question(preset, tree)).GetString(), Root(tree, preset).ToString());
    }

    [Fact]
    public void Import_WithModesAndTimes_IsWhatTheImporterComputes()
    {
        using var scratch = new Scratch();
        var tree = scratch.Tree("tree", links: false);
        File.SetUnixFileMode(Path.Combine(tree, "a"), UnixFileMode.UserRead | UnixFileMode.UserExecute);
        File.SetUnixFileMode(Path.Combine(tree, "several"), UnixFileMode.UserRead | UnixFileMode.GroupWrite);
        File.SetLastWriteTimeUtc(Path.Combine(tree, "a"), new DateTime(2024, 2, 29, 1, 2, 3, DateTimeKind.Utc));
        File.SetLastWriteTimeUtc(Path.Combine(tree, "B"), new DateTime(1969, 12, 31, 23, 59, 58, 500, DateTimeKind.Utc));
        var files = new[] { "a", "several", "chunk" }.Select(f => Path.Combine(tree, f)).ToArray();
        foreach (var (modes, times) in new[] { (true, false), (false, true), (true, true) })
        {
            var options = new ImportOptions { KeepModes = modes, KeepTimes = times };
            var answers = Peer.Ask(files.Select(f => (object)new { op = "importUnixFs", must = true, path = f, modes, times, options = new { profile = "unixfs-v1-2025" } }).ToArray());
            for (var i = 0; i < files.Length; i++)
            {
                Assert.Equal($"{modes} {times} {i}: {answers[i]}", $"{modes} {times} {i}: {Root(files[i], ImportPreset.UnixFsV1, options)}");
            }
        }
    }

    [Theory]
    [InlineData("unixfs-v0-2015", 220)]
    [InlineData("unixfs-v1-2025", 220)]
    [InlineData("kubo-v1", 220)]
    public void Import_OfDirectoriesAroundTheShardingThreshold_IsWhatTheImporterComputes(string name, int nameLength)
    {
        using var scratch = new Scratch();
        var preset = ImportPreset.Find(name)!;
        // Names are chosen so that the directory's size passes 256 KiB within these counts under each rule.
        var perEntry = preset.Sharding == ShardingRule.LinkBytes ? nameLength + (preset.CidVersion == 0 ? 34 : 36) : nameLength + 36 + 12;
        var edge = (256 << 10) / perEntry;
        foreach (var count in new[] { edge - 1, edge, edge + 1 })
        {
            var folder = scratch[$"{count}"];
            Directory.CreateDirectory(folder);
            for (var i = 0; i < count; i++)
            {
                File.WriteAllText(Path.Combine(folder, i.ToString("d6") + new string('n', nameLength - 6)), "x");
            }

            Assert.Equal($"{count}: {Peer.One(Question(preset, folder)).GetString()}", $"{count}: {Root(folder, preset)}");
        }
    }

    [Theory]
    [InlineData(1000)]
    [InlineData(1001)]
    [InlineData(2500)]
    public void Import_OfALargeDirectory_IsWhatIpfsCarComputes(int count)
    {
        using var scratch = new Scratch();
        Fill(scratch["d"], count);
        var answer = Peer.One(new { op = "packIpfsCar", must = true, path = scratch["d"], @out = scratch["peer.car"] });
        Assert.Equal(answer.GetString(), Pack(scratch["d"], ImportPreset.IpfsCar, scratch["own.car"]).ToString());
        AssertSameBlocks(scratch["peer.car"], scratch["own.car"]);
    }

    [Fact]
    public void Import_OfAHundredThousandEntries_IsWhatIpfsCarsLibraryComputes()
    {
        var expected = Peer.One(new { op = "shardOf", must = true, count = 100_000 }).GetString();
        var imported = new TreeImporter(ImportPreset.IpfsCar, NoBlockSink.Instance).Import(new ManyFiles(100_000));
        Assert.Equal(DataError.None, imported.Error);
        Assert.Equal((expected, 100_001L), (imported.Value.Root.ToString(), imported.Value.Entries));
    }

    [Fact]
    public void Pack_OfATree_IsIpfsCarsFileByteForByte()
    {
        using var scratch = new Scratch();
        var tree = scratch.Tree("tree", links: false);
        Directory.Delete(Path.Combine(tree, "nothing"));
        var answer = Peer.One(new { op = "packIpfsCar", must = true, path = tree, @out = scratch["peer.car"] });
        Assert.Equal(answer.GetString(), Pack(tree, ImportPreset.IpfsCar, scratch["own.car"]).ToString());
        Assert.Equal(File.ReadAllBytes(scratch["peer.car"]), File.ReadAllBytes(scratch["own.car"]));
    }

    [Fact]
    public void Pack_OfAFile_IsIpfsCarsFileByteForByte()
    {
        using var scratch = new Scratch();
        foreach (var length in new[] { 0, 1, 1 << 20, (1 << 20) + 1, 40 << 20 })
        {
            var file = scratch.File("f", length);
            Peer.One(new { op = "packIpfsCar", must = true, path = file, @out = scratch["peer.car"] });
            Pack(file, ImportPreset.IpfsCar, scratch["own.car"]);
            Assert.True(File.ReadAllBytes(scratch["peer.car"]).AsSpan().SequenceEqual(File.ReadAllBytes(scratch["own.car"])), $"{length} bytes");
        }
    }

    [Fact]
    public void Pack_ReadByThePackages_IsTheTree()
    {
        using var scratch = new Scratch();
        var tree = scratch.Tree("tree", links: false);
        foreach (var preset in ImportPreset.All)
        {
            var root = Pack(tree, preset, scratch["own.car"], withIndex: preset == ImportPreset.UnixFsV1);
            var answers = Peer.Ask(
                new { op = "readCar", must = true, path = scratch["own.car"] },
                new { op = "unpackCar", must = true, path = scratch["own.car"] });
            Assert.Equal(preset == ImportPreset.UnixFsV1 ? 2 : 1, answers[0].GetProperty("version").GetInt32());
            Assert.Equal(root.ToString(), answers[0].GetProperty("roots")[0].GetString());
            Assert.All(answers[0].GetProperty("blocks").EnumerateArray(), b => Assert.True(b.GetProperty("valid").GetBoolean()));
            var files = answers[1].EnumerateArray().Where(e => e.GetProperty("type").GetString() != "directory").ToDictionary(e => e.GetProperty("path").GetString()!, e => e.GetProperty("sha256").GetString());
            var expected = Directory.EnumerateFiles(tree, "*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = 0 })
                .ToDictionary(f => Path.GetRelativePath(tree, f), f => Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(f))));
            Assert.Equal(expected.OrderBy(e => e.Key), files.Select(f => KeyValuePair.Create(f.Key, f.Value!)).OrderBy(e => e.Key));
        }
    }

    [Theory]
    [InlineData("/etc/passwd", DataFault.UnsafeLink)]
    [InlineData("../../outside", DataFault.UnsafeLink)]
    [InlineData("sub/../../../outside", DataFault.UnsafeLink)]
    public void Import_OfALinkOutOfTheTree_IsRefused(string target, DataFault fault)
    {
        using var scratch = new Scratch();
        scratch.File("d/e/f", 1);
        File.CreateSymbolicLink(scratch["d/e/l"], target);
        Assert.Equal(fault, new TreeImporter(ImportPreset.UnixFsV1, NoBlockSink.Instance).Import(new HostFileTree(scratch["d"])).Error.Fault);
    }

    [Fact]
    public void Import_OfAPipe_IsRefusedAtOnce()
    {
        using var scratch = new Scratch();
        scratch.File("d/f", 1);
        using (var process = System.Diagnostics.Process.Start("mkfifo", scratch["d/pipe"]))
        {
            process.WaitForExit();
        }

        Assert.Equal(DataFault.WrongType, new TreeImporter(ImportPreset.UnixFsV1, NoBlockSink.Instance).Import(new HostFileTree(scratch["d"])).Error.Fault);
    }

    [Fact]
    public void Murmur3_OfNames_IsWhatMultiformatsComputes()
    {
        var names = Enumerable.Range(0, 40).Select(n => new string('a', n)).Concat(["日本語", "file-7", "😀"]).Select(Encoding.UTF8.GetBytes).ToArray();
        var answers = Peer.Ask(names.Select(n => (object)new { op = "murmur", must = true, block = Convert.ToHexString(n) }).ToArray());
        for (var i = 0; i < names.Length; i++)
        {
            Assert.Equal(answers[i].GetString(), Murmur3.Hash64(names[i]).ToString("x16"));
        }
    }

    internal static void Fill(string folder, int count)
    {
        Directory.CreateDirectory(folder);
        for (var i = 0; i < count; i++)
        {
            File.WriteAllText(Path.Combine(folder, $"entry-{i}.txt"), $"{i}");
        }
    }

    private static void AssertSameBlocks(string left, string right)
    {
        static List<string> Blocks(string path)
        {
            using var stream = File.OpenRead(path);
            Assert.Equal(DataError.None, CarReader.TryOpen(stream, false, out var reader));
            var blocks = new List<string>();
            while (reader!.TryRead(out var block, out var error))
            {
                Assert.False(block.Cid.Verify(block.Data.Span).IsError);
                blocks.Add(block.Cid.ToString());
            }

            blocks.Sort(StringComparer.Ordinal);
            return blocks;
        }

        Assert.Equal(Blocks(left), Blocks(right));
    }

    /// <summary>A directory of many small files that need no disk.</summary>
    private sealed class ManyFiles(int count) : IFileTree
    {
        public TreeEntry? Stat(string path) => new TreeEntry("", EntryKind.Directory, 0, 0x1ed, default);

        public IEnumerable<TreeEntry> List(string path) =>
            Enumerable.Range(0, count).Select(i => new TreeEntry($"entry-{i}.txt", EntryKind.File, $"{i}".Length, 0x1a4, default));

        public Stream Open(string path) => new MemoryStream(Encoding.ASCII.GetBytes(path["entry-".Length..^".txt".Length]));

        public string ReadLink(string path) => throw new NotSupportedException();
    }
}
