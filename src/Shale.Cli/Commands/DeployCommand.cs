using System.CommandLine;
using System.Globalization;
using Shale.Chain.Market;
using Shale.Chain.Networks;
using Shale.Cli.Parsing;

namespace Shale.Cli.Commands;

/// <summary><c>shale deploy</c>: the market's contracts on a chain that has none.</summary>
internal static class DeployCommand
{
    public static Command Create()
    {
        var options = ChainCommandOptions.WithOnePassphrase();
        var keys = new Option<string[]>("--key") { Description = "A verification key and its page size: 8=verification_key.json. May be given often.", Required = true };
        var output = new Option<string>("--output", "-o") { Description = "The network file to write.", DefaultValueFactory = _ => NetworkFile.FileName };
        var bond = new Option<string>("--bond") { Description = "What an order puts down.", DefaultValueFactory = _ => "0.01fil" };
        var command = new Command("deploy", "Deploy the market's contracts, and write the network file that names them") { keys, output, bond };
        options.AddTo(command);
        command.SetAction(async (parsed, cancellation) =>
        {
            var network = options.Network(parsed);
            var file = parsed.GetValue(output)!;
            if (File.Exists(file))
            {
                throw new CliError($"{file} is there already.", "Name another file with --output.");
            }

            var plan = new DeploymentPlan { Keys = [.. parsed.GetValue(keys)!.Select(ParseKey)], Bond = ChainCommandOptions.Amount(parsed.GetValue(bond)!, "--bond") };
            MarketDeployment.Check(network.ChainId, plan);
            using var account = options.Unlock(parsed, network);
            using var chain = network.Connect();
            using var line = new TransactionLine();
            var transactor = new WalletTransactor(chain, network, account, Path.Combine(ChainCommandOptions.Home, "transactions"), line);
            var deployed = await MarketDeployment.DeployAsync(network.ChainId, plan, transactor, new Lines(), cancellation).ConfigureAwait(false);
            line.Dispose();
            NetworkFile.Write(file, network with { Registry = deployed.Registry, Market = deployed.Market, DeployedAt = deployed.DeployedAt });
            Console.WriteLine($"registry  {deployed.Registry}\nmarket    {deployed.Market}\nUse it with --network={file}");
            return ExitCodes.Success;
        });
        return command;
    }

    private static VerifyingKeyFile ParseKey(string text)
    {
        var equals = text.IndexOf('=', StringComparison.Ordinal);
        return equals > 0 && int.TryParse(text.AsSpan(0, equals), NumberStyles.None, CultureInfo.InvariantCulture, out var slots) && File.Exists(text[(equals + 1)..])
            ? VerifyingKeyFile.Read(slots, text[(equals + 1)..])
            : throw new CliError($"--key={text} does not name a page size and a file.", "Write for example --key=8=verification_key.json; shale proof export-key writes one.", ExitCodes.Usage);
    }

    private sealed class Lines : IProgress<string>
    {
        public void Report(string value) => Console.Error.WriteLine("shale: " + value);
    }
}
