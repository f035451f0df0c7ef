using Shale.Bn254.Fields;
using Shale.Settlement.Batching;
using Shale.Settlement.Circuit;
using Shale.Settlement.Claims;
using Shale.Settlement.Tests.Model;
using Shale.Settlement.Tests.Support;
using Shale.Settlement.Tests.Vectors;

namespace Shale.Settlement.Tests.Forgeries;

/// <summary>A dishonest settlement, and who has to refuse it.</summary>
/// <param name="Name">Its name in the corpus.</param>
/// <param name="Why">What is false.</param>
/// <param name="Step">The step of the published sequence in whose place it is tried.</param>
/// <param name="Circuit">Where the circuit refuses the prover's attempt (gadgets and assertion); null where it cannot know, and a proof exists.</param>
/// <param name="Contract">What the contract says, given that proof, or else the honest step's.</param>
/// <param name="Make">Makes it.</param>
internal sealed record Forgery(string Name, string Why, string Step, string? Circuit, ContractRefusal Contract, Func<ForgeryBase, ForgedClaim> Make)
{
    public override string ToString() => Name;
}

/// <summary>What the prover tries in the circuit, and what it sends.</summary>
internal sealed record ForgedClaim(Attempt Attempt, SettleCall Call);

/// <summary>The honest step that a forgery starts from.</summary>
internal sealed class ForgeryBase(SequenceStep step)
{
    public SequenceStep Step => step;

    public SettlementBatch Batch => step.Batch;

    public Fr Domain => SettlementSequence.Domain;

    public Fr PageKey => Batch.Statement.PageKey;

    /// <summary>The honest slots with one of them changed.</summary>
    public SettlementSlot[] With(int slot, Func<SettlementSlot, SettlementSlot> change)
    {
        SettlementSlot[] slots = [.. Batch.Statement.Slots];
        slots[slot] = change(slots[slot]);
        return slots;
    }

    /// <summary>An attempt with one slot changed, sent just as the circuit is told.</summary>
    public ForgedClaim Change(int slot, Func<SettlementSlot, SettlementSlot> change) => Send(Attempt.Of(Domain, PageKey, With(slot, change)));

    /// <summary>
    /// An attempt whose public list is the honest one, and a call for an amount that nobody signed: what is forged is private, so for the honest
    /// amount a good proof exists.
    /// </summary>
    public ForgedClaim Private(int slot, Func<SettlementSlot, SettlementSlot> change) => new(
        Attempt.Of(Domain, PageKey, With(slot, change)),
        Change(0, s => s with { New = s.New with { Claimed = s.New.Claimed + Fr.FromUInt128(SettlementSequence.Fil) } }).Call);

    /// <summary>The honest slots, but other things in the call.</summary>
    public ForgedClaim Send(Func<SettleCall, SettleCall> alter)
    {
        Attempt honest = Attempt.Of(Domain, PageKey, Batch.Statement.Slots);
        return new ForgedClaim(honest, alter(SequenceReplay.Honest(step)));
    }

    /// <summary>An attempt, and the call that says the same.</summary>
    public ForgedClaim Send(Attempt attempt, Func<SettleCall, SettleCall>? alter = null)
    {
        var entries = new List<SettlementEntry>();
        for (int i = 0; i < attempt.Statement.Slots.Count; i++)
        {
            SettlementSlot slot = attempt.Statement.Slots[i];
            if (!slot.Listed.IsZero)
            {
                EntryFlags close = Batch.Entries.Where(e => e.Slot == i).Select(e => e.Flags & EntryFlags.Close).FirstOrDefault();
                EntryFlags flags = EntryFlags.Listed | Flag(slot.Sync, EntryFlags.Sync) | Flag(slot.Fresh, EntryFlags.Fresh) | Flag(slot.Pay, EntryFlags.Pay) | close;
                entries.Add(new SettlementEntry(i, flags, Amount(slot.New.Claimed), (ulong)slot.New.LeaseId.ToBigInteger(), Amount(slot.New.Deposit)));
            }
        }

        SettleCall call = SequenceReplay.Call(attempt.List[3], 0, entries, attempt.Statement.C) with { Paid = attempt.List[4].ToBigInteger() };
        return new ForgedClaim(attempt, alter is null ? call : alter(call));
    }

    private static EntryFlags Flag(Fr bit, EntryFlags flag) => bit.IsZero ? EntryFlags.None : flag;

    /// <summary>An amount as it would be sent: what does not fit 96 bits loses its top.</summary>
    private static UInt128 Amount(Fr value) => (UInt128)(value.ToBigInteger() & Leaf.MaxAmount);
}
