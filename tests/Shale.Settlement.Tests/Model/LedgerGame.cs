using Shale.Bn254.BabyJubjub;
using Shale.Bn254.Fields;
using Shale.Settlement.Batching;
using Shale.Settlement.Circuit;
using Shale.Settlement.Claims;
using Shale.Settlement.Tests.Support;

namespace Shale.Settlement.Tests.Model;

/// <summary>
/// A dishonest provider against honest clients on one small page: it proves whatever the circuit takes, calls whatever it likes, and clients
/// confirm, top up, sign, leave alone. After every step the ledger must be as the design promises.
/// </summary>
internal sealed class LedgerGame
{
    private readonly Random _random;
    private readonly MarketModel _market;
    private readonly LeafFields?[] _leaves;
    private readonly List<LeafFields> _past = [];
    private readonly HashSet<SignedVoucher> _signed = [];
    private readonly Dictionary<ulong, UInt128> _authorised = [];
    private readonly Dictionary<ulong, UInt128> _paid = [];
    private readonly Dictionary<ulong, LeafFields?> _frozen = [];
    private ulong _nextLease = 1;

    public LedgerGame(int slots, int seed)
    {
        _random = new Random(seed);
        _market = new MarketModel(slots, Fr.FromUInt64(0xd0), 1UL << 32) { Root = PageState.Empty(slots).Root };
        _leaves = new LeafFields?[slots];
    }

    public int Settled { get; private set; }

    public int Refused { get; private set; }

    public int Finished { get; private set; }

    public void Step()
    {
        switch (_random.Next(12))
        {
            case 0 or 1:
                Confirm();
                break;
            case 2:
                TopUp();
                break;
            case 3 or 4:
                Sign();
                break;
            case 5 when _random.Next(3) == 0:
                Freeze();
                break;
            case 6:
                Finish();
                break;
            default:
                Settle();
                break;
        }

        Check();
    }

    private void Confirm()
    {
        int[] free = [.. Enumerable.Range(0, _market.Slots).Where(s => !_market.Live[s])];
        if (free.Length > 0)
        {
            // Clients may use one key for several leases.
            _market.Confirm(_nextLease, Pick(free), TestKeys.Point(_random.Next(2)), (UInt128)_random.Next(1, 20));
            _paid[_nextLease] = _authorised[_nextLease] = 0;
            _nextLease++;
        }
    }

    private void TopUp()
    {
        if (TryPickLease(LeaseStanding.Active, out LeaseRecord lease))
        {
            _market.TopUp(lease.Id, (UInt128)_random.Next(1, 5));
        }
    }

    private void Sign()
    {
        if (TryPickLease(LeaseStanding.Active, out LeaseRecord lease))
        {
            UInt128 more = _authorised[lease.Id] + (UInt128)_random.Next(0, 6);
            _authorised[lease.Id] = more > lease.Deposit ? lease.Deposit : more;
            _signed.Add(new SignedVoucher(lease.Id, lease.Key.X, lease.Key.Y, _authorised[lease.Id]));
        }
    }

    private void Freeze()
    {
        if (TryPickLease(LeaseStanding.Active, out LeaseRecord lease))
        {
            _market.Freeze(lease.Id);
            _frozen[lease.Id] = _leaves[lease.Slot];
        }
    }

    private void Finish()
    {
        if (TryPickLease(LeaseStanding.Frozen, out LeaseRecord lease))
        {
            // The client always has the leaf that it needs: under the frozen root stands this lease's own.
            LeafFields? leaf = _frozen[lease.Id];
            if (!lease.FrozenFresh && (leaf is not { } own || own.LeaseId != Fr.FromUInt64(lease.Id)))
            {
                throw new InvalidOperationException($"Lease {lease.Id} cannot be finished: its leaf is not under the frozen root.");
            }

            _market.Finish(lease.Id, leaf is { } known ? (UInt128)known.Claimed.ToBigInteger() : 0);
            Finished++;
        }
    }

    private void Settle()
    {
        SettlementSlot[] slots = [.. Enumerable.Range(0, _market.Slots).Select(Entry)];
        Attempt attempt = Attempt.Of(_market.Domain, _market.PageKey, slots);
        SettleCall call = Call(attempt);
        bool provable = slots.All(s => IdealCircuit.Accepts(s, _signed));
        ContractRefusal refusal = _market.Settle(call, (c, r, d) => provable && (c, r, d) == (attempt.Statement.C, attempt.Statement.R, attempt.Statement.D));
        if (refusal != ContractRefusal.None)
        {
            Refused++;
            return;
        }

        for (int i = 0; i < slots.Length; i++)
        {
            if (slots[i].Listed.IsZero)
            {
                continue;
            }

            if (_leaves[i] is { } replaced)
            {
                _past.Add(replaced);
            }

            _leaves[i] = slots[i].New;
            UInt128 before = slots[i].Fresh.IsZero ? (UInt128)slots[i].Old.Claimed.ToBigInteger() : 0;
            _paid[(ulong)slots[i].New.LeaseId.ToBigInteger()] += (UInt128)slots[i].New.Claimed.ToBigInteger() - before;
            Settled++;
        }
    }

    /// <summary>An entry, mostly sensible, each part of which may be chosen to cheat.</summary>
    private SettlementSlot Entry(int slot)
    {
        Fr hash = _leaves[slot] is { } leaf ? Attempt.LeafHash(leaf) : Fr.Zero;
        LeaseRecord? here = _market.Leases.Values.LastOrDefault(l => l.Slot == slot);
        if (here is null || _random.Next(3) == 0)
        {
            return SettlementSlot.Unlisted(hash);
        }

        LeaseRecord lease = Cheats() ? Pick([.. _market.Leases.Values]) : here;
        LeafFields old = Cheats() && _past.Count > 0 ? Pick(_past) : _leaves[slot] ?? default;
        bool fresh = Cheats() ? _random.Next(2) == 0 : _market.Fresh[slot];
        bool sync = fresh || (Cheats() ? _random.Next(2) == 0 : _random.Next(3) == 0);
        bool pay = _random.Next(4) > 0;
        UInt128 deposit = sync ? lease.Deposit + (Cheats() ? 1UL : 0) : (UInt128)old.Deposit.ToBigInteger();
        UInt128 before = fresh ? 0 : (UInt128)old.Claimed.ToBigInteger();
        UInt128 claimed = pay ? Voucher(lease) : before;
        LeafFields identity = sync || Cheats() ? new Leaf(lease.Id, lease.Key, deposit, claimed).ToFields() : old with { Claimed = Fr.FromUInt128(claimed) };
        return new SettlementSlot
        {
            Listed = Fr.One,
            Sync = Bit(sync),
            Fresh = Bit(fresh),
            Pay = Bit(pay),
            OldHash = hash,
            Old = old,
            New = identity,
        };
    }

    private UInt128 Voucher(LeaseRecord lease)
    {
        UInt128[] amounts = [.. _signed.Where(v => v.Lease == lease.Id).Select(v => v.Cumulative)];
        return amounts.Length == 0 || Cheats() ? (UInt128)_random.Next(0, 25) : Cheats() ? Pick(amounts) : amounts.Max();
    }

    /// <summary>The call that says what the circuit was told, or lies about it.</summary>
    private SettleCall Call(Attempt attempt)
    {
        var entries = new List<SettlementEntry>();
        for (int i = 0; i < attempt.Statement.Slots.Count; i++)
        {
            SettlementSlot slot = attempt.Statement.Slots[i];
            if (slot.Listed.IsZero)
            {
                continue;
            }

            EntryFlags flags = EntryFlags.Listed | (slot.Sync.IsZero ? 0 : EntryFlags.Sync) | (slot.Fresh.IsZero ? 0 : EntryFlags.Fresh) | (slot.Pay.IsZero ? 0 : EntryFlags.Pay);
            flags |= _random.Next(4) == 0 ? EntryFlags.Close : 0;
            flags ^= Cheats() ? Pick<EntryFlags>([EntryFlags.Sync, EntryFlags.Fresh, EntryFlags.Pay]) : 0;
            UInt128 claimed = (UInt128)slot.New.Claimed.ToBigInteger() - (Cheats() && !slot.New.Claimed.IsZero ? 1UL : 0);
            ulong lease = Cheats() ? Pick([.. _market.Leases.Keys]) : (ulong)slot.New.LeaseId.ToBigInteger();
            entries.Add(new SettlementEntry(i, flags, claimed, lease, (UInt128)slot.New.Deposit.ToBigInteger()));
        }

        return SequenceReplay.Call(attempt.List[3], 0, entries, attempt.Statement.C) with { Paid = attempt.List[4].ToBigInteger() };
    }

    private void Check()
    {
        UInt128 open = 0;
        foreach (LeaseRecord lease in _market.Leases.Values)
        {
            UInt128 paid = _paid[lease.Id];
            Require(paid <= _authorised[lease.Id], lease, $"paid {paid} of {_authorised[lease.Id]} signed");
            Require(paid <= lease.Deposit, lease, $"paid {paid} of a deposit of {lease.Deposit}");
            if (lease.Standing == LeaseStanding.Closed)
            {
                Require(paid + lease.Refunded == lease.Deposit, lease, $"paid {paid} and refunded {lease.Refunded} of {lease.Deposit}");
            }
            else
            {
                open += lease.Deposit - paid;
            }
        }

        if (_market.Pool != open)
        {
            throw new InvalidOperationException($"The pool holds {_market.Pool}, open leases {open}.");
        }
    }

    private static void Require(bool holds, LeaseRecord lease, string what)
    {
        if (!holds)
        {
            throw new InvalidOperationException($"Lease {lease.Id}: {what}.");
        }
    }

    private bool TryPickLease(LeaseStanding standing, out LeaseRecord lease)
    {
        LeaseRecord[] candidates = [.. _market.Leases.Values.Where(l => l.Standing == standing)];
        lease = candidates.Length == 0 ? null! : Pick(candidates);
        return candidates.Length > 0;
    }

    private bool Cheats() => _random.Next(12) == 0;

    private static Fr Bit(bool value) => value ? Fr.One : Fr.Zero;

    private T Pick<T>(IReadOnlyList<T> items) => items[_random.Next(items.Count)];
}
