using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using Shale.Cli.Commands;

namespace Shale.Cli;

/// <summary>Parses the command line, runs the command, and turns its errors into a sentence, a hint and an exit code.</summary>
internal static class Shell
{
    /// <summary>The commands, grouped as the help shows them.</summary>
    private static readonly (string Title, Func<Command>[] Commands)[] Groups =
    [
        ("Providers", [DaemonCommand.Create, ProviderCommand.Create, OfferCommand.Create, OrdersCommand.Create, LeaseContainerCommand.Create, LeaseContainerCommand.CreateOlder, GatewayCommand.Create, OperatorCommand.Create, DrainCommand.CreateDrain, DrainCommand.CreateEvict, DatasetCommand.Create, ResultsCommand.Create]),
        ("Settlement", [SettleCommand.Create, ProofCommand.Create]),
        ("Clients", [ListCommand.Create, GiveMeContainerCommand.Create, ClientLeaseCommands.CreateStop, ClientLeaseCommands.CreateTopUp, ClientLeaseCommands.CreateRate, ClientLeaseCommands.CreateLeases, ClientLeaseCommands.CreateHistory, ExitCommand.Create, AgentCommand.Create, SshCommand.Create, SshConfigCommand.Create, SessionCommand.Create]),
        ("Auditors", [AuditCommand.Create]),
        ("Chain", [WalletCommand.Create, DevnetCommand.Create, DeployCommand.Create]),
        ("This machine", [DoctorCommand.Create]),
    ];

    public static async Task<int> RunAsync(string[] args)
    {
        var root = new RootCommand("Lease GPU containers next to Filecoin data, over SSH, paid by the second.");
        foreach (var create in Groups.SelectMany(g => g.Commands))
        {
            root.Subcommands.Add(create());
        }

        foreach (var option in root.Options)
        {
            if (option is HelpOption help)
            {
                help.Action = new GroupedHelp((SynchronousCommandLineAction)help.Action!);
            }
        }

        var parsed = root.Parse(args.Length == 0 ? ["--help"] : args, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (parsed.Errors.Count > 0 && parsed.Action is not GroupedHelp)
        {
            return Fail(string.Join(Environment.NewLine + "shale: ", parsed.Errors.Select(e => e.Message)), UsageHint(parsed), ExitCodes.Usage);
        }

        using var stop = new CancellationTokenSource();
        Console.CancelKeyPress += (_, e) =>
        {
            e.Cancel = true;
            stop.Cancel();
        };
        using var terminate = System.Runtime.InteropServices.PosixSignalRegistration.Create(
            System.Runtime.InteropServices.PosixSignal.SIGTERM,
            context =>
            {
                context.Cancel = true;
                stop.Cancel();
            });
        try
        {
            return await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null }, stop.Token).ConfigureAwait(false);
        }
        catch (CliError error)
        {
            return Fail(error.Message, error.Hint, error.ExitCode);
        }
        catch (Shale.Agent.AgentException error)
        {
            return Fail(error.Message, error.Hint, ExitCodes.Failure);
        }
        catch (Shale.Chain.Accounts.WalletException error)
        {
            return Fail(error.Message, error.Hint, ExitCodes.Failure);
        }
        catch (Shale.Chain.Networks.NetworkException error)
        {
            return Fail(error.Message, error.Hint, ExitCodes.Configuration);
        }
        catch (Shale.Chain.ChainException error)
        {
            return Fail(error.Message, null, error.Kind == Shale.Chain.ChainErrorKind.Unreachable ? ExitCodes.Unavailable : ExitCodes.Failure);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return ExitCodes.Interrupted;
        }
        catch (IOException error)
        {
            return Fail(error.Message, null, ExitCodes.IoError);
        }
        catch (UnauthorizedAccessException error)
        {
            return Fail(error.Message, "Run it as a user who may, or with sudo.", ExitCodes.NoPermission);
        }
    }

    private static int Fail(string message, string? hint, int exitCode)
    {
        Console.Error.WriteLine("shale: " + message);
        if (hint is not null)
        {
            Console.Error.WriteLine("hint: " + hint);
        }

        return exitCode;
    }

    private static string UsageHint(ParseResult parsed)
    {
        var path = new List<string>();
        for (CommandResult? at = parsed.CommandResult; at is not null and not { Command: RootCommand }; at = at.Parent as CommandResult)
        {
            path.Insert(0, at.Command.Name);
        }

        return path.Count == 0 ? "shale --help lists the commands." : $"shale {string.Join(' ', path)} --help shows its options.";
    }

    /// <summary>The root's help lists commands by group, as git and docker do; a command's own help is the library's.</summary>
    private sealed class GroupedHelp(SynchronousCommandLineAction standard) : SynchronousCommandLineAction
    {
        public override int Invoke(ParseResult parseResult)
        {
            if (parseResult.CommandResult.Command is not RootCommand root)
            {
                return standard.Invoke(parseResult);
            }

            var output = parseResult.InvocationConfiguration.Output;
            output.WriteLine("Usage: shale <command> [options]");
            output.WriteLine();
            output.WriteLine(root.Description);
            var width = root.Subcommands.Max(c => c.Name.Length) + 2;
            foreach (var (title, commands) in Groups)
            {
                output.WriteLine();
                output.WriteLine(title + ":");
                foreach (var command in commands.Select(create => create()).Where(c => !c.Hidden))
                {
                    output.WriteLine($"  {command.Name.PadRight(width)}{command.Description?.Split('\n')[0]}");
                }
            }

            output.WriteLine();
            output.WriteLine("shale <command> --help shows a command's options; shale doctor says what this machine lacks.");
            return ExitCodes.Success;
        }
    }
}
