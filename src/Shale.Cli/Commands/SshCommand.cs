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
            AgentFolder folder = options.Folder(parsed);
            LeaseFile known = AgentCommandOptions.Lease(folder, AgentCommandOptions.ParseLease(parsed.GetValue(lease)!));
            if (known.Payment is null)
            {
                SshConfiguration.Write(folder, AgentCommandOptions.Book(folder).All.Values);
            }
            else
            {
                await options.EnsureRunningAsync(parsed, cancellation).ConfigureAwait(false);
            }

            string[] arguments = ["ssh", "-F", folder.SshConfig, "lease-" + known.Id, .. parsed.UnmatchedTokens];
            int error = ProcessImage.Become("ssh", arguments);
            throw new CliError($"ssh can't be started (error {error}).", "Install OpenSSH's client: apt-get install openssh-client", ExitCodes.Unavailable);
        });
        return command;
    }
}
