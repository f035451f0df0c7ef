using Microsoft.Extensions.Logging.Abstractions;
using Shale.Bn254.BabyJubjub;
using Shale.Gateway.Payments;
using Shale.Payments.Log;
using Shale.Payments.Metering;
using Shale.Payments.Vouchers;
using Xunit;

namespace Shale.Gateway.Tests.Payments;

/// <summary>Pauses in the voucher log, each with its end, whatever comes between.</summary>
public sealed class LeaseLogTests : IDisposable
{
    private static readonly MeterTerms Terms = new() { LeaseId = 7, PricePerSecond = PaidGateway.Price, Deposit = AttoFil.OneFil };

    private readonly string _root = Directory.CreateTempSubdirectory("shale-leaselog-").FullName;
    private readonly ManualTime _time = new();
    private readonly HeldLog _log = new();
    private readonly EdDsaPrivateKey _key = EdDsaPrivateKey.Generate();

    public void Dispose()
    {
        _key.Dispose();
        Directory.Delete(_root, recursive: true);
    }

    /// <summary>Paid again, the meter's file written, and killed before the log says that the lease goes on: the file's time is past the pause by then.</summary>
    [Fact]
    public async Task Pause_WhoseEndACrashKeptFromTheLog_EndsAtItsOwnTime()
    {
        var (meter, log) = await PausedAsync();
        Pay(meter);
        await _time.AdvanceAsync(TimeSpan.FromMilliseconds(40));
        var stored = log.Stamp(meter.Snapshot);
        Assert.True(stored.ActiveMilliseconds > Pauses().Single().ActiveMilliseconds);

        // As the next gateway reads it: what the log holds from where the file knows it.
        var unread = _log.Entries.Skip((int)stored.LogSize).OfType<LeasePauseChanged>().LastOrDefault();
        var standing = unread is null ? null : new LogStanding { Phase = unread.IsPaused ? LoggedPhase.Paused : LoggedPhase.Open, PausedAt = unread.ActiveMilliseconds };
        var next = new LeaseLog(7, stored, standing, Services());
        await next.FollowAsync(new Meter(Terms, stored, _time));
        Assert.Equal([true, false], Pauses().Select(p => p.IsPaused));
        Assert.Equal(Pauses()[0].ActiveMilliseconds, Pauses()[1].ActiveMilliseconds);
    }

    [Fact]
    public async Task Pause_WhoseEndIsBeingWrittenAtTheClosing_EndsOnce()
    {
        var (meter, log) = await PausedAsync();
        Pay(meter);
        await _time.AdvanceAsync(TimeSpan.FromMilliseconds(40));
        _log.Held = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var following = log.FollowAsync(meter);
        meter.Close();
        var state = meter.Snapshot();
        var closing = log.CloseAsync("over", state, LeaseLog.FinalStatement(state, new MeterReadings(), _log.Current), meter);
        _log.Held.SetResult();
        await following.WaitAsync(TimeSpan.FromMinutes(2));
        await closing.WaitAsync(TimeSpan.FromMinutes(2));
        Assert.Equal([true, false], Pauses().Select(p => p.IsPaused));
        Assert.IsType<LeaseClosed>(_log.Entries[^1]);
    }

    private List<LeasePauseChanged> Pauses() => [.. _log.Entries.OfType<LeasePauseChanged>()];

    private PaymentServices Services() =>
        new(_log, "", new FileMeterStore(Path.Combine(_root, "meters")), new(), NoSessionProbe.Instance, _time, NullLogger.Instance);

    /// <summary>A lease that was paid, was served to its grace, and is paused, by its meter and in the log.</summary>
    private async Task<(Meter Meter, LeaseLog Log)> PausedAsync()
    {
        var meter = new Meter(Terms, MeterState.New(7), _time);
        var log = new LeaseLog(7, null, null, Services());
        Assert.True(await log.OpenAsync(1, new byte[20], _key.PublicKey.ToBytes(), Terms));
        Pay(meter);
        while (meter.Tick() != MeterAction.Pause)
        {
            await _time.AdvanceAsync(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1), pace: 0);
        }

        await log.FollowAsync(meter);
        return (meter, log);
    }

    private void Pay(Meter meter)
    {
        var charge = meter.TryBeginCharge(new MeterReadings(), () => _log.Current)!;
        var voucher = new Voucher(7, charge.Asked, charge.Statement.Digest()).Sign(_key, VoucherDomain.Create(1, new byte[20]));
        Assert.Equal(CreditResult.Resumed, meter.TryCredit(charge, voucher));
    }

    /// <summary>Entries in memory, written when the test lets them.</summary>
    private sealed class HeldLog : IVoucherLog
    {
        public List<LogEntry> Entries { get; } = [];

        public TaskCompletionSource? Held { get; set; }

        public Checkpoint Current => new("test", Entries.Count, MerkleHash.Empty);

        public async ValueTask<long> AppendAsync(ReadOnlyMemory<byte> entry, CancellationToken cancellation)
        {
            if (Held is { } held)
            {
                await held.Task;
            }

            Assert.True(LogEntry.TryRead(entry.Span, out var read));
            Entries.Add(read);
            return Entries.Count - 1;
        }

        public string SignedCheckpoint() => throw new NotSupportedException();

        public IReadOnlyList<MerkleHash> ProveConsistency(long oldSize, long size) => throw new NotSupportedException();
    }
}
