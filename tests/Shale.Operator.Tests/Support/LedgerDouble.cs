using System.Globalization;
using System.Numerics;
using Shale.Bn254.Curve;
using Shale.Bn254.Fields;
using Shale.Chain;
using Shale.Chain.Contracts;
using Shale.Groth16.Verifier;
using Shale.Payments.Vouchers;
using Shale.Settlement.Batching;
using Shale.Settlement.Circuit;
using Shale.Settlement.Claims;

namespace Shale.Operator.Tests.Support;

/// <summary>
/// The market contract's rules for one provider, in memory, proofs really verified. Every epoch is kept, so that finality lags. Before or after any call it may fail as
/// a process does that is killed there: what the call did then stands or not.
/// </summary>
internal sealed class LedgerDouble(VerificationKey key) : IProviderMarket
{
    public const ulong FinalityLag = 2;

    private readonly List<World> _epochs = [new World()];
    private readonly List<PlacedOrder> _orders = [];
    private readonly List<(ulong Epoch, PageEvent Event, uint Page)> _events = [];
    private int _calls;

    public uint Provider => 1;

    public ulong ChainId => 31337;

    public Address Contract { get; } = Address.Parse("0x00000000000000000000000000000000000000aa");

    public Dictionary<uint, Offer> Offers { get; } = [];

    /// <summary>The call at which the process dies; 2k before the k-th does anything, 2k + 1 after it.</summary>
    public int? CrashAt { get; set; }

    public int Calls => _calls;

    /// <summary>How many epochs the node that answers is behind the chain.</summary>
    public ulong Lag { get; set; }

    /// <summary>What happens on chain between a round's look at the newest epoch and its look for orders.</summary>
    public Action? AfterTip { get; set; }

    /// <summary>What a page's opening waits for, as for a block that does not come.</summary>
    public Task PageGate { get; set; } = Task.CompletedTask;

    /// <summary>A node that keeps no events any more.</summary>
    public bool ForgetsEvents { get; set; }

    /// <summary>Orders that the contract refuses to have accepted, whatever the reason.</summary>
    public HashSet<ulong> Refused { get; } = [];

    public UInt128 PaidInAll { get; private set; }

    public int Settlements { get; private set; }

    public Dictionary<string, UInt128> Refunds { get; } = [];

    private World Now => _epochs[^1];

    public void Mine(int epochs = 1)
    {
        for (var i = 0; i < epochs; i++)
        {
            _epochs.Add(Now.Copy());
        }
    }

    public ulong Place(Order order)
    {
        var id = (ulong)Now.Leases.Count + 1;
        var deadline = (ulong)_epochs.Count + 240;
        var client = Address.Parse("0x" + id.ToString("x40", CultureInfo.InvariantCulture));
        Now.Leases[id] = new Lease(client, LeaseState.Created, 1, 0, 0, false, false, 1, order.PriceLimit, deadline, order.Ax, order.Ay, default);
        _orders.Add(new PlacedOrder(id, client, deadline, (ulong)_epochs.Count - 1, order));
        Mine();
        return id;
    }

    /// <summary>A reorganisation: the newest order never was, and its number is free again.</summary>
    public void TakeBack(ulong id)
    {
        Xunit.Assert.Equal((ulong)Now.Leases.Count, id);
        var lease = Now.Leases[id];
        if (lease.State != LeaseState.Created)
        {
            var page = Now.Pages[(int)lease.Page];
            Now.Pages[(int)lease.Page] = page with { Taken = page.Taken & ~(BigInteger.One << lease.Slot) };
        }

        _orders.RemoveAll(o => o.LeaseId == id);
        foreach (var epoch in _epochs)
        {
            epoch.Leases.Remove(id);
        }
    }

    public void Confirm(ulong id, UInt128 deposit)
    {
        var lease = Now.Leases[id];
        Xunit.Assert.Equal(LeaseState.Accepted, lease.State);
        Now.Leases[id] = lease with { State = LeaseState.Active, Amount = deposit, Deadline = 0 };
        var page = Now.Pages[(int)lease.Page];
        var bit = BigInteger.One << lease.Slot;
        Now.Pages[(int)lease.Page] = page with { Live = page.Live | bit, Fresh = page.Fresh | bit };
        _events.Add((Tip.Latest, new PageEvent(new ShaleMarket.LeaseConfirmedEvent(id, 1, lease.Page, lease.Slot, deposit), null, (lease.Ax, lease.Ay)), lease.Page));
        Mine();
    }

    public void TopUp(ulong id, UInt128 amount)
    {
        Now.Leases[id] = Now.Leases[id] with { Amount = Now.Leases[id].Amount + amount };
        Mine();
    }

    public void RequestClose(ulong id)
    {
        Now.Leases[id] = Now.Leases[id] with { State = LeaseState.Closing, Deadline = Tip.Latest + 5760 };
        Mine();
    }

    public void Freeze(ulong id)
    {
        var lease = Now.Leases[id];
        Now.Leases[id] = lease with { State = LeaseState.Frozen };
        var page = Now.Pages[(int)lease.Page];
        var mask = ~(BigInteger.One << lease.Slot);
        Now.Pages[(int)lease.Page] = page with { Live = page.Live & mask, Fresh = page.Fresh & mask, Taken = page.Taken & mask };
        Mine();
    }

    public Lease Lease(ulong id) => Now.Leases[id];

    private ChainTip Tip => new((ulong)_epochs.Count - 1, (ulong)Math.Max(0, _epochs.Count - 1 - (int)FinalityLag));

    public Task<ChainTip> TipAsync(CancellationToken cancellation) => Step(() => new ChainTip(Tip.Latest - Math.Min(Tip.Latest, Lag), Tip.Final - Math.Min(Tip.Final, Lag)));

    public Task<IReadOnlyList<PlacedOrder>> OrdersAsync(ulong fromEpoch, ulong toEpoch, CancellationToken cancellation) =>
        Step<IReadOnlyList<PlacedOrder>>(() =>
        {
            AfterTip?.Invoke();
            return [.. _orders.Where(o => o.Epoch >= fromEpoch && o.Epoch <= toEpoch)];
        });

    public Task<ShaleRegistry.Provider> ProviderAsync(CancellationToken cancellation) => Step(() => new ShaleRegistry.Provider(default, default, default, 0, false, 1, "127.0.0.1:22", [Bytes32.Keccak([1])]));

    public Task<IReadOnlyDictionary<uint, Offer>> OffersAsync(CancellationToken cancellation) => Step<IReadOnlyDictionary<uint, Offer>>(() => Offers);

    public Task<IReadOnlyDictionary<ulong, Lease>> LeasesAsync(IReadOnlyCollection<ulong> ids, ulong epoch, CancellationToken cancellation) =>
        Step<IReadOnlyDictionary<ulong, Lease>>(() => ids.Where(_epochs[(int)epoch].Leases.ContainsKey).ToDictionary(id => id, id => _epochs[(int)epoch].Leases[id]));

    public Task<IReadOnlyList<Page>> PagesAsync(ulong epoch, CancellationToken cancellation) => Step<IReadOnlyList<Page>>(() => [.. _epochs[(int)epoch].Pages]);

    public Task<IReadOnlyList<PageEvent>> PageHistoryAsync(uint page, ulong toEpoch, CancellationToken cancellation) =>
        Step<IReadOnlyList<PageEvent>>(() => [.. _events.Where(e => !ForgetsEvents && e.Page == page && e.Epoch <= toEpoch).Select(e => e.Event)]);

    public async Task<uint> OpenPageAsync(int slots, CancellationToken cancellation)
    {
        await PageGate;
        return await Step(() =>
        {
            Now.Pages.Add(new Page(PageState.Empty(slots).Root.ToBigInteger(), 0, 0, 0, slots));
            Mine();
            return (uint)Now.Pages.Count - 1;
        });
    }

    public Task<AcceptedOrder> AcceptAsync(ulong leaseId, uint page, Terms terms, CancellationToken cancellation) => Step(() =>
    {
        var lease = Now.Leases[leaseId];
        Require(!Refused.Contains(leaseId) && lease.State == LeaseState.Created && terms.PricePerSecond <= lease.Price, "accept");
        var stored = Now.Pages[(int)page];
        var slot = Enumerable.Range(0, (int)stored.Size).First(i => (stored.Taken & (BigInteger.One << i)).IsZero);
        Now.Pages[(int)page] = stored with { Taken = stored.Taken | (BigInteger.One << slot) };
        Now.Leases[leaseId] = lease with { State = LeaseState.Accepted, Page = page, Slot = (byte)slot, Price = terms.PricePerSecond, Deadline = Tip.Latest + 1800 };
        Mine();
        return new AcceptedOrder(page, (byte)slot, Tip.Latest + 1800);
    });

    public Task ExpireAsync(ulong leaseId, CancellationToken cancellation) => Step(() =>
    {
        var lease = Now.Leases[leaseId];
        Require(lease.State == LeaseState.Accepted && lease.Deadline <= Tip.Latest, "expire");
        Now.Leases[leaseId] = lease with { State = LeaseState.Expired };
        var page = Now.Pages[(int)lease.Page];
        Now.Pages[(int)lease.Page] = page with { Taken = page.Taken & ~(BigInteger.One << lease.Slot) };
        Mine();
        return true;
    });

    public Task RequestCloseAsync(ulong leaseId, CancellationToken cancellation) => Step(() =>
    {
        RequestClose(leaseId);
        return true;
    });

    public Task<SettlementCost> EstimateAsync(SettlementClaim claim, CancellationToken cancellation) => Step(() => new SettlementCost(300_000, 300_000));

    public Task<Bytes32> SettleAsync(SettlementClaim claim, CancellationToken cancellation) => Step(() =>
    {
        Settle(claim);
        Mine();
        return Transaction(claim.NewRoot.ToBigInteger(), claim.Entries);
    });

    public Task<Bytes32?> FindSettlementAsync(uint page, BigInteger newRoot, ReadOnlyMemory<byte> settled, ulong fromEpoch, ulong toEpoch, CancellationToken cancellation) =>
        Step<Bytes32?>(() => _events.Any(e => e.Page == page && e.Event.Settled?.NewRoot == newRoot && e.Event.Settled.Entries.Span.SequenceEqual(settled.Span) && e.Epoch >= fromEpoch && e.Epoch <= toEpoch) ? Transaction(newRoot, settled) : null);

    private static Bytes32 Transaction(BigInteger root, ReadOnlyMemory<byte> entries) => Bytes32.Keccak([.. root.ToByteArray(), .. entries.Span]);

    private static void Require(bool condition, string what)
    {
        if (!condition)
        {
            throw new ChainException(ChainErrorKind.Reverted, $"{what} is refused");
        }
    }

    /// <summary>docs/SETTLEMENT.md, "Who refuses what".</summary>
    private void Settle(SettlementClaim claim)
    {
        var page = Now.Pages[(int)claim.Page];
        var slots = (int)page.Size;
        Require(EntryEncoding.TryDecodeEntries(claim.Entries.Span, out var entries), "the entries' form");
        var list = new Fr[PublicList.Length(slots)];
        (list[0], list[1], list[2], list[3], list[4]) = (
            VoucherDomain.Create(ChainId, Contract.ToArray()).Element, Fr.FromUInt64(((ulong)Provider << 32) + claim.Page), Fr.FromBigInteger(page.Root), claim.NewRoot, Fr.FromUInt128(claim.Paid));
        var ids = claim.LeaseIds;
        var (live, fresh, taken) = (page.Live, page.Fresh, page.Taken);
        var closed = new Dictionary<ulong, Lease>();
        foreach (var entry in entries)
        {
            var bit = BigInteger.One << entry.Slot;
            Require(!(live & bit).IsZero, "a slot that is not live");
            Require(entry.Has(EntryFlags.Fresh) == !(fresh & bit).IsZero, "the fresh flag");
            fresh &= ~bit;
            var at = PublicList.HeaderLength + (PublicList.SlotLength * entry.Slot);
            list[at] = Fr.FromUInt128((entry.Claimed << 8) + (UInt128)((int)entry.Flags & 15));
            if (!entry.Has(EntryFlags.Sync | EntryFlags.Close))
            {
                continue;
            }

            var id = System.Buffers.Binary.BinaryPrimitives.ReadUInt64BigEndian(ids.Span);
            ids = ids[8..];
            var lease = Now.Leases[id];
            Require(lease.State is LeaseState.Active or LeaseState.Closing && lease.Page == claim.Page && lease.Slot == entry.Slot, "a lease's record");
            if (entry.Has(EntryFlags.Sync))
            {
                Require(entry.Deposit <= lease.Amount, "a deposit above the record");
                (list[at + 1], list[at + 2], list[at + 3], list[at + 4]) = (Fr.FromUInt64(id), Fr.FromBigInteger(lease.Ax), Fr.FromBigInteger(lease.Ay), Fr.FromUInt128(entry.Deposit));
            }

            if (entry.Has(EntryFlags.Close))
            {
                Require(entry.Claimed <= lease.Amount, "claimed above the deposit");
                closed[id] = lease with { State = LeaseState.Closed, Amount = entry.Claimed };
                Refunds[lease.Client.ToString()] = Refunds.GetValueOrDefault(lease.Client.ToString()) + lease.Amount - entry.Claimed;
                (live, taken) = (live & ~bit, taken & ~bit);
            }
        }

        Require(ids.IsEmpty, "lease numbers left over");
        var r = PublicList.Challenge(claim.C, list);
        var proof = claim.Proof.Span;
        Require(
            G1Affine.TryFromBytesBigEndian(proof[..64], out var a) && G2Affine.TryFromBytesBigEndian(proof[64..192], out var b) && G1Affine.TryFromBytesBigEndian(proof[192..], out var c) &&
            Shale.Groth16.Verifier.Groth16Verifier.Verify(key, [claim.C, r, PublicList.Evaluate(list, r)], new Proof(a, b, c)) == Verdict.Valid,
            "the proof");
        foreach (var (id, lease) in closed)
        {
            Now.Leases[id] = lease;
        }

        Now.Pages[(int)claim.Page] = page with { Root = claim.NewRoot.ToBigInteger(), Live = live, Fresh = fresh, Taken = taken };
        PaidInAll += claim.Paid;
        Settlements++;
        _events.Add((Tip.Latest, new PageEvent(null, new ShaleMarket.PageSettledEvent(1, claim.Page, claim.NewRoot.ToBigInteger(), claim.Paid, claim.Entries), null), claim.Page));
    }

    private async Task<T> Step<T>(Func<T> action)
    {
        await Task.Yield();
        var call = _calls++;
        if (CrashAt == 2 * call)
        {
            throw new CrashException();
        }

        var result = action();
        return CrashAt == (2 * call) + 1 ? throw new CrashException() : result;
    }

    private sealed class World
    {
        public Dictionary<ulong, Lease> Leases { get; private init; } = [];

        public List<Page> Pages { get; private init; } = [];

        public World Copy() => new() { Leases = new(Leases), Pages = [.. Pages] };
    }
}

/// <summary>The process is dead: nothing of it may catch this.</summary>
internal sealed class CrashException : Exception;
