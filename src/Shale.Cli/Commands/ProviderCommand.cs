using System.CommandLine;
using System.Globalization;
using System.Net;
using System.Text.Json;
using Shale.Chain;
using Shale.Chain.Accounts;
using Shale.Chain.Contracts;
using Shale.Chain.Market;
using Shale.Chain.Networks;
using Shale.Chain.Rpc;
using Shale.Cli.Parsing;

namespace Shale.Cli.Commands;

/// <summary><c>shale provider</c>: what the chain knows of a provider.</summary>
internal static class ProviderCommand
{
    public static Command Create() => new("provider", "Register as a provider, and show or change what the chain says of one")
    {
        Register(), Show(), SetEndpoint(), SetHostKeys(), SetMiner(), Nominate(), Accept(), OpenPage(), Withdraw(),
    };

    private static Command Register()
    {
        var options = ChainCommandOptions.WithOnePassphrase();
        var keys = new HostKeyOptions();
        var miner = new Option<string?>("--miner") { Description = "The miner ID, f01946720. Default: none." };
        var endpoint = EndpointOption(required: true);
        var command = new Command("register", "Register this wallet as a provider's owner and operator") { miner, endpoint };
        keys.AddTo(command);
        options.AddTo(command);
        command.SetAction(async (parsed, cancellation) =>
        {
            var (minerId, address) = (parsed.GetValue(miner) is { } text ? ParseMiner(text) : 0, CheckEndpoint(parsed.GetValue(endpoint)!));
            var network = options.Network(parsed);
            using var chain = network.Connect();
            var reader = new MarketReader(chain, network);
            var hostKeys = keys.Read(parsed);
            using var account = options.Unlock(parsed, network);
            if (await reader.FindProviderAsync(account.Address, default, cancellation).ConfigureAwait(false) is { } served)
            {
                throw new CliError($"{account.Address} serves provider {served} already.", "An address serves one provider: choose another wallet with --wallet, or change that one with shale provider set-endpoint, set-host-keys, set-miner.");
            }

            using var line = new TransactionLine();
            var done = await ChainCommandOptions.Writer(chain, network, account, line).RegisterAsync(minerId, address, hostKeys, cancellation).ConfigureAwait(false);
            line.Dispose();
            Console.WriteLine($"Registered as provider {done.Event.Provider} in {done.Receipt.TransactionHash}");
            Console.Error.WriteLine("shale: put an offer next: shale offer put --price=0.01fil/min");
            return ExitCodes.Success;
        });
        return command;
    }

    private static Command Show()
    {
        var options = new ChainCommandOptions();
        var which = new Argument<string?>("provider") { Description = "Its index, its miner ID (f01946720), or an address or wallet that serves it. Default: the default wallet's.", Arity = ArgumentArity.ZeroOrOne };
        var json = new Option<bool>("--json") { Description = "Print JSON, amounts in attoFIL." };
        var command = new Command("show", "Show a provider") { which, json };
        options.AddTo(command, signs: false);
        command.SetAction(async (parsed, cancellation) =>
        {
            var network = options.Network(parsed);
            using var chain = network.Connect();
            var reader = new MarketReader(chain, network);
            var index = await FindAsync(options, parsed, network, reader, parsed.GetValue(which), cancellation).ConfigureAwait(false);
            var provider = await reader.GetProviderAsync(index, default, cancellation).ConfigureAwait(false);
            var account = await reader.GetAccountAsync(index, default, cancellation).ConfigureAwait(false);
            var pages = await reader.GetPagesAsync(index, default, cancellation).ConfigureAwait(false);
            if (parsed.GetValue(json))
            {
                Console.WriteLine(JsonSerializer.Serialize(
                    new
                    {
                        index,
                        minerId = provider.MinerId,
                        minerVerified = provider.MinerVerified,
                        owner = provider.Owner.ToString(),
                        @operator = provider.Operator.ToString(),
                        nominated = provider.Nominated.IsZero ? null : provider.Nominated.ToString(),
                        endpoint = provider.Endpoint,
                        hostKeys = provider.HostKeys.Select(HostKeyOptions.Fingerprint),
                        pages = pages.Select(p => new { number = p.Number, size = (int)p.Page.Size, taken = Ones(p.Page.Taken), live = Ones(p.Page.Live) }),
                        pool = account.Pool.ToString(CultureInfo.InvariantCulture),
                        earned = account.Earned.ToString(CultureInfo.InvariantCulture),
                    },
                    JsonSerializerOptions.Web));
                return ExitCodes.Success;
            }

            Console.WriteLine($"provider   {index}{(provider.MinerId == 0 ? "" : $"  {Miner(provider.MinerId, network)} ({(provider.MinerVerified ? "confirmed by the chain" : "the owner's word")})")}");
            Console.WriteLine($"owner      {provider.Owner}\noperator   {provider.Operator}{(provider.Nominated.IsZero ? "" : $"\nnominated  {provider.Nominated}, which has to accept")}\nendpoint   {Printable(provider.Endpoint)}");
            foreach (var key in provider.HostKeys)
            {
                Console.WriteLine($"host key   {HostKeyOptions.Fingerprint(key)}");
            }

            foreach (var page in pages)
            {
                Console.WriteLine($"page {page.Number,-5} {page.Page.Size} slots, {Ones(page.Page.Taken)} taken, {Ones(page.Page.Live)} live");
            }

            Console.WriteLine($"deposits   {Fil.Print(account.Pool)}\nearned     {Fil.Print(account.Earned)} to collect");
            return ExitCodes.Success;
        });
        return command;
    }

    private static Command SetEndpoint()
    {
        var endpoint = new Argument<string>("endpoint") { Description = "host:port." };
        return Change("set-endpoint", "Change where the gateway is reached", [endpoint], (parsed, writer, provider, cancellation) =>
            writer.SetEndpointAsync(provider, CheckEndpoint(parsed.GetValue(endpoint)!), cancellation));
    }

    private static Command SetHostKeys()
    {
        var keys = new HostKeyOptions();
        var command = Change("set-host-keys", "Change the SSH host keys that clients expect; by the owner", [], (parsed, writer, provider, cancellation) => writer.SetHostKeysAsync(provider, keys.Read(parsed), cancellation));
        keys.AddTo(command);
        return command;
    }

    private static Command SetMiner()
    {
        var miner = new Argument<string>("miner") { Description = "f01946720, or none." };
        return Change("set-miner", "Claim a miner ID, or give it up; by the owner", [miner], (parsed, writer, provider, cancellation) =>
            writer.SetMinerAsync(provider, parsed.GetValue(miner) == "none" ? 0 : ParseMiner(parsed.GetValue(miner)!), cancellation));
    }

    private static Command Nominate()
    {
        var next = new Argument<string>("operator") { Description = "The address (0x…, f410…) or wallet that is to accept orders and settle; the owner's own takes over at once." };
        var options = ChainCommandOptions.WithOnePassphrase();
        return Change("nominate", "Name the next operator, who then accepts; by the owner", [next], (parsed, writer, provider, cancellation) =>
            writer.NominateOperatorAsync(provider, options.AddressOf(parsed, options.Network(parsed), parsed.GetValue(next)), cancellation), options);
    }

    private static Command Accept()
    {
        var options = ChainCommandOptions.WithOnePassphrase();
        var index = new Argument<uint>("provider") { Description = "The provider's index." };
        var command = new Command("accept-operator", "Take over as a provider's operator; by the nominated wallet") { index };
        options.AddTo(command);
        command.SetAction(async (parsed, cancellation) =>
        {
            var network = options.Network(parsed);
            using var account = options.Unlock(parsed, network);
            using var chain = network.Connect();
            using var line = new TransactionLine();
            var done = await ChainCommandOptions.Writer(chain, network, account, line).AcceptOperatorAsync(parsed.GetValue(index), cancellation).ConfigureAwait(false);
            line.Dispose();
            Console.WriteLine($"{done.Event.Operator} now runs provider {done.Event.Provider}");
            return ExitCodes.Success;
        });
        return command;
    }

    private static Command OpenPage()
    {
        var size = new Argument<int>("slots") { Description = "8, 64 or 256." };
        return Change("open-page", "Open a page of slots for leases; by the operator", [size], async (parsed, writer, provider, cancellation) =>
        {
            var done = await writer.OpenPageAsync(provider, parsed.GetValue(size), cancellation).ConfigureAwait(false);
            Console.WriteLine($"page {done.Event.Page}");
        });
    }

    private static Command Withdraw() => Change("withdraw", "Pay the earnings to the owner", [], async (_, writer, provider, cancellation) =>
    {
        var done = await writer.WithdrawEarningsAsync(provider, cancellation).ConfigureAwait(false);
        Console.WriteLine($"Paid {Fil.Print(done.Event.Amount)} to {done.Event.Owner}");
    });

    /// <summary>A command that changes the provider that the wallet serves.</summary>
    private static Command Change(string name, string description, Argument[] arguments, Func<ParseResult, MarketWriter, uint, CancellationToken, Task> change, ChainCommandOptions? shared = null)
    {
        var options = shared ?? ChainCommandOptions.WithOnePassphrase();
        var command = new Command(name, description);
        foreach (var argument in arguments)
        {
            command.Arguments.Add(argument);
        }

        options.AddTo(command);
        command.SetAction(async (parsed, cancellation) =>
        {
            var network = options.Network(parsed);
            using var chain = network.Connect();
            var index = await FindAsync(options, parsed, network, new MarketReader(chain, network), null, cancellation).ConfigureAwait(false);
            using var account = options.Unlock(parsed, network);
            using var line = new TransactionLine();
            await change(parsed, ChainCommandOptions.Writer(chain, network, account, line), index, cancellation).ConfigureAwait(false);
            return ExitCodes.Success;
        });
        return command;
    }

    internal static async Task<uint> FindAsync(ChainCommandOptions options, ParseResult parsed, Network network, MarketReader reader, string? which, CancellationToken cancellation)
    {
        if (uint.TryParse(which, NumberStyles.None, CultureInfo.InvariantCulture, out var index))
        {
            return index;
        }

        if (FilecoinAddress.TryParse(which, out var filecoin, out _) && filecoin.Class == FilecoinAddressClass.Id)
        {
            return await reader.FindProviderOfMinerAsync(filecoin.Number, default, cancellation).ConfigureAwait(false)
                ?? throw new CliError($"No provider has the miner ID {which}.", "shale list shows the providers.", ExitCodes.NoInput);
        }

        var address = options.AddressOf(parsed, network, which);
        return await reader.FindProviderAsync(address, default, cancellation).ConfigureAwait(false)
            ?? throw new CliError($"{address} serves no provider on {network.Name}.", "Register it: shale provider register --endpoint=HOST:22", ExitCodes.NoInput);
    }

    /// <summary>A miner ID as people write it: <c>f01946720</c>.</summary>
    internal static ulong ParseMiner(string text) => FilecoinAddress.TryParse(text, out var address, out _) && address.Class == FilecoinAddressClass.Id && address.Number > 0
        ? address.Number
        : throw new CliError($"{text} is not a miner ID.", "Write for example f01946720.", ExitCodes.Usage);

    internal static string Miner(ulong minerId, Network network) => FilecoinAddress.FromId(minerId).ToString(network.IsTestnet && network.ChainId == Network.CalibrationChainId);

    private static Option<string> EndpointOption(bool required) => new("--endpoint") { Description = "Where the gateway is reached: host:port.", Required = required };

    private static string CheckEndpoint(string text)
    {
        var colon = text.LastIndexOf(':');
        var host = colon < 0 ? "" : text[..colon].Trim('[', ']');
        return colon > 0 && text.Length <= 256 && int.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port is > 0 and <= IPEndPoint.MaxPort
            && Uri.CheckHostName(host) != UriHostNameType.Unknown
            ? text
            : throw new CliError($"{text} is not an endpoint.", "Write host:port, for example gpu.example.org:22.", ExitCodes.Usage);
    }

    private static int Ones(System.Numerics.BigInteger bits) => bits.ToByteArray(isUnsigned: true).Sum(b => System.Numerics.BitOperations.PopCount(b));

    /// <summary>Text of somebody else's on a terminal: without control characters.</summary>
    internal static string Printable(string text) => string.Concat(text.Select(c => char.IsControl(c) || char.IsSurrogate(c) ? '\uFFFD' : c));
}
