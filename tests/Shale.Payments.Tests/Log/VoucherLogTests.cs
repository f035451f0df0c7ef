using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using Shale.Payments.Log;
using Xunit;

namespace Shale.Payments.Tests.Log;

public sealed class VoucherLogTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("shale-log-").FullName;
    private readonly NoteSigner _signer = new("sp.example/vouchers/1", SHA256.HashData("a log's key"u8));

    public void Dispose()
    {
        _signer.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(255)]
    [InlineData(256)]
    [InlineData(257)]
    [InlineData(70_000)]
    public async Task Log_OfAnySize_PassesGosChecker(int entries)
    {
        var proofs = new StringBuilder();
        await using (var log = Open())
        {
            await AppendAsync(log, 0, entries);
            Assert.Equal(entries, log.Current.Size);
            foreach (var (old, size) in new[] { (1, entries), (entries / 2, entries), (entries / 3, entries / 2), (entries - 1, entries) })
            {
                if (old > 0 && old < size)
                {
                    proofs.Append($"c {old} {size} ").AppendJoin(' ', log.ProveConsistency(old, size)).Append('\n');
                }
            }
        }

        var proofFile = Path.Combine(_folder, "proofs");
        await File.WriteAllTextAsync(proofFile, proofs.ToString());
        Assert.StartsWith($"OK {entries} entries", GoCheck(proofFile), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Log_ReopenedOftenAcrossASegment_GoesOnWhereItWas()
    {
        var total = 0;
        foreach (var more in new[] { 3, 253, 1, 65_000, 279, 0, 1000, 64_000, 5000 })
        {
            await using var log = Open();
            Assert.Equal(total, log.Current.Size);
            Assert.Equal(new LogRecovery(total, 0), log.Recovery);
            await AppendAsync(log, total, more);
            total += more;
        }

        Assert.StartsWith($"OK {total} entries", GoCheck(), StringComparison.Ordinal);
        Assert.Single(Directory.GetFiles(Path.Combine(_folder, "journal")));
    }

    [Fact]
    public async Task Log_WithATornLastEntry_CutsItOffAndSaysSo()
    {
        MerkleHash root;
        await using (var log = Open())
        {
            await AppendAsync(log, 0, 10);
            root = log.Current.Root;
        }

        var segment = Directory.GetFiles(Path.Combine(_folder, "journal")).Single();
        await using (var file = new FileStream(segment, FileMode.Append))
        {
            file.Write([0, 0, 0, 50, 1, 2, 3, 4, 9, 9, 9]);
        }

        await using (var log = Open())
        {
            Assert.Equal(new LogRecovery(10, 11), log.Recovery);
            Assert.Equal(root, log.Current.Root);
            await AppendAsync(log, 10, 5);
        }

        Assert.StartsWith("OK 15 entries", GoCheck(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Log_WhoseJournalLostAcknowledgedEntries_RefusesToOpen()
    {
        await using (var log = Open())
        {
            await AppendAsync(log, 0, 10);
        }

        var segment = Directory.GetFiles(Path.Combine(_folder, "journal")).Single();
        await using (var file = new FileStream(segment, FileMode.Open))
        {
            file.SetLength(file.Length - 5);
        }

        var error = Assert.Throws<VoucherLogException>(Open);
        Assert.Contains("acknowledged entries are missing", error.Message, StringComparison.Ordinal);
        File.Delete(segment);
        Assert.Contains("acknowledged entries are missing", Assert.Throws<VoucherLogException>(Open).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Log_WithAnyBitOfItsJournalFlipped_RefusesToOpenOrLosesNothingAcknowledged()
    {
        await using (var log = Open())
        {
            await AppendAsync(log, 0, 3);
        }

        var segment = Directory.GetFiles(Path.Combine(_folder, "journal")).Single();
        var good = await File.ReadAllBytesAsync(segment);
        for (var bit = 0; bit < good.Length * 8; bit++)
        {
            var bad = good.ToArray();
            bad[bit / 8] ^= (byte)(1 << (bit % 8));
            await File.WriteAllBytesAsync(segment, bad);
            Assert.Throws<VoucherLogException>(Open);
        }

        await File.WriteAllBytesAsync(segment, good);
        await using var again = Open();
        Assert.Equal(3, again.Current.Size);
    }

    [Fact]
    public async Task Log_OpenedBySomeoneElse_IsRefused()
    {
        await using var log = Open();
        Assert.Contains("has a writer already", Assert.Throws<VoucherLogException>(Open).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Log_UnderAnotherKey_IsRefused()
    {
        await using (Open())
        {
        }

        using var other = new NoteSigner("sp.example/vouchers/1", SHA256.HashData("another key"u8));
        Assert.Contains("is not a checkpoint signed by", Assert.Throws<VoucherLogException>(() => VoucherLogWriter.Open(_folder, other, TimeProvider.System)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Log_OnAFullDisk_RefusesAndGoesOnWhenThereIsRoom()
    {
        // A file system of its own, 1 MiB: the real error from the real kernel.
        Run("mount", "-t", "tmpfs", "-o", "size=1m", "none", _folder);
        try
        {
            await using var log = Open();
            var filler = Path.Combine(_folder, "filler");
            await AppendAsync(log, 0, 10);
            try
            {
                await File.WriteAllBytesAsync(filler, new byte[2 << 20]);
            }
            catch (IOException)
            {
                // Full, as intended.
            }

            var error = await Assert.ThrowsAsync<VoucherLogException>(async () =>
            {
                for (var i = 0; i < 100; i++)
                {
                    await log.AppendAsync(new byte[60_000], CancellationToken.None);
                }
            });
            Assert.Contains("Make room", error.Message, StringComparison.Ordinal);
            var acknowledged = log.Current.Size;
            File.Delete(filler);
            Assert.Equal(acknowledged, await log.AppendAsync(Entry(10), CancellationToken.None));
        }
        finally
        {
            Run("umount", _folder);
        }
    }

    /// <summary>The entry that completes a tile fits into the journal, the tile does not fit on the disk: at the first tile, and where a segment ends as well.</summary>
    [Theory]
    [InlineData(TilePath.Width)]
    [InlineData(VoucherLogWriter.SegmentEntries)]
    public async Task Log_WhoseDiskIsFullForATile_GoesOnWhenThereIsRoom(int boundary)
    {
        Run("mount", "-t", "tmpfs", "-o", "size=24m", "none", _folder);
        try
        {
            MerkleHash before;
            await using (var log = Open())
            {
                await AppendAsync(log, 0, boundary - 1);
                before = log.Current.Root;
            }

            // Opened again, it has published everything: the page that is left is the journal's.
            var ballast = Path.Combine(_folder, "ballast");
            await using (var log = Open())
            {
                FillUpTo(ballast, 4096);
                Assert.Equal(boundary - 1, await log.AppendAsync(Entry(boundary - 1), CancellationToken.None));

                // The client is shown a checkpoint with a proof from tiles that are not on the disk yet.
                var proof = log.ProveConsistency(boundary - 1, boundary);
                Assert.True(MerkleProof.VerifyConsistency(boundary - 1, boundary, before, log.Current.Root, [.. proof]));
                for (var i = 0; i < 3; i++)
                {
                    var error = await Assert.ThrowsAsync<VoucherLogException>(async () => await log.AppendAsync(Entry(boundary), CancellationToken.None));
                    Assert.Contains("Make room", error.Message, StringComparison.Ordinal);
                }

                Assert.Equal(boundary, log.Current.Size);
                File.Delete(ballast);
                await AppendAsync(log, boundary, 300);
                Assert.Equal(boundary + 300, log.Current.Size);
            }

            await using (var log = Open())
            {
                Assert.Equal(new LogRecovery(boundary + 300, 0), log.Recovery);
            }

            Assert.StartsWith($"OK {boundary + 300} entries", GoCheck(), StringComparison.Ordinal);
        }
        finally
        {
            Run("umount", _folder);
        }
    }

    /// <summary>kill -9 after the next segment was begun and before the full one was removed.</summary>
    [Fact]
    public async Task Log_WithAFullSegmentLeftBehind_OpensAgainAfterTheNextOneToo()
    {
        var full = Path.Combine(_folder, "journal", LogRecovery.SegmentName(0));
        const int Almost = VoucherLogWriter.SegmentEntries - 1;
        await using (var log = Open())
        {
            await AppendAsync(log, 0, Almost);
        }

        File.Copy(full, full + ".kept");
        await using (var log = Open())
        {
            await AppendAsync(log, Almost, 2);
            Assert.False(File.Exists(full));
        }

        // What the full segment was when the next one began.
        File.Move(full + ".kept", full);
        using (var segment = Journal.Reopen(full, new FileInfo(full).Length))
        {
            segment.Add(Entry(Almost));
            segment.Commit();
        }

        var total = Almost + 2;
        foreach (var more in new[] { VoucherLogWriter.SegmentEntries, 10 })
        {
            await using var log = Open();
            Assert.Equal(new LogRecovery(total, 0), log.Recovery);
            await AppendAsync(log, total, more);
            total += more;
        }

        Assert.StartsWith($"OK {total} entries", GoCheck(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Appends_FromManyWriters_GetDistinctIndexesOfWhatTheyWrote()
    {
        await using var log = Open();
        var indexes = await Task.WhenAll(Enumerable.Range(0, 64).Select(writer => Task.Run(async () =>
        {
            var mine = new List<long>();
            for (var i = 0; i < 50; i++)
            {
                mine.Add(await log.AppendAsync(Encoding.UTF8.GetBytes($"{writer} {i}"), CancellationToken.None));
            }

            Assert.Equal(mine.Order(), mine);
            return mine;
        })));
        Assert.Equal(Enumerable.Range(0, 3200).Select(i => (long)i), indexes.SelectMany(i => i).Order());
    }

    /// <summary>Fills the disk with a file, but for so many bytes.</summary>
    private static void FillUpTo(string path, int left)
    {
        using var file = File.OpenHandle(path, FileMode.Create, FileAccess.Write);
        long length = 0;
        try
        {
            for (var page = new byte[4096]; ; length += page.Length)
            {
                RandomAccess.Write(file, page, length);
            }
        }
        catch (IOException)
        {
            RandomAccess.SetLength(file, length - left);
        }
    }

    private VoucherLogWriter Open() => VoucherLogWriter.Open(_folder, _signer, TimeProvider.System);

    private static byte[] Entry(int index) => SHA512.HashData(BitConverter.GetBytes(index)).AsSpan(0, 1 + (index % 64)).ToArray();

    private static async Task AppendAsync(VoucherLogWriter log, int from, int count)
    {
        var pending = Enumerable.Range(from, count).Select(i => log.AppendAsync(Entry(i), CancellationToken.None).AsTask()).ToArray();
        await Task.WhenAll(pending);
    }

    private string GoCheck(string? proofs = null)
    {
        var root = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(root!.FullName, "Shale.sln")))
        {
            root = root.Parent;
        }

        var program = Path.Combine(root.FullName, "tests/Shale.Payments.Tests/Log/tlog-checker/main.go");
        string[] arguments = ["run", program, _folder, _signer.Verifier.ToString(), .. proofs is null ? Array.Empty<string>() : [proofs]];
        return Run("go", arguments);
    }

    private static string Run(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["GO111MODULE"] = "off";
        start.Environment["GOPATH"] = "/usr/share/gocode";
        start.Environment["GOCACHE"] = Path.Combine(Path.GetTempPath(), "shale-go-cache");
        start.Environment["GOFLAGS"] = "";
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', arguments)}: {output} {error.Result}");
        return output;
    }
}
