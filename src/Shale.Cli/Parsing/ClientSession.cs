using System.CommandLine;
using System.Globalization;
using System.Numerics;
using Shale.Chain.Accounts;
using Shale.Chain.Contracts;
using Shale.Chain.Market;
using Shale.Chain.Networks;
using Shale.Chain.Rpc;
using Shale.Cli.Commands;

namespace Shale.Cli.Parsing;

/// <summary>A client's wallet at a market: what every command needs that changes one of its leases.</summary>
internal sealed class ClientSession : IDisposable
{
    private readonly TransactionLine _line = new();

    private ClientSession(Network network, ChainClient chain, KeyAccount account)
    {
        (Network, Chain, Account) = (network, chain, account);
        Reader = new MarketReader(chain, network);
        Writer = ChainCommandOptions.Writer(chain, network, account, _line);
    }

    public Network Network { get; }

    public ChainClient Chain { get; }

    public KeyAccount Account { get; }

    public MarketReader Reader { get; }

    public MarketWriter Writer { get; }

    /// <summary>Connects first and unlocks then: nobody types a passphrase for a network that can't be reached.</summary>
    public static async Task<ClientSession> OpenAsync(ChainCommandOptions options, ParseResult parsed, CancellationToken cancellation)
    {
        var network = options.Network(parsed);
        _ = network.RequireMarket();
        var chain = network.Connect();
        try
        {
            await new MarketReader(chain, network).CheckAsync(cancellation).ConfigureAwait(false);
            return new ClientSession(network, chain, options.Unlock(parsed, network));
        }
        catch
        {
            chain.Dispose();
            throw;
        }
    }

    /// <summary>A lease of this wallet's.</summary>
    public async Task<Lease> LeaseAsync(ulong id, CancellationToken cancellation)
    {
        var lease = await Reader.GetLeaseAsync(id, default, cancellation).ConfigureAwait(false);
        return lease.State == LeaseState.None ? throw new CliError($"There is no lease {id} on {Network.Name}.", "shale leases lists yours.", ExitCodes.NoInput)
            : lease.Client == Account.Address ? lease
            : throw new CliError($"Lease {id} is {lease.Client}'s, not {Account.Address}'s.", "Choose its wallet with --wallet.", ExitCodes.NoPermission);
    }

    /// <summary>Collects what the market owes this wallet; 0 where it owes nothing.</summary>
    public async Task<BigInteger> CollectAsync(CancellationToken cancellation) =>
        (await Reader.GetWithdrawableAsync(Account.Address, default, cancellation).ConfigureAwait(false)).IsZero ? BigInteger.Zero : (await Writer.WithdrawAsync(cancellation).ConfigureAwait(false)).Event.Amount;

    /// <summary>How long epochs are, in words.</summary>
    public string InWords(ulong epochs)
    {
        var time = TimeSpan.FromSeconds((double)epochs * Network.EpochSeconds);
        return time.TotalDays >= 2 ? string.Create(CultureInfo.InvariantCulture, $"{time.TotalDays:0.#} days")
            : time.TotalHours >= 2 ? string.Create(CultureInfo.InvariantCulture, $"{time.TotalHours:0.#} hours")
            : string.Create(CultureInfo.InvariantCulture, $"{Math.Max(1, time.TotalMinutes):0} minutes");
    }

    public void Dispose()
    {
        _line.Dispose();
        Account.Dispose();
        Chain.Dispose();
    }
}
