using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Shale.Chain;
using Shale.Chain.Accounts;
using Shale.Chain.Market;
using Shale.Chain.Networks;
using Shale.Cli.Parsing;

namespace Shale.Cli.Commands;

/// <summary><c>shale wallet</c>: the keys that own FIL on the chain.</summary>
internal static class WalletCommand
{
    private const string DefaultName = "default";

    public static Command Create() => new("wallet", "Make, import and show the wallets that pay and are paid")
    {
        New(), Import(), Export(), List(), Address(), Balance(), Default(), Withdraw(),
    };

    private static Command New()
    {
        var options = ChainCommandOptions.WithOnePassphrase();
        var name = new Argument<string>("name") { Description = "What to call it.", DefaultValueFactory = _ => DefaultName };
        var command = new Command("new", "Make a wallet and print its addresses") { name };
        options.AddTo(command);
        command.SetAction(parsed =>
        {
            var network = options.Network(parsed);
            using var account = KeyAccount.Generate();
            return Store(options, parsed, network, parsed.GetValue(name)!, account);
        });
        return command;
    }

    private static Command Import()
    {
        var options = ChainCommandOptions.WithOnePassphrase();
        var file = new Argument<string>("file") { Description = "A file with a private key in hexadecimal or a Web3 keystore (its passphrase stays); - reads standard input." };
        var name = new Option<string>("--name") { Description = "What to call it.", DefaultValueFactory = _ => DefaultName };
        var command = new Command("import", "Take over a key from another wallet") { file, name };
        options.AddTo(command);
        command.SetAction(parsed =>
        {
            var network = options.Network(parsed);
            var content = ReadKeyFile(parsed.GetValue(file)!);
            try
            {
                var text = content.AsSpan().Trim();
                if (text.StartsWith("{"))
                {
                    return ImportKeystore(options, parsed, network, parsed.GetValue(name)!, System.Text.Encoding.UTF8.GetBytes(content), parsed.GetValue(file)!);
                }

                using var account = KeyAccount.FromHex(text) ?? throw new CliError($"{parsed.GetValue(file)} is neither a private key (64 hexadecimal digits) nor a Web3 keystore.", null, ExitCodes.NoInput);
                return Store(options, parsed, network, parsed.GetValue(name)!, account);
            }
            finally
            {
                Array.Clear(content);
            }
        });
        return command;
    }

    private static Command Export()
    {
        var options = ChainCommandOptions.WithOnePassphrase();
        var name = new Argument<string?>("name") { Description = "The wallet. Default: the default one.", Arity = ArgumentArity.ZeroOrOne };
        var plain = new Option<bool>("--private_key", "--private-key") { Description = "Print the private key itself, in hexadecimal. Whoever reads it owns the wallet's money." };
        var command = new Command("export", "Print a wallet's key file, which its passphrase protects") { name, plain };
        options.AddTo(command);
        command.SetAction(parsed =>
        {
            var network = options.Network(parsed);
            var wallet = parsed.GetValue(name) is { } named ? ChainCommandOptions.Wallets(network).Find(named) : options.Wallet(parsed, network);
            if (!parsed.GetValue(plain))
            {
                Console.Out.Write(File.ReadAllText(wallet.Path));
                Console.Out.WriteLine();
                return ExitCodes.Success;
            }

            using var account = options.Unlock(parsed, network, wallet);
            var key = account.ExportHex();
            Console.Out.Write("0x");
            Console.Out.WriteLine(key);
            Array.Clear(key);
            return ExitCodes.Success;
        });
        return command;
    }

    private static Command List()
    {
        var options = new ChainCommandOptions();
        var json = new Option<bool>("--json") { Description = "Print JSON." };
        var command = new Command("list", "List the wallets of this user, or of the devnet") { json };
        options.AddTo(command, signs: false);
        command.SetAction(parsed =>
        {
            var network = options.Network(parsed);
            var wallets = ChainCommandOptions.Wallets(network).List();
            if (parsed.GetValue(json))
            {
                Console.WriteLine(JsonSerializer.Serialize(
                    wallets.Select(w => new { name = w.Name, address = w.Address?.ToString(), filecoinAddress = Filecoin(w.Address, network), isDefault = w.IsDefault, path = w.Path }), JsonSerializerOptions.Web));
                return ExitCodes.Success;
            }

            if (wallets.Count == 0)
            {
                Console.Error.WriteLine($"There is no wallet in {ChainCommandOptions.Wallets(network).Path}; make one with: shale wallet new");
            }

            var width = wallets.Select(w => w.Name.Length).DefaultIfEmpty().Max();
            foreach (var wallet in wallets)
            {
                Console.WriteLine($"{(wallet.IsDefault ? '*' : ' ')} {wallet.Name.PadRight(width)}  {wallet.Address?.ToString() ?? "(its file names no address)",-42}  {Filecoin(wallet.Address, network)}".TrimEnd());
            }

            return ExitCodes.Success;
        });
        return command;
    }

    private static Command Address()
    {
        var options = new ChainCommandOptions();
        var name = WalletArgument();
        var filecoin = new Option<bool>("--f410") { Description = "Print Filecoin's form of the address: what exchanges and Filecoin wallets send to." };
        var command = new Command("address", "Print a wallet's address, or an address in its other form") { name, filecoin };
        options.AddTo(command, signs: false);
        command.SetAction(parsed =>
        {
            var network = options.Network(parsed);
            var address = options.AddressOf(parsed, network, parsed.GetValue(name));
            Console.WriteLine(parsed.GetValue(filecoin) ? Filecoin(address, network) : address.ToString());
            return ExitCodes.Success;
        });
        return command;
    }

    private static Command Balance()
    {
        var options = new ChainCommandOptions();
        var name = WalletArgument();
        var json = new Option<bool>("--json") { Description = "Print JSON, amounts in attoFIL." };
        var command = new Command("balance", "Show what a wallet has, and what the market owes it") { name, json };
        options.AddTo(command, signs: false);
        command.SetAction(async (parsed, cancellation) =>
        {
            var network = options.Network(parsed);
            var address = options.AddressOf(parsed, network, parsed.GetValue(name));
            using var chain = network.Connect();
            var balance = await chain.GetBalanceAsync(address, default, cancellation).ConfigureAwait(false);
            var owed = network.Market is null ? 0 : await new MarketReader(chain, network).GetWithdrawableAsync(address, default, cancellation).ConfigureAwait(false);
            if (parsed.GetValue(json))
            {
                Console.WriteLine(JsonSerializer.Serialize(
                    new { network = network.Name, address = address.ToString(), balance = balance.ToString(CultureInfo.InvariantCulture), withdrawable = owed.ToString(CultureInfo.InvariantCulture) }, JsonSerializerOptions.Web));
                return ExitCodes.Success;
            }

            Console.WriteLine($"{address}  {Fil.Print(balance)} on {network.Name}");
            if (owed > 0)
            {
                Console.WriteLine($"{"",-42}  {Fil.Print(owed)} more to collect: shale wallet withdraw");
            }

            return ExitCodes.Success;
        });
        return command;
    }

    private static Command Default()
    {
        var options = new ChainCommandOptions();
        var name = new Argument<string>("name") { Description = "The wallet." };
        var command = new Command("default", "Choose the wallet that is used where none is named") { name };
        options.AddTo(command, signs: false);
        command.SetAction(parsed =>
        {
            var wallets = ChainCommandOptions.Wallets(options.Network(parsed));
            wallets.SetDefault(wallets.Find(parsed.GetValue(name)!).Name);
            return ExitCodes.Success;
        });
        return command;
    }

    private static Command Withdraw()
    {
        var options = ChainCommandOptions.WithOnePassphrase();
        var command = new Command("withdraw", "Collect what the market owes a wallet: refunds and bonds");
        options.AddTo(command);
        command.SetAction(async (parsed, cancellation) =>
        {
            var network = options.Network(parsed);
            _ = network.RequireMarket();
            using var account = options.Unlock(parsed, network);
            using var chain = network.Connect();
            if (await new MarketReader(chain, network).GetWithdrawableAsync(account.Address, default, cancellation).ConfigureAwait(false) == 0)
            {
                Console.WriteLine("There is nothing to collect.");
                return ExitCodes.Success;
            }

            using var line = new TransactionLine();
            var paid = await ChainCommandOptions.Writer(chain, network, account, line).WithdrawAsync(cancellation).ConfigureAwait(false);
            line.Dispose();
            Console.WriteLine($"Collected {Fil.Print(paid.Event.Amount)} in {paid.Receipt.TransactionHash}");
            return ExitCodes.Success;
        });
        return command;
    }

    private static Argument<string?> WalletArgument() => new("wallet") { Description = "A wallet's name, or any address (0x…, f410…, f0…). Default: the default wallet.", Arity = ArgumentArity.ZeroOrOne };

    private static int Store(ChainCommandOptions options, ParseResult parsed, Network network, string name, KeyAccount account)
    {
        var wallets = ChainCommandOptions.Wallets(network);
        var passphrase = options.NewPassphrase(parsed, network);
        try
        {
            Show(wallets.Add(name, account, passphrase, KeystoreCost.Standard), network);
            return ExitCodes.Success;
        }
        finally
        {
            Array.Clear(passphrase);
        }
    }

    private static int ImportKeystore(ChainCommandOptions options, ParseResult parsed, Network network, string name, byte[] file, string source)
    {
        var passphrase = options.Passphrase(parsed, network, $"Passphrase of {source}: ");
        try
        {
            var fault = Keystore.TryDecrypt(file, passphrase, out var key);
            if (fault != KeystoreFault.None)
            {
                throw new CliError($"{source} can't be imported: {Keystore.Describe(fault)}.", null, fault == KeystoreFault.Passphrase ? ExitCodes.NoPermission : ExitCodes.NoInput);
            }

            using var account = new KeyAccount(key);
            System.Security.Cryptography.CryptographicOperations.ZeroMemory(key);
            Show(ChainCommandOptions.Wallets(network).Add(name, account, passphrase, KeystoreCost.Standard), network);
            return ExitCodes.Success;
        }
        finally
        {
            Array.Clear(passphrase);
        }
    }

    private static void Show(WalletEntry wallet, Network network)
    {
        Console.WriteLine($"{wallet.Address}  {Filecoin(wallet.Address, network)}");
        Console.Error.WriteLine($"shale: the wallet {wallet.Name} is in {wallet.Path}; keep a copy of that file and its passphrase, there is no other way back to its money");
    }

    private static string? Filecoin(Address? address, Network network) => address is { } known ? FilecoinAddress.FromEvm(known).ToString(network.IsTestnet) : null;

    private static char[] ReadKeyFile(string file)
    {
        using var stream = file == "-" ? Console.OpenStandardInput() : File.Exists(file) ? File.OpenRead(file) : throw new CliError($"The file {file} does not exist.", null, ExitCodes.NoInput);
        var bytes = new byte[Keystore.MaxSize + 1];
        try
        {
            var length = stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            return length <= Keystore.MaxSize ? System.Text.Encoding.UTF8.GetChars(bytes, 0, length) : throw new CliError($"{file} is larger than any key file.", null, ExitCodes.NoInput);
        }
        finally
        {
            System.Security.Cryptography.CryptographicOperations.ZeroMemory(bytes);
        }
    }
}
