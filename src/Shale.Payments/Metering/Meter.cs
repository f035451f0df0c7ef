using System.Collections.Immutable;
using Shale.Payments.Log;
using Shale.Payments.Vouchers;

namespace Shale.Payments.Metering;

/// <summary>What a meter's clock calls for.</summary>
public enum MeterAction
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>Ask for payment: the interval has passed, or nothing runs until somebody pays.</summary>
    Charge,

    /// <summary>Freeze the container: the grace has passed. The meter has stopped already.</summary>
    Pause,

    /// <summary>End the lease: the unpaid pause has reached its cap. The meter is closed already.</summary>
    Close,
}

/// <summary>What came of a voucher.</summary>
public enum CreditResult
{
    /// <summary>Credited; service stands as it did.</summary>
    Credited,

    /// <summary>Credited, and the lease is to be served from now on: start or unpause the container.</summary>
    Resumed,

    /// <summary>Below what was authorised before.</summary>
    Backwards,

    /// <summary>Above what was asked, or above the deposit.</summary>
    TooMuch,

    /// <summary>For another lease or another statement.</summary>
    Foreign,

    /// <summary>The charge it answers is no longer the one under way.</summary>
    Stale,
}

/// <summary>The counters that a statement reports beside time; all since the lease began.</summary>
public readonly record struct MeterReadings
{
    /// <summary>No traffic and no GPU figure.</summary>
    public MeterReadings()
    {
    }

    /// <summary>Bytes from the client into the lease.</summary>
    public ulong BytesIn { get; init; }

    /// <summary>Bytes from the lease to the client.</summary>
    public ulong BytesOut { get; init; }

    /// <summary>GPU time in milliseconds; null where unknown.</summary>
    public ulong? GpuMilliseconds { get; init; }

    /// <summary>SHA-256 of the last quality report; empty where there was none.</summary>
    public ImmutableArray<byte> QualityReport { get; init; } = [];

    /// <summary>CIDs of results, in binary.</summary>
    public ImmutableArray<ImmutableArray<byte>> Results { get; init; } = [];
}

/// <summary>A charge under way: what is asked and why.</summary>
/// <param name="Statement">The statement to sign for.</param>
/// <param name="Asked">The cumulative amount asked.</param>
public sealed record MeterCharge(MeterStatement Statement, AttoFil Asked);

/// <summary>
/// The one meter of a lease, whatever the number of its connections. Time comes from the monotonic clock of a
/// <see cref="TimeProvider"/>, so that a wall clock that jumps changes nothing. One charge is under way at a time; a voucher is
/// credited only against the charge that asked for it (compare and swap), after it is durable. Safe for use from several threads.
/// </summary>
public sealed class Meter
{
    private readonly Lock _lock = new();
    private readonly TimeProvider _time;
    private MeterTerms _terms;
    private MeterState _state;
    private long _lastReading;
    private double _fraction;
    private MeterCharge? _charge;
    private long _nextCharge;
    private bool _ownFault;
    private TimeSpan _clientWindow;

    /// <summary>The phase that the caller of <see cref="Tick"/> knows of: other calls move the meter too.</summary>
    private MeterPhase _reported;

    /// <summary>
    /// Held from the check of a voucher to its credit: vouchers reach the log in the order in which they are credited, so that
    /// the log's amounts never fall. Whoever writes what the meter says (a pause) holds it too, or a voucher would come between.
    /// </summary>
    public SemaphoreSlim WriteTurn { get; } = new(1, 1);

    /// <summary>Goes on from a stored state. Time between the state's making and now is not metered: the gateway was down.</summary>
    public Meter(MeterTerms terms, MeterState state, TimeProvider time)
    {
        if (terms.LeaseId != state.LeaseId)
        {
            throw new ArgumentException("The state is another lease's.", nameof(state));
        }

        _terms = terms;
        _state = state;
        _reported = state.Phase;
        _time = time;
        _lastReading = _nextCharge = time.GetTimestamp();
    }

    /// <summary>The terms; the deposit may grow.</summary>
    public MeterTerms Terms
    {
        get
        {
            lock (_lock)
            {
                return _terms;
            }
        }
    }

    /// <summary>The state, metered up to now.</summary>
    public MeterState Snapshot()
    {
        lock (_lock)
        {
            Advance();
            return _state;
        }
    }

    /// <summary>A top-up became final.</summary>
    public void RaiseDeposit(AttoFil deposit)
    {
        lock (_lock)
        {
            _terms = _terms with { Deposit = AttoFil.Max(_terms.Deposit, deposit) };
        }
    }

    /// <summary>The chain settled this much in all.</summary>
    /// <returns>False when that is more than was ever authorised, or less than settled before: the two disagree.</returns>
    public bool TrySettle(AttoFil settled)
    {
        lock (_lock)
        {
            if (settled > _state.Authorised || settled < _state.Settled)
            {
                return false;
            }

            _state = _state with { Settled = settled };
            return true;
        }
    }

    /// <summary>
    /// The window that the client chose for itself; the lease's own where it is longer. Bounded by <see cref="MeterTerms.LongestWindow"/>.
    /// </summary>
    public void SetClientWindow(TimeSpan window)
    {
        lock (_lock)
        {
            _clientWindow = window > MeterTerms.LongestWindow ? MeterTerms.LongestWindow : window;
        }
    }

    /// <summary>
    /// While the gateway itself can't take payment (its log's disk is full, its engine is down), unpaid time counts against
    /// nobody's cap.
    /// </summary>
    public void SetOwnFault(bool value)
    {
        lock (_lock)
        {
            Advance();
            _ownFault = value;
        }
    }

    /// <summary>Moves the meter to now and says what is called for. Call it at least every tenth of an interval.</summary>
    public MeterAction Tick()
    {
        lock (_lock)
        {
            Advance();
            (MeterPhase before, _reported) = (_reported, _state.Phase);
            if (_state.Phase == MeterPhase.Closed)
            {
                return before == MeterPhase.Closed ? MeterAction.None : MeterAction.Close;
            }

            if (_state.Phase == MeterPhase.Paused && before == MeterPhase.Active)
            {
                return MeterAction.Pause;
            }

            return _charge is null && _time.GetTimestamp() >= _nextCharge ? MeterAction.Charge : MeterAction.None;
        }
    }

    /// <summary>Begins a charge, if none is under way and the lease is not closed.</summary>
    /// <param name="readings">The other counters.</param>
    /// <param name="checkpoint">Gives the voucher log's newest durable checkpoint, at once; called only when there is a charge.</param>
    /// <returns>Null when one is under way, the lease is closed, or all that the window could cost is paid already.</returns>
    public MeterCharge? TryBeginCharge(in MeterReadings readings, Func<Checkpoint> checkpoint)
    {
        lock (_lock)
        {
            Advance();
            if (_charge is not null || _state.Phase == MeterPhase.Closed)
            {
                return null;
            }

            _nextCharge = _time.GetTimestamp() + ToTimestamp(_terms.Interval);
            TimeSpan window = _clientWindow > _terms.Window ? _clientWindow : _terms.Window;
            uint milliseconds = (uint)window.TotalMilliseconds;
            AttoFil asked = AttoFil.Min(
                AttoFil.Cost(_terms.PricePerSecond, _state.ActiveMilliseconds + milliseconds), _terms.Deposit);
            if (asked <= _state.Authorised)
            {
                return null;
            }

            return Begin(readings, checkpoint(), milliseconds, asked, isFinal: false);
        }
    }

    /// <summary>Closes the meter and begins the charge for the final statement: what was served, nothing ahead.</summary>
    /// <returns>Null when the final statement was made before, or while an earlier charge is under way: try again after it.</returns>
    public MeterCharge? TryBeginFinalCharge(in MeterReadings readings, Func<Checkpoint> checkpoint)
    {
        lock (_lock)
        {
            Advance();
            _state = _state with { Phase = MeterPhase.Closed };
            if (_charge is not null || _state.NewestStatement is { IsFinal: true })
            {
                return null;
            }

            AttoFil asked = AttoFil.Min(AttoFil.Max(_state.Consumed(_terms), _state.Authorised), _terms.Deposit);
            return Begin(readings, checkpoint(), 0, asked, isFinal: true);
        }
    }

    /// <summary>Says whether a voucher could be credited now, without crediting it; what the gateway asks before it writes the log.</summary>
    public CreditResult Check(MeterCharge charge, SignedVoucher voucher)
    {
        lock (_lock)
        {
            return CheckLocked(charge, voucher);
        }
    }

    /// <summary>
    /// Credits a voucher whose signature is good and which is durable. Anything but Credited and Resumed changes nothing.
    /// </summary>
    public CreditResult TryCredit(MeterCharge charge, SignedVoucher voucher)
    {
        lock (_lock)
        {
            Advance();
            CreditResult result = CheckLocked(charge, voucher);
            if (result != CreditResult.Credited)
            {
                return result;
            }

            _charge = null;
            return Adopt(voucher, charge.Statement);
        }
    }

    /// <summary>Gives up a charge that nobody answered. The next may follow after <paramref name="retry"/>.</summary>
    public void Abandon(MeterCharge charge, TimeSpan retry)
    {
        lock (_lock)
        {
            if (ReferenceEquals(_charge, charge))
            {
                _charge = null;
                _nextCharge = _time.GetTimestamp() + ToTimestamp(retry);
            }
        }
    }

    /// <summary>Whether a voucher of this lease is newer than the newest known: for more, or for a later statement of the same amount, as a final one may be.</summary>
    public bool IsNewer(SignedVoucher voucher, MeterStatement statement)
    {
        lock (_lock)
        {
            return IsNewerLocked(voucher, statement);
        }
    }

    /// <summary>
    /// Takes over a voucher that the agent brought to its hello, or that the voucher log holds, and that this meter's state lost: its
    /// signature is good and it is durable here by now. The time that it must have paid for counts as served.
    /// </summary>
    public CreditResult TryRecover(SignedVoucher voucher, MeterStatement statement)
    {
        lock (_lock)
        {
            Advance();
            if (voucher.Voucher.LeaseId != _state.LeaseId || statement.LeaseId != _state.LeaseId ||
                statement.Digest() != voucher.Voucher.Statement)
            {
                return CreditResult.Foreign;
            }

            if (!IsNewerLocked(voucher, statement))
            {
                return CreditResult.Backwards;
            }

            if (voucher.Voucher.Cumulative > _terms.Deposit)
            {
                return CreditResult.TooMuch;
            }

            // The statement was this gateway's word, but only the payer vouches for it now. Whatever it says, the amount can't
            // have run further ahead of the service than the window it names allows, nor than the longest there is.
            ulong paid = voucher.Voucher.Cumulative.PaysFor(_terms.PricePerSecond);
            ulong window = Math.Min(statement.WindowMilliseconds, (ulong)MeterTerms.LongestWindow.TotalMilliseconds);
            ulong least = AttoFil.Cost(_terms.PricePerSecond, paid) < voucher.Voucher.Cumulative ? paid + 1 : paid;
            ulong served = Math.Max(statement.ActiveMilliseconds, least > window ? least - window : 0);
            _charge = null;
            _nextCharge = _time.GetTimestamp();
            _state = _state with
            {
                Sequence = Math.Max(_state.Sequence, statement.Sequence),
                ActiveMilliseconds = Math.Max(_state.ActiveMilliseconds, Math.Min(served, paid)),
                PausedMilliseconds = Math.Max(_state.PausedMilliseconds, Math.Min(statement.PausedMilliseconds, PauseCap(_state) - 1)),
                WindowMilliseconds = Math.Max(_state.WindowMilliseconds, (uint)window),

                // Nothing follows a final statement.
                Phase = statement.IsFinal ? MeterPhase.Closed : _state.Phase,
            };
            return Adopt(voucher, statement);
        }
    }

    /// <summary>Ends the lease's service at either side's wish.</summary>
    public void Close()
    {
        lock (_lock)
        {
            Advance();
            _state = _state with { Phase = MeterPhase.Closed };
        }
    }

    private MeterCharge Begin(in MeterReadings readings, Checkpoint checkpoint, uint window, AttoFil asked, bool isFinal)
    {
        MeterStatement? last = _state.NewestStatement;
        _state = _state with { Sequence = _state.Sequence + 1 };
        return _charge = new MeterCharge(
            new MeterStatement
            {
                LeaseId = _state.LeaseId,
                Sequence = _state.Sequence,
                IsFinal = isFinal,
                ActiveMilliseconds = _state.ActiveMilliseconds,
                PausedMilliseconds = _state.PausedMilliseconds,

                // Counters that began again with the gateway's process never fall in what it says.
                BytesIn = Math.Max(readings.BytesIn, last?.BytesIn ?? 0),
                BytesOut = Math.Max(readings.BytesOut, last?.BytesOut ?? 0),
                GpuMilliseconds = last?.GpuMilliseconds is { } gpu ? Math.Max(gpu, readings.GpuMilliseconds ?? 0) : readings.GpuMilliseconds,
                WindowMilliseconds = window,
                QualityReport = readings.QualityReport.IsDefault ? [] : readings.QualityReport,
                Results = readings.Results.IsDefault ? [] : readings.Results,
                LogSize = (ulong)checkpoint.Size,
                LogRoot = checkpoint.Root,
            },
            asked);
    }

    private bool IsNewerLocked(SignedVoucher voucher, MeterStatement statement) =>
        voucher.Voucher.Cumulative > _state.Authorised ||
        (voucher.Voucher.Cumulative == _state.Authorised && _state.NewestStatement is { } newest && statement.Sequence > newest.Sequence);

    private CreditResult CheckLocked(MeterCharge charge, SignedVoucher voucher)
    {
        if (!ReferenceEquals(_charge, charge))
        {
            return CreditResult.Stale;
        }

        Voucher content = voucher.Voucher;
        if (content.LeaseId != _state.LeaseId || content.Statement != charge.Statement.Digest())
        {
            return CreditResult.Foreign;
        }

        if (content.Cumulative < _state.Authorised)
        {
            return CreditResult.Backwards;
        }

        return content.Cumulative > charge.Asked || content.Cumulative > _terms.Deposit ? CreditResult.TooMuch : CreditResult.Credited;
    }

    private CreditResult Adopt(SignedVoucher voucher, MeterStatement statement)
    {
        _state = _state with
        {
            Newest = voucher,
            NewestStatement = statement,
            WindowMilliseconds = Math.Max(_state.WindowMilliseconds, statement.WindowMilliseconds),
        };
        if (_state.Phase is not (MeterPhase.AwaitingPayment or MeterPhase.Paused) || PaidMilliseconds() <= _state.ActiveMilliseconds)
        {
            return CreditResult.Credited;
        }

        _state = _state with { Phase = MeterPhase.Active, CurrentPauseMilliseconds = 0 };
        _reported = MeterPhase.Active;
        return CreditResult.Resumed;
    }

    /// <summary>Adds the time since the last reading to what it belongs to, and changes phase where that reaches a limit.</summary>
    private void Advance()
    {
        long now = _time.GetTimestamp();
        double elapsed = _time.GetElapsedTime(_lastReading, now).TotalMilliseconds + _fraction;
        _lastReading = now;
        if (elapsed <= 0)
        {
            return;
        }

        ulong milliseconds = (ulong)elapsed;
        _fraction = elapsed - milliseconds;
        if (_state.Phase == MeterPhase.Active)
        {
            // A tick that comes late meters no more than the grace allows: being late was this side's doing.
            ulong limit = SaturatingAdd(PaidMilliseconds(), (ulong)_terms.Grace.TotalMilliseconds);
            ulong active = Math.Max(_state.ActiveMilliseconds, Math.Min(SaturatingAdd(_state.ActiveMilliseconds, milliseconds), limit));
            _state = _state with { ActiveMilliseconds = active };
            if (active >= limit)
            {
                _state = _state with { Phase = MeterPhase.Paused, CurrentPauseMilliseconds = 0 };
                _nextCharge = now;
            }
        }
        else if (_state.Phase != MeterPhase.Closed && !_ownFault)
        {
            _state = _state with
            {
                PausedMilliseconds = _state.PausedMilliseconds + milliseconds,
                CurrentPauseMilliseconds = _state.CurrentPauseMilliseconds + milliseconds,
            };
            if (_state.CurrentPauseMilliseconds >= (ulong)_terms.LongestPause.TotalMilliseconds || _state.PausedMilliseconds >= PauseCap(_state))
            {
                _state = _state with { Phase = MeterPhase.Closed };
            }
        }
    }

    /// <summary>The unpaid pause that a lease may have in all: the longest single one and 5 % of the time paid for and served.</summary>
    private ulong PauseCap(MeterState state) =>
        (ulong)_terms.LongestPause.TotalMilliseconds + (Math.Min(PaidMilliseconds(), state.ActiveMilliseconds) / 20);

    private ulong PaidMilliseconds() => _state.Authorised.PaysFor(_terms.PricePerSecond);

    private long ToTimestamp(TimeSpan span) => (long)(span.TotalSeconds * _time.TimestampFrequency);

    private static ulong SaturatingAdd(ulong a, ulong b) => a + b < a ? ulong.MaxValue : a + b;
}
