using System.Numerics;
using Shale.Chain;
using Shale.Chain.Contracts;
using Shale.Chain.Market;
using Shale.Chain.Networks;
using Shale.Chain.Rpc;
using Shale.Settlement.Claims;

namespace Shale.Operator;

/// <summary>The market on a real chain, for one provider whose operator's wallet is at hand.</summary>
public sealed class ProviderMarket : IProviderMarket
{
    /// <summary>The margin that a settlement's estimate is given: what is mined between estimate and inclusion may make it dearer.</summary>
    private const double GasMargin = 1.2;

    private readonly ChainClient _chain;
    private readonly Network _network;
    private readonly MarketReader _reader;
    private readonly MarketWriter _writer;
    private readonly MarketEvents _events;

    /// <summary>Works for a provider.</summary>
    /// <param name="chain">The chain.</param>
    /// <param name="network">Where the contracts lie.</param>
    /// <param name="writer">Who signs: the provider's operator.</param>
    /// <param name="provider">The provider's index.</param>
    public ProviderMarket(ChainClient chain, Network network, MarketWriter writer, uint provider)
    {
        ArgumentNullException.ThrowIfNull(network);
        (_chain, _network, _writer, Provider) = (chain, network, writer, provider);
        _reader = new MarketReader(chain, network);
        _events = new MarketEvents(chain, network);
    }

    /// <inheritdoc/>
    public uint Provider { get; }

    /// <inheritdoc/>
    public ulong ChainId => _network.ChainId;

    /// <inheritdoc/>
    public Address Contract => _reader.Market;

    /// <inheritdoc/>
    public async Task<ChainTip> TipAsync(CancellationToken cancellation)
    {
        // In this order: what is final is never newer than the newest.
        var final = await _chain.GetFinalizedAsync(cancellation).ConfigureAwait(false);
        return new ChainTip(Math.Max(final.Number, await _chain.GetHeadAsync(cancellation).ConfigureAwait(false)), final.Number);
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<PlacedOrder>> OrdersAsync(ulong fromEpoch, ulong toEpoch, CancellationToken cancellation)
    {
        var events = await _events.ReadRangeAsync(Math.Max(fromEpoch, _network.DeployedAt), toEpoch, cancellation).ConfigureAwait(false);
        return
        [
            .. events.Where(e => e.Event is ShaleMarket.LeaseCreatedEvent created && created.Provider == Provider)
                .Select(e => (e.Epoch, Created: (ShaleMarket.LeaseCreatedEvent)e.Event))
                .Select(e => new PlacedOrder(e.Created.LeaseId, e.Created.Client, e.Created.Deadline, e.Epoch, e.Created.Order)),
        ];
    }

    /// <inheritdoc/>
    public Task<ShaleRegistry.Provider> ProviderAsync(CancellationToken cancellation) => _reader.GetProviderAsync(Provider, default, cancellation);

    /// <inheritdoc/>
    public async Task<IReadOnlyDictionary<uint, Offer>> OffersAsync(CancellationToken cancellation) =>
        (await _reader.GetOffersAsync(Provider, default, cancellation).ConfigureAwait(false)).ToDictionary(o => o.Id, o => o.Offer);

    /// <inheritdoc/>
    public async Task<IReadOnlyDictionary<ulong, Lease>> LeasesAsync(IReadOnlyCollection<ulong> ids, ulong epoch, CancellationToken cancellation) =>
        ids.Count == 0
            ? new Dictionary<ulong, Lease>()
            : (await _reader.GetLeasesAsync([.. ids], BlockTag.At(epoch), cancellation).ConfigureAwait(false)).Where(l => l.Lease.State != LeaseState.None).ToDictionary(l => l.Id, l => l.Lease);

    /// <inheritdoc/>
    public async Task<IReadOnlyList<Page>> PagesAsync(ulong epoch, CancellationToken cancellation) =>
        [.. (await _reader.GetPagesAsync(Provider, BlockTag.At(epoch), cancellation).ConfigureAwait(false)).OrderBy(p => p.Number).Select(p => p.Page)];

    /// <inheritdoc/>
    public async Task<IReadOnlyList<PageEvent>> PageHistoryAsync(uint page, ulong toEpoch, CancellationToken cancellation)
    {
        var events = await _events.ReadRangeAsync(_network.DeployedAt, toEpoch, cancellation).ConfigureAwait(false);
        var ours = events.Where(e => e.Event switch
        {
            ShaleMarket.LeaseConfirmedEvent confirmed => confirmed.Provider == Provider && confirmed.Page == page,
            ShaleMarket.PageSettledEvent settled => settled.Provider == Provider && settled.Page == page,
            _ => false,
        }).ToList();
        var ids = ours.Select(e => e.Event).OfType<ShaleMarket.LeaseConfirmedEvent>().Select(e => e.LeaseId).Distinct().ToList();
        var leases = await LeasesAsync(ids, toEpoch, cancellation).ConfigureAwait(false);
        return
        [
            .. ours.Select(e => e.Event is ShaleMarket.LeaseConfirmedEvent confirmed
                ? new PageEvent(confirmed, null, (leases[confirmed.LeaseId].Ax, leases[confirmed.LeaseId].Ay))
                : new PageEvent(null, (ShaleMarket.PageSettledEvent)e.Event, null)),
        ];
    }

    /// <inheritdoc/>
    public async Task<uint> OpenPageAsync(int slots, CancellationToken cancellation) => (await _writer.OpenPageAsync(Provider, slots, cancellation).ConfigureAwait(false)).Event.Page;

    /// <inheritdoc/>
    public async Task<AcceptedOrder> AcceptAsync(ulong leaseId, uint page, Terms terms, CancellationToken cancellation)
    {
        var accepted = (await _writer.AcceptAsync(leaseId, page, terms, cancellation).ConfigureAwait(false)).Event;
        return new AcceptedOrder(accepted.Page, accepted.Slot, accepted.Deadline);
    }

    /// <inheritdoc/>
    public Task ExpireAsync(ulong leaseId, CancellationToken cancellation) => _writer.ExpireAsync(leaseId, cancellation);

    /// <inheritdoc/>
    public Task RequestCloseAsync(ulong leaseId, CancellationToken cancellation) => _writer.RequestCloseAsync(leaseId, cancellation);

    /// <inheritdoc/>
    public async Task<SettlementCost> EstimateAsync(SettlementClaim claim, CancellationToken cancellation)
    {
        var gas = await _chain.EstimateGasAsync(_writer.Address, Contract, 0, Call(claim).Encode(), cancellation).ConfigureAwait(false);
        var fees = await _chain.GetFeesAsync(cancellation).ConfigureAwait(false);
        return new SettlementCost(gas, new BigInteger(gas * GasMargin) * ((BigInteger)(fees.BaseFee ?? 0) + fees.Price));
    }

    /// <inheritdoc/>
    public async Task<Bytes32> SettleAsync(SettlementClaim claim, CancellationToken cancellation) => (await _writer.SettleAsync(Call(claim), cancellation).ConfigureAwait(false)).Receipt.TransactionHash;

    /// <inheritdoc/>
    public async Task<Bytes32?> FindSettlementAsync(uint page, BigInteger newRoot, ReadOnlyMemory<byte> entries, ulong fromEpoch, ulong toEpoch, CancellationToken cancellation)
    {
        var events = await _events.ReadRangeAsync(fromEpoch, toEpoch, cancellation).ConfigureAwait(false);
        return events.LastOrDefault(e => e.Event is ShaleMarket.PageSettledEvent settled && settled.Provider == Provider && settled.Page == page && settled.NewRoot == newRoot && settled.Entries.Span.SequenceEqual(entries.Span))?.TransactionHash;
    }

    private static ShaleMarket.SettleCall Call(SettlementClaim claim) => new(
        claim.Provider, claim.Page, claim.NewRoot.ToBigInteger(), claim.Paid, claim.Entries, claim.LeaseIds, claim.C.ToBigInteger(),
        [.. Enumerable.Range(0, SettlementClaim.ProofSize / 32).Select(i => new BigInteger(claim.Proof.Span.Slice(32 * i, 32), isUnsigned: true, isBigEndian: true))]);
}
