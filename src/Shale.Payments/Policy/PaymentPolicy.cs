using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Shale.Bn254.BabyJubjub;
using Shale.Payments.Channel;
using Shale.Payments.Log;
using Shale.Payments.Metering;
using Shale.Payments.Vouchers;

namespace Shale.Payments.Policy;

/// <summary>What the agent's user ought to hear of. Called while a gateway waits for its answer: take note and return at once.</summary>
public interface IPaymentEvents
{
    /// <summary>A voucher was signed and is durable.</summary>
    void Paid(ulong leaseId, SignedVoucher voucher, MeterStatement statement);

    /// <summary>A payment was refused.</summary>
    void Refused(ulong leaseId, RefusalMessage refusal);

    /// <summary>The gateway told something.</summary>
    void Noticed(ulong leaseId, NoticeMessage notice);

    /// <summary>The provider's log began again under another origin or key: what it showed before can't be compared any more.</summary>
    void LogReplaced(ulong leaseId, string before, string now);
}

/// <summary>Judges quality reports; the agent's user chose the limits.</summary>
public interface IQualityJudge
{
    /// <summary>The probe to ask for with the next voucher of a lease; empty for none.</summary>
    string NextProbe(ulong leaseId);

    /// <summary>The verdict on a report.</summary>
    VerdictMessage Judge(ulong leaseId, in ProbeMessage probe);

    /// <summary>Why the lease is no longer paid for its quality; null where it is.</summary>
    string? Objection(ulong leaseId);
}

/// <summary>
/// The agent's policy (docs/PROTOCOL.payment.md, section 6). It trusts its own clock, its own record and the chain, never the
/// gateway's word: a voucher is for at most price × the time that the agent itself saw pass, whatever is asked.
/// </summary>
public sealed class PaymentPolicy : IPayerPolicy
{
    /// <summary>Clocks differ and messages travel: so much more is granted, once, not per charge.</summary>
    public const ulong SlackMilliseconds = 2000;

    private readonly Lock _lock = new();
    private readonly Dictionary<ulong, LeaseAccount> _accounts = [];
    private readonly EdDsaPrivateKey _key;
    private readonly ILeaseFacts _facts;
    private readonly IAgentClock _clock;
    private readonly Func<ulong, IVoucherJournal> _openJournal;
    private readonly IPaymentEvents _events;
    private readonly IQualityJudge? _quality;
    private SpendingPolicy _spending;

    /// <summary>The policy of one payment key.</summary>
    /// <param name="key">Signs; stays the caller's.</param>
    /// <param name="facts">What the chain says.</param>
    /// <param name="spending">What the user allows.</param>
    /// <param name="clock">The agent's clock.</param>
    /// <param name="openJournal">Opens the record of a lease, once per lease.</param>
    /// <param name="events">Told of everything.</param>
    /// <param name="quality">Judges quality; null: nothing is probed.</param>
    public PaymentPolicy(
        EdDsaPrivateKey key,
        ILeaseFacts facts,
        SpendingPolicy spending,
        IAgentClock clock,
        Func<ulong, IVoucherJournal> openJournal,
        IPaymentEvents events,
        IQualityJudge? quality = null)
    {
        _key = key;
        _facts = facts;
        _spending = spending;
        _clock = clock;
        _openJournal = openJournal;
        _events = events;
        _quality = quality;
    }

    /// <summary>
    /// The service's pause limit that the agent reckons with: between two vouchers no more than window and grace can have been
    /// served. The protocol's default; a gateway with a longer grace is not paid for it in one go.
    /// </summary>
    public TimeSpan Grace { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>What the user allows, from now on.</summary>
    public SpendingPolicy Spending
    {
        get
        {
            lock (_lock)
            {
                return _spending;
            }
        }

        set
        {
            lock (_lock)
            {
                _spending = value;
            }
        }
    }

    /// <summary>The newest record of a lease that this agent has paid since it started.</summary>
    public LeaseRecord? RecordOf(ulong leaseId)
    {
        lock (_lock)
        {
            return _accounts.GetValueOrDefault(leaseId)?.Record;
        }
    }

    /// <inheritdoc/>
    public HelloDecision Hello(ulong leaseId, in HelloMessage hello, GatewayIdentity gateway)
    {
        lock (_lock)
        {
            if (JudgeHello(leaseId, hello, gateway) is { } refusal)
            {
                _events.Refused(leaseId, refusal);
                return new HelloDecision(refusal);
            }

            LeaseFacts facts = _facts.Find(leaseId)!;
            LeaseAccount account;
            try
            {
                account = AccountOf(leaseId);
            }
            catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
            {
                return Refuse(leaseId, RefusalReason.RecordFailure, "The agent can't read its own record: " + cause.Message);
            }

            if (hello.Standing is { } theirs && theirs.Voucher.Voucher.Cumulative > account.Authorised)
            {
                // The agent's record is behind what this key signed: lost, or an old copy. Its own signature brings it back.
                if (theirs.Voucher.Voucher.LeaseId != leaseId || !theirs.Voucher.Verify(_key.PublicKey, facts.Domain))
                {
                    return Refuse(leaseId, RefusalReason.Backwards, "The gateway shows a voucher that this key did not sign.");
                }

                account.Recover(theirs, facts, _clock.Read());
            }

            account.NameLog(hello.LogVerifier, _events);
            return new HelloDecision(
                new PayableLease(this, leaseId, hello.LogVerifier),
                new WelcomeMessage(
                    Math.Min(hello.NewestVersion, PaymentProtocol.Version),
                    (uint)_spending.Prepay.TotalMilliseconds,
                    account.LogSize,
                    account.Standing));
        }
    }

    private RefusalMessage? JudgeHello(ulong leaseId, in HelloMessage hello, GatewayIdentity gateway)
    {
        if (hello.LeaseId != leaseId)
        {
            return new RefusalMessage(RefusalReason.UnknownLease, $"The gateway greets for lease {hello.LeaseId} on the socket of lease {leaseId}.");
        }

        if (_facts.Find(leaseId) is not { } facts)
        {
            return new RefusalMessage(RefusalReason.UnknownLease, $"The chain shows no lease {leaseId} of this wallet.");
        }

        if (_spending.Leases is { } allowed && !allowed.Contains(leaseId))
        {
            return new RefusalMessage(RefusalReason.UnknownLease, $"The policy does not pay for lease {leaseId}.");
        }

        switch (gateway)
        {
            case GatewayIdentity.HostKey host when !facts.IsHostKey(host.Blob.Span):
                return new RefusalMessage(RefusalReason.WrongHost, $"This host's key is not one that {facts.Provider} registered on chain.");
            case GatewayIdentity.Unbound when !_spending.AllowUnbound.Contains(leaseId):
                return new RefusalMessage(
                    RefusalReason.WrongHost,
                    $"This ssh client does not say which host it reached. To pay all the same: shale agent policy --allow-unbound={leaseId}");
            default:
                break;
        }

        if (hello.ChainId != facts.ChainId || !hello.Contract.Span.SequenceEqual(facts.Contract.Span) ||
            hello.Provider != facts.Provider || hello.PricePerSecond != facts.PricePerSecond)
        {
            return new RefusalMessage(RefusalReason.WrongTerms, "The gateway's terms are not those on chain.");
        }

        return _spending.MaxPricePerSecond is { } most && facts.PricePerSecond > most
            ? new RefusalMessage(RefusalReason.WrongTerms, $"The price of {facts.PricePerSecond.ToFilString()} FIL/s is above the policy's {most.ToFilString()} FIL/s.")
            : null;
    }

    private ChargeDecision Charge(ulong leaseId, string logVerifier, in ChargeMessage charge)
    {
        lock (_lock)
        {
            ChargeDecision decision = Decide(leaseId, logVerifier, charge);
            if (decision.Payment is { } payment)
            {
                _events.Paid(leaseId, payment.Voucher, charge.Statement);
            }
            else
            {
                _events.Refused(leaseId, decision.Refusal);
            }

            return decision;
        }
    }

    private ChargeDecision Decide(ulong leaseId, string logVerifier, in ChargeMessage charge)
    {
        // Everything that may have changed since the hello is looked at again.
        if (_facts.Find(leaseId) is not { } facts)
        {
            return ChargeDecision.Refuse(RefusalReason.UnknownLease, $"The chain no longer shows lease {leaseId} as this wallet's.");
        }

        if (_spending.StopAll || _spending.Stopped.Contains(leaseId))
        {
            return ChargeDecision.Refuse(RefusalReason.StoppedByUser, "The user stopped paying for this lease.");
        }

        if (_quality?.Objection(leaseId) is { } objection)
        {
            return ChargeDecision.Refuse(RefusalReason.Quality, objection);
        }

        LeaseAccount account = _accounts[leaseId];
        MeterStatement statement = charge.Statement;
        if (statement.LeaseId != leaseId)
        {
            return ChargeDecision.Refuse(RefusalReason.UnknownLease, "The statement is another lease's.");
        }

        if (account.Standing is { } last && !statement.CanFollow(last.Statement))
        {
            return ChargeDecision.Refuse(RefusalReason.Backwards, "The meter's statement goes backwards.");
        }

        if (charge.Asked < account.Authorised)
        {
            return ChargeDecision.Refuse(
                RefusalReason.Backwards, $"The gateway asks {charge.Asked.ToFilString()} FIL in all, but {account.Authorised.ToFilString()} FIL are signed already: the two sides disagree.");
        }

        if (charge.Asked > AttoFil.Max(account.Authorised, AttoFil.Cost(facts.PricePerSecond, SaturatingAdd(statement.ActiveMilliseconds, statement.WindowMilliseconds))))
        {
            return ChargeDecision.Refuse(RefusalReason.TooFast, "The gateway asks for more than its own statement accounts for.");
        }

        if (charge.ProofFrom != account.LogSize)
        {
            return new ChargeDecision(null, new RefusalMessage(
                RefusalReason.StaleCheckpoint, "The log's proof starts at another checkpoint than the last one shown.", account.LogSize));
        }

        if (!TryFollowLog(account, logVerifier, charge, out Checkpoint? checkpoint))
        {
            return ChargeDecision.Refuse(
                RefusalReason.LogContradiction, "The provider's log contradicts what it showed before. Keep the agent's log: it is evidence.");
        }

        return Sign(account, facts, charge, checkpoint);
    }

    private ChargeDecision Sign(LeaseAccount account, LeaseFacts facts, in ChargeMessage charge, Checkpoint checkpoint)
    {
        ClockReading now = _clock.Read();
        ulong window = (ulong)_spending.Prepay.TotalMilliseconds;
        ulong seen = account.Seen(now, window + (ulong)Grace.TotalMilliseconds);
        AttoFil byTime = AttoFil.Cost(facts.PricePerSecond, seen + window + SlackMilliseconds);
        (AttoFil budget, string budgetName) = Budget(account, facts, now);
        AttoFil amount = AttoFil.Min(charge.Asked, AttoFil.Min(byTime, budget));
        if (amount <= account.Authorised && charge.Asked > account.Authorised)
        {
            // Cut to nothing: a voucher would say no more than the last one. Nothing moves.
            return byTime < budget
                ? ChargeDecision.Refuse(RefusalReason.TooFast, "More time is claimed than this machine saw pass.")
                : ChargeDecision.Refuse(RefusalReason.OverBudget, budgetName);
        }

        amount = AttoFil.Max(amount, account.Authorised);
        SignedVoucher voucher = new Voucher(facts.LeaseId, amount, charge.Statement.Digest()).Sign(_key, facts.Domain);
        ulong served = Math.Max(account.Served, Math.Min(seen, SaturatingAdd(charge.Statement.ActiveMilliseconds, SlackMilliseconds)));
        try
        {
            account.Append(new Standing(voucher, charge.Statement), served, now, amount - account.Authorised, checkpoint);
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
        {
            // The signature is dropped: what is not in the agent's log is never sent.
            return ChargeDecision.Refuse(RefusalReason.RecordFailure, "The agent can't write its own log: " + cause.Message);
        }

        return new ChargeDecision(new PaymentMessage(voucher, _quality?.NextProbe(facts.LeaseId) ?? ""), default);
    }

    /// <summary>The most that may be authorised on the lease, and what to tell where that is the limit.</summary>
    private (AttoFil Most, string Text) Budget(LeaseAccount account, LeaseFacts facts, in ClockReading now)
    {
        (AttoFil most, string text) = (facts.Deposit, $"The deposit of {facts.Deposit.ToFilString()} FIL is used up; add to it with: shale top-up {facts.LeaseId.ToString(CultureInfo.InvariantCulture)}");
        if (_spending.LeaseBudget is { } lease && lease < most)
        {
            (most, text) = (lease, $"The budget of {lease.ToFilString()} FIL for this lease is used up.");
        }

        if (_spending.DayBudget is { } day)
        {
            AttoFil spent = AttoFil.Zero;
            foreach (LeaseAccount other in _accounts.Values)
            {
                spent += other.SpentOn(DayOf(now));
            }

            AttoFil left = AttoFil.SubtractToZero(day, spent);
            AttoFil byDay = left > AttoFil.SubtractToZero(AttoFil.MaxValue, account.Authorised) ? AttoFil.MaxValue : account.Authorised + left;
            if (byDay < most)
            {
                (most, text) = (byDay, $"Today's budget of {day.ToFilString()} FIL is used up.");
            }
        }

        return (most, text);
    }

    private static bool TryFollowLog(LeaseAccount account, string verifierKey, in ChargeMessage charge, [NotNullWhen(true)] out Checkpoint? checkpoint)
    {
        checkpoint = null;
        if (!NoteVerifier.TryParse(verifierKey, out NoteVerifier? verifier) || !Checkpoint.TryOpen(charge.Checkpoint, verifier, out Checkpoint opened) ||
            opened.Size < 0 || (ulong)opened.Size != charge.Statement.LogSize || opened.Root != charge.Statement.LogRoot)
        {
            return false;
        }

        checkpoint = opened;
        return account.LogSize == 0
            ? charge.Proof.Count == 0
            : (ulong)opened.Size >= account.LogSize &&
              MerkleProof.VerifyConsistency((long)account.LogSize, opened.Size, account.LogRoot, opened.Root, [.. charge.Proof]);
    }

    /// <summary>
    /// The account of a lease. All of a wallet's accounts count against the day's budget, so a lease that was paid before the
    /// agent started is opened with the first that greets.
    /// </summary>
    private LeaseAccount AccountOf(ulong leaseId)
    {
        if (!_accounts.TryGetValue(leaseId, out LeaseAccount? account))
        {
            _accounts.Add(leaseId, account = new LeaseAccount(_openJournal(leaseId)));
        }

        return account;
    }

    /// <summary>Opens the records of leases that were paid before, for the day's budget and for <see cref="RecordOf"/>.</summary>
    /// <exception cref="IOException">A record can't be read.</exception>
    public void OpenRecords(IEnumerable<ulong> leaseIds)
    {
        lock (_lock)
        {
            foreach (ulong leaseId in leaseIds)
            {
                _ = AccountOf(leaseId);
            }
        }
    }

    private HelloDecision Refuse(ulong leaseId, RefusalReason reason, string text)
    {
        var refusal = new RefusalMessage(reason, text);
        _events.Refused(leaseId, refusal);
        return new HelloDecision(refusal);
    }

    internal static int DayOf(in ClockReading now) => (int)(Math.Max(0, now.WallMilliseconds) / 86_400_000);

    private static ulong SaturatingAdd(ulong a, ulong b) => a + b < a ? ulong.MaxValue : a + b;

    /// <summary>A connection's hold on a lease, after its hello.</summary>
    private sealed class PayableLease(PaymentPolicy policy, ulong leaseId, string logVerifier) : IPayableLease
    {
        public ChargeDecision Charge(in ChargeMessage charge) => policy.Charge(leaseId, logVerifier, charge);

        public void Notice(in NoticeMessage notice) => policy._events.Noticed(leaseId, notice);

        public VerdictMessage Probe(in ProbeMessage probe) =>
            policy._quality?.Judge(leaseId, probe) ?? new VerdictMessage(true, "");
    }
}
