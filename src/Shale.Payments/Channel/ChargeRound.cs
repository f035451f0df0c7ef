using Shale.Bn254.BabyJubjub;
using Shale.Payments.Log;
using Shale.Payments.Metering;
using Shale.Payments.Vouchers;

namespace Shale.Payments.Channel;

/// <summary>Makes vouchers durable before they are credited; the gateway writes them to its voucher log.</summary>
public interface IVoucherRecorder
{
    /// <summary>Completes when the voucher and its statement are on the disk.</summary>
    /// <exception cref="IOException">They are not.</exception>
    ValueTask RecordAsync(SignedVoucher voucher, MeterStatement statement, CancellationToken cancellation);

    /// <summary>The newest durable checkpoint, as a signed note.</summary>
    (Checkpoint Checkpoint, string Signed) NewestCheckpoint();

    /// <summary>Consistency between two sizes of the log, the newer one durable.</summary>
    IReadOnlyList<MerkleHash> ProveConsistency(long oldSize, long newSize);
}

/// <summary>How a round went.</summary>
public enum RoundStatus
{
    /// <summary>Nothing to ask for now, or another connection's charge is under way.</summary>
    Idle,

    /// <summary>Paid; service stands as it did.</summary>
    Paid,

    /// <summary>Paid; start or unpause the container.</summary>
    Resumed,

    /// <summary>Not paid; the text says why, for the user.</summary>
    Unpaid,

    /// <summary>Not paid through the gateway's own fault: the log can't be written.</summary>
    OwnFault,

    /// <summary>The two sides can't agree even after recovery: the lease has to stop.</summary>
    Disagreement,
}

/// <summary>The outcome of a hello or a charge.</summary>
/// <param name="Status">How it went.</param>
/// <param name="Text">Why, in one line; empty when paid.</param>
/// <param name="ProbeWanted">A probe that the agent asks for; empty for none.</param>
public readonly record struct RoundOutcome(RoundStatus Status, string Text = "", string ProbeWanted = "");

/// <summary>
/// One payer's dealings with one lease's meter: hello with its recovery, then charges. Verifies before it records and records
/// before it credits. The meter sees to it that of two connections one charges at a time.
/// </summary>
public sealed class ChargeRound
{
    private readonly Meter _meter;
    private readonly IPayer _payer;
    private readonly IVoucherRecorder _recorder;
    private readonly EdDsaPublicKey _payerKey;
    private readonly VoucherDomain _domain;
    private long _agentLogSize;

    /// <summary>Binds payer and meter.</summary>
    public ChargeRound(Meter meter, IPayer payer, IVoucherRecorder recorder, EdDsaPublicKey payerKey, VoucherDomain domain)
    {
        _meter = meter;
        _payer = payer;
        _recorder = recorder;
        _payerKey = payerKey;
        _domain = domain;
    }

    /// <summary>Greets. A newer voucher that the agent holds is taken over: both go on from the higher amount.</summary>
    /// <param name="hello">Everything but the standing, which the meter knows.</param>
    /// <param name="cancellation">Ends the wait.</param>
    public async ValueTask<RoundOutcome> GreetAsync(HelloMessage hello, CancellationToken cancellation)
    {
        MeterState state = _meter.Snapshot();
        Standing? standing = state is { Newest: { } voucher, NewestStatement: { } statement } ? new Standing(voucher, statement) : null;
        PayerAnswer<WelcomeMessage> answer = await _payer.HelloAsync(hello with { Standing = standing }, cancellation);
        if (answer.Status != PayerStatus.Answered)
        {
            return new RoundOutcome(RoundStatus.Unpaid, answer.Explain());
        }

        _agentLogSize = (long)Math.Min(answer.Message.LogSize, long.MaxValue);
        _meter.SetClientWindow(TimeSpan.FromMilliseconds(answer.Message.WindowMilliseconds));
        if (answer.Message.Standing is not { } theirs || !_meter.IsNewer(theirs.Voucher, theirs.Statement))
        {
            return new RoundOutcome(RoundStatus.Idle);
        }

        if (theirs.Voucher.Voucher.LeaseId != state.LeaseId || !theirs.Voucher.Verify(_payerKey, _domain))
        {
            return new RoundOutcome(RoundStatus.Disagreement, "The agent shows a voucher that the lease's payment key did not sign.");
        }

        if (theirs.Voucher.Voucher.Cumulative > _meter.Terms.Deposit)
        {
            return new RoundOutcome(RoundStatus.Disagreement, "The agent shows a voucher above the lease's deposit.");
        }

        await _meter.WriteTurn.WaitAsync(cancellation);
        try
        {
            if (!_meter.IsNewer(theirs.Voucher, theirs.Statement))
            {
                return new RoundOutcome(RoundStatus.Idle);
            }

            if (await TryRecordAsync(theirs.Voucher, theirs.Statement) is { } fault)
            {
                return fault;
            }

            return _meter.TryRecover(theirs.Voucher, theirs.Statement) switch
            {
                CreditResult.Resumed => new RoundOutcome(RoundStatus.Resumed),
                CreditResult.Credited => new RoundOutcome(RoundStatus.Paid),
                _ => new RoundOutcome(RoundStatus.Idle),
            };
        }
        finally
        {
            _meter.WriteTurn.Release();
        }
    }

    /// <summary>Asks once, if the meter has something to ask for.</summary>
    /// <param name="readings">The counters beside time.</param>
    /// <param name="isFinal">True to close the meter and ask for the final statement.</param>
    /// <param name="cancellation">Ends the wait; the charge is given up.</param>
    public async ValueTask<RoundOutcome> ChargeAsync(MeterReadings readings, bool isFinal, CancellationToken cancellation)
    {
        // Taken while the meter begins the charge: an older one would contradict what another connection's charge just showed.
        (Checkpoint Checkpoint, string Signed)? newest = null;
        Checkpoint Take()
        {
            (Checkpoint Checkpoint, string Signed) taken = _recorder.NewestCheckpoint();
            newest = taken;
            return taken.Checkpoint;
        }

        MeterCharge? charge = isFinal ? _meter.TryBeginFinalCharge(readings, Take) : _meter.TryBeginCharge(readings, Take);
        if (charge is null || newest is not { } shown)
        {
            return new RoundOutcome(RoundStatus.Idle);
        }

        try
        {
            return await AskAsync(charge, shown.Checkpoint, shown.Signed, cancellation);
        }
        finally
        {
            // Credited charges are no longer the meter's; for the others another try may follow at the next interval.
            _meter.Abandon(charge, _meter.Terms.Interval);
        }
    }

    private async ValueTask<RoundOutcome> AskAsync(MeterCharge charge, Checkpoint checkpoint, string signed, CancellationToken cancellation)
    {
        PayerAnswer<PaymentMessage> answer = default;
        for (int attempt = 0; attempt < 2; attempt++)
        {
            if (_agentLogSize > checkpoint.Size)
            {
                return new RoundOutcome(RoundStatus.Disagreement, "The agent saw a longer voucher log than this gateway has.");
            }

            IReadOnlyList<MerkleHash> proof = _agentLogSize == 0 ? [] : _recorder.ProveConsistency(_agentLogSize, checkpoint.Size);
            answer = await _payer.ChargeAsync(
                new ChargeMessage(charge.Statement, charge.Asked, signed, (ulong)_agentLogSize, proof), cancellation);
            if (answer.Status != PayerStatus.Refused || answer.Refusal.Reason != RefusalReason.StaleCheckpoint)
            {
                break;
            }

            // Another connection of the same lease has shown the agent more since; it says how much.
            _agentLogSize = (long)Math.Min(answer.Refusal.LogSize, long.MaxValue);
        }

        if (answer.Status == PayerStatus.Refused && answer.Refusal.Reason is RefusalReason.Backwards or RefusalReason.LogContradiction)
        {
            return new RoundOutcome(RoundStatus.Disagreement, answer.Explain());
        }

        if (answer.Status != PayerStatus.Answered)
        {
            return new RoundOutcome(RoundStatus.Unpaid, answer.Explain());
        }

        await _meter.WriteTurn.WaitAsync(cancellation);
        try
        {
            return await CreditAsync(charge, checkpoint, answer.Message);
        }
        finally
        {
            _meter.WriteTurn.Release();
        }
    }

    private async ValueTask<RoundOutcome> CreditAsync(MeterCharge charge, Checkpoint checkpoint, PaymentMessage payment)
    {
        SignedVoucher voucher = payment.Voucher;
        CreditResult check = _meter.Check(charge, voucher);
        if (check != CreditResult.Credited || !voucher.Verify(_payerKey, _domain))
        {
            return new RoundOutcome(RoundStatus.Unpaid, Explain(check));
        }

        // The agent accepted this checkpoint when it signed.
        _agentLogSize = checkpoint.Size;
        if (await TryRecordAsync(voucher, charge.Statement) is { } fault)
        {
            return fault;
        }

        CreditResult result = _meter.TryCredit(charge, voucher);
        return result switch
        {
            CreditResult.Credited => new RoundOutcome(RoundStatus.Paid, ProbeWanted: payment.ProbeWanted),
            CreditResult.Resumed => new RoundOutcome(RoundStatus.Resumed, ProbeWanted: payment.ProbeWanted),
            _ => new RoundOutcome(RoundStatus.Unpaid, Explain(result)),
        };
    }

    /// <summary>Not cancelled with the connection: a voucher whose fate is unknown would be neither credited nor asked again.</summary>
    private async ValueTask<RoundOutcome?> TryRecordAsync(SignedVoucher voucher, MeterStatement statement)
    {
        try
        {
            await _recorder.RecordAsync(voucher, statement, CancellationToken.None);
            _meter.SetOwnFault(false);
            return null;
        }
        catch (IOException cause)
        {
            _meter.SetOwnFault(true);
            return new RoundOutcome(RoundStatus.OwnFault, "The provider can't record payments at the moment: " + cause.Message);
        }
    }

    private static string Explain(CreditResult result) => result switch
    {
        CreditResult.Backwards => "The payment agent signed less than it had signed before.",
        CreditResult.TooMuch => "The payment agent signed more than was asked.",
        CreditResult.Foreign => "The payment agent signed for another lease or statement.",
        CreditResult.Stale => "The payment came after another connection's.",
        _ => "The payment agent's signature is wrong.",
    };
}
