using System.Globalization;
using System.Numerics;
using Xunit;

namespace Shale.EndToEnd.Tests.Worlds;

/// <summary>Everybody's money at a moment, attoFIL. What was spent on gas is added to the balances, so that only the market moves them.</summary>
internal sealed record Books(BigInteger Client, BigInteger Other, BigInteger Provider, BigInteger Market)
{
    public static Books operator -(Books later, Books earlier) =>
        new(later.Client - earlier.Client, later.Other - earlier.Other, later.Provider - earlier.Provider, later.Market - earlier.Market);
}

/// <summary>The tests that let no epochs pass and kill nothing share a world.</summary>
[CollectionDefinition(nameof(MarketCollection))]
public sealed class MarketCollection : ICollectionFixture<World>;

/// <summary>
/// A chain of its own, a provider with its daemon, two clients: each with folders of its own, all through the published executable. One for each class of
/// tests; those of a class run one after the other and leave no lease open.
/// </summary>
public sealed class World : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("se").FullName;
    private readonly Dictionary<string, string> _addresses = [];

    internal LocalChain Chain { get; private set; } = null!;

    internal Provider Provider { get; private set; } = null!;

    internal Client Client { get; private set; } = null!;

    internal Client Other { get; private set; } = null!;

    /// <summary>The world's folder, for what a test makes.</summary>
    internal string Folder => _folder;

    public async Task InitializeAsync()
    {
        Chain = await LocalChain.StartAsync(Path.Combine(_folder, "devnet"));
        Provider = new Provider(Chain, "provider", Path.Combine(_folder, "p"));
        Client = new Client(Chain, "client", Path.Combine(_folder, "a")) { Witness = () => Provider.Log };
        Other = new Client(Chain, "client2", Path.Combine(_folder, "b")) { Witness = () => Provider.Log };
        try
        {
            foreach (var wallet in (string[])["client", "client2", "operator", "provider"])
            {
                _addresses[wallet] = await Chain.AddressAsync(wallet);
            }

            await Task.WhenAll(Provider.RegisterAsync("f01946720", "busybox=shale/busybox:1", "debian=shale/debian:12"), Client.InitializeAsync(), Other.InitializeAsync());
            await Provider.StartAsync("--settle_amount=100fil", "--start_patience=5s");
        }
        catch
        {
            // The fixture's end does not come where its beginning fails.
            await DisposeAsync();
            throw;
        }
    }

    public async Task DisposeAsync()
    {
        await Client.DisposeAsync();
        await Other.DisposeAsync();
        await Provider.DisposeAsync();
        await Chain.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    /// <summary>Lets everybody collect what the market owes them, and reads all balances.</summary>
    internal async Task<Books> BooksAsync()
    {
        // An owner with nothing to collect is told so. What is left in the market after that is somebody else's, or in an open lease.
        if (await Chain.BalanceAsync(Chain.Market()) > 0)
        {
            await Provider.ShaleAsync("provider", "withdraw");
        }

        if (await Chain.BalanceAsync(Chain.Market()) > 0)
        {
            await Task.WhenAll(Client.MustAsync("wallet", "withdraw"), Other.MustAsync("wallet", "withdraw"), Provider.MustAsync("wallet", "withdraw"));
        }

        return await LookAsync();
    }

    /// <summary>Reads all balances as they are.</summary>
    internal async Task<Books> LookAsync() =>
        new(await MoneyAsync("client"), await MoneyAsync("client2"), await MoneyAsync("provider"), await Chain.BalanceAsync(Chain.Market()));

    /// <summary>FIL, as the product prints it, in attoFIL.</summary>
    internal static BigInteger Atto(string fil)
    {
        var (whole, fraction) = fil.Split('.') is [var a, var b] ? (a, b) : (fil, "");
        return BigInteger.Parse(whole + fraction.PadRight(18, '0'), CultureInfo.InvariantCulture);
    }

    /// <summary>A wallet's balance as it is.</summary>
    internal Task<BigInteger> BalanceAsync(string wallet) => Chain.BalanceAsync(_addresses[wallet]);

    /// <summary>A wallet's balance and what it spent on gas.</summary>
    internal async Task<BigInteger> MoneyAsync(string wallet) => await Chain.BalanceAsync(_addresses[wallet]) + await Chain.GasAsync(_addresses[wallet]);
}
