using System.Globalization;
using System.Numerics;
using System.Text.Json;
using Shale.Chain.Contracts;
using Shale.Chain.Market;
using Shale.Chain.Networks;
using Shale.Chain.Rpc;
using Wallet = Shale.Chain.Accounts.KeyAccount;

namespace Shale.Chain.Tests.Doubles;

/// <summary>
/// anvil with the market deployed at the address that the settlement vectors name, a provider and a client with money. A block is mined for every transaction, and none without:
/// time passes when the test says so.
/// </summary>
internal sealed class MarketBench : IAsyncDisposable
{
    internal static readonly UInt128 Bond = 10_000_000_000_000_000;
    internal static readonly Bytes32 HostKey = Bytes32.Keccak("a host key"u8);
    private static readonly string Vectors = Path.Combine(Repository.Root, "tests", "vectors", "settlement-8");

    private readonly DirectoryInfo _home = Directory.CreateTempSubdirectory("shale-market-");
    private readonly List<IDisposable> _held = [];
    private AnvilOptions _options = null!;

    internal AnvilNode Node { get; private set; } = null!;

    internal Network Network { get; private set; } = null!;

    internal ChainClient Chain { get; private set; } = null!;

    internal MarketReader Reader { get; private set; } = null!;

    internal MarketWriter Provider { get; private set; } = null!;

    internal MarketWriter Client { get; private set; } = null!;

    internal string Folder => _home.FullName;

    internal static Resources Machine { get; } = new(2, 4UL << 30, 0, "", 1 << 20);

    internal static Terms Terms { get; } = new(100, "sp.example:22", [HostKey]);

    internal static async Task<MarketBench> StartAsync()
    {
        var bench = new MarketBench();
        using var statement = Json("00-empty", "statement.json");
        bench._options = new AnvilOptions
        {
            Program = AnvilNode.FindProgram(Repository.Root),
            Folder = Path.Combine(bench.Folder, "chain"),
            Port = Ports.Free(),
            ChainId = statement.RootElement.GetProperty("chainId").GetUInt64(),
            BlockSeconds = 0,
        };
        bench.Node = await AnvilNode.StartAsync(bench._options, CancellationToken.None);
        var bare = new Network { Name = "test", ChainId = bench._options.ChainId, Endpoints = [bench.Node.Endpoint], EpochSeconds = 1, FinalityDepth = 2 };
        bench.Chain = bare.Connect();
        var deployer = await AnvilTransactor.CreateAsync(bench.Node, bench.Chain, CancellationToken.None);
        var key = VerifyingKeyFile.Read(8, Path.Combine(Vectors, "verification_key.json"));
        var deployed = await MarketDeployment.DeployAsync(bare.ChainId, new DeploymentPlan { Keys = [key] }, deployer);

        // The vectors' signatures and proofs name the market's address.
        var market = Address.Parse(statement.RootElement.GetProperty("contract").GetString()!);
        var code = await bench.Chain.GetCodeAsync(deployed.Market);
        await bench.Node.RequestAsync("anvil_setCode", CancellationToken.None, market.ToString(), "0x" + Convert.ToHexStringLower(code.Span));
        bench.Network = bare with { Registry = deployed.Registry, Market = market, DeployedAt = deployed.DeployedAt };
        bench.Reader = new MarketReader(bench.Chain, bench.Network);
        bench.Provider = await bench.WriterAsync();
        bench.Client = await bench.WriterAsync();
        return bench;
    }

    /// <summary>A new account with 10,000 FIL.</summary>
    internal async Task<MarketWriter> WriterAsync()
    {
        var account = Wallet.Generate();
        _held.Add(account);
        await Node.SetBalanceAsync(account.Address, (UInt128)10_000 * 1_000_000_000_000_000_000, CancellationToken.None);
        return new MarketWriter(Network, new WalletTransactor(Chain, Network, account, Path.Combine(Folder, "transactions")));
    }

    /// <summary>Stops the node and starts it again, with its state.</summary>
    internal async Task RestartAsync(Func<Task>? between = null)
    {
        await Node.DisposeAsync();
        if (between is not null)
        {
            await between();
        }

        Node = await AnvilNode.StartAsync(_options, CancellationToken.None);
    }

    /// <summary>Registers the provider, puts an offer and opens a page.</summary>
    internal async Task<uint> RegisterAsync()
    {
        var registered = await Provider.RegisterAsync(1946720, "sp.example:22", [HostKey]);
        var offer = new Offer(Machine, 100, 1, [new DataSet(new byte[] { 1, 2, 3 }, 5, ReadOnlyMemory<byte>.Empty, ["mnist.zip"])], [new Image("debian", HostKey)], "DE");
        await Provider.PutOfferAsync(registered.Event.Provider, 0, offer);
        await Provider.OpenPageAsync(registered.Event.Provider, 8);
        return registered.Event.Provider;
    }

    internal static Order Order(BigInteger ax, BigInteger ay) => new(1, 1, 100, 3600, ax, ay, Machine, HostKey, ["ssh-ed25519 AAAA"], [new Mount(new byte[] { 1, 2, 3 }, "/mnt/mnist.zip")]);

    /// <summary>A payment key of the vectors.</summary>
    internal static Order AnyOrder()
    {
        using var statement = Json("01-first-sync-and-pay", "statement.json");
        var record = statement.RootElement.GetProperty("records")[0];
        return Order(Number(record.GetProperty("ax")), Number(record.GetProperty("ay")));
    }

    /// <summary>Orders, accepts and confirms a lease.</summary>
    internal async Task<ulong> LeaseAsync(Order order, UInt128 deposit)
    {
        var created = await Client.CreateLeaseAsync(order, Bond);
        await Provider.AcceptAsync(created.Event.LeaseId, 0, Terms);
        await Client.ConfirmAsync(created.Event.LeaseId, Terms, deposit);
        return created.Event.LeaseId;
    }

    /// <summary>The lease of a record of a vector.</summary>
    internal Task<ulong> LeaseAsync(JsonElement record) => LeaseAsync(
        Order(Number(record.GetProperty("ax")), Number(record.GetProperty("ay"))), UInt128.Parse(record.GetProperty("deposit").GetString()!, CultureInfo.InvariantCulture));

    /// <summary>The call of a vector.</summary>
    internal static ShaleMarket.SettleCall Settlement(string name)
    {
        using var calldata = Json(name, "calldata.json");
        var call = calldata.RootElement;
        return new ShaleMarket.SettleCall(
            call.GetProperty("provider").GetUInt32(),
            call.GetProperty("page").GetUInt32(),
            Number(call.GetProperty("newRoot")),
            Number(call.GetProperty("paid")),
            Convert.FromHexString(call.GetProperty("entries").GetString()![2..]),
            Convert.FromHexString(call.GetProperty("leaseIds").GetString()![2..]),
            Number(call.GetProperty("c")),
            [.. call.GetProperty("proof").EnumerateArray().Select(Number)]);
    }

    internal static JsonDocument Json(params string[] path) => JsonDocument.Parse(File.ReadAllBytes(Path.Combine([Vectors, .. path])));

    internal static BigInteger Number(JsonElement text)
    {
        var value = text.GetString()!;
        return value.StartsWith("0x", StringComparison.Ordinal)
            ? BigInteger.Parse("0" + value[2..], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture)
            : BigInteger.Parse(value, CultureInfo.InvariantCulture);
    }

    public async ValueTask DisposeAsync()
    {
        Chain.Dispose();
        _held.ForEach(h => h.Dispose());
        await Node.DisposeAsync();
        _home.Delete(recursive: true);
    }
}
