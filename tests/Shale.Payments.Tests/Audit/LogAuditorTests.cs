using System.Security.Cryptography;
using Shale.Bn254.BabyJubjub;
using Shale.Payments.Audit;
using Shale.Payments.Log;
using Shale.Payments.Metering;
using Shale.Payments.Vouchers;
using Xunit;

namespace Shale.Payments.Tests.Audit;

public sealed class LogAuditorTests : IDisposable
{
    private const long Start = 1_790_000_000_000;
    private static readonly AttoFil Price = AttoFil.Create(1000);
    private readonly string _folder = Directory.CreateTempSubdirectory("shale-audit-").FullName;
    private readonly NoteSigner _signer = new("sp.example/vouchers/1", SHA256.HashData("a log's key"u8));
    private readonly EdDsaPrivateKey _payer = new EdDsaPrivateKey(SHA256.HashData("a payer"u8));
    private readonly VoucherDomain _domain = VoucherDomain.Create(31337, new byte[20]);

    public void Dispose()
    {
        _signer.Dispose();
        _payer.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task Log_OfAWholeLease_IsClean()
    {
        await WriteAsync(Lease(42, ticks: 20, withPause: true));
        var report = await AuditAsync();
        Assert.Empty(report.Findings);
        Assert.True(report.IsClean);
        Assert.Equal((1, 21L), (report.Leases, report.Vouchers));
        // 95 s at the last tick, 25 s until the pause, one more at the end.
        Assert.Equal(Price.Value * (95 + 25 + 1), report.Authorised);
    }

    /// <summary>How much time may have been served is counted from the entry that last told of it, not from one of a deposit or a settlement that came between.</summary>
    [Fact]
    public async Task Log_WithDepositsAndSettlementsBetweenItsStatements_IsClean()
    {
        var entries = Lease(42, ticks: 20, withPause: true);
        var paused = entries.FindIndex(e => e is LeasePauseChanged);
        var time = entries[paused].UnixMilliseconds;
        entries.Insert(paused + 1, new DepositChanged(42, time + 29_000, AttoFil.Create(AttoFil.OneFil.Value + 2)));
        entries.Insert(paused, new DepositChanged(42, time - 100, AttoFil.Create(AttoFil.OneFil.Value + 1)));
        entries.Insert(paused, new LeaseSettled(42, time - 1000, SHA256.HashData("tx"u8), 0, 3, Price, SHA256.HashData("root"u8)));
        await WriteAsync(entries);
        Assert.Empty((await AuditAsync()).Findings);
    }

    [Fact]
    public async Task Log_WithAnyBitOfItsEntriesFlipped_IsFoundOut()
    {
        await WriteAsync(Lease(42, ticks: 3, withPause: false));
        var path = Directory.GetFiles(Path.Combine(_folder, "tile", "entries"), "*", SearchOption.AllDirectories).Single();
        var good = await File.ReadAllBytesAsync(path);
        for (var at = 0; at < good.Length; at += 7)
        {
            var bad = good.ToArray();
            bad[at] ^= (byte)(1 << (at % 8));
            await File.WriteAllBytesAsync(path, bad);
            Assert.False((await AuditAsync()).IsClean, $"a flipped bit in byte {at} passes");
        }
    }

    public static TheoryData<string, string> Cheats => new()
    {
        { "signature", "another key signs one voucher" },
        { "amount", "an amount falls" },
        { "amount", "an amount is above price × time" },
        { "amount", "an amount is above the deposit" },
        { "statement", "a voucher signs another statement" },
        { "statement", "a counter falls" },
        { "time", "more time is metered than went by" },
        { "fork", "a client was shown another log" },
        { "pause", "a paid lease is paused" },
        { "pause", "time is metered while paused" },
        { "grace", "service goes on unpaid" },
        { "order", "a voucher follows the closing" },
        { "order", "a lease that was never opened" },
        { "settlement", "more is claimed than was signed" },
        { "settlement", "a claim falls" },
        { "key", "the payment key is no point" },
    };

    [Theory]
    [MemberData(nameof(Cheats))]
    public async Task Log_OfACheat_NamesTheEntryAndTheKind(string code, string cheat)
    {
        await WriteAsync(Cheat(cheat));
        var report = await AuditAsync();
        Assert.Contains(report.Findings, f => f.Code == code && f.Entry is not null && f.Lease == 42);
    }

    [Fact]
    public async Task Log_ShorterOrOtherThanAnEarlierCheckpoint_IsAFork()
    {
        await WriteAsync(Lease(42, ticks: 5, withPause: false));
        var earlier = await File.ReadAllTextAsync(Path.Combine(_folder, "checkpoint"));
        Assert.True((await AuditAsync(new AuditOptions { EarlierCheckpoint = earlier })).IsClean);
        var forked = new Checkpoint(_signer.Verifier.Name, 3, MerkleHash.Empty).Sign(_signer);
        Assert.Contains((await AuditAsync(new AuditOptions { EarlierCheckpoint = forked })).Findings, f => f.Code == "earlier");
        var longer = new Checkpoint(_signer.Verifier.Name, 1000, MerkleHash.Empty).Sign(_signer);
        Assert.Contains((await AuditAsync(new AuditOptions { EarlierCheckpoint = longer })).Findings, f => f.Code == "earlier");
    }

    [Fact]
    public async Task Log_WhoseSettlementTheChainSaysOtherwise_IsFoundOut()
    {
        var settled = new LeaseSettled(42, Start + 100_000, SHA256.HashData("tx"u8), 0, 3, Price, SHA256.HashData("root"u8));
        await WriteAsync([.. Lease(42, ticks: 3, withPause: false), settled]);
        var agrees = new Chain(new ChainSettlement(Price, settled.NewRoot), Price);
        Assert.True((await AuditAsync(new AuditOptions { Chain = agrees })).IsClean);
        foreach (var chain in new[]
        {
            new Chain(null, Price),
            new Chain(new ChainSettlement(AttoFil.Create(999), settled.NewRoot), Price),
            new Chain(new ChainSettlement(Price, new byte[32]), Price),
            new Chain(new ChainSettlement(Price, settled.NewRoot), AttoFil.OneFil),
        })
        {
            Assert.Contains((await AuditAsync(new AuditOptions { Chain = chain })).Findings, f => f.Code == "chain");
        }
    }

    [Fact]
    public async Task Log_WithAHashTileAltered_IsFoundOut()
    {
        await WriteAsync([.. Lease(42, ticks: 300, withPause: false)]);
        var tile = Path.Combine(_folder, "tile", "0", "000");
        var bytes = await File.ReadAllBytesAsync(tile);
        bytes[100] ^= 1;
        await File.WriteAllBytesAsync(tile, bytes);
        Assert.Contains((await AuditAsync()).Findings, f => f.Code == "tile");
    }

    [Fact]
    public async Task Log_OfSeveralBatches_NamesEveryBadSignature()
    {
        // One in the first batch, two in the last, which is not full.
        using var stranger = new EdDsaPrivateKey(SHA256.HashData("a stranger"u8));
        var entries = Lease(42, ticks: 9000, withPause: false);
        int[] bad = [100, 8999, 9000];
        foreach (var index in bad)
        {
            var honest = (VoucherAccepted)entries[index];
            entries[index] = honest with { Voucher = honest.Voucher.Voucher.Sign(stranger, _domain) };
        }

        await WriteAsync(entries);
        var report = await AuditAsync();
        Assert.Equal(bad.Select(i => ("signature", (long?)i)), report.Findings.Select(f => (f.Code, f.Entry)));
        Assert.Equal(9001, report.Vouchers);
    }

    [Theory]
    [InlineData("1/000")]
    [InlineData("1/001.p/17")]
    [InlineData("2/000.p/1")]
    public async Task Log_WithAnUpperTileAltered_IsFoundOut(string path)
    {
        // One full tile of the second level, seventeen hashes of the next, and one of the third level.
        var entry = new DepositChanged(42, Start, AttoFil.OneFil);
        await WriteAsync([Opened(42, AttoFil.OneFil), .. Enumerable.Repeat(entry, (TilePath.Width * (TilePath.Width + 17)) - 1)]);
        Assert.True((await AuditAsync()).IsClean);
        var tile = Path.Combine(_folder, "tile", path);
        var bytes = await File.ReadAllBytesAsync(tile);
        bytes[^1] ^= 1;
        await File.WriteAllBytesAsync(tile, bytes);
        Assert.Equal(["tile"], (await AuditAsync()).Findings.Select(f => f.Code));
        File.Delete(tile);
        Assert.Equal(["tile"], (await AuditAsync()).Findings.Select(f => f.Code));
    }

    private List<LogEntry> Lease(ulong id, int ticks, bool withPause)
    {
        var entries = new List<LogEntry> { Opened(id, AttoFil.OneFil) };
        for (var i = 0; i < ticks; i++)
        {
            entries.Add(Voucher(id, (ulong)(i + 1), (ulong)i * 5000, Start + (i * 5000)));
        }

        var (active, time) = ((ulong)(ticks - 1) * 5000, Start + ((ticks - 1) * 5000));
        if (withPause)
        {
            // The last voucher covers 15 s ahead; 10 s of grace later the container is frozen.
            entries.Add(new LeasePauseChanged(id, time + 25_000, true, active + 25_000, 0));
            entries.Add(new LeasePauseChanged(id, time + 55_000, false, active + 25_000, 30_000));
            (active, time) = (active + 25_000, time + 55_000);
        }

        // The final statement has no window; its voucher keeps what was paid ahead, and the closing repeats it.
        var final = Statement(id, (ulong)ticks + 1, active + 1000) with { IsFinal = true, WindowMilliseconds = 0 };
        var authorised = ((VoucherAccepted)entries[ticks]).Voucher.Voucher.Cumulative;
        entries.Add(Voucher(id, time + 1000, AttoFil.Max(authorised, AttoFil.Cost(Price, active + 1000)), final));
        entries.Add(new LeaseClosed(id, time + 1000, "stopped by client", final.ToBytes()));
        return entries;
    }

    private List<LogEntry> Cheat(string cheat)
    {
        var entries = Lease(42, ticks: 6, withPause: false);
        var last = entries.Count - 2;
        switch (cheat)
        {
            case "another key signs one voucher":
                using (var other = new EdDsaPrivateKey(SHA256.HashData("a stranger"u8)))
                {
                    var honest = (VoucherAccepted)entries[3];
                    entries[3] = honest with { Voucher = honest.Voucher.Voucher.Sign(other, _domain) };
                }

                break;
            case "an amount falls":
                entries[4] = Voucher(42, 4, 15_000, Start + 15_000, AttoFil.Create(1));
                break;
            case "an amount is above price × time":
                entries[4] = Voucher(42, 4, 15_000, Start + 15_000, Price + AttoFil.Cost(Price, 30_000));
                break;
            case "an amount is above the deposit":
                entries[0] = Opened(42, AttoFil.Create(20_000));
                break;
            case "a voucher signs another statement":
                entries[4] = (VoucherAccepted)entries[4] with { Statement = Statement(42, 4, 14_999).ToBytes() };
                break;
            case "a counter falls":
                entries[4] = Voucher(42, 4, 9_000, Start + 15_000);
                break;
            case "more time is metered than went by":
                entries[4] = Voucher(42, 4, 25_000, Start + 15_000);
                break;
            case "a client was shown another log":
                var statement = Statement(42, 4, 15_000) with { LogSize = 1, LogRoot = MerkleHash.Empty };
                entries[4] = Voucher(42, Start + 15_000, AttoFil.Cost(Price, 30_000), statement);
                break;
            case "a paid lease is paused":
                entries.Insert(last, new LeasePauseChanged(42, Start + 30_000, true, 30_000, 0));
                break;
            case "time is metered while paused":
                entries.Insert(last, new LeasePauseChanged(42, Start + 50_000, true, 50_000, 0));
                entries.Insert(last + 1, new LeasePauseChanged(42, Start + 60_000, false, 60_000, 0));
                break;
            case "service goes on unpaid":
                entries.Insert(last, new LeasePauseChanged(42, Start + 70_000, true, 70_000, 0));
                break;
            case "a voucher follows the closing":
                entries.Add(Voucher(42, 9, 31_000, Start + 31_000));
                break;
            case "a lease that was never opened":
                entries.RemoveAt(0);
                break;
            case "more is claimed than was signed":
                entries.Add(new LeaseSettled(42, Start + 100_000, new byte[32], 0, 0, AttoFil.Cost(Price, 40_001), new byte[32]));
                break;
            case "a claim falls":
                entries.Add(new LeaseSettled(42, Start + 100_000, new byte[32], 0, 0, AttoFil.Create(2), new byte[32]));
                entries.Add(new LeaseSettled(42, Start + 100_001, new byte[32], 0, 0, AttoFil.Create(1), new byte[32]));
                break;
            case "the payment key is no point":
                entries[0] = (LeaseOpened)entries[0] with { PayerKey = Enumerable.Repeat((byte)0xff, 32).ToArray() };
                break;
            default:
                throw new ArgumentException(cheat, nameof(cheat));
        }

        return entries;
    }

    private LeaseOpened Opened(ulong id, AttoFil deposit) =>
        new(id, Start, 31337, new byte[20], _payer.PublicKey.ToBytes(), Price, deposit, 15_000, 10_000);

    private static MeterStatement Statement(ulong id, ulong sequence, ulong active) =>
        new() { LeaseId = id, Sequence = sequence, ActiveMilliseconds = active, PausedMilliseconds = 0, WindowMilliseconds = 15_000 };

    private VoucherAccepted Voucher(ulong id, ulong sequence, ulong active, long time, AttoFil? amount = null) =>
        Voucher(id, time, amount ?? AttoFil.Cost(Price, active + 15_000), Statement(id, sequence, active));

    private VoucherAccepted Voucher(ulong id, long time, AttoFil amount, MeterStatement statement) =>
        new(time, new Voucher(id, amount, statement.Digest()).Sign(_payer, _domain), statement.ToBytes());

    private async Task WriteAsync(List<LogEntry> entries)
    {
        await using var log = VoucherLogWriter.Open(_folder, _signer, TimeProvider.System);
        foreach (var some in entries.Chunk(4096))
        {
            await Task.WhenAll(some.Select(entry => log.AppendAsync(entry.ToBytes(), CancellationToken.None).AsTask()));
        }
    }

    private Task<AuditReport> AuditAsync(AuditOptions? options = null) =>
        LogAuditor.RunAsync(new FolderLogSource(_folder), _signer.Verifier, options ?? new AuditOptions(), null, CancellationToken.None);

    private sealed class Chain(ChainSettlement? settlement, AttoFil claimed) : IAuditChain
    {
        public ValueTask<ChainSettlement?> FindSettlementAsync(ReadOnlyMemory<byte> transaction, ulong leaseId, CancellationToken cancellation) => ValueTask.FromResult(settlement);

        public ValueTask<AttoFil?> FindClaimedAsync(ulong leaseId, CancellationToken cancellation) => ValueTask.FromResult<AttoFil?>(claimed);
    }
}
