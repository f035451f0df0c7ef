using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Shale.Bn254.BabyJubjub;
using Shale.Payments.Log;
using Shale.Payments.Metering;
using Shale.Payments.Vouchers;

namespace Shale.Payments.Audit;

/// <summary>What is known of one lease while its entries go by, and what each may be.</summary>
internal sealed class LeaseAudit
{
    private readonly LeaseOpened _terms;
    private readonly ulong _tolerance;
    private AttoFil _deposit;
    private MeterStatement? _statement;
    private LeasePauseChanged? _pause;
    private long _time;
    private ulong _active;
    private long _activeAt;
    private bool _closed;

    public LeaseAudit(LeaseOpened terms, TimeSpan tolerance)
    {
        _terms = terms;
        _deposit = terms.Deposit;
        _time = _activeAt = terms.UnixMilliseconds;
        _tolerance = (ulong)tolerance.TotalMilliseconds;
        Payer = EdDsaPublicKey.TryRead(terms.PayerKey.Span, out var payer) ? payer : null;
        Domain = VoucherDomain.Create(terms.ChainId, terms.Contract.Span);
    }

    /// <summary>The payment key; null where the opening entry holds none that is valid.</summary>
    public EdDsaPublicKey? Payer { get; }

    public VoucherDomain Domain { get; }

    public AttoFil Authorised { get; private set; }

    public AttoFil Settled { get; private set; }

    /// <summary>Checks an entry and takes it up. Each problem is a code and a sentence.</summary>
    /// <returns>The entry's meter statement; null where it has none, or none of this lease that can be read.</returns>
    public MeterStatement? Apply(LogEntry entry, Action<string, string> problem)
    {
        MeterStatement? statement = null;
        if (_closed && entry is not LeaseSettled)
        {
            problem("order", "an entry follows the lease's closing");
        }

        if (entry.UnixMilliseconds + (long)_tolerance < _time)
        {
            problem("time", string.Create(CultureInfo.InvariantCulture, $"the clock went back by {_time - entry.UnixMilliseconds} ms"));
        }

        switch (entry)
        {
            case LeaseOpened:
                problem("order", "the lease is opened a second time");
                break;
            case VoucherAccepted voucher:
                statement = ApplyVoucher(voucher, problem);
                break;
            case LeasePauseChanged pause:
                ApplyPause(pause, problem);
                break;
            case LeaseClosed closed:
                _closed = true;
                ApplyStatement(closed.FinalStatement.Span, closed.UnixMilliseconds, problem, out statement);
                break;
            case LeaseSettled settled:
                ApplySettled(settled, problem);
                break;
            case DepositChanged deposit:
                if (deposit.Deposit < _deposit)
                {
                    problem("deposit", $"the deposit falls from {_deposit} to {deposit.Deposit} attoFIL");
                }

                _deposit = deposit.Deposit;
                break;
        }

        _time = Math.Max(_time, entry.UnixMilliseconds);
        return statement;
    }

    private MeterStatement? ApplyVoucher(VoucherAccepted accepted, Action<string, string> problem)
    {
        var voucher = accepted.Voucher.Voucher;
        if (Payer is null)
        {
            problem("key", "the lease was opened with a payment key that is not a valid point");
        }

        if (voucher.Cumulative < Authorised)
        {
            problem("amount", $"the amount falls from {Authorised} to {voucher.Cumulative} attoFIL");
        }

        if (voucher.Cumulative > _deposit)
        {
            problem("amount", $"the amount of {voucher.Cumulative} attoFIL is above the deposit of {_deposit}");
        }

        if (StatementDigest.Of(accepted.Statement.Span) != voucher.Statement)
        {
            problem("statement", "the voucher does not sign the statement beside it");
        }

        if (ApplyStatement(accepted.Statement.Span, accepted.UnixMilliseconds, problem, out var statement))
        {
            // What was paid ahead stays paid: the final statement has no window, and asks for no less.
            var most = AttoFil.Max(Authorised, AttoFil.Cost(_terms.PricePerSecond, statement.ActiveMilliseconds + statement.WindowMilliseconds));
            if (voucher.Cumulative > most)
            {
                problem("amount", $"the amount of {voucher.Cumulative} attoFIL is above price × (time + window), {most}");
            }
        }

        Authorised = AttoFil.Max(Authorised, voucher.Cumulative);
        return statement;
    }

    private bool ApplyStatement(ReadOnlySpan<byte> bytes, long time, Action<string, string> problem, [NotNullWhen(true)] out MeterStatement? statement)
    {
        if (!MeterStatement.TryRead(bytes, out statement) || statement.LeaseId != _terms.LeaseId)
        {
            problem("statement", "the meter statement can't be read, or is another lease's");
            statement = null;
            return false;
        }

        // The closing repeats the final statement where the client signed it.
        var repeated = statement.IsFinal && statement.Equals(_statement);
        if (_statement is not null && !repeated && !statement.CanFollow(_statement))
        {
            problem("statement", string.Create(CultureInfo.InvariantCulture, $"meter statement {statement.Sequence} can't follow {_statement.Sequence}: a counter falls or a number repeats"));
        }

        CheckActive(statement.ActiveMilliseconds, time, problem);
        _statement = statement;
        return true;
    }

    private void ApplyPause(LeasePauseChanged pause, Action<string, string> problem)
    {
        if (pause.IsPaused == (_pause is { IsPaused: true }))
        {
            problem("pause", pause.IsPaused ? "the lease is paused while it is paused" : "the lease is resumed while it is not paused");
        }

        if (!pause.IsPaused && _pause is { IsPaused: true } before && pause.ActiveMilliseconds != before.ActiveMilliseconds)
        {
            problem("pause", "time was metered as served while the lease was paused");
        }

        if (pause.IsPaused)
        {
            CheckActive(pause.ActiveMilliseconds, pause.UnixMilliseconds, problem);
            var consumed = AttoFil.Cost(_terms.PricePerSecond, pause.ActiveMilliseconds);
            if (consumed < Authorised)
            {
                problem("pause", $"the lease is paused though {Authorised} attoFIL are authorised and only {consumed} consumed");
            }

            if (consumed > Authorised + AttoFil.Cost(_terms.PricePerSecond, _terms.GraceMilliseconds + _tolerance))
            {
                problem("grace", $"{consumed} attoFIL were consumed where {Authorised} are authorised: more than the grace");
            }
        }

        // From here on time is served again, or none is.
        _activeAt = Math.Max(_activeAt, pause.UnixMilliseconds);
        _pause = pause;
    }

    /// <summary>No more time is served than goes by, and none while paused.</summary>
    private void CheckActive(ulong active, long time, Action<string, string> problem)
    {
        // Since an entry last told of it: one of a deposit or a settlement may have come between.
        var elapsed = (ulong)Math.Max(0, time - _activeAt);
        var most = _pause is { IsPaused: true } ? _active : _active + elapsed + _tolerance;
        if (active > most)
        {
            problem("time", string.Create(CultureInfo.InvariantCulture, $"{active} ms are metered as served, at most {most} can be"));
        }

        _active = Math.Max(_active, active);
        _activeAt = Math.Max(_activeAt, time);
    }

    private void ApplySettled(LeaseSettled settled, Action<string, string> problem)
    {
        if (settled.Claimed > Authorised)
        {
            problem("settlement", $"{settled.Claimed} attoFIL were claimed where {Authorised} are authorised");
        }

        if (settled.Claimed < Settled)
        {
            problem("settlement", $"the claim falls from {Settled} to {settled.Claimed} attoFIL");
        }

        Settled = AttoFil.Max(Settled, settled.Claimed);
    }
}
