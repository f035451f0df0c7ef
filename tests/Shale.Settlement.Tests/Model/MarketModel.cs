using System.Numerics;
using Shale.Bn254.BabyJubjub;
using Shale.Bn254.Fields;
using Shale.Settlement.Circuit;

namespace Shale.Settlement.Tests.Model;

internal enum LeaseStanding
{
    Active,
    Closing,
    Frozen,
    Closed,
}

/// <summary>A lease as the contract has it on record.</summary>
internal sealed record LeaseRecord(ulong Id, int Slot, BabyJubjubPoint Key)
{
    public UInt128 Deposit { get; set; }

    public LeaseStanding Standing { get; set; }

    /// <summary>What the client got back when it ended.</summary>
    public UInt128 Refunded { get; set; }

    /// <summary>Frozen: the root at that time, and whether the lease was fresh.</summary>
    public Fr FrozenRoot { get; set; }

    public bool FrozenFresh { get; set; }
}

/// <summary>
/// One page of the market contract as an executable specification: settle, topUp, freeze and finish as docs/SETTLEMENT.md and the design say them,
/// without an EVM. Whether a proof holds is asked of the caller.
/// </summary>
internal sealed class MarketModel(int slots, Fr domain, ulong pageKey)
{
    private readonly Dictionary<ulong, LeaseRecord> _leases = [];

    public int Slots => slots;

    public Fr Domain => domain;

    public Fr PageKey { get; } = Fr.FromUInt64(pageKey);

    public Fr Root { get; set; }

    public bool[] Live { get; } = new bool[slots];

    public bool[] Fresh { get; } = new bool[slots];

    /// <summary>The leases' deposits less what was paid and refunded.</summary>
    public UInt128 Pool { get; private set; }

    public UInt128 Earned { get; private set; }

    public IReadOnlyDictionary<ulong, LeaseRecord> Leases => _leases;

    /// <summary>The client confirms: deposit in, slot handed out.</summary>
    public void Confirm(ulong id, int slot, BabyJubjubPoint key, UInt128 deposit)
    {
        _leases.Add(id, new LeaseRecord(id, slot, key) { Deposit = deposit });
        Live[slot] = Fresh[slot] = true;
        Pool += deposit;
    }

    public void TopUp(ulong id, UInt128 amount)
    {
        _leases[id].Deposit += amount;
        Pool += amount;
    }

    /// <summary>The client leaves alone: remembers the root and the fresh bit, clears both bits, frees the slot.</summary>
    public void Freeze(ulong id)
    {
        LeaseRecord lease = _leases[id];
        (lease.Standing, lease.FrozenRoot, lease.FrozenFresh) = (LeaseStanding.Frozen, Root, Fresh[lease.Slot]);
        Live[lease.Slot] = Fresh[lease.Slot] = false;
    }

    /// <summary>Refunds a frozen lease: whole if it was fresh, else the recorded deposit less what the leaf under the frozen root says.</summary>
    public void Finish(ulong id, UInt128 claimedByTheLeaf)
    {
        LeaseRecord lease = _leases[id];
        Refund(lease, lease.Deposit - (lease.FrozenFresh ? 0 : claimedByTheLeaf));
    }

    /// <summary>settle: changes nothing unless it returns <see cref="ContractRefusal.None"/>.</summary>
    public ContractRefusal Settle(SettleCall call, Func<Fr, Fr, Fr, bool> proofHolds)
    {
        if (call.NewRoot >= Fr.Modulus || call.Paid >= Fr.Modulus || call.C >= Fr.Modulus)
        {
            return ContractRefusal.NotCanonical;
        }

        ContractRefusal refusal = call.TryReadEntries(slots, out List<CallEntry> entries);
        if (refusal != ContractRefusal.None)
        {
            return refusal;
        }

        refusal = entries.Select(Check).FirstOrDefault(r => r != ContractRefusal.None);
        if (refusal != ContractRefusal.None)
        {
            return refusal;
        }

        BigInteger refunds = entries.Where(e => e.Close).Aggregate(BigInteger.Zero, (sum, e) => sum + (BigInteger)(_leases[e.Lease!.Value].Deposit - e.Claimed));
        if (call.Paid + refunds > (BigInteger)Pool)
        {
            return ContractRefusal.PoolExceeded;
        }

        Fr c = Fr.FromBigInteger(call.C);
        Fr[] list = List(call, entries);
        Fr r = PublicList.Challenge(c, list);
        if (!proofHolds(c, r, PublicList.Evaluate(list, r)))
        {
            return ContractRefusal.ProofRefused;
        }

        Apply(call, entries);
        return ContractRefusal.None;
    }

    /// <summary>The public list as the contract sees it: from storage and the call.</summary>
    public Fr[] List(SettleCall call, IReadOnlyList<CallEntry> entries)
    {
        var list = new Fr[PublicList.Length(slots)];
        (list[0], list[1], list[2], list[3], list[4]) = (domain, PageKey, Root, Fr.FromBigInteger(call.NewRoot), Fr.FromBigInteger(call.Paid));
        foreach (CallEntry entry in entries)
        {
            Span<Fr> words = list.AsSpan(PublicList.HeaderLength + (PublicList.SlotLength * entry.Slot), PublicList.SlotLength);
            words[0] = Fr.FromUInt128((entry.Claimed << 8) + (UInt128)(entry.Flags & 15));
            if (entry.Sync)
            {
                LeaseRecord record = _leases[entry.Lease!.Value];
                (words[1], words[2], words[3], words[4]) = (Fr.FromUInt64(record.Id), record.Key.X, record.Key.Y, Fr.FromUInt128(entry.Deposit));
            }
        }

        return list;
    }

    private ContractRefusal Check(CallEntry entry)
    {
        if (entry.Lease is { } id)
        {
            if (!_leases.TryGetValue(id, out LeaseRecord? record) || record.Slot != entry.Slot)
            {
                return ContractRefusal.WrongRecord;
            }

            if (record.Standing is not (LeaseStanding.Active or LeaseStanding.Closing))
            {
                return ContractRefusal.NotOpen;
            }

            if ((entry.Sync && entry.Deposit > record.Deposit) || (entry.Close && entry.Claimed > record.Deposit))
            {
                return ContractRefusal.AboveMaximum;
            }
        }

        return !Live[entry.Slot] ? ContractRefusal.NotLive
            : Fresh[entry.Slot] != entry.Fresh ? ContractRefusal.WrongFresh
            : ContractRefusal.None;
    }

    private void Apply(SettleCall call, List<CallEntry> entries)
    {
        Root = Fr.FromBigInteger(call.NewRoot);
        Pool -= (UInt128)call.Paid;
        Earned += (UInt128)call.Paid;
        foreach (CallEntry entry in entries)
        {
            Fresh[entry.Slot] = false;
            if (entry.Close)
            {
                Live[entry.Slot] = false;
                LeaseRecord lease = _leases[entry.Lease!.Value];
                Refund(lease, lease.Deposit - entry.Claimed);
            }
        }
    }

    private void Refund(LeaseRecord lease, UInt128 amount)
    {
        (lease.Standing, lease.Refunded) = (LeaseStanding.Closed, amount);
        Pool -= amount;
    }
}
