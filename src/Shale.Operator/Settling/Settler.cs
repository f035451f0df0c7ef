using System.Globalization;
using System.Numerics;
using System.Text.Json;
using Shale.Bn254.BabyJubjub;
using Shale.Bn254.Fields;
using Shale.Chain;
using Shale.Chain.Contracts;
using Shale.Leases;
using Shale.Operator.Log;
using Shale.Operator.Orders;
using Shale.Payments.Vouchers;
using Shale.Settlement.Batching;
using Shale.Settlement.Claims;
using Lease = Shale.Chain.Contracts.Lease;
using LeaseState = Shale.Chain.Contracts.LeaseState;

namespace Shale.Operator.Settling;

/// <summary>What the operator means to do with one lease in a settlement.</summary>
internal readonly record struct SettlementWish(ulong LeaseId, bool Close);

/// <summary>What a page's settlement would do, before it is proved.</summary>
internal sealed record SettlementPlan(uint Page, SettlementBatch Batch, IReadOnlyList<(ulong LeaseId, LeaveOutReason Reason)> LeftOut);

/// <summary>
/// Settles pages: plans, proves, writes down what it is about to send, sends it, and follows the page's root to finality. The root alone says
/// what became of a settlement, so a crash at any point neither pays twice nor forgets.
/// </summary>
internal sealed class Settler
{
    private readonly IProviderMarket _market;
    private readonly OrderBook _orders;
    private readonly VoucherIndex _vouchers;
    private readonly PageBook _pages;
    private readonly ISettlementProver _prover;
    private readonly BatchPlanner _planner;
    private readonly string _folder;
    private readonly TimeProvider _time;

    public Settler(IProviderMarket market, OrderBook orders, VoucherIndex vouchers, PageBook pages, ISettlementProver prover, string folder, TimeProvider time)
    {
        (_market, _orders, _vouchers, _pages, _prover, _folder, _time) = (market, orders, vouchers, pages, prover, folder, time);
        _planner = new BatchPlanner(VoucherDomain.Create(market.ChainId, market.Contract.ToArray()));
        Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    /// <summary>Whether a settlement of this page is under way.</summary>
    public bool IsPending(uint page) => File.Exists(PathOf(page));

    /// <summary>The pages whose settlement is under way.</summary>
    public IReadOnlyList<uint> Pending() =>
        [.. Directory.EnumerateFiles(_folder, "*.json").Select(f => uint.Parse(Path.GetFileNameWithoutExtension(f), NumberStyles.None, CultureInfo.InvariantCulture)).Order()];

    /// <summary>Plans a settlement of a page from what is on chain at an epoch.</summary>
    public async Task<SettlementPlan> PlanAsync(uint number, IReadOnlyCollection<SettlementWish> wishes, ulong epoch, CancellationToken cancellation)
    {
        var page = (await _market.PagesAsync(epoch, cancellation).ConfigureAwait(false))[(int)number];
        var state = await _pages.LoadAsync(_market, number, page, epoch, cancellation).ConfigureAwait(false);
        var inPage = _orders.All.Where(l => l.IsOpen && l.Page == number && l.Stage != LeaseStage.Accepting).ToDictionary(l => l.Id);
        var leases = await _market.LeasesAsync(inPage.Keys, epoch, cancellation).ConfigureAwait(false);
        var records = new SlotRecord?[state.Slots];
        foreach (var (id, lease) in leases.Where(l => l.Value.State is LeaseState.Active or LeaseState.Closing && l.Value.Page == number))
        {
            records[lease.Slot] = Record(id, lease, page);
        }

        var requests = new List<SlotRequest>();
        foreach (var wish in wishes)
        {
            if (leases.TryGetValue(wish.LeaseId, out var lease) && lease.Page == number)
            {
                SettlementVoucher? voucher = _vouchers.Newest(wish.LeaseId) is { } newest && SettlementVoucher.TryCreate(newest, out var read) ? read : null;
                requests.Add(new SlotRequest(lease.Slot, voucher, wish.Close));
            }
        }

        var batch = _planner.Plan(_market.Provider, number, state, records, requests);
        var bySlot = leases.ToDictionary(l => (int)l.Value.Slot, l => l.Key);
        return new SettlementPlan(number, batch, [.. batch.LeftOut.Select(o => (bySlot.GetValueOrDefault(o.Slot), o.Reason))]);
    }

    /// <summary>Proves a plan: what the contract would be called with.</summary>
    public SettlementClaim Prove(SettlementPlan plan, CancellationToken cancellation) => SettlementClaim.Create(plan.Batch, _prover.Prove(plan.Batch, cancellation));

    /// <summary>Proves a plan and writes it down as the page's pending settlement; <see cref="AdvanceAsync"/> sends it.</summary>
    public void Begin(SettlementPlan plan, ulong epoch, CancellationToken cancellation)
    {
        var claim = Prove(plan, cancellation);
        Write(new PendingSettlement
        {
            Page = plan.Page,
            OldRoot = plan.Batch.OldPage.Root.ToString(),
            NewRoot = claim.NewRoot.ToString(),
            Paid = claim.Paid.ToString(CultureInfo.InvariantCulture),
            Entries = Convert.ToHexStringLower(claim.Entries.Span),
            LeaseIds = Convert.ToHexStringLower(claim.LeaseIds.Span),
            C = claim.C.ToString(),
            Proof = Convert.ToHexStringLower(claim.Proof.Span),
            After = PageFile.Of(plan.Page, plan.Batch.NewPage),
            Settled = [.. plan.Batch.Entries.Select(e => new SettledLease(plan.Batch.NewPage.Leaves[e.Slot]!.Value.LeaseId, e.Slot, e.Claimed.ToString(CultureInfo.InvariantCulture), e.Has(EntryFlags.Close)))],
            FromEpoch = epoch,
        });
    }

    /// <summary>Takes a page's pending settlement a step further.</summary>
    /// <returns>What happened, for the operator's log; null where it still waits for finality.</returns>
    public async Task<string?> AdvanceAsync(uint number, CancellationToken cancellation)
    {
        var pending = Read(number);
        var tip = await _market.TipAsync(cancellation).ConfigureAwait(false);
        var newRoot = BigInteger.Parse(pending.NewRoot, CultureInfo.InvariantCulture);
        if (await IsDoneAsync(pending, newRoot, tip.Latest, cancellation).ConfigureAwait(false))
        {
            if (!await IsDoneAsync(pending, newRoot, tip.Final, cancellation).ConfigureAwait(false))
            {
                return null;
            }

            var transaction = await _market.FindSettlementAsync(number, newRoot, Convert.FromHexString(pending.Entries), pending.FromEpoch, tip.Final, cancellation).ConfigureAwait(false)
                ?? (Bytes32.TryParse(pending.Transaction, out var sent) ? sent : throw new ChainException(ChainErrorKind.Pruned, $"Page {number} has the root of our settlement, and no node tells in which transaction it got it. Ask again, or another node."));
            Finish(pending, transaction);
            return string.Create(CultureInfo.InvariantCulture, $"page {number}: {AttoFil.Create(UInt128.Parse(pending.Paid, CultureInfo.InvariantCulture)).ToFilString()} FIL of {pending.Settled.Count} leases are settled and final in {transaction}");
        }

        var root = (await _market.PagesAsync(tip.Latest, cancellation).ConfigureAwait(false))[(int)number].Root;
        if (root.ToString(CultureInfo.InvariantCulture) != pending.OldRoot)
        {
            // Another settlement of ours went first (an older copy of this folder, or a second operator): plan anew from what stands.
            File.Delete(PathOf(number));
            return string.Create(CultureInfo.InvariantCulture, $"page {number}: a settlement was overtaken by another one and is planned anew");
        }

        var claim = Claim(pending);
        try
        {
            var hash = await _market.SettleAsync(claim, cancellation).ConfigureAwait(false);
            Write(pending with { Transaction = hash.ToString() });
            return string.Create(CultureInfo.InvariantCulture, $"page {number}: a settlement of {pending.Settled.Count} leases is mined in {hash}");
        }
        catch (ChainException refused) when (refused.Kind is ChainErrorKind.Reverted or ChainErrorKind.Failed)
        {
            // What stood when it was proved stands no more (a lease was frozen, say). Nothing was paid; the next plan leaves it out.
            File.Delete(PathOf(number));
            return string.Create(CultureInfo.InvariantCulture, $"page {number}: the contract refuses a settlement ({refused.Message}); it is planned anew");
        }
    }

    /// <summary>Whether a settlement stands at an epoch: the page has its root, and the leases that it closes are closed (one that only closes changes no leaf).</summary>
    private async Task<bool> IsDoneAsync(PendingSettlement pending, BigInteger newRoot, ulong epoch, CancellationToken cancellation)
    {
        var pages = await _market.PagesAsync(epoch, cancellation).ConfigureAwait(false);
        if (pages.Count <= pending.Page || pages[(int)pending.Page].Root != newRoot)
        {
            return false;
        }

        var closed = pending.Settled.Where(s => s.IsClosed).Select(s => s.LeaseId).ToList();
        var leases = await _market.LeasesAsync(closed, epoch, cancellation).ConfigureAwait(false);
        return closed.All(id => leases.GetValueOrDefault(id)?.State == LeaseState.Closed);
    }

    private SettlementClaim Claim(PendingSettlement pending) => new(
        _market.Provider,
        pending.Page,
        Fr.Parse(pending.NewRoot),
        UInt128.Parse(pending.Paid, CultureInfo.InvariantCulture),
        Convert.FromHexString(pending.Entries),
        Convert.FromHexString(pending.LeaseIds),
        Fr.Parse(pending.C),
        Convert.FromHexString(pending.Proof));

    /// <summary>Takes over what is final. Every step says the same a second time, and the pending file goes last.</summary>
    private void Finish(PendingSettlement pending, Bytes32 transaction)
    {
        var after = pending.After.ToState() ?? throw new OperatorException($"{PathOf(pending.Page)} is damaged.", "Restore the operator's folder from a backup.");
        _pages.Write(pending.Page, after);
        var root = Word(after.Root);
        foreach (var settled in pending.Settled)
        {
            if (_orders.Find(settled.LeaseId) is not { } lease || lease.SettledBy == transaction.ToString())
            {
                continue;
            }

            var leaf = after.Leaves[settled.Slot]!.Value.ToFields();
            _orders.Put(lease with
            {
                Claimed = settled.Claimed,
                Stage = settled.IsClosed ? LeaseStage.Closed : lease.Stage,
                SettledAt = _time.GetUtcNow(),
                SettledBy = transaction.ToString(),
                SettlementCount = lease.SettlementCount + 1,
                Settlements =
                [
                    .. lease.Settlements,
                    new SettlementNote
                    {
                        Number = lease.SettlementCount + 1,
                        Transaction = transaction.ToString(),
                        Page = pending.Page,
                        Slot = (uint)settled.Slot,
                        Claimed = settled.Claimed,
                        NewRoot = root,
                        Leaf = [Word(leaf.LeaseId), Word(leaf.Ax), Word(leaf.Ay), Word(leaf.Deposit), Word(leaf.Claimed)],
                        Siblings = [.. after.Siblings(settled.Slot).Select(Word)],
                    },
                ],
            });
        }

        // What was proved and sent stays beside the log, for whoever wants to check it again.
        var archive = Directory.CreateDirectory(Path.Combine(_folder, "settled"));
        AtomicFile.Write(
            Path.Combine(archive.FullName, $"{pending.Page}-{transaction}.json"),
            JsonSerializer.SerializeToUtf8Bytes(pending with { Transaction = transaction.ToString() }, OperatorJson.Default.PendingSettlement));
        File.Delete(PathOf(pending.Page));
    }

    private static SlotRecord Record(ulong id, Lease lease, Page page)
    {
        var bit = BigInteger.One << lease.Slot;
        return new SlotRecord(
            id,
            new BabyJubjubPoint(Fr.FromBigInteger(lease.Ax), Fr.FromBigInteger(lease.Ay)),
            lease.Amount,
            !(page.Live & bit).IsZero,
            !(page.Fresh & bit).IsZero);
    }

    private static string Word(Fr value)
    {
        Span<byte> bytes = stackalloc byte[Fr.Size];
        value.ToBytesBigEndian(bytes);
        return "0x" + Convert.ToHexStringLower(bytes);
    }

    private PendingSettlement Read(uint page)
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(PathOf(page)), OperatorJson.Default.PendingSettlement) is { Version: PendingSettlement.CurrentVersion } pending
                ? pending
                : throw new JsonException("another version");
        }
        catch (JsonException cause)
        {
            throw new OperatorException($"{PathOf(page)} can't be read: {cause.Message}", "Remove it: what the contract has, and the voucher log, say what is still to be settled.", cause);
        }
    }

    private void Write(PendingSettlement pending) => AtomicFile.Write(PathOf(pending.Page), JsonSerializer.SerializeToUtf8Bytes(pending, OperatorJson.Default.PendingSettlement));

    private string PathOf(uint page) => Path.Combine(_folder, page.ToString(CultureInfo.InvariantCulture) + ".json");
}
