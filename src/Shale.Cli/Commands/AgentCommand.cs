using System.CommandLine;
using System.Globalization;
using System.Security.Cryptography;
using Microsoft.Extensions.Logging;
using Shale.Agent;
using Shale.Agent.Control;
using Shale.Agent.Files;
using Shale.Bn254.BabyJubjub;
using Shale.Payments.Policy;
using Shale.Payments.Vouchers;

namespace Shale.Cli.Commands;

/// <summary><c>shale agent</c>: the client's payment agent, and what is said to it.</summary>
internal static class AgentCommand
{
    public static Command Create()
    {
        var options = new AgentCommandOptions();
        var background = new Option<bool>("--background") { Description = "Leave the terminal once it serves.", Hidden = true };
        var verbose = new Option<bool>("--verbose", "-v") { Description = "Say more." };
        var command = new Command("agent", "Run the payment agent, which signs what leases cost; starts by itself when a command needs it");
        options.AddTo(command);
        command.Options.Add(background);
        command.Options.Add(verbose);
        foreach (Command part in new[] { Init(), Key(), Status(), Quit(), AgentPolicyCommand.Create(), AgentPolicyCommand.CreateStop(), AgentPolicyCommand.CreateResume(), AgentPolicyCommand.CreateKeep(), AgentLeaseCommand.CreateAdd(), AgentLeaseCommand.CreateRemove() })
        {
            command.Subcommands.Add(part);
        }

        command.SetAction((parsed, cancellation) => RunAsync(options, parsed, parsed.GetValue(background), parsed.GetValue(verbose), cancellation));
        return command;
    }

    private static async Task<int> RunAsync(AgentCommandOptions options, ParseResult parsed, bool background, bool verbose, CancellationToken cancellation)
    {
        AgentFolder folder = options.Folder(parsed);
        EdDsaPrivateKey? key;
        if (background)
        {
            char[] passphrase = AgentCommandOptions.ReadHandedOver();
            KeyFileStatus opened = PaymentKeyFile.TryOpen(folder.KeyFile, passphrase, out key);
            Array.Clear(passphrase);
            if (opened != KeyFileStatus.Opened)
            {
                throw new CliError($"The payment key can't be opened ({opened}).", null, ExitCodes.NoPermission);
            }
        }
        else
        {
            Array.Clear(options.Unlock(folder, parsed, out key));
        }

        using ILoggerFactory logging = LoggerFactory.Create(b => _ = background
            ? b.AddProvider(new AgentLogFile(folder, TimeProvider.System))
            : b.AddSimpleConsole(o => (o.SingleLine, o.TimestampFormat) = (true, "HH:mm:ss ")).AddFilter(level => level >= (verbose ? LogLevel.Information : LogLevel.Warning)));
        await using PaymentAgent agent = await PaymentAgent.StartAsync(
            new PaymentAgentOptions { Folder = folder, Key = key!, IdentityAgent = Environment.GetEnvironmentVariable("SSH_AUTH_SOCK"), LoggerFactory = logging },
            cancellation).ConfigureAwait(false);
        if (background)
        {
            AgentLauncher.Detach(folder);
        }
        else
        {
            Console.Error.WriteLine($"shale: the payment agent serves {folder.Root}; Ctrl-C ends it, and with it all payment");
        }

        try
        {
            await agent.Quit.WaitAsync(cancellation).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // Ended by its user: that is how an agent in the foreground ends.
        }

        return ExitCodes.Success;
    }

    private static Command Init()
    {
        var options = new AgentCommandOptions();
        var insecure = new Option<bool>("--insecure_no_passphrase", "--insecure-no-passphrase") { Description = "Store the key so that whoever reads the file can spend." };
        var command = new Command("init", "Make the payment key");
        options.AddTo(command);
        command.Options.Add(insecure);
        command.SetAction(parsed =>
        {
            AgentFolder folder = options.Folder(parsed);
            if (File.Exists(folder.KeyFile))
            {
                throw new CliError($"{folder.KeyFile} is there already; a payment key is never overwritten.", "shale agent key prints it.", ExitCodes.Usage);
            }

            folder.Create();
            char[] passphrase = parsed.GetValue(insecure) ? [] : options.NewPassphrase(parsed);
            byte[] seed = RandomNumberGenerator.GetBytes(EdDsaPrivateKey.Size);
            try
            {
                PaymentKeyFile.Create(folder.KeyFile, seed, passphrase);
            }
            finally
            {
                CryptographicOperations.ZeroMemory(seed);
                Array.Clear(passphrase);
            }

            Console.WriteLine(PaymentKeyFile.ReadPublicKey(folder.KeyFile));
            Console.Error.WriteLine($"shale: the payment key is in {folder.KeyFile}; back it up: without it no lease of its can be paid");
            return ExitCodes.Success;
        });
        return command;
    }

    private static Command Key()
    {
        var options = new AgentCommandOptions();
        var command = new Command("key", "Print the payment key's public half, for lease-container --payer");
        options.AddTo(command);
        command.SetAction(parsed =>
        {
            AgentFolder folder = options.Folder(parsed);
            Console.WriteLine(PaymentKeyFile.ReadPublicKey(folder.KeyFile) ?? throw new CliError("There is no payment key yet.", "Make one with: shale agent init", ExitCodes.NoInput));
            return ExitCodes.Success;
        });
        return command;
    }

    private static Command Quit()
    {
        var options = new AgentCommandOptions();
        var command = new Command("quit", "End the agent, and with it all payment");
        options.AddTo(command);
        command.SetAction(async (parsed, cancellation) =>
        {
            if (!await new AgentClient(options.Folder(parsed)).QuitAsync(cancellation).ConfigureAwait(false))
            {
                Console.Error.WriteLine("shale: no agent runs");
            }

            return ExitCodes.Success;
        });
        return command;
    }

    private static Command Status()
    {
        var options = new AgentCommandOptions();
        var json = new Option<bool>("--json") { Description = "Print JSON; amounts are attoFIL." };
        var command = new Command("status", "Show the agent and its leases");
        options.AddTo(command);
        command.Options.Add(json);
        command.SetAction(async (parsed, cancellation) =>
        {
            AgentFolder folder = options.Folder(parsed);
            AgentStatus status = await new AgentClient(folder).StatusAsync(cancellation).ConfigureAwait(false)
                ?? throw new CliError($"No payment agent runs on {folder.Root}.", "It starts when a command needs it, or with: shale agent");
            if (parsed.GetValue(json))
            {
                Console.WriteLine(status.ToJson());
                return ExitCodes.Success;
            }

            Console.WriteLine($"payment key {status.PaymentKey}");
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"agent {status.Pid} since {status.StartedAt:yyyy-MM-dd HH:mm:ss} UTC, {(status.HasIdentityAgent ? "passes logins on to your ssh-agent" : "no ssh-agent of yours behind it")}"));
            foreach (LeaseView lease in status.Leases)
            {
                Console.WriteLine();
                Console.WriteLine(SessionPanel.Line(lease));
                foreach (string line in SessionPanel.Above(lease))
                {
                    Console.WriteLine("  " + line);
                }

                foreach (string result in lease.Results)
                {
                    Console.WriteLine($"  {(lease.State == LeaseState.Closed ? "final statement names" : "packed")} result {result}");
                }

                if (lease.Deposit is { } deposit && AttoFil.TryParse(deposit, out AttoFil amount))
                {
                    Console.WriteLine($"  deposit {amount.ToFilString()} FIL, today {SessionPanel.Fil(lease.Today ?? "0")} FIL, {lease.Host} port {lease.Port}");
                }
            }

            foreach (string problem in status.Problems)
            {
                Console.Error.WriteLine("shale: " + problem);
            }

            return ExitCodes.Success;
        });
        return command;
    }
}
