using Shale.Gateway.Leases;
using Shale.Payments.Log;
using Shale.Payments.Metering;
using Shale.Payments.Vouchers;

namespace Shale.Gateway.Payments;

/// <summary>
/// One lease's entries in the voucher log beside its vouchers: opened, paused, resumed, deposits, closed, each once and in order, whatever a crash left behind.
/// Entries of one lease are written by one task at a time: see <see cref="PaidLease"/>.
/// </summary>
internal sealed class LeaseLog
{
    private readonly ulong _leaseId;
    private readonly PaymentServices _services;

    // Rounds that may be writing vouchers, and entries that are being written: while there are any, the log may hold what the meter doesn't know yet.
    private int _writing;
    private long _knownSize;
    private ulong _pausedAt;
    private AttoFil _deposit;

    /// <summary>Goes on from the meter's file and from what the log holds behind it.</summary>
    public LeaseLog(ulong leaseId, MeterState? state, LogStanding? standing, PaymentServices services)
    {
        (_leaseId, _services) = (leaseId, services);
        Phase = standing?.Phase ?? state?.LoggedPhase ?? LoggedPhase.None;
        _pausedAt = standing?.Phase == LoggedPhase.Paused ? standing.PausedAt : state?.ActiveMilliseconds ?? 0;
        _deposit = standing?.Deposit ?? state?.LoggedDeposit ?? AttoFil.Zero;
        _knownSize = Phase == LoggedPhase.Paused ? (long)(state?.LogSize ?? 0) : services.Log.Current.Size;
    }

    /// <summary>What the log says of the lease.</summary>
    public LoggedPhase Phase { get; private set; }

    /// <summary>To be held from before a voucher may be written until it is credited.</summary>
    public Writing Begin()
    {
        Interlocked.Increment(ref _writing);
        return new Writing(this);
    }

    /// <summary>A meter's state with what it has to know of the log; <paramref name="snapshot"/> is taken here, after the log's size.</summary>
    public MeterState Stamp(Func<MeterState> snapshot)
    {
        var size = _services.Log.Current.Size;

        // While the log says that the lease is paused it is read again from before that: the meter's file does not hold the time served at the pause, and its own may be past it,
        // where the lease is paid again and the log does not say so yet.
        if (Volatile.Read(ref _writing) == 0 && Phase != LoggedPhase.Paused)
        {
            _knownSize = size;
        }

        return snapshot() with { LogSize = (ulong)_knownSize, LoggedPhase = Phase, LoggedDeposit = _deposit };
    }

    /// <summary>Writes the opening. False: the log can't be written at the moment.</summary>
    public async Task<bool> OpenAsync(ulong chainId, byte[] contract, byte[] payerKey, MeterTerms terms)
    {
        return await AppendAsync(
            new LeaseOpened(_leaseId, Now(), chainId, contract, payerKey, terms.PricePerSecond, terms.Deposit, (uint)terms.Window.TotalMilliseconds, (uint)terms.Grace.TotalMilliseconds),
            () => (Phase, _deposit) = (LoggedPhase.Open, terms.Deposit)).ConfigureAwait(false);
    }

    /// <summary>Writes a deposit that is above the one that the log names. False: the log can't be written at the moment.</summary>
    public async Task<bool> RaiseDepositAsync(AttoFil deposit)
    {
        return deposit <= _deposit || await AppendAsync(new DepositChanged(_leaseId, Now(), deposit), () => _deposit = deposit).ConfigureAwait(false);
    }

    /// <summary>
    /// Makes the log say what the meter says: paused, or going on. The wait for the first payment is no pause: nothing had run. A stretch of service between two pauses
    /// that this comes too late for (the engine or the disk took its time) is written all the same.
    /// </summary>
    /// <returns>Whether the lease goes on after a pause that the log names.</returns>
    public async Task<bool> FollowAsync(Meter meter)
    {
        await meter.WriteTurn.WaitAsync().ConfigureAwait(false);
        try
        {
            var state = meter.Snapshot();
            var wasPaused = Phase == LoggedPhase.Paused;
            if (wasPaused && (state.Phase == MeterPhase.Active || state.ActiveMilliseconds > _pausedAt))
            {
                await ResumeAsync(state).ConfigureAwait(false);
            }

            if (state.Phase == MeterPhase.Paused && Phase == LoggedPhase.Open)
            {
                await AppendAsync(
                    new LeasePauseChanged(_leaseId, Now(), true, state.ActiveMilliseconds, state.PausedMilliseconds),
                    () => (Phase, _pausedAt) = (LoggedPhase.Paused, state.ActiveMilliseconds)).ConfigureAwait(false);
            }

            return wasPaused && state.Phase == MeterPhase.Active;
        }
        finally
        {
            meter.WriteTurn.Release();
        }
    }

    /// <summary>Writes the closing, once.</summary>
    /// <param name="reason">Why; at most 200 characters of it are written.</param>
    /// <param name="state">Where the meter stands.</param>
    /// <param name="final">The last word.</param>
    /// <param name="meter">The meter, where it still runs: a pause or its end may be on their way into the log.</param>
    public async Task CloseAsync(string reason, MeterState state, MeterStatement final, Meter? meter)
    {
        if (meter is not null)
        {
            await meter.WriteTurn.WaitAsync().ConfigureAwait(false);
        }

        try
        {
            if (Phase == LoggedPhase.Paused && state.ActiveMilliseconds > _pausedAt)
            {
                await ResumeAsync(state).ConfigureAwait(false);
            }

            if (Phase is LoggedPhase.Open or LoggedPhase.Paused)
            {
                await AppendAsync(
                    new LeaseClosed(_leaseId, Now(), reason.Length > 200 ? reason[..200] : reason, final.ToBytes()),
                    () => Phase = LoggedPhase.Closed).ConfigureAwait(false);
            }
        }
        finally
        {
            meter?.WriteTurn.Release();
        }
    }

    /// <summary>The gateway's own last word on a lease, where its client did not sign one.</summary>
    public static MeterStatement FinalStatement(MeterState state, in MeterReadings readings, Checkpoint checkpoint) => new()
    {
        LeaseId = state.LeaseId,
        Sequence = Math.Max(state.Sequence, state.NewestStatement?.Sequence ?? 0) + 1,
        IsFinal = true,
        ActiveMilliseconds = Math.Max(state.ActiveMilliseconds, state.NewestStatement?.ActiveMilliseconds ?? 0),
        PausedMilliseconds = Math.Max(state.PausedMilliseconds, state.NewestStatement?.PausedMilliseconds ?? 0),
        BytesIn = Math.Max(readings.BytesIn, state.NewestStatement?.BytesIn ?? 0),
        BytesOut = Math.Max(readings.BytesOut, state.NewestStatement?.BytesOut ?? 0),
        GpuMilliseconds = state.NewestStatement?.GpuMilliseconds,
        WindowMilliseconds = 0,
        Results = readings.Results,
        LogSize = (ulong)checkpoint.Size,
        LogRoot = checkpoint.Root,
    };

    // The time at the pause: the meter has run on since it was credited.
    private Task<bool> ResumeAsync(MeterState state) =>
        AppendAsync(new LeasePauseChanged(_leaseId, Now(), false, _pausedAt, state.PausedMilliseconds), () => Phase = LoggedPhase.Open);

    /// <summary>Writes an entry and takes note of it, both before a meter's file may say that it knows the log up to there.</summary>
    private async Task<bool> AppendAsync(LogEntry entry, Action note)
    {
        using var writing = Begin();
        try
        {
            await _services.Log.AppendAsync(entry.ToBytes(), CancellationToken.None).ConfigureAwait(false);
            note();
            return true;
        }
        catch (VoucherLogException error)
        {
            // No voucher is lost by this; the audit sees where an entry is missing.
            GatewayLog.LogEntryNotWritten(_services.Logger, _leaseId, entry.GetType().Name, error.Message);
            return false;
        }
    }

    private long Now() => _services.Time.GetUtcNow().ToUnixTimeMilliseconds();

    /// <summary>Something of the lease may be on its way into the log while this is held.</summary>
    public readonly struct Writing(LeaseLog log) : IDisposable
    {
        public void Dispose() => Interlocked.Decrement(ref log._writing);
    }
}
