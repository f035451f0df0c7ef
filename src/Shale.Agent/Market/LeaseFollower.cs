using System.Globalization;
using System.Net;
using Shale.Agent.Files;
using Shale.Chain;
using Shale.Chain.Abi;
using Shale.Chain.Contracts;
using Shale.Chain.Market;
using Shale.Chain.Networks;
using Shale.Chain.Rpc;
using Shale.Ssh.Keys;

namespace Shale.Agent.Market;

/// <summary>What a client needs to see of its order on chain: the acceptance with its terms, and what the payment agent has to know of the lease.</summary>
public sealed class LeaseFollower
{
    private readonly ChainClient _chain;
    private readonly Network _network;
    private readonly MarketReader _reader;
    private readonly MarketEvents _events;
    private readonly TimeProvider _time;

    /// <summary>Follows leases of a network's market.</summary>
    public LeaseFollower(ChainClient chain, Network network, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(network);
        (_chain, _network, _time) = (chain, network, time);
        _reader = new MarketReader(chain, network);
        _events = new MarketEvents(chain, network);
    }

    private TimeSpan Poll => TimeSpan.FromSeconds(Math.Clamp(_network.EpochSeconds / 2.0, 0.25, 5));

    /// <summary>Waits until an order is accepted, and returns the terms that it was accepted with.</summary>
    /// <param name="leaseId">The order.</param>
    /// <param name="fromEpoch">When it was placed.</param>
    /// <param name="patience">How long to wait.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <returns>The terms, checked against the hash on chain, the price limit and the provider's host keys; null where nobody accepted in time.</returns>
    /// <exception cref="AgentException">It was accepted with terms that the client must not confirm.</exception>
    public async Task<Terms?> WaitForTermsAsync(ulong leaseId, ulong fromEpoch, TimeSpan patience, CancellationToken cancellation)
    {
        long started = _time.GetTimestamp();
        while (true)
        {
            Lease lease = await _reader.GetLeaseAsync(leaseId, default, cancellation).ConfigureAwait(false);
            switch (lease.State)
            {
                case LeaseState.Accepted or LeaseState.Active or LeaseState.Closing:
                    return Check(leaseId, lease, await FindTermsAsync(leaseId, fromEpoch, cancellation).ConfigureAwait(false), await _reader.GetProviderAsync(lease.Provider, default, cancellation).ConfigureAwait(false));
                case LeaseState.Expired or LeaseState.Closed or LeaseState.Frozen:
                    return null;
            }

            if (_time.GetElapsedTime(started) >= patience)
            {
                return null;
            }

            await Task.Delay(Poll, _time, cancellation).ConfigureAwait(false);
        }
    }

    /// <summary>Waits until a lease's confirmation is final: from then on the provider serves it.</summary>
    public async Task WaitUntilFinalAsync(ulong leaseId, CancellationToken cancellation)
    {
        while ((await _reader.GetLeaseAsync(leaseId, BlockTag.At((await _chain.GetFinalizedAsync(cancellation).ConfigureAwait(false)).Number), cancellation).ConfigureAwait(false)).State is LeaseState.None or LeaseState.Created or LeaseState.Accepted)
        {
            await Task.Delay(Poll, _time, cancellation).ConfigureAwait(false);
        }
    }

    /// <summary>What the payment agent has to know of a lease, from the chain; the host keys from the server, as far as the chain names them.</summary>
    /// <exception cref="AgentException">The gateway can't be reached, or has other keys.</exception>
    public async Task<LeaseFile> DescribeAsync(ulong leaseId, Terms terms, string payerKey, string identityFile, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(terms);
        Lease lease = await _reader.GetLeaseAsync(leaseId, default, cancellation).ConfigureAwait(false);
        ShaleRegistry.Provider provider = await _reader.GetProviderAsync(lease.Provider, default, cancellation).ConfigureAwait(false);
        (string host, int port) = SplitEndpoint(terms.Endpoint);
        IReadOnlyList<SshPublicKey> keys = await HostKeyScan.ReadAsync(host, port, [.. terms.HostKeys], cancellation).ConfigureAwait(false);
        if (keys.Count == 0)
        {
            throw new AgentException($"{terms.Endpoint} has none of the host keys that the chain names for its provider.", "Do not connect: it may be somebody else's machine. Ask the provider, or close the lease with shale stop.");
        }

        return new LeaseFile
        {
            Id = leaseId,
            Host = host,
            Port = port,
            Provider = new ProviderEntry(lease.Provider, provider).Name,
            HostKeys = [.. keys.Select(k => k.ToString())],
            IdentityFile = identityFile,
            Payment = new LeasePrice
            {
                ChainId = _network.ChainId,
                Contract = _reader.Market.ToString(),
                PayerKey = payerKey,
                PricePerSecond = terms.PricePerSecond.ToString(CultureInfo.InvariantCulture),
                Deposit = lease.Amount.ToString(CultureInfo.InvariantCulture),
            },
        };
    }

    private async Task<Terms> FindTermsAsync(ulong leaseId, ulong fromEpoch, CancellationToken cancellation)
    {
        ulong head = await _chain.GetHeadAsync(cancellation).ConfigureAwait(false);
        IReadOnlyList<MarketEvent> events = await _events.ReadRangeAsync(fromEpoch, head, cancellation).ConfigureAwait(false);
        return events.Select(e => e.Event).OfType<ShaleMarket.LeaseAcceptedEvent>().LastOrDefault(e => e.LeaseId == leaseId)?.Terms
            ?? throw new AgentException($"Lease {leaseId} is accepted, but no node tells with which terms.", "Name a node that keeps events with --network=FILE, and run this again with --resume.");
    }

    private static Terms Check(ulong leaseId, Lease lease, Terms terms, ShaleRegistry.Provider provider)
    {
        if (TermsHash.Compute(leaseId, terms) != lease.TermsHash)
        {
            throw new AgentException($"The terms of lease {leaseId} that a node tells are not those on chain.", "Name another node with --network=FILE.");
        }

        Bytes32[] unknown = [.. terms.HostKeys.Where(k => !provider.HostKeys.Contains(k))];
        return unknown.Length == 0
            ? terms
            : throw new AgentException($"Lease {leaseId} was accepted with SSH host keys that are not the provider's registered ones.", "Do not confirm: its bond is lost, its deposit is not.");
    }

    /// <summary>host:port, or [v6]:port.</summary>
    private static (string Host, int Port) SplitEndpoint(string endpoint)
    {
        int colon = endpoint.LastIndexOf(':');
        string host = colon < 0 ? endpoint : endpoint[..colon].Trim('[', ']');
        return colon > 0 && int.TryParse(endpoint.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int port) && port is > 0 and <= IPEndPoint.MaxPort && host.Length > 0
            ? (host, port)
            : throw new AgentException($"The provider's endpoint '{endpoint}' is not host:port.", "Take another provider; close this lease with shale stop.");
    }
}
