using System.CommandLine;
using Shale.Agent;
using Shale.Agent.Files;

namespace Shale.Cli.Commands;

/// <summary><c>shale ssh</c>: stock ssh with the options that a lease needs. This process becomes ssh, so that terminal, signals and exit are its own.</summary>
internal static class SshCommand
{
    public static Command Create()
    {
        var options = new AgentCommandOptions();
        var lease = new Argument<string>("lease") { Description = "The lease." };

        // What follows the lease is ssh's: options of its, and the command.
        var command = new Command("ssh", "Open a shell in a lease, or run a command there; what follows the lease goes to ssh") { TreatUnmatchedTokensAsErrors = false };
        options.AddTo(command);
        command.Arguments.Add(lease);
        command.SetAction(async (parsed, cancellation) =>
        {
            string[] arguments = ["ssh", .. await PrepareAsync(options, parsed, parsed.GetValue(lease)!, cancellation).ConfigureAwait(false), .. parsed.UnmatchedTokens];
            int error = ProcessImage.Become("ssh", arguments);
            throw new CliError($"ssh can't be started (error {error}).", "Install OpenSSH's client: apt-get install openssh-client", ExitCodes.Unavailable);
        });
        return command;
    }

    /// <summary>Starts the payment agent where the lease needs it.</summary>
    /// <returns>The arguments that make stock ssh reach the lease: options, then the host.</returns>
    internal static async Task<string[]> PrepareAsync(AgentCommandOptions options, ParseResult parsed, string lease, CancellationToken cancellation)
    {
        AgentFolder folder = options.Folder(parsed);
        LeaseFile known = AgentCommandOptions.Lease(folder, AgentCommandOptions.ParseLease(lease));
        if (known.Payment is null)
        {
            SshConfiguration.Write(folder, AgentCommandOptions.Book(folder).All.Values);
        }
        else
        {
            await options.EnsureRunningAsync(parsed, cancellation).ConfigureAwait(false);
        }

        return ["-F", folder.SshConfig, "lease-" + known.Id];
    }
}
