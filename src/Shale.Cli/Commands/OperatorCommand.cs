using System.CommandLine;
using System.Globalization;
using Shale.Chain;
using Shale.Chain.Accounts;
using Shale.Chain.Market;
using Shale.Chain.Rpc;
using Shale.Cli.Parsing;
using Shale.Containers.Probes;
using Shale.Operator;
using Shale.Payments.Vouchers;

namespace Shale.Cli.Commands;

/// <summary><c>shale operator</c>: the provider's keys. Follows orders, accepts, settles, closes; listens to nobody.</summary>
internal static class OperatorCommand
{
    public static Command Create()
    {
        var options = new OperatorCommandOptions();
        var command = new Command("operator", "Follow orders, accept them, settle and close; holds the wallet, listens to nobody");
        command.Options.Add(options.State);
        options.AddTo(command);
        command.SetAction(async (parsed, cancellation) =>
        {
            using var end = DaemonCommand.EndWithDaemon(cancellation);
            using var session = await options.OpenAsync(parsed, parsed.GetValue(options.State)!, end.Token).ConfigureAwait(false);
            Console.Error.WriteLine($"shale: operating provider {session.Market.Provider} on {session.NetworkName}, settling to {session.Market.Contract}");
            await session.Service.RunAsync(end.Token).ConfigureAwait(false);
            return ExitCodes.Success;
        });
        return command;
    }
}

/// <summary>The options of everything that works as a provider's operator.</summary>
internal sealed class OperatorCommandOptions
{
    private readonly ChainCommandOptions _chain = ChainCommandOptions.WithOnePassphrase();
    private readonly Option<string[]> _keys = new("--key") { Description = "A proving key: SLOTS:FILE.zkey. May be given often. Default: the network's." };
    private readonly Option<int> _pageSize = new("--page_size", "--page-size") { Description = "Slots of pages that are opened: 8, 64, 256. Default: the smallest that there is a key for." };
    private readonly Option<double?> _poll = new("--poll") { Description = "Seconds between two looks at the chain. Default: an epoch, at most 10." };
    private readonly Option<string> _amount = new("--settle_amount", "--settle-amount") { Description = "Settle a page when a lease of it owes so much.", DefaultValueFactory = _ => "1fil" };
    private readonly Option<string> _interval = new("--settle_interval", "--settle-interval") { Description = "Settle what was signed at least so often: 1d, 6h, 30m.", DefaultValueFactory = _ => "1d" };
    private readonly Option<uint?> _cpus = new("--num_cpus", "--num-cpus") { Description = "CPU cores to lease out in all. Default: the machine's." };
    private readonly Option<string?> _memory = new("--num_rams", "--num-rams") { Description = "Memory to lease out in all. Default: the machine's less 1 GiB." };
    private readonly Option<uint?> _gpus = new("--num_gpus", "--num-gpus") { Description = "GPUs to lease out in all. Default: the machine's." };
    private readonly Option<int> _chargeInterval = new("--interval") { Description = "Seconds between charges, 1 to 60.", DefaultValueFactory = _ => 5 };
    private readonly Option<int> _window = new("--window") { Description = "Seconds that are paid ahead.", DefaultValueFactory = _ => 15 };
    private readonly Option<int> _grace = new("--grace") { Description = "Seconds served unpaid before a container is frozen.", DefaultValueFactory = _ => 10 };
    private readonly Option<string> _patience = new("--start_patience", "--start-patience") { Description = "How long a lease may fail to start before it is given up and refunded.", DefaultValueFactory = _ => "5m" };

    public Option<string> State { get; } = new("--state_dir", "--state-dir") { Description = "The provider's folder: leases, voucher log.", DefaultValueFactory = _ => GatewayCommand.DefaultState };

    /// <summary>Every option but <see cref="State"/>, which a daemon shares with its gateway.</summary>
    public IReadOnlyList<Option> Own => [_keys, _pageSize, _poll, _amount, _interval, _cpus, _memory, _gpus, _chargeInterval, _window, _grace, _patience];

    /// <summary>The chain's options: network, wallet, passphrase.</summary>
    public ChainCommandOptions Chain => _chain;

    public void AddTo(Command command)
    {
        foreach (var option in Own)
        {
            command.Options.Add(option);
        }

        _chain.AddTo(command);
    }

    /// <summary>Unlocks the wallet, connects, checks that wallet, provider and host keys belong together, and opens the operator's folder.</summary>
    public async Task<OperatorSession> OpenAsync(ParseResult parsed, string state, CancellationToken cancellation)
    {
        var network = _chain.Network(parsed);
        var chain = network.Connect();
        KeyAccount? account = null;
        try
        {
            var reader = new MarketReader(chain, network);
            await reader.CheckAsync(cancellation).ConfigureAwait(false);
            account = _chain.Unlock(parsed, network);
            var provider = await reader.FindProviderAsync(account.Address, default, cancellation).ConfigureAwait(false)
                ?? throw new CliError($"{account.Address} serves no provider on {network.Name}.", "Register it: shale provider register --endpoint=HOST:22", ExitCodes.NoInput);
            var record = await reader.GetProviderAsync(provider, default, cancellation).ConfigureAwait(false);
            if (record.Operator != account.Address)
            {
                throw new CliError($"{account.Address} owns provider {provider}, but {record.Operator} is its operator.", "Run this with the operator's wallet, or take over: shale provider nominate " + account.Address, ExitCodes.NoPermission);
            }

            CheckHostKeys(state, record.HostKeys);
            var market = new ProviderMarket(chain, network, ChainCommandOptions.Writer(chain, network, account, new TransactionTrouble(Say)), provider);
            var options = new OperatorOptions
            {
                StateDirectory = Path.GetFullPath(state),
                ProvingKeys = Keys(parsed, network.ProvingKeys),
                Capacity = await CapacityAsync(parsed, state, cancellation).ConfigureAwait(false),
                PageSize = parsed.GetValue(_pageSize),
                Poll = TimeSpan.FromSeconds(Math.Max(0.2, parsed.GetValue(_poll) ?? Math.Min(10, network.EpochSeconds))),
                SettleAmount = AttoFil.Create(ChainCommandOptions.Amount(parsed.GetValue(_amount)!, "--settle_amount")),
                SettleInterval = Quantity.Duration(parsed.GetValue(_interval)!, "--settle_interval"),
                StartPatience = Quantity.Duration(parsed.GetValue(_patience)!, "--start_patience"),
                ChargeInterval = parsed.GetValue(_chargeInterval),
                ChargeWindow = parsed.GetValue(_window),
                ChargeGrace = parsed.GetValue(_grace),
            };
            return new OperatorSession(new OperatorService(options, market, TimeProvider.System, Say), market, network.Name, chain, account);
        }
        catch
        {
            account?.Dispose();
            chain.Dispose();
            throw;
        }
    }

    private static void Say(string line) => Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{DateTimeOffset.UtcNow:yyyy-MM-ddTHH:mm:ss.fffZ} {line}"));

    /// <summary>A client trusts only the keys that the chain names: with others nobody could connect, and every order would be wasted.</summary>
    private static void CheckHostKeys(string state, IReadOnlyList<Bytes32> registered)
    {
        var folder = Path.Combine(state, "hostkeys");
        try
        {
            // Where the gateway is another user, its keys are its own; then nothing can be compared, and clients are the ones who notice.
            if (!Directory.Exists(folder) || HostKeyOptions.OfFolder(folder).Any(registered.Contains))
            {
                return;
            }
        }
        catch (UnauthorizedAccessException)
        {
            return;
        }

        throw new CliError($"None of the host keys in {folder} is one that the chain names for this provider.", $"Register them: shale provider set-host-keys --state_dir={state}", ExitCodes.Configuration);
    }

    private static IReadOnlyDictionary<int, string> Keys(string[] named, IReadOnlyDictionary<int, string> ofNetwork)
    {
        if (named.Length == 0)
        {
            return ofNetwork;
        }

        return named.Select(text => text.Split(':', 2)).ToDictionary(
            parts => parts.Length == 2 && int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var slots)
                ? slots
                : throw new CliError($"--key={string.Join(':', parts)} is not SLOTS:FILE.zkey.", "For example --key=64:settlement-64.zkey.", ExitCodes.Usage),
            parts => parts[1]);
    }

    private IReadOnlyDictionary<int, string> Keys(ParseResult parsed, IReadOnlyDictionary<int, string> ofNetwork) => Keys(parsed.GetValue(_keys) ?? [], ofNetwork);

    private async Task<MachineCapacity> CapacityAsync(ParseResult parsed, string state, CancellationToken cancellation)
    {
        const ulong ForTheMachine = 1UL << 30;
        var host = await HostResources.ReadAsync(Directory.Exists(state) ? state : "/", cancellation).ConfigureAwait(false);
        return new MachineCapacity(
            parsed.GetValue(_cpus) ?? (uint)host.Cpus,
            parsed.GetValue(_memory) is { } memory ? (ulong)Quantity.Memory(memory, "--num_rams") : (ulong)host.MemoryBytes - Math.Min((ulong)host.MemoryBytes, ForTheMachine),
            parsed.GetValue(_gpus) ?? (uint)host.Gpus.Count);
    }
}

/// <summary>An operator that is ready to work.</summary>
internal sealed record OperatorSession(OperatorService Service, ProviderMarket Market, string NetworkName, ChainClient Chain, KeyAccount Account) : IDisposable
{
    public void Dispose()
    {
        Account.Dispose();
        Chain.Dispose();
    }
}
