using System.Collections.Concurrent;
using System.Globalization;
using Shale.Bn254.BabyJubjub;
using Shale.Gateway.Leases;
using Shale.Payments.Channel;
using Shale.Payments.Log;
using Shale.Payments.Metering;
using Shale.Payments.Vouchers;
using Shale.Ssh.Connection;

namespace Shale.Gateway.Payments;

/// <summary>
/// One lease's meter at work: asks whoever pays, freezes the container when nobody does, lets it go on when somebody does, and ends the lease at the cap.
/// One meter and one charge at a time, over however many connections.
/// </summary>
internal sealed class PaidLease : IAsyncDisposable
{
    // Long enough for ssh to open its agent channel and for one charge's round trip over a slow line.
    private static readonly TimeSpan AdmissionPatience = TimeSpan.FromSeconds(12);

    // With no payer in sight a user is told at once; this is for the agent channel that is just being opened.
    private static readonly TimeSpan PayerPatience = TimeSpan.FromMilliseconds(500);

    // The meter's state is kept at every credit and change of phase, and this often between them: what a crash loses is served free.
    private static readonly TimeSpan SaveInterval = TimeSpan.FromSeconds(5);

    private readonly LeaseService _lease;
    private readonly PaymentServices _services;
    private readonly MeterKeeper _keeper;
    private readonly Meter _meter;
    private readonly VoucherLogRecorder _recorder;
    private readonly UsageProbe _usage;
    private readonly EdDsaPublicKey _payerKey;
    private readonly VoucherDomain _domain;
    private readonly ulong _chainId;
    private readonly byte[] _contract;
    private readonly LeaseLog _log;
    private readonly ConcurrentDictionary<Payer, bool> _payers = new();
    private readonly CancellationTokenSource _stopping = new();

    // A payer is asked one thing at a time: charges and notices take turns.
    private readonly SemaphoreSlim _asking = new(1, 1);
    private readonly SemaphoreSlim _applying = new(1, 1);
    private readonly Lock _gate = new();

    // Held while the disk is flushed, and so by nothing else.
    private readonly Lock _saving = new();
    private TaskCompletionSource _servable = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private string _unpaidBecause = "";
    private int _attaching;
    private Task _loop = Task.CompletedTask;
    private Task _charging = Task.CompletedTask;
    private long _savedAt;
    private int _saveWaits;
    private bool _disposed;
    private long _tickedAt = long.MinValue;
    private MeterPhase? _applied;

    // Nothing of a lease may be in the log before its opening.
    private readonly TaskCompletionSource _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public PaidLease(LeaseService lease, MeterTerms terms, EdDsaPublicKey payerKey, ulong chainId, byte[] contract, PaymentServices services, MeterKeeper keeper)
    {
        _keeper = keeper;
        (_lease, _services, _payerKey, _chainId, _contract) = (lease, services, payerKey, chainId, contract);
        _domain = VoucherDomain.Create(chainId, contract);
        var state = services.Meters.Load(lease.Id);
        services.Standings.TryRemove(lease.Id, out var standing);
        _meter = new Meter(terms, state ?? MeterState.New(lease.Id), services.Time);
        _log = new LeaseLog(lease.Id, state, standing, services);
        if (standing?.Newest is { } newest)
        {
            // Nothing where the meter's file has it already.
            _meter.TryRecover(newest.Voucher, newest.Statement);
        }

        _recorder = new VoucherLogRecorder(services.Log, services.Time);
        _usage = new UsageProbe(lease, services);
        if (_meter.Snapshot().Phase == MeterPhase.Active)
        {
            _servable.SetResult();
        }
    }

    /// <summary>The meter, for the status of the lease.</summary>
    public Meter Meter => _meter;

    /// <summary>The clock's timestamp up to which the meter was ticked and the container made what it says; null before the first tick and after the last.</summary>
    internal long? TickedAt => !_loop.IsCompleted && Interlocked.Read(ref _tickedAt) is var at and not long.MinValue ? at : null;

    /// <summary>The deposit grew: first in the log, then in what is asked.</summary>
    public async Task RaiseDepositAsync(AttoFil deposit)
    {
        await _opened.Task.WaitAsync(_stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (deposit > _meter.Terms.Deposit && !_stopping.IsCancellationRequested && await _log.RaiseDepositAsync(deposit).ConfigureAwait(false))
        {
            _meter.RaiseDeposit(deposit);
        }
    }

    /// <summary>Tells whoever pays; nothing waits for it.</summary>
    public void Tell(NoticeMessage notice) => _ = NotifyAsync(notice);

    public void Start() => _loop = Task.Run(RunAsync);

    /// <summary>Waits until the lease is paid. Null: it is; else why not and what to run.</summary>
    public async ValueTask<string?> AdmitAsync(CancellationToken cancellation)
    {
        var phase = _meter.Snapshot().Phase;
        if (phase == MeterPhase.Active)
        {
            return null;
        }

        if (phase == MeterPhase.Closed)
        {
            return $"{_lease.Record.Name} is over: it stayed unpaid too long, or was closed. Order another one.";
        }

        var servable = Volatile.Read(ref _servable).Task;
        if (_payers.IsEmpty)
        {
            await Task.WhenAny(servable, Task.Delay(PayerPatience, _services.Time, cancellation)).ConfigureAwait(false);
        }

        if (!_payers.IsEmpty || Volatile.Read(ref _attaching) > 0)
        {
            // One who has refused is asked once more, and his answer is told at once; one who is just greeted or charged gets his time.
            var answer = Volatile.Read(ref _attaching) == 0 && _unpaidBecause.Length > 0 ? ChargeAsync() : servable;
            await Task.WhenAny(servable, answer, Task.Delay(AdmissionPatience, _services.Time, cancellation)).ConfigureAwait(false);
        }

        cancellation.ThrowIfCancellationRequested();
        return _meter.Snapshot().Phase == MeterPhase.Active ? null : Explain();
    }

    /// <summary>Takes up a payer on a connection: greets it, and charges it if the lease needs it.</summary>
    /// <returns>The payer while it is charged; null where it does not speak the protocol or refuses.</returns>
    public async Task<Payer?> AttachAsync(SshServerConnection connection, IPayer inner)
    {
        Payer payer;
        Interlocked.Increment(ref _attaching);
        try
        {
            await _opened.Task.WaitAsync(_stopping.Token).ConfigureAwait(false);
            payer = new Payer(connection, inner, new ChargeRound(_meter, inner, _recorder, _payerKey, _domain));
            var terms = _meter.Terms;
            var hello = new HelloMessage(
                PaymentProtocol.OldestVersion,
                PaymentProtocol.Version,
                _chainId,
                _contract,
                _lease.Id,
                _lease.Record.Provider,
                terms.PricePerSecond,
                (uint)terms.Window.TotalMilliseconds,
                _services.LogVerifier,
                null,
                default,
                default);
            RoundOutcome greeting;
            using (_log.Begin())
            {
                greeting = await payer.Round.GreetAsync(hello, _stopping.Token).ConfigureAwait(false);
            }

            await ActOnAsync(greeting).ConfigureAwait(false);
            if (greeting.Status == RoundStatus.Unpaid)
            {
                await inner.DisposeAsync().ConfigureAwait(false);
                return null;
            }

            _payers[payer] = true;
        }
        finally
        {
            Interlocked.Decrement(ref _attaching);
        }

        await ChargeAsync().ConfigureAwait(false);
        return payer;
    }

    /// <summary>Forgets the payers of a connection.</summary>
    public void Detach(SshServerConnection connection)
    {
        foreach (var payer in _payers.Keys.Where(p => p.Connection == connection))
        {
            _ = DropAsync(payer);
        }
    }

    /// <summary>Closes the meter, asks for the final statement's voucher, and writes the closing into the log.</summary>
    public async Task FinishAsync(string reason)
    {
        _meter.Close();
        await _charging.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        using var limit = new CancellationTokenSource(AdmissionPatience, _services.Time);
        foreach (var payer in _payers.Keys)
        {
            try
            {
                RoundOutcome outcome;
                using (_log.Begin())
                {
                    outcome = await payer.Round.ChargeAsync(Readings(), isFinal: true, limit.Token).ConfigureAwait(false);
                }

                await payer.Inner.NotifyAsync(NoticeMessage.Plain(NoticeKind.Closing, reason, _services.Time.GetUtcNow()), limit.Token).ConfigureAwait(false);
                if (outcome.Status is RoundStatus.Paid or RoundStatus.Idle)
                {
                    break;
                }
            }
            catch (OperationCanceledException)
            {
                break;
            }
        }

        var state = _meter.Snapshot();
        var final = state.NewestStatement is { IsFinal: true } signed ? signed : LeaseLog.FinalStatement(state, Readings(), _services.Log.Current);
        await _log.CloseAsync(reason, state, final, _meter).ConfigureAwait(false);
        Save();
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _loop.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        foreach (var payer in _payers.Keys)
        {
            await DropAsync(payer).ConfigureAwait(false);
        }

        Save();
        lock (_saving)
        {
            // The file is the next one's, if the lease is served again.
            _disposed = true;
        }

        _stopping.Dispose();
    }

    private async Task RunAsync()
    {
        // The meter's file first: it says from where on the log is to be read after a crash.
        Save();
        await OpenAsync().ConfigureAwait(false);
        if (_meter.Snapshot().Phase == MeterPhase.Closed)
        {
            // Closed before the gateway was restarted; its record is still there.
            _ = _lease.EndAsync($"{_lease.Record.Name} is over.");
            return;
        }

        var tick = TimeSpan.FromMilliseconds(Math.Clamp(_meter.Terms.Interval.TotalMilliseconds / 10, 20, 250));
        using var timer = new PeriodicTimer(tick, _services.Time);
        Interlocked.Exchange(ref _tickedAt, _services.Time.GetTimestamp());
        while (await timer.WaitForNextTickAsync(_stopping.Token).ConfigureAwait(false))
        {
            var now = _services.Time.GetTimestamp();
            try
            {
                await TickAsync().ConfigureAwait(false);
            }
            catch (IOException error)
            {
                // The engine does not answer: unpaid time is then nobody's debt, and the next tick tries again.
                GatewayLog.PaymentTickFailed(_services.Logger, _lease.Id, error.Message);
            }

            Interlocked.Exchange(ref _tickedAt, now);
        }
    }

    /// <summary>Sees to it that the log says that the lease was opened, with its deposit, and whether it is paused.</summary>
    private async Task OpenAsync()
    {
        var terms = _meter.Terms;
        while (_log.Phase == LoggedPhase.None
            ? !await _log.OpenAsync(_chainId, _contract, _payerKey.ToBytes(), terms).ConfigureAwait(false)
            : _log.Phase != LoggedPhase.Closed && !await _log.RaiseDepositAsync(terms.Deposit).ConfigureAwait(false))
        {
            _unpaidBecause = "The provider can't record payments at the moment.";
            _meter.SetOwnFault(true);
            await Task.Delay(SaveInterval, _services.Time, _stopping.Token).ConfigureAwait(false);
        }

        _meter.SetOwnFault(false);
        await _log.FollowAsync(_meter).ConfigureAwait(false);
        Save();
        _opened.TrySetResult();
    }

    private async Task TickAsync()
    {
        switch (_meter.Tick())
        {
            case MeterAction.Charge:
                if (!_payers.IsEmpty)
                {
                    // Not awaited: a payer that is slow must not keep the meter from freezing the container in time.
                    _ = ChargeAsync();
                }

                break;
            case MeterAction.Pause:
                // What runs is stopped first.
                await ApplyAsync().ConfigureAwait(false);
                Save();
                await _log.FollowAsync(_meter).ConfigureAwait(false);
                _ = NotifyAsync(NoticeKind.Paused, Explain());
                break;
            case MeterAction.Close:
                Save();
                GatewayLog.LeaseUnpaidTooLong(_services.Logger, _lease.Id);
                // Removes this lease from service, which in turn finishes it here.
                _ = _lease.EndAsync($"{_lease.Record.Name} is over: it stayed unpaid too long.");
                break;
        }

        await ApplyAsync().ConfigureAwait(false);
        if (_services.Time.GetElapsedTime(Volatile.Read(ref _savedAt)) >= SaveInterval)
        {
            SaveSoon();
        }
    }

    /// <summary>
    /// Makes the container be what the meter says. Ticks and credits both end here and take turns, so that the last one sees where the meter stands;
    /// what fails is tried again at the next tick.
    /// </summary>
    private async Task ApplyAsync()
    {
        await _applying.WaitAsync(_stopping.Token).ConfigureAwait(false);
        try
        {
            var phase = _meter.Snapshot().Phase;
            if (phase == _applied || phase == MeterPhase.Closed)
            {
                return;
            }

            if (phase == MeterPhase.Active)
            {
                await _lease.ResumeAsync(_stopping.Token).ConfigureAwait(false);
                _servable.TrySetResult();
            }
            else
            {
                if (_servable.Task.IsCompleted)
                {
                    Volatile.Write(ref _servable, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
                }

                await _lease.PauseAsync(Explain(), _stopping.Token).ConfigureAwait(false);
            }

            _applied = phase;
        }
        finally
        {
            _applying.Release();
        }
    }

    private Task ChargeAsync()
    {
        lock (_gate)
        {
            return _charging.IsCompleted ? _charging = Task.Run(ChargeAllAsync) : _charging;
        }
    }

    /// <summary>Asks one payer after the other until one pays. That another didn't is then no matter: a short ssh ends while somebody else keeps the lease.</summary>
    private async Task ChargeAllAsync()
    {
        RoundOutcome unpaid = default;
        foreach (var payer in _payers.Keys)
        {
            RoundOutcome outcome;
            await _asking.WaitAsync(_stopping.Token).ConfigureAwait(false);
            try
            {
                using (_log.Begin())
                {
                    outcome = await payer.Round.ChargeAsync(Readings(), isFinal: false, _stopping.Token).ConfigureAwait(false);
                }

                if (payer.Inner.IsBroken)
                {
                    await DropAsync(payer).ConfigureAwait(false);
                }
            }
            finally
            {
                _asking.Release();
            }

            if (outcome.Status is RoundStatus.Unpaid or RoundStatus.OwnFault)
            {
                unpaid = outcome;
            }
            else if (outcome.Status != RoundStatus.Idle)
            {
                await ActOnAsync(outcome).ConfigureAwait(false);
                if (outcome.ProbeWanted.Length > 0)
                {
                    // Beside the charges: a probe may take its time.
                    _ = ProbeAsync(payer, outcome.ProbeWanted);
                }

                return;
            }
        }

        await ActOnAsync(unpaid).ConfigureAwait(false);
    }

    /// <summary>Runs the probe that a payer asked for with its voucher, and tells it the result.</summary>
    private async Task ProbeAsync(Payer payer, string name)
    {
        try
        {
            var report = name == UsageProbe.Name
                ? await _usage.RunAsync(_stopping.Token).ConfigureAwait(false)
                : await _services.Probe.RunAsync(_lease, name, _stopping.Token).ConfigureAwait(false);
            if (report is null)
            {
                return;
            }

            await _asking.WaitAsync(_stopping.Token).ConfigureAwait(false);
            try
            {
                await payer.Inner.ProbeAsync(new ProbeMessage(name, report), _stopping.Token).ConfigureAwait(false);
            }
            finally
            {
                _asking.Release();
            }
        }
        catch (Exception cause) when (cause is OperationCanceledException or ObjectDisposedException)
        {
            // The lease or the gateway ends.
        }
        catch (IOException error)
        {
            GatewayLog.ProbeFailed(_services.Logger, _lease.Id, name, error.Message);
        }
    }

    private async Task DropAsync(Payer payer)
    {
        if (_payers.TryRemove(payer, out _))
        {
            payer.Gone.TrySetResult();
            await payer.Inner.DisposeAsync().ConfigureAwait(false);
        }
    }

    private async Task ActOnAsync(RoundOutcome outcome)
    {
        switch (outcome.Status)
        {
            case RoundStatus.Paid:
                _unpaidBecause = "";
                SaveSoon();
                break;
            case RoundStatus.Resumed:
                _unpaidBecause = "";
                Save();
                await ApplyAsync().ConfigureAwait(false);
                if (await _log.FollowAsync(_meter).ConfigureAwait(false))
                {
                    _ = NotifyAsync(NoticeKind.Resumed, $"{_lease.Record.Name} goes on.");
                }

                break;
            case RoundStatus.Unpaid or RoundStatus.OwnFault:
                _unpaidBecause = outcome.Text;
                GatewayLog.ChargeFailed(_services.Logger, _lease.Id, outcome.Text);
                break;
            case RoundStatus.Disagreement:
                _unpaidBecause = outcome.Text;
                GatewayLog.ChargeFailed(_services.Logger, _lease.Id, outcome.Text);
                _ = _lease.EndAsync($"{_lease.Record.Name} stops: {outcome.Text}");
                break;
        }
    }

    private string Explain()
    {
        var name = _lease.Record.Name;
        var id = _lease.Id.ToString(CultureInfo.InvariantCulture);
        return _unpaidBecause.Length > 0
            ? $"{name} is not paid: {_unpaidBecause}"
            : $"{name} is not paid: connect with 'shale ssh {id}', or run 'shale agent keep {id}' beside ssh, scp or sftp.";
    }

    private Task NotifyAsync(NoticeKind kind, string text) => NotifyAsync(NoticeMessage.Plain(kind, text, _services.Time.GetUtcNow()));

    private async Task NotifyAsync(NoticeMessage notice)
    {
        try
        {
            await _asking.WaitAsync(_stopping.Token).ConfigureAwait(false);
            try
            {
                foreach (var payer in _payers.Keys)
                {
                    await payer.Inner.NotifyAsync(notice, _stopping.Token).ConfigureAwait(false);
                }
            }
            finally
            {
                _asking.Release();
            }
        }
        catch (OperationCanceledException)
        {
            // The lease or the gateway ends: its closing says more.
        }
    }

    private MeterReadings Readings() => new() { BytesIn = _lease.BytesIn, BytesOut = _lease.BytesOut, Results = _services.Results(_lease.Id) };

    /// <summary>To be called by the keeper, for a meter that waits.</summary>
    public void SaveWaiting()
    {
        Volatile.Write(ref _saveWaits, 0);
        Save();
    }

    /// <summary>Has the state kept, without a wait for the disk: the voucher is in the log already, and what a crash loses of the meter is served free.</summary>
    private void SaveSoon()
    {
        if (Interlocked.Exchange(ref _saveWaits, 1) == 0)
        {
            _keeper.Add(this);
        }
    }

    private void Save()
    {
        lock (_saving)
        {
            if (_disposed)
            {
                return;
            }

            Volatile.Write(ref _savedAt, _services.Time.GetTimestamp());
            try
            {
                _services.Meters.Save(_log.Stamp(_meter.Snapshot));
            }
            catch (IOException error)
            {
                // The newest voucher is in the log and with the agent; only time served since the last save could be lost.
                GatewayLog.MeterNotSaved(_services.Logger, _lease.Id, error.Message);
            }
        }
    }

    /// <summary>A payer that is charged.</summary>
    internal sealed record Payer(SshServerConnection Connection, IPayer Inner, ChargeRound Round)
    {
        /// <summary>Set when it is charged no more.</summary>
        public TaskCompletionSource Gone { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
