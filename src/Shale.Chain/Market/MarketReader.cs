using System.Globalization;
using System.Numerics;
using Shale.Chain.Contracts;
using Shale.Chain.Networks;
using Shale.Chain.Rpc;

namespace Shale.Chain.Market;

/// <summary>A provider and its index.</summary>
/// <param name="Index">From 1 on.</param>
/// <param name="Provider">The provider as it stands.</param>
public sealed record ProviderEntry(uint Index, ShaleRegistry.Provider Provider)
{
    /// <summary>What both sides call it in a lease's terms: its miner ID, <c>f01946720</c>, or without one its index, <c>p7</c>.</summary>
    public string Name => Provider.MinerId == 0 ? string.Create(CultureInfo.InvariantCulture, $"p{Index}") : string.Create(CultureInfo.InvariantCulture, $"f0{Provider.MinerId}");
}

/// <summary>An offer that stands, and its number.</summary>
/// <param name="Provider">The provider's index.</param>
/// <param name="Id">The offer's number at that provider, from 1 on.</param>
/// <param name="Offer">The offer.</param>
public sealed record OfferEntry(uint Provider, uint Id, Offer Offer);

/// <summary>A lease's record and its number.</summary>
/// <param name="Id">The lease.</param>
/// <param name="Lease">The record; state None for a number that was not given out.</param>
public sealed record LeaseEntry(ulong Id, Lease Lease);

/// <summary>A page and its number.</summary>
/// <param name="Number">Its number at its provider, from 0 on.</param>
/// <param name="Page">The record.</param>
public sealed record PageEntry(uint Number, Page Page);

/// <summary>What a deployment fixed once and for all.</summary>
/// <param name="Bond">attoFIL that an order puts down.</param>
/// <param name="AcceptEpochs">Epochs in which an order may be accepted.</param>
/// <param name="ConfirmEpochs">Epochs in which an accepted order may be confirmed.</param>
/// <param name="CloseEpochs">Epochs from the first request to close until the client may leave alone.</param>
/// <param name="PageSizes">The page sizes that it has a verifier for: of 8, 64, 256.</param>
/// <param name="VoucherDomain">The domain that vouchers are signed under, a field element.</param>
public sealed record MarketConstants(UInt128 Bond, ulong AcceptEpochs, ulong ConfirmEpochs, ulong CloseEpochs, IReadOnlyList<int> PageSizes, BigInteger VoucherDomain);

/// <summary>
/// What the contracts say. Every method takes the block that the answer is of; where an answer takes several questions and no block is named, all of them are asked of the newest
/// block at the start. A deposit counts only where it is final: ask with <see cref="BlockTag.Finalized"/>.
/// </summary>
public sealed class MarketReader
{
    /// <summary>Of a provider with more offers the newest are read: an honest one has a few, and who has more must not make every list long.</summary>
    public const int MostOffers = 500;

    private readonly ChainClient _chain;

    /// <summary>Reads a network's market.</summary>
    /// <param name="chain">The chain.</param>
    /// <param name="network">Where the contracts lie.</param>
    /// <exception cref="NetworkException">They are not deployed there.</exception>
    public MarketReader(ChainClient chain, Network network)
    {
        ArgumentNullException.ThrowIfNull(network);
        _chain = chain;
        (Registry, Market) = (network.RequireRegistry(), network.RequireMarket());
    }

    /// <summary>The contract of providers and offers.</summary>
    public Address Registry { get; }

    /// <summary>The contract of leases.</summary>
    public Address Market { get; }

    /// <summary>Number of providers; their indices are 1 to this.</summary>
    public Task<uint> GetProviderCountAsync(BlockTag at = default, CancellationToken cancellation = default) => _chain.CallAsync(Registry, new ShaleRegistry.ProviderCountCall(), at, null, cancellation);

    /// <summary>A provider.</summary>
    /// <exception cref="ChainException">With an <see cref="UnknownProviderError"/> when there is none.</exception>
    public Task<ShaleRegistry.Provider> GetProviderAsync(uint provider, BlockTag at = default, CancellationToken cancellation = default) =>
        _chain.CallAsync(Registry, new ShaleRegistry.GetProviderCall(provider), at, null, cancellation);

    /// <summary>All providers, in the order in which they registered.</summary>
    public async Task<IReadOnlyList<ProviderEntry>> GetProvidersAsync(BlockTag at = default, CancellationToken cancellation = default)
    {
        at = await FixAsync(at, cancellation).ConfigureAwait(false);
        var count = await GetProviderCountAsync(at, cancellation).ConfigureAwait(false);
        var providers = await _chain.CallManyAsync(Registry, Calls(1, count, i => new ShaleRegistry.GetProviderCall((uint)i)), at, cancellation).ConfigureAwait(false);
        return [.. providers.Select((p, i) => new ProviderEntry((uint)i + 1, p))];
    }

    /// <summary>The provider that an address serves as owner or operator; null if none.</summary>
    public async Task<uint?> FindProviderAsync(Address served, BlockTag at = default, CancellationToken cancellation = default) =>
        await _chain.CallAsync(Registry, new ShaleRegistry.ProviderOfCall(served), at, null, cancellation).ConfigureAwait(false) is var index and not 0 ? index : null;

    /// <summary>The provider that holds a miner ID; null if none.</summary>
    public async Task<uint?> FindProviderOfMinerAsync(ulong minerId, BlockTag at = default, CancellationToken cancellation = default) =>
        await _chain.CallAsync(Registry, new ShaleRegistry.ProviderOfMinerCall(minerId), at, null, cancellation).ConfigureAwait(false) is var index and not 0 ? index : null;

    /// <summary>The offers of a provider that stand.</summary>
    public async Task<IReadOnlyList<OfferEntry>> GetOffersAsync(uint provider, BlockTag at = default, CancellationToken cancellation = default)
    {
        at = await FixAsync(at, cancellation).ConfigureAwait(false);
        var found = await GetProviderAsync(provider, at, cancellation).ConfigureAwait(false);
        return await GetOffersAsync([new ProviderEntry(provider, found)], at, cancellation).ConfigureAwait(false);
    }

    /// <summary>The offers of several providers that stand, in two rounds of batches however many there are.</summary>
    public async Task<IReadOnlyList<OfferEntry>> GetOffersAsync(IReadOnlyList<ProviderEntry> providers, BlockTag at = default, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(providers);
        at = await FixAsync(at, cancellation).ConfigureAwait(false);
        (uint Provider, uint Id)[] put = [.. providers.SelectMany(Put)];
        var terms = await _chain.CallManyAsync(Registry, [.. put.Select(o => new ShaleRegistry.OfferTermsCall(o.Provider, o.Id))], at, cancellation).ConfigureAwait(false);
        (uint Provider, uint Id)[] listed = [.. put.Where((_, i) => terms[i].Listed)];
        var offers = await _chain.CallManyAsync(Registry, [.. listed.Select(o => new ShaleRegistry.GetOfferCall(o.Provider, o.Id))], at, cancellation).ConfigureAwait(false);
        return [.. offers.Select((o, i) => new OfferEntry(listed[i].Provider, listed[i].Id, o))];
    }

    /// <summary>An offer; null if it was removed or never put.</summary>
    public async Task<Offer?> FindOfferAsync(uint provider, uint offer, BlockTag at = default, CancellationToken cancellation = default)
    {
        try
        {
            return await _chain.CallAsync(Registry, new ShaleRegistry.GetOfferCall(provider, offer), at, null, cancellation).ConfigureAwait(false);
        }
        catch (ChainException refused) when (refused.ContractError is OfferNotListedError)
        {
            return null;
        }
    }

    /// <summary>Number of leases ever ordered; their numbers are 1 to this.</summary>
    public Task<ulong> GetLeaseCountAsync(BlockTag at = default, CancellationToken cancellation = default) => _chain.CallAsync(Market, new ShaleMarket.LeaseCountCall(), at, null, cancellation);

    /// <summary>A lease's record; state None for a number that was not given out.</summary>
    public Task<Lease> GetLeaseAsync(ulong leaseId, BlockTag at = default, CancellationToken cancellation = default) =>
        _chain.CallAsync(Market, new ShaleMarket.GetLeaseCall(leaseId), at, null, cancellation);

    /// <summary>Several leases' records, in the order asked.</summary>
    public async Task<IReadOnlyList<LeaseEntry>> GetLeasesAsync(IReadOnlyList<ulong> leaseIds, BlockTag at = default, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(leaseIds);
        at = await FixAsync(at, cancellation).ConfigureAwait(false);
        var leases = await _chain.CallManyAsync(Market, [.. leaseIds.Select(id => new ShaleMarket.GetLeaseCall(id))], at, cancellation).ConfigureAwait(false);
        return [.. leases.Select((l, i) => new LeaseEntry(leaseIds[i], l))];
    }

    /// <summary>All leases that a condition holds for. Reads every lease there ever was, in batches.</summary>
    /// <param name="condition">Which to take: a provider's, a client's, those that are open.</param>
    /// <param name="at">At the end of which block.</param>
    /// <param name="cancellation">Ends the wait.</param>
    public async Task<IReadOnlyList<LeaseEntry>> FindLeasesAsync(Func<Lease, bool> condition, BlockTag at = default, CancellationToken cancellation = default)
    {
        const ulong Chunk = 1000;
        ArgumentNullException.ThrowIfNull(condition);
        at = await FixAsync(at, cancellation).ConfigureAwait(false);
        var count = await GetLeaseCountAsync(at, cancellation).ConfigureAwait(false);
        var found = new List<LeaseEntry>();
        for (ulong first = 1; first <= count; first += Chunk)
        {
            var last = Math.Min(count, first + Chunk - 1);
            var leases = await _chain.CallManyAsync(Market, Calls(first, last, i => new ShaleMarket.GetLeaseCall(i)), at, cancellation).ConfigureAwait(false);
            found.AddRange(leases.Select((l, i) => new LeaseEntry(first + (ulong)i, l)).Where(l => condition(l.Lease)));
        }

        return found;
    }

    /// <summary>A page's record; size 0 if it was never opened.</summary>
    public Task<Page> GetPageAsync(uint provider, uint page, BlockTag at = default, CancellationToken cancellation = default) =>
        _chain.CallAsync(Market, new ShaleMarket.GetPageCall(provider, page), at, null, cancellation);

    /// <summary>All pages of a provider.</summary>
    public async Task<IReadOnlyList<PageEntry>> GetPagesAsync(uint provider, BlockTag at = default, CancellationToken cancellation = default)
    {
        at = await FixAsync(at, cancellation).ConfigureAwait(false);
        var count = await _chain.CallAsync(Market, new ShaleMarket.PageCountCall(provider), at, null, cancellation).ConfigureAwait(false);
        var pages = await _chain.CallManyAsync(Market, Calls(0, (ulong)count - 1, i => new ShaleMarket.GetPageCall(provider, (uint)i), count == 0), at, cancellation).ConfigureAwait(false);
        return [.. pages.Select((p, i) => new PageEntry((uint)i, p))];
    }

    /// <summary>A provider's money: its pool and its earnings.</summary>
    public Task<Account> GetAccountAsync(uint provider, BlockTag at = default, CancellationToken cancellation = default) =>
        _chain.CallAsync(Market, new ShaleMarket.GetAccountCall(provider), at, null, cancellation);

    /// <summary>attoFIL that <c>withdraw</c> would pay an address.</summary>
    public Task<BigInteger> GetWithdrawableAsync(Address account, BlockTag at = default, CancellationToken cancellation = default) =>
        _chain.CallAsync(Market, new ShaleMarket.WithdrawableCall(account), at, null, cancellation);

    /// <summary>The root that a frozen lease's leaf is proved under; 0 unless it was frozen with a leaf.</summary>
    public Task<BigInteger> GetFrozenRootAsync(ulong leaseId, BlockTag at = default, CancellationToken cancellation = default) =>
        _chain.CallAsync(Market, new ShaleMarket.FrozenRootCall(leaseId), at, null, cancellation);

    /// <summary>What the deployment fixed; it never changes.</summary>
    public async Task<MarketConstants> GetConstantsAsync(CancellationToken cancellation = default)
    {
        var bond = await _chain.CallAsync(Market, new ShaleMarket.BondCall(), default, null, cancellation).ConfigureAwait(false);
        var epochs = await _chain.CallManyAsync<ulong>(
            Market, [new ShaleMarket.AcceptEpochsCall(), new ShaleMarket.ConfirmEpochsCall(), new ShaleMarket.CloseEpochsCall()], default, cancellation).ConfigureAwait(false);
        var verifiers = await _chain.CallManyAsync<Address>(
            Market, [new ShaleMarket.Verifier8Call(), new ShaleMarket.Verifier64Call(), new ShaleMarket.Verifier256Call()], default, cancellation).ConfigureAwait(false);
        var domain = await _chain.CallAsync(Market, new ShaleMarket.VoucherDomainCall(), default, null, cancellation).ConfigureAwait(false);
        int[] sizes = [8, 64, 256];
        return new MarketConstants(bond, epochs[0], epochs[1], epochs[2], [.. sizes.Where((_, i) => !verifiers[i].IsZero)], domain);
    }

    /// <summary>Checks that the contracts at the network's addresses are a market and its registry.</summary>
    /// <exception cref="ChainException">They are not.</exception>
    public async Task CheckAsync(CancellationToken cancellation = default)
    {
        var registry = await _chain.CallAsync(Market, new ShaleMarket.RegistryCall(), default, null, cancellation).ConfigureAwait(false);
        if (registry != Registry)
        {
            throw new ChainException(ChainErrorKind.Refused, $"The market {Market} uses the registry {registry}, not {Registry} as the network says. Correct the network file.");
        }
    }

    private static IEnumerable<(uint Provider, uint Id)> Put(ProviderEntry entry)
    {
        var count = entry.Provider.Offers;
        var first = count > MostOffers ? count - MostOffers + 1 : 1;
        for (ulong id = first; id <= count; id++)
        {
            yield return (entry.Index, (uint)id);
        }
    }

    /// <summary>A tag that means the same block in every call that follows.</summary>
    private async Task<BlockTag> FixAsync(BlockTag at, CancellationToken cancellation)
    {
        if (at == BlockTag.Latest)
        {
            return BlockTag.At(await _chain.GetHeadAsync(cancellation).ConfigureAwait(false));
        }

        if (at == BlockTag.Finalized)
        {
            return BlockTag.At((await _chain.GetFinalizedAsync(cancellation).ConfigureAwait(false)).Number);
        }

        return at;
    }

    private static List<IContractCall<T>> Calls<T>(ulong first, ulong last, Func<ulong, IContractCall<T>> call, bool none = false)
    {
        var calls = new List<IContractCall<T>>();
        for (var i = first; !none && i <= last; i++)
        {
            calls.Add(call(i));
        }

        return calls;
    }
}
