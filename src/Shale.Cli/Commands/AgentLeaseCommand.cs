using System.CommandLine;
using Shale.Agent.Files;
using Shale.Payments.Policy;
using Shale.Payments.Vouchers;

namespace Shale.Cli.Commands;

/// <summary><c>shale agent add-lease</c> and <c>remove-lease</c>: leases without a chain, and what the chain would say of them.</summary>
internal static class AgentLeaseCommand
{
    // A .pub file has one line; a provider has a handful of keys.
    private const int MaxKeyFile = 64 * 1024;

    public static Command CreateAdd()
    {
        var options = new AgentCommandOptions();
        var lease = new Option<string>("--lease") { Description = "The lease's number.", Required = true };
        var host = new Option<string>("--host") { Description = "The gateway's name or address.", Required = true };
        var port = new Option<int>("--port") { Description = "Its SSH port.", DefaultValueFactory = _ => 22 };
        var key = new Option<string[]>("--host_key", "--host-key") { Description = "The provider's SSH host key: a line as in a .pub file, or such a file. May be given often.", Required = true };
        var provider = new Option<string?>("--provider", "--miner") { Description = "The provider's miner ID. Default: none, a lease without a chain." };
        var price = new Option<string?>("--price") { Description = "What it costs: 0.01fil/min. Default: nothing." };
        var deposit = new Option<string?>("--deposit") { Description = "The most that it can cost: 1fil." };
        var chain = new Option<ulong>("--chain") { Description = "EIP-155 chain ID. Default 0: none." };
        var contract = new Option<string>("--contract") { Description = "The settlement contract. Default: none (0x00…00).", DefaultValueFactory = _ => "0x" + new string('0', 40) };
        var payer = new Option<string?>("--payer") { Description = "The lease's payment key. Default: the agent's." };
        var command = new Command("add-lease", "Tell the agent of a lease without a chain");
        options.AddTo(command);
        foreach (var option in new Option[] { lease, host, port, key, provider, price, deposit, chain, contract, payer })
        {
            command.Options.Add(option);
        }

        command.SetAction(async (parsed, cancellation) =>
        {
            AgentFolder folder = options.Folder(parsed);
            LeasePrice? payment = null;
            if (parsed.GetValue(price) is { } text)
            {
                payment = new LeasePrice
                {
                    ChainId = parsed.GetValue(chain),
                    Contract = parsed.GetValue(contract)!,
                    PayerKey = parsed.GetValue(payer) ?? PaymentKeyFile.ReadPublicKey(folder.KeyFile)
                        ?? throw new CliError("There is no payment key to pay with yet.", "Make one with: shale agent init", ExitCodes.NoInput),
                    PricePerSecond = Rate.TryParse(text, out Rate rate) ? rate.PerSecond.ToString()
                        : throw new CliError($"--price={text} is not a price.", "Write for example --price=0.01fil/min.", ExitCodes.Usage),
                    Deposit = FilAmount.TryParse(parsed.GetValue(deposit), out AttoFil amount) ? amount.ToString()
                        : throw new CliError("A lease with a price has a --deposit: the most that it can cost.", "Write for example --deposit=1fil.", ExitCodes.Usage),
                };
            }

            var added = new LeaseFile
            {
                Id = AgentCommandOptions.ParseLease(parsed.GetValue(lease)!),
                Host = parsed.GetValue(host)!,
                Port = parsed.GetValue(port),
                Provider = parsed.GetValue(provider) ?? "",
                HostKeys = [.. parsed.GetValue(key)!.SelectMany(HostKeys)],
                Payment = payment,
            };
            LeaseBook.Write(folder, added);
            await ApplyAsync(folder, cancellation).ConfigureAwait(false);
            Console.Error.WriteLine($"shale: connect with: shale ssh {added.Id}");
            return ExitCodes.Success;
        });
        return command;
    }

    public static Command CreateRemove()
    {
        var options = new AgentCommandOptions();
        var lease = new Argument<string>("lease") { Description = "The lease." };
        var command = new Command("remove-lease", "Forget a lease; the vouchers that were signed for it are kept");
        options.AddTo(command);
        command.Arguments.Add(lease);
        command.SetAction(async (parsed, cancellation) =>
        {
            AgentFolder folder = options.Folder(parsed);
            ulong id = AgentCommandOptions.ParseLease(parsed.GetValue(lease)!);
            if (!LeaseBook.Remove(folder, id))
            {
                throw new CliError($"Lease {id} is not known here.", null, ExitCodes.NoInput);
            }

            await PolicyFile.UpdateAsync(folder, p => p with { Keep = p.Keep.Remove(id) }, cancellation).ConfigureAwait(false);
            await ApplyAsync(folder, cancellation).ConfigureAwait(false);
            return ExitCodes.Success;
        });
        return command;
    }

    /// <summary>An agent that runs reads the files anew and writes what ssh needs; without one this command does.</summary>
    private static async Task ApplyAsync(AgentFolder folder, CancellationToken cancellation)
    {
        if (!await AgentCommandOptions.ReloadAsync(folder, cancellation).ConfigureAwait(false))
        {
            SshConfiguration.Write(folder, AgentCommandOptions.Book(folder).All.Values);
        }
    }

    private static IEnumerable<string> HostKeys(string text)
    {
        if (LeaseFile.TryParseKey(text, out _))
        {
            return [text];
        }

        if (!File.Exists(text) || new FileInfo(text).Length > MaxKeyFile)
        {
            throw new CliError($"--host_key={text} is neither a public key nor a file of them.", "For example --host_key='ssh-ed25519 AAAA…', or the gateway's .pub file.", ExitCodes.Usage);
        }

        return File.ReadAllLines(text).Select(l => l.Trim()).Where(l => l.Length > 0 && l[0] != '#');
    }
}
