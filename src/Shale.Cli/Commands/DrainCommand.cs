using System.CommandLine;
using Shale.Operator;

namespace Shale.Cli.Commands;

/// <summary><c>shale drain</c> and <c>shale evict</c>: what a provider tells its operator. The operator listens to nobody: these are files in its folder.</summary>
internal static class DrainCommand
{
    public static Command CreateDrain()
    {
        var state = StateOption();
        var undo = new Option<bool>("--undo") { Description = "Take orders again." };
        var command = new Command("drain", "Take no new orders; leases go on to their end") { state, undo };
        command.SetAction(parsed =>
        {
            OperatorCommands.Drain(Known(parsed.GetValue(state)!), !parsed.GetValue(undo));
            Console.Error.WriteLine(parsed.GetValue(undo) ? "shale: orders are taken again" : "shale: no new orders are taken; shale drain --undo takes them again");
            return ExitCodes.Success;
        });
        return command;
    }

    public static Command CreateEvict()
    {
        var state = StateOption();
        var lease = new Argument<string>("lease") { Description = "The lease." };
        var command = new Command("evict", "End a lease from the provider's side: what was signed is settled, the rest refunded") { lease, state };
        command.SetAction(parsed => Evict(parsed.GetValue(state)!, AgentCommandOptions.ParseLease(parsed.GetValue(lease)!)));
        return command;
    }

    /// <summary>Tells the operator of a folder to end a lease.</summary>
    internal static int Evict(string folder, ulong id)
    {
        if (!OperatorCommands.Evict(Known(folder), id))
        {
            throw new CliError($"The operator of {folder} knows no lease {id}.", "shale orders lists a provider's leases.", ExitCodes.NoInput);
        }

        Console.Error.WriteLine($"shale: the operator ends lease {id} in its next round, settles what was signed and refunds the rest");
        return ExitCodes.Success;
    }

    private static Option<string> StateOption() => new("--state_dir", "--state-dir") { Description = "The provider's folder.", DefaultValueFactory = _ => GatewayCommand.DefaultState };

    /// <summary>A typo must not make a folder that no operator looks into.</summary>
    private static string Known(string folder) => Directory.Exists(Path.Combine(folder, "operator"))
        ? Path.GetFullPath(folder)
        : throw new CliError($"No operator has worked on {folder}.", "Name the provider's folder with --state_dir.", ExitCodes.NoInput);
}
