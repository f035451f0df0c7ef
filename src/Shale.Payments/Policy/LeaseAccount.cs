using Shale.Payments.Channel;
using Shale.Payments.Log;
using Shale.Payments.Vouchers;

namespace Shale.Payments.Policy;

/// <summary>A lease's record in memory over its journal. The policy's lock guards it.</summary>
internal sealed class LeaseAccount(IVoucherJournal journal)
{
    private string? _logVerifier = journal.Newest?.LogVerifier;
    private ulong? _logSize;

    /// <summary>The newest record, durable or recovered; null before the first voucher.</summary>
    public LeaseRecord? Record { get; private set; } = journal.Newest;

    public Standing? Standing => Record?.Newest;

    public AttoFil Authorised => Standing?.Voucher.Voucher.Cumulative ?? AttoFil.Zero;

    public ulong Served => Record?.ServedMilliseconds ?? 0;

    /// <summary>The checkpoint accepted last; 0 for none, or where the log began again.</summary>
    public ulong LogSize => _logSize ?? Record?.LogSize ?? 0;

    public MerkleHash LogRoot => Record?.LogRoot ?? MerkleHash.Empty;

    /// <summary>
    /// s: the time served so far as this side saw it. Between two vouchers no more than window and grace can have been served,
    /// however long ago the last one was: that is what keeps a night offline from being charged in the morning.
    /// </summary>
    public ulong Seen(in ClockReading now, ulong longest) => Record is null ? 0 : Served + Math.Min(now.Since(Record.LastVoucher), longest);

    /// <summary>Days count forward only: a clock set back opens no second budget.</summary>
    public AttoFil SpentOn(int day) => Record is not null && day <= Record.Day ? Record.SpentToday : AttoFil.Zero;

    /// <summary>
    /// Starts again from a voucher that this key signed and this record lacks. The served time is the statement's, as far as the
    /// amount bears it out. Durable with the next voucher; until then the gateway has it.
    /// </summary>
    public void Recover(Standing theirs, LeaseFacts facts, in ClockReading now)
    {
        ulong served = Math.Min(theirs.Statement.ActiveMilliseconds, theirs.Voucher.Voucher.Cumulative.PaysFor(facts.PricePerSecond));
        Record = new LeaseRecord(
            theirs,
            Math.Max(Served, served),
            now,
            Record?.Day ?? PaymentPolicy.DayOf(now),
            Record?.SpentToday ?? AttoFil.Zero,
            Record?.LogVerifier ?? _logVerifier ?? "",
            Record?.LogSize ?? 0,
            LogRoot);
    }

    /// <summary>Another name or key means another log: what was seen of the old one proves nothing about it.</summary>
    public void NameLog(string verifier, IPaymentEvents events)
    {
        if (_logVerifier is { Length: > 0 } before && before != verifier)
        {
            _logSize = 0;
            events.LogReplaced(Record?.Newest.Statement.LeaseId ?? 0, before, verifier);
        }

        _logVerifier = verifier;
    }

    public void Append(Standing standing, ulong served, in ClockReading now, AttoFil increase, Checkpoint checkpoint)
    {
        int today = PaymentPolicy.DayOf(now);
        bool sameDay = Record is not null && today <= Record.Day;
        var next = new LeaseRecord(
            standing,
            served,
            now,
            sameDay ? Record!.Day : today,
            sameDay ? Record!.SpentToday + increase : increase,
            _logVerifier ?? "",
            (ulong)checkpoint.Size,
            checkpoint.Root);
        journal.Append(next);
        Record = next;
        _logSize = null;
    }
}
