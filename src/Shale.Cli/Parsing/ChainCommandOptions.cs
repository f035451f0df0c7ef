using System.CommandLine;
using Shale.Agent;
using Shale.Agent.Files;
using Shale.Chain;
using Shale.Chain.Accounts;
using Shale.Chain.Market;
using Shale.Chain.Networks;
using Shale.Chain.Rpc;
using Shale.Chain.Transactions;
using Shale.Cli.Commands;
using Shale.Payments.Vouchers;

namespace Shale.Cli.Parsing;

/// <summary>What all commands share that work with a chain: which one, and whose wallet.</summary>
internal sealed class ChainCommandOptions
{
    private const int Tries = 3;

    private readonly Option<string?> _network = new("--network") { Description = "calibration, mainnet, devnet, or a network file. Default: $SHALE_NETWORK, or calibration." };
    private readonly Option<string?> _wallet = new("--wallet") { Description = "The wallet, by name or address. Default: $SHALE_WALLET, or the default one." };

    private readonly Option<string?> _passphrase = new("--wallet_passphrase_file", "--wallet-passphrase-file")
    {
        Description = "File with the wallet's passphrase. Default: $SHALE_WALLET_PASSPHRASE_FILE, the network's own, $SHALE_PASSPHRASE_FILE, or asked for.",
    };

    /// <summary>Of commands whose only passphrase is the wallet's.</summary>
    public static ChainCommandOptions WithOnePassphrase()
    {
        var options = new ChainCommandOptions();
        options._passphrase.Aliases.Add("--passphrase_file");
        options._passphrase.Aliases.Add("--passphrase-file");
        return options;
    }

    /// <summary>The user's folder of Shale: $SHALE_HOME, or ~/.shale.</summary>
    public static string Home => AgentFolder.Locate(null).Root;

    /// <summary>All of them.</summary>
    public IReadOnlyList<Option> Options => [_network, _wallet, _passphrase];

    /// <summary>Adds --network, and the wallet's options where a command signs.</summary>
    public void AddTo(Command command, bool signs = true)
    {
        command.Options.Add(_network);
        if (signs)
        {
            command.Options.Add(_wallet);
            command.Options.Add(_passphrase);
        }
    }

    public Network Network(ParseResult parsed) => Chain.Networks.Network.Find(parsed.GetValue(_network), Home);

    /// <summary>The wallets that belong to the network: its own, or the user's.</summary>
    public static WalletFolder Wallets(Network network) => new(network.WalletFolder ?? Path.Combine(Home, "wallet"));

    /// <summary>The wallet that a command is to use, locked.</summary>
    public WalletEntry Wallet(ParseResult parsed, Network network) => Wallets(network).Find(Chosen(parsed));

    /// <summary>An address: the one given, else that of the wallet.</summary>
    public Address AddressOf(ParseResult parsed, Network network, string? given)
    {
        if (EvmAddresses.TryParse(given, out var address))
        {
            return address;
        }

        var wallet = Wallets(network).Find(given ?? Chosen(parsed));
        return wallet.Address ?? throw new CliError($"The key file of {wallet.Name} names no address.", $"Unlock it once: shale wallet export --private_key {wallet.Name}");
    }

    /// <summary>Unlocks the wallet: with the passphrase of a file, or asked for at a terminal.</summary>
    /// <returns>The account, for the caller to dispose.</returns>
    public KeyAccount Unlock(ParseResult parsed, Network network) => Unlock(parsed, network, Wallet(parsed, network));

    public KeyAccount Unlock(ParseResult parsed, Network network, WalletEntry wallet)
    {
        if (PassphraseFile(parsed, network) is { } file)
        {
            var read = AgentCommandOptions.ReadPassphrase(file);
            try
            {
                return WalletFolder.Unlock(wallet, read);
            }
            finally
            {
                Array.Clear(read);
            }
        }

        if (Console.IsInputRedirected)
        {
            throw new CliError($"The passphrase of the wallet {wallet.Name} is not known.", "Run this in a terminal, or name a file with --wallet_passphrase_file or SHALE_WALLET_PASSPHRASE_FILE.", ExitCodes.NoPermission);
        }

        for (var i = 0; ; i++)
        {
            var typed = SecretPrompt.Read($"Passphrase of the wallet {wallet.Name}: ");
            try
            {
                return WalletFolder.Unlock(wallet, typed);
            }
            catch (WalletException error) when (i + 1 < Tries)
            {
                Console.Error.WriteLine("shale: " + error.Message);
            }
            finally
            {
                Array.Clear(typed);
            }
        }
    }

    /// <summary>A passphrase that is there already: from a file, or asked for.</summary>
    /// <returns>The passphrase, for the caller to erase.</returns>
    public char[] Passphrase(ParseResult parsed, Network network, string words)
    {
        if (PassphraseFile(parsed, network) is { } file)
        {
            return AgentCommandOptions.ReadPassphrase(file);
        }

        return Console.IsInputRedirected
            ? throw new CliError("There is no terminal to ask for a passphrase.", "Name a file with --wallet_passphrase_file.", ExitCodes.Usage)
            : SecretPrompt.Read(words);
    }

    /// <summary>The passphrase for a new key.</summary>
    public char[] NewPassphrase(ParseResult parsed, Network network)
    {
        if (PassphraseFile(parsed, network) is { } file)
        {
            var read = AgentCommandOptions.ReadPassphrase(file);
            return read.Length > 0 ? read : throw new CliError($"{file} is empty.", "A wallet has a passphrase of at least one character.", ExitCodes.Usage);
        }

        if (Console.IsInputRedirected)
        {
            throw new CliError("There is no terminal to ask for a passphrase.", "Name a file with --wallet_passphrase_file.", ExitCodes.Usage);
        }

        char[] first = SecretPrompt.Read("New passphrase: "), second = SecretPrompt.Read("Again: ");
        var same = first.AsSpan().SequenceEqual(second);
        Array.Clear(second);
        if (same && first.Length > 0)
        {
            return first;
        }

        Array.Clear(first);
        throw new CliError(same ? "A wallet's passphrase has at least one character." : "The two are not the same.", null, ExitCodes.Usage);
    }

    /// <summary>What sends the account's transactions; those that were signed are kept in the user's folder.</summary>
    public static MarketWriter Writer(ChainClient chain, Network network, IAccount account, IProgress<TransactionProgress> progress) =>
        new(network, new WalletTransactor(chain, network, account, Path.Combine(Home, "transactions"), progress));

    /// <summary>An amount of FIL from the command line.</summary>
    public static UInt128 Amount(string text, string option) => FilAmount.TryParse(text, out var amount)
        ? amount.Value
        : throw new CliError($"{option}={text} is not an amount.", "Write for example 0.5fil.", ExitCodes.Usage);

    /// <summary>A price from the command line, in attoFIL per second.</summary>
    public static UInt128 Price(string text, string option) => Rate.TryParse(text, out var rate)
        ? rate.PerSecond.Value
        : throw new CliError($"{option}={text} is not a price.", "Write for example 0.01fil/min.", ExitCodes.Usage);

    private string? Chosen(ParseResult parsed) => parsed.GetValue(_wallet) is { Length: > 0 } named ? named : Environment.GetEnvironmentVariable("SHALE_WALLET") is { Length: > 0 } set ? set : null;

    private string? PassphraseFile(ParseResult parsed, Network network)
    {
        string?[] files = [parsed.GetValue(_passphrase), Environment.GetEnvironmentVariable("SHALE_WALLET_PASSPHRASE_FILE"), network.PassphraseFile, Environment.GetEnvironmentVariable("SHALE_PASSPHRASE_FILE")];
        return files.FirstOrDefault(f => !string.IsNullOrEmpty(f));
    }
}
