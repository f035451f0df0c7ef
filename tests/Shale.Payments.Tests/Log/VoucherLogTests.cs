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
