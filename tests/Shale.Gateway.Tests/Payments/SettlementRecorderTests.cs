using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using Shale.Gateway.Payments;
using Shale.Leases;
using Shale.Payments.Log;
using Shale.Payments.Metering;
using Xunit;

namespace Shale.Gateway.Tests.Payments;

public sealed class SettlementRecorderTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("shale-settlements-").FullName;
    private readonly ListLog _log = new();

    public SettlementRecorderTests() => FileLeaseDirectory.Prepare(_root);

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public async Task Settlements_OfARecordReadAgainAndByTheNextGateway_AreLoggedOnceEach()
    {
        var recorder = Recorder();
        await recorder.RecordAsync(Lease(1));
        await recorder.RecordAsync(Lease(1));
        await recorder.RecordAsync(Lease(1, 2));
        await Recorder().RecordAsync(Lease(1, 2));
        await Recorder().RecordAsync(Lease(2, 3) with { State = LeaseState.Closed });
        Assert.Equal([1000u, 2000u, 3000u], _log.Entries.Cast<LeaseSettled>().Select(s => (uint)s.Claimed.Value));
        Assert.Equal(3, FileLeaseDirectory.ReadRecordedSettlements(_root, 7));
    }

    [Fact]
    public async Task Settlements_WhileTheLogIsFull_AreLoggedWhenItTakesEntriesAgain()
    {
        var recorder = Recorder();
        _log.IsFull = true;
        await recorder.RecordAsync(Lease(1, 2));
        Assert.Equal(0, FileLeaseDirectory.ReadRecordedSettlements(_root, 7));
        _log.IsFull = false;
        await recorder.RecordAsync(Lease(1, 2));
        Assert.Equal(2, _log.Entries.Count);
    }

    [Fact]
    public async Task Settlement_ThatCannotBeRead_IsRefusedAndNothingOfItLogged()
    {
        var lease = Lease(1);
        await Recorder().RecordAsync(lease with { Settlements = [lease.Settlements[0] with { Claimed = "-1" }] });
        await Recorder().RecordAsync(lease with { Settlements = [lease.Settlements[0] with { Transaction = "0x12" }] });
        Assert.Empty(_log.Entries);
    }

    private SettlementRecorder Recorder()
    {
        var services = new PaymentServices(_log, "", new FileMeterStore(Path.Combine(_root, "meters")), new(), NoSessionProbe.Instance, TimeProvider.System, NullLogger.Instance);
        return new SettlementRecorder(_root, new PaymentGate(services), _log, TimeProvider.System, NullLogger.Instance);
    }

    private static LeaseRecord Lease(params int[] settlements) => new()
    {
        Id = 7,
        AuthorizedKeys = [],
        Container = new ContainerTerms { Image = "x" },
        Payment = new PaymentTerms { ChainId = 1, Contract = "0x" + new string('0', 40), PayerKey = new string('0', 64), PricePerSecond = "1", Deposit = "1" },
        Settlements =
        [
            .. settlements.Select(n => new SettlementNote
            {
                Number = n,
                Transaction = Word(n),
                Page = 0,
                Slot = 3,
                Claimed = $"{n}000",
                NewRoot = Word(n),
                Leaf = [Word(1), Word(2), Word(3), Word(4), Word(5)],
                Siblings = [Word(6), Word(7), Word(8)],
            }),
        ],
    };

    private static string Word(int n) => "0x" + n.ToString("x64", CultureInfo.InvariantCulture);

    private sealed class ListLog : IVoucherLog
    {
        public List<LogEntry> Entries { get; } = [];

        public bool IsFull { get; set; }

        public Checkpoint Current => new("test", Entries.Count, MerkleHash.Empty);

        public ValueTask<long> AppendAsync(ReadOnlyMemory<byte> entry, CancellationToken cancellation)
        {
            if (IsFull)
            {
                throw new VoucherLogException("The disk is full.");
            }

            Assert.True(LogEntry.TryRead(entry.Span, out var read));
            Entries.Add(read);
            return ValueTask.FromResult<long>(Entries.Count - 1);
        }

        public string SignedCheckpoint() => throw new NotSupportedException();

        public IReadOnlyList<MerkleHash> ProveConsistency(long oldSize, long size) => throw new NotSupportedException();
    }
}
