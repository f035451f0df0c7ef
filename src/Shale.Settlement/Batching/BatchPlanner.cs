using Shale.Bn254.BabyJubjub;
using Shale.Bn254.Fields;
using Shale.Bn254.Poseidon;
using Shale.Payments.Vouchers;
using Shale.Settlement.Circuit;
using Shale.Settlement.Claims;

namespace Shale.Settlement.Batching;

/// <summary>
/// Makes a settlement of a page from what its contract has on record and the newest vouchers: decides slot by slot what can be settled,
/// leaves out what can't, and prepares the proof's statement. Thread-safe; does no I/O.
/// </summary>
/// <param name="domain">The voucher domain of chain and contract, element 0 of the public list.</param>
public sealed class BatchPlanner(Fr domain)
{
    /// <summary>A planner for the vouchers of a chain and contract.</summary>
    public BatchPlanner(in VoucherDomain domain)
        : this(domain.Element)
    {
    }

    /// <summary>Plans a settlement.</summary>
    /// <param name="provider">The provider's index in the registry.</param>
    /// <param name="page">The page's number.</param>
    /// <param name="state">The page's leaves. Their root must be the one that the contract stores.</param>
    /// <param name="records">What the contract has on record, by slot; null for a slot that no lease holds.</param>
    /// <param name="requests">What to do. Slots that aren't named stay as they are.</param>
    /// <exception cref="ArgumentException">Not one record per slot.</exception>
    public SettlementBatch Plan(uint provider, uint page, PageState state, IReadOnlyList<SlotRecord?> records, IReadOnlyList<SlotRequest> requests)
    {
        ArgumentNullException.ThrowIfNull(state);
        ArgumentNullException.ThrowIfNull(records);
        ArgumentNullException.ThrowIfNull(requests);
        if (records.Count != state.Slots)
        {
            throw new ArgumentException($"{records.Count} records for a page of {state.Slots} slots.", nameof(records));
        }

        var leftOut = new List<LeftOut>();
        var planned = new SortedDictionary<int, PlannedSlot>();
        var seen = new HashSet<int>();
        foreach (SlotRequest request in requests)
        {
            if (request.Slot < 0 || request.Slot >= state.Slots || !seen.Add(request.Slot))
            {
                leftOut.Add(new LeftOut(request.Slot, LeaveOutReason.NoSuchSlot));
            }
            else if (TryPlan(state, records[request.Slot], request, out PlannedSlot slot, out LeaveOutReason reason))
            {
                planned.Add(request.Slot, slot);
            }
            else
            {
                leftOut.Add(new LeftOut(request.Slot, reason));
            }
        }

        return Assemble(provider, page, state, planned, leftOut);
    }

    /// <summary>The message that a voucher's signature is over.</summary>
    public Fr Message(in SettlementVoucher voucher) =>
        Poseidon.Hash(domain, Fr.FromUInt64(voucher.LeaseId), Fr.FromUInt128(voucher.Cumulative), voucher.Statement);

    private bool TryPlan(PageState state, SlotRecord? held, in SlotRequest request, out PlannedSlot planned, out LeaveOutReason reason)
    {
        planned = default;
        if (held is not { } record)
        {
            reason = LeaveOutReason.Empty;
            return false;
        }

        if (!record.Live)
        {
            reason = LeaveOutReason.NotLive;
            return false;
        }

        Leaf? old = state.Leaves[request.Slot];
        if (!record.Fresh && (old is not { } known || known.LeaseId != record.LeaseId || known.Key != record.Key))
        {
            reason = LeaveOutReason.LeafMismatch;
            return false;
        }

        UInt128 before = record.Fresh ? UInt128.Zero : old!.Value.Claimed;
        SettlementVoucher? voucher = request.Voucher;
        if (voucher is { } same && same.Cumulative == before && same.LeaseId == record.LeaseId)
        {
            // Collected already: nothing to prove, and nothing wrong.
            voucher = null;
        }

        if (voucher is { } newest && !TryCheck(record, newest, before, out reason))
        {
            return false;
        }

        if (voucher is null && !request.Close)
        {
            reason = LeaveOutReason.NothingNew;
            return false;
        }

        if (record.Deposit < before)
        {
            reason = LeaveOutReason.DepositBelowClaimed;
            return false;
        }

        // A top-up is taken over only when the voucher needs it: 12 bytes of calldata and two words on chain less.
        UInt128 after = voucher?.Cumulative ?? before;
        bool sync = record.Fresh || after > old!.Value.Deposit;
        EntryFlags flags = EntryFlags.Listed
            | (sync ? EntryFlags.Sync : 0) | (record.Fresh ? EntryFlags.Fresh : 0)
            | (voucher is null ? 0 : EntryFlags.Pay) | (request.Close ? EntryFlags.Close : 0);
        var leaf = new Leaf(record.LeaseId, record.Key, sync ? record.Deposit : old!.Value.Deposit, after);
        planned = new PlannedSlot(flags, leaf, after - before, voucher);
        reason = default;
        return true;
    }

    private bool TryCheck(in SlotRecord record, in SettlementVoucher voucher, UInt128 claimed, out LeaveOutReason reason)
    {
        reason = default;
        if (voucher.LeaseId != record.LeaseId)
        {
            reason = LeaveOutReason.OtherLease;
        }
        else if (voucher.Cumulative < claimed)
        {
            reason = LeaveOutReason.BelowClaimed;
        }
        else if (voucher.Cumulative > record.Deposit || voucher.Cumulative > Leaf.MaxAmount)
        {
            reason = LeaveOutReason.AboveDeposit;
        }
        else if (!EdDsaPublicKey.TryCreate(record.Key, out EdDsaPublicKey? key))
        {
            reason = LeaveOutReason.UnusableKey;
        }
        else if (!EdDsa.Verify(key, Message(voucher), voucher.Signature))
        {
            reason = LeaveOutReason.WrongSignature;
        }
        else
        {
            return true;
        }

        return false;
    }

    private SettlementBatch Assemble(uint provider, uint page, PageState state, SortedDictionary<int, PlannedSlot> planned, List<LeftOut> leftOut)
    {
        PageState after = state.With(planned.Select(p => KeyValuePair.Create(p.Key, p.Value.Leaf)));
        UInt128 paid = planned.Values.Aggregate(UInt128.Zero, (sum, slot) => sum + slot.Paid);
        Fr pageKey = Fr.FromUInt64(((ulong)provider << 32) + page);
        var list = new Fr[PublicList.Length(state.Slots)];
        (list[0], list[1], list[2], list[3], list[4]) = (domain, pageKey, state.Root, after.Root, Fr.FromUInt128(paid));
        var slots = new SettlementSlot[state.Slots];
        for (int i = 0; i < slots.Length; i++)
        {
            slots[i] = planned.TryGetValue(i, out PlannedSlot slot) ? slot.ToWitness(state, i) : SettlementSlot.Unlisted(state.LeafHash(i));
            slot.WriteTo(list.AsSpan(PublicList.HeaderLength + (PublicList.SlotLength * i), PublicList.SlotLength));
        }

        Fr c = PublicList.Commit(state.Slots, list);
        Fr r = PublicList.Challenge(c, list);
        var statement = new SettlementStatement(domain, pageKey, slots, c, r, PublicList.Evaluate(list, r));
        return new SettlementBatch(
            provider, page, state, after, paid,
            [.. planned.Select(p => new SettlementEntry(p.Key, p.Value.Flags, p.Value.Leaf.Claimed, p.Value.Leaf.LeaseId, p.Value.Leaf.Deposit))],
            leftOut, list, statement);
    }
}
