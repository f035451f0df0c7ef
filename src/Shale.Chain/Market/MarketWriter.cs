using System.Numerics;
using Shale.Chain.Contracts;
using Shale.Chain.Networks;

namespace Shale.Chain.Market;

/// <summary>A transaction that did what it was to do.</summary>
/// <typeparam name="T">The event that says so.</typeparam>
/// <param name="Event">The event, from the receipt.</param>
/// <param name="Receipt">The receipt.</param>
public sealed record Done<T>(T Event, TransactionReceipt Receipt);

/// <summary>
/// Everything that providers and clients do on the chain, each returning the event that the contract wrote. Methods return when the transaction is mined, or when it is
/// final where <see cref="Final"/> says so. They throw <see cref="ChainException"/> with the contract's refusal in words; nothing was sent where the contract would have
/// refused at once.
/// </summary>
public sealed class MarketWriter
{
    private readonly ITransactor _transactor;
    private readonly Address _registry;
    private readonly Address _market;

    /// <summary>Writes to a network's market.</summary>
    /// <param name="network">Where the contracts lie.</param>
    /// <param name="transactor">Who sends.</param>
    /// <exception cref="NetworkException">The contracts are not deployed there.</exception>
    public MarketWriter(Network network, ITransactor transactor)
    {
        ArgumentNullException.ThrowIfNull(network);
        ArgumentNullException.ThrowIfNull(transactor);
        (_transactor, _registry, _market) = (transactor, network.RequireRegistry(), network.RequireMarket());
    }

    /// <summary>Whose transactions they are.</summary>
    public Address Address => _transactor.Address;

    /// <summary>Whether each method waits until its transaction is final. Default false: until it is mined.</summary>
    public bool Final { get; init; }

    /// <summary>Registers the caller as a provider's owner and operator.</summary>
    /// <param name="minerId">Its miner ID, 0 for none.</param>
    /// <param name="endpoint">host:port of its SSH gateway.</param>
    /// <param name="hostKeys">SHA-256 of each SSH host key blob.</param>
    /// <param name="cancellation">Ends the wait.</param>
    public Task<Done<ShaleRegistry.ProviderRegisteredEvent>> RegisterAsync(ulong minerId, string endpoint, IReadOnlyList<Bytes32> hostKeys, CancellationToken cancellation = default) =>
        RegistryAsync<ShaleRegistry.ProviderRegisteredEvent>(new ShaleRegistry.RegisterCall(minerId, endpoint, hostKeys), "registering the provider", cancellation);

    /// <summary>Changes the miner ID, or gives it up with 0; by the owner.</summary>
    public async Task<Done<ShaleRegistry.MinerClaimedEvent>> SetMinerAsync(uint provider, ulong minerId, CancellationToken cancellation = default)
    {
        // The one that loses the ID logs an event of its own first.
        var receipt = await SendAsync(_registry, 0, new ShaleRegistry.SetMinerCall(provider, minerId), "claiming a miner ID", cancellation).ConfigureAwait(false);
        return new(receipt.Events<ShaleRegistry.MinerClaimedEvent>(_registry).First(e => e.Provider == provider), receipt);
    }

    /// <summary>Replaces the endpoint; by the owner or the operator.</summary>
    public Task<Done<ShaleRegistry.EndpointSetEvent>> SetEndpointAsync(uint provider, string endpoint, CancellationToken cancellation = default) =>
        RegistryAsync<ShaleRegistry.EndpointSetEvent>(new ShaleRegistry.SetEndpointCall(provider, endpoint), "setting the endpoint", cancellation);

    /// <summary>Replaces the SSH host keys; by the owner.</summary>
    public Task<Done<ShaleRegistry.HostKeysSetEvent>> SetHostKeysAsync(uint provider, IReadOnlyList<Bytes32> hostKeys, CancellationToken cancellation = default) =>
        RegistryAsync<ShaleRegistry.HostKeysSetEvent>(new ShaleRegistry.SetHostKeysCall(provider, hostKeys), "setting the SSH host keys", cancellation);

    /// <summary>Names the next operator, who has still to accept; the owner's own address takes over at once. By the owner.</summary>
    public Task<TransactionReceipt> NominateOperatorAsync(uint provider, Address @operator, CancellationToken cancellation = default) =>
        SendAsync(_registry, 0, new ShaleRegistry.NominateOperatorCall(provider, @operator), "nominating an operator", cancellation);

    /// <summary>Takes over as operator; by the nominated address.</summary>
    public Task<Done<ShaleRegistry.OperatorRotatedEvent>> AcceptOperatorAsync(uint provider, CancellationToken cancellation = default) =>
        RegistryAsync<ShaleRegistry.OperatorRotatedEvent>(new ShaleRegistry.AcceptOperatorCall(provider), "taking over as operator", cancellation);

    /// <summary>Puts an offer; by the owner or the operator.</summary>
    /// <param name="provider">The provider's index.</param>
    /// <param name="offerId">0 for a new one, or the number of the one to replace.</param>
    /// <param name="offer">The offer.</param>
    /// <param name="cancellation">Ends the wait.</param>
    public Task<Done<ShaleRegistry.OfferPutEvent>> PutOfferAsync(uint provider, uint offerId, Offer offer, CancellationToken cancellation = default) =>
        RegistryAsync<ShaleRegistry.OfferPutEvent>(new ShaleRegistry.PutOfferCall(provider, offerId, offer), "putting the offer", cancellation);

    /// <summary>Takes an offer away; by the owner or the operator.</summary>
    public Task<Done<ShaleRegistry.OfferRemovedEvent>> RemoveOfferAsync(uint provider, uint offerId, CancellationToken cancellation = default) =>
        RegistryAsync<ShaleRegistry.OfferRemovedEvent>(new ShaleRegistry.RemoveOfferCall(provider, offerId), $"removing offer {offerId}", cancellation);

    /// <summary>Opens a page; by the operator.</summary>
    /// <param name="provider">The provider's index.</param>
    /// <param name="size">Its slots: 8, 64 or 256.</param>
    /// <param name="cancellation">Ends the wait.</param>
    public Task<Done<ShaleMarket.PageOpenedEvent>> OpenPageAsync(uint provider, int size, CancellationToken cancellation = default) =>
        MarketAsync<ShaleMarket.PageOpenedEvent>(0, new ShaleMarket.OpenPageCall(provider, size), $"opening a page of {size} slots", cancellation);

    /// <summary>Orders a lease; by the client.</summary>
    /// <param name="order">What is asked.</param>
    /// <param name="bond">attoFIL of the bond: <see cref="MarketConstants.Bond"/>.</param>
    /// <param name="cancellation">Ends the wait.</param>
    public Task<Done<ShaleMarket.LeaseCreatedEvent>> CreateLeaseAsync(Order order, UInt128 bond, CancellationToken cancellation = default) =>
        MarketAsync<ShaleMarket.LeaseCreatedEvent>(bond, new ShaleMarket.CreateLeaseCall(order), "ordering the lease", cancellation);

    /// <summary>Accepts an order; by the operator.</summary>
    /// <param name="leaseId">The lease.</param>
    /// <param name="page">The page that it gets a slot of.</param>
    /// <param name="terms">Price, endpoint, host keys.</param>
    /// <param name="cancellation">Ends the wait.</param>
    public Task<Done<ShaleMarket.LeaseAcceptedEvent>> AcceptAsync(ulong leaseId, uint page, Terms terms, CancellationToken cancellation = default) =>
        MarketAsync<ShaleMarket.LeaseAcceptedEvent>(0, new ShaleMarket.AcceptCall(leaseId, page, terms), $"accepting lease {leaseId}", cancellation);

    /// <summary>Confirms an accepted order with the deposit; by the client.</summary>
    /// <param name="leaseId">The lease.</param>
    /// <param name="terms">The terms that the client read and agrees to.</param>
    /// <param name="deposit">attoFIL, at least the lease's least deposit.</param>
    /// <param name="cancellation">Ends the wait.</param>
    public Task<Done<ShaleMarket.LeaseConfirmedEvent>> ConfirmAsync(ulong leaseId, Terms terms, UInt128 deposit, CancellationToken cancellation = default) =>
        MarketAsync<ShaleMarket.LeaseConfirmedEvent>(deposit, new ShaleMarket.ConfirmCall(leaseId, Abi.TermsHash.Compute(leaseId, terms)), $"confirming lease {leaseId}", cancellation);

    /// <summary>Ends an order whose deadline has passed; by anyone.</summary>
    public Task<Done<ShaleMarket.LeaseExpiredEvent>> ExpireAsync(ulong leaseId, CancellationToken cancellation = default) =>
        MarketAsync<ShaleMarket.LeaseExpiredEvent>(0, new ShaleMarket.ExpireCall(leaseId), $"ending the order of lease {leaseId}", cancellation);

    /// <summary>Adds to a lease's deposit; by the client.</summary>
    public Task<Done<ShaleMarket.LeaseToppedUpEvent>> TopUpAsync(ulong leaseId, UInt128 amount, CancellationToken cancellation = default) =>
        MarketAsync<ShaleMarket.LeaseToppedUpEvent>(amount, new ShaleMarket.TopUpCall(leaseId), $"topping up lease {leaseId}", cancellation);

    /// <summary>Asks to close; by either party. A later request changes nothing: then there is no event.</summary>
    public async Task<(ShaleMarket.CloseRequestedEvent? Event, TransactionReceipt Receipt)> RequestCloseAsync(ulong leaseId, CancellationToken cancellation = default)
    {
        var receipt = await SendAsync(_market, 0, new ShaleMarket.RequestCloseCall(leaseId), $"asking to close lease {leaseId}", cancellation).ConfigureAwait(false);
        return (receipt.Events<ShaleMarket.CloseRequestedEvent>(_market).FirstOrDefault(), receipt);
    }

    /// <summary>Settles a page; by the operator. The receipt also has a <see cref="ShaleMarket.LeaseClosedEvent"/> for each lease that the entries close.</summary>
    /// <param name="settlement">The whole call, as the prover made it.</param>
    /// <param name="cancellation">Ends the wait.</param>
    public Task<Done<ShaleMarket.PageSettledEvent>> SettleAsync(ShaleMarket.SettleCall settlement, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(settlement);
        return MarketAsync<ShaleMarket.PageSettledEvent>(0, settlement, $"settling page {settlement.Page}", cancellation);
    }

    /// <summary>Takes a lease out of its page, from its deadline on; by its client, who leaves alone.</summary>
    public Task<Done<ShaleMarket.LeaseFrozenEvent>> FreezeAsync(ulong leaseId, CancellationToken cancellation = default) =>
        MarketAsync<ShaleMarket.LeaseFrozenEvent>(0, new ShaleMarket.FreezeCall(leaseId), $"freezing lease {leaseId}", cancellation);

    /// <summary>Ends a frozen lease and credits its client; by anyone.</summary>
    /// <param name="leaseId">The lease.</param>
    /// <param name="deposit">The leaf's deposit; 0 where it was frozen fresh.</param>
    /// <param name="claimed">The leaf's claimed amount; 0 where it was frozen fresh.</param>
    /// <param name="siblings">The leaf's path, from its own sibling up; none where it was frozen fresh.</param>
    /// <param name="cancellation">Ends the wait.</param>
    public Task<Done<ShaleMarket.LeaseClosedEvent>> FinishAsync(ulong leaseId, UInt128 deposit, UInt128 claimed, IReadOnlyList<BigInteger> siblings, CancellationToken cancellation = default) =>
        MarketAsync<ShaleMarket.LeaseClosedEvent>(0, new ShaleMarket.FinishCall(leaseId, deposit, claimed, siblings), $"finishing lease {leaseId}", cancellation);

    /// <summary>Rates a closed lease; by its client, once.</summary>
    public Task<Done<ShaleMarket.LeaseRatedEvent>> RateAsync(ulong leaseId, byte stars, string review, CancellationToken cancellation = default) =>
        MarketAsync<ShaleMarket.LeaseRatedEvent>(0, new ShaleMarket.RateCall(leaseId, stars, review), $"rating lease {leaseId}", cancellation);

    /// <summary>Collects the caller's refunds and bonds.</summary>
    public Task<Done<ShaleMarket.WithdrawnEvent>> WithdrawAsync(CancellationToken cancellation = default) =>
        MarketAsync<ShaleMarket.WithdrawnEvent>(0, new ShaleMarket.WithdrawCall(), "collecting refunds and bonds", cancellation);

    /// <summary>Pays a provider's earnings to its owner; by the owner or the operator.</summary>
    public Task<Done<ShaleMarket.EarningsWithdrawnEvent>> WithdrawEarningsAsync(uint provider, CancellationToken cancellation = default) =>
        MarketAsync<ShaleMarket.EarningsWithdrawnEvent>(0, new ShaleMarket.WithdrawEarningsCall(provider), "collecting the earnings", cancellation);

    private Task<Done<T>> RegistryAsync<T>(IContractCall call, string description, CancellationToken cancellation)
        where T : class, IContractEvent<T> => SendAsync<T>(_registry, 0, call, description, cancellation);

    private Task<Done<T>> MarketAsync<T>(UInt128 value, IContractCall call, string description, CancellationToken cancellation)
        where T : class, IContractEvent<T> => SendAsync<T>(_market, value, call, description, cancellation);

    private async Task<Done<T>> SendAsync<T>(Address contract, UInt128 value, IContractCall call, string description, CancellationToken cancellation)
        where T : class, IContractEvent<T>
    {
        var receipt = await SendAsync(contract, value, call, description, cancellation).ConfigureAwait(false);
        return new Done<T>(receipt.Event<T>(contract), receipt);
    }

    private Task<TransactionReceipt> SendAsync(Address contract, UInt128 value, IContractCall call, string description, CancellationToken cancellation) =>
        _transactor.SendAsync(contract, value, call, description, Final, cancellation);
}
