using Shale.Chain;
using Shale.Chain.Contracts;
using Shale.Settlement.Claims;

namespace Shale.Operator;

/// <summary>
/// The market as one provider's operator needs it: what stands on chain, and the transactions that are its own. Every method throws
/// <see cref="ChainException"/> where the chain can't be asked or refuses.
/// </summary>
public interface IProviderMarket
{
    /// <summary>The provider's index in the registry.</summary>
    uint Provider { get; }

    /// <summary>EIP-155 chain ID.</summary>
    ulong ChainId { get; }

    /// <summary>The market contract: what vouchers name.</summary>
    Address Contract { get; }

    /// <summary>The newest epoch, and the newest that is final.</summary>
    Task<ChainTip> TipAsync(CancellationToken cancellation);

    /// <summary>Orders to this provider of these epochs, the last included; they may be taken back by a reorganisation.</summary>
    Task<IReadOnlyList<PlacedOrder>> OrdersAsync(ulong fromEpoch, ulong toEpoch, CancellationToken cancellation);

    /// <summary>The provider's record.</summary>
    Task<ShaleRegistry.Provider> ProviderAsync(CancellationToken cancellation);

    /// <summary>The offers that stand, by their number.</summary>
    Task<IReadOnlyDictionary<uint, Offer>> OffersAsync(CancellationToken cancellation);

    /// <summary>Lease records at one epoch.</summary>
    Task<IReadOnlyDictionary<ulong, Lease>> LeasesAsync(IReadOnlyCollection<ulong> ids, ulong epoch, CancellationToken cancellation);

    /// <summary>How many pages the provider has opened, and each one's record, at one epoch.</summary>
    Task<IReadOnlyList<Page>> PagesAsync(ulong epoch, CancellationToken cancellation);

    /// <summary>Every confirmation and settlement of a page up to an epoch, in their order: what its leaves are rebuilt from.</summary>
    Task<IReadOnlyList<PageEvent>> PageHistoryAsync(uint page, ulong toEpoch, CancellationToken cancellation);

    /// <summary>Opens a page and returns its number, once mined.</summary>
    Task<uint> OpenPageAsync(int slots, CancellationToken cancellation);

    /// <summary>Accepts an order into a page, once mined.</summary>
    Task<AcceptedOrder> AcceptAsync(ulong leaseId, uint page, Terms terms, CancellationToken cancellation);

    /// <summary>Ends an order whose deadline has passed, once mined.</summary>
    Task ExpireAsync(ulong leaseId, CancellationToken cancellation);

    /// <summary>Asks to close a lease, once mined.</summary>
    Task RequestCloseAsync(ulong leaseId, CancellationToken cancellation);

    /// <summary>What a settlement would cost now, by a call that changes nothing. Throws where the contract would refuse it.</summary>
    Task<SettlementCost> EstimateAsync(SettlementClaim claim, CancellationToken cancellation);

    /// <summary>Sends a settlement and returns its transaction, once mined.</summary>
    Task<Bytes32> SettleAsync(SettlementClaim claim, CancellationToken cancellation);

    /// <summary>The transaction that settled a page to a root with these entries, if one did between two epochs.</summary>
    Task<Bytes32?> FindSettlementAsync(uint page, System.Numerics.BigInteger newRoot, ReadOnlyMemory<byte> entries, ulong fromEpoch, ulong toEpoch, CancellationToken cancellation);
}

/// <summary>Two heights of the chain.</summary>
/// <param name="Latest">The newest epoch.</param>
/// <param name="Final">The newest epoch that no reorganisation takes back.</param>
public readonly record struct ChainTip(ulong Latest, ulong Final);

/// <summary>An order as its event tells it.</summary>
/// <param name="LeaseId">Its number.</param>
/// <param name="Client">Who placed it.</param>
/// <param name="Deadline">The epoch from which on it can't be accepted.</param>
/// <param name="Epoch">When it was placed.</param>
/// <param name="Order">What is asked for.</param>
public sealed record PlacedOrder(ulong LeaseId, Address Client, ulong Deadline, ulong Epoch, Order Order);

/// <summary>An accepted order's place.</summary>
/// <param name="Page">The page.</param>
/// <param name="Slot">The slot in it.</param>
/// <param name="Deadline">The epoch from which on it can't be confirmed.</param>
public readonly record struct AcceptedOrder(uint Page, byte Slot, ulong Deadline);

/// <summary>What a settlement costs.</summary>
/// <param name="Gas">Units of gas.</param>
/// <param name="MaxFee">attoFIL at the highest price that would be paid.</param>
public readonly record struct SettlementCost(ulong Gas, System.Numerics.BigInteger MaxFee);

/// <summary>One event of a page's history.</summary>
/// <param name="Confirmed">A lease that was confirmed into the page; else null.</param>
/// <param name="Settled">A settlement of the page; else null.</param>
/// <param name="Key">The confirmed lease's payment key; null for a settlement.</param>
public sealed record PageEvent(ShaleMarket.LeaseConfirmedEvent? Confirmed, ShaleMarket.PageSettledEvent? Settled, (System.Numerics.BigInteger X, System.Numerics.BigInteger Y)? Key);
