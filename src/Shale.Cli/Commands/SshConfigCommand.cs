using System.CommandLine;
using Shale.Agent.Files;

namespace Shale.Cli.Commands;

/// <summary><c>shale ssh-config</c>: the Host entries that make ssh, scp, rsync and editors know leases by name.</summary>
internal static class SshConfigCommand
{
    public static Command Create()
    {
        var options = new AgentCommandOptions();
        var write = new Option<bool>("--write") { Description = "Include them in ~/.ssh/config, as its first line." };
        var command = new Command("ssh-config", "Print the Host entries that make ssh lease-42, scp, rsync and editors work");
        options.AddTo(command);
        command.Options.Add(write);
        command.SetAction(parsed =>
        {
            AgentFolder folder = options.Folder(parsed);
            LeaseFile[] leases = [.. AgentCommandOptions.Book(folder).All.Values];
            if (!parsed.GetValue(write))
            {
                Console.Write(SshConfiguration.Hosts(folder, leases));
                return ExitCodes.Success;
            }

            folder.Create();
            SshConfiguration.Write(folder, leases);
            string user = Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".ssh", "config");
            Console.Error.WriteLine(SshConfiguration.Include(folder, user)
                ? $"shale: {user} now includes {folder.HostsConfig}, which is kept up to date"
                : $"shale: {user} includes {folder.HostsConfig} already");
            return ExitCodes.Success;
        });
        return command;
    }
}
