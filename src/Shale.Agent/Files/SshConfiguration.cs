using System.Globalization;
using System.Text;

namespace Shale.Agent.Files;

/// <summary>
/// What stock ssh needs to reach and pay leases: known_hosts, the Host entries, and a configuration of our own. The host keys come
/// from the chain, so nothing is trusted on first use. (docs/decisions/0091)
/// </summary>
public static class SshConfiguration
{
    private const string Mark = "# Shale's leases; written by shale ssh-config. Must stand first: in ssh's configuration the first value counts.";

    /// <summary>Writes <c>known_hosts</c>, <c>hosts.conf</c> and <c>ssh_config</c> for the leases of a folder.</summary>
    public static void Write(AgentFolder folder, IEnumerable<LeaseFile> leases)
    {
        LeaseFile[] all = [.. leases];
        PrivateFile.Replace(folder.KnownHosts, Encoding.UTF8.GetBytes(KnownHosts(all)));
        PrivateFile.Replace(folder.HostsConfig, Encoding.UTF8.GetBytes(Hosts(folder, all)));
        PrivateFile.Replace(folder.SshConfig, Encoding.UTF8.GetBytes(Own(folder)));
    }

    /// <summary>The Host entries.</summary>
    public static string Hosts(AgentFolder folder, IEnumerable<LeaseFile> leases)
    {
        var text = new StringBuilder();
        foreach (LeaseFile lease in leases)
        {
            if (text.Length > 0)
            {
                text.Append('\n');
            }

            text.Append(CultureInfo.InvariantCulture, $"Host {lease.Name}\n")
                .Append(CultureInfo.InvariantCulture, $"  HostName {lease.Host}\n")
                .Append(CultureInfo.InvariantCulture, $"  Port {lease.Port}\n")
                .Append(CultureInfo.InvariantCulture, $"  User {lease.Id}\n");
            if (lease.Payment is not null)
            {
                // A free lease is reached without an agent of ours.
                text.Append(CultureInfo.InvariantCulture, $"  IdentityAgent {Word(folder.IdentitySocket)}\n")
                    .Append(CultureInfo.InvariantCulture, $"  ForwardAgent {Word(folder.PaySocket(lease.Id))}\n");
            }

            if (lease.IdentityFile.Length > 0)
            {
                text.Append(CultureInfo.InvariantCulture, $"  IdentityFile {Word(lease.IdentityFile)}\n");
            }

            text.Append(CultureInfo.InvariantCulture, $"  HostKeyAlias {lease.HostKeyAlias}\n")
                .Append(CultureInfo.InvariantCulture, $"  UserKnownHostsFile {Word(folder.KnownHosts)}\n")
                .Append("  GlobalKnownHostsFile /dev/null\n")
                .Append("  StrictHostKeyChecking yes\n")
                .Append("  UpdateHostKeys no\n");
        }

        return text.ToString();
    }

    /// <summary>Includes the Host entries in a user's configuration, as its first line.</summary>
    /// <returns>False where they were included already.</returns>
    public static bool Include(AgentFolder folder, string userConfig)
    {
        string line = "Include " + Word(folder.HostsConfig);

        // A link stays one: its target is replaced. Who has no configuration yet has no link either.
        string path = new FileInfo(userConfig).LinkTarget is null ? userConfig : File.ResolveLinkTarget(userConfig, returnFinalTarget: true)!.FullName;
        string before = PrivateFile.Read(path) is { } bytes ? Encoding.UTF8.GetString(bytes) : "";
        if (before.Split('\n').Any(l => l.Trim() == line))
        {
            return false;
        }

        Directory.CreateDirectory(Path.GetDirectoryName(path)!, AgentFolder.FolderMode);
        PrivateFile.Replace(path, Encoding.UTF8.GetBytes($"{Mark}\n{line}\n" + (before.Length > 0 ? "\n" + before : "")));
        return true;
    }

    /// <summary>One line for each host key of each provider.</summary>
    internal static string KnownHosts(IEnumerable<LeaseFile> leases)
    {
        var lines = new SortedSet<string>(StringComparer.Ordinal);
        foreach (LeaseFile lease in leases)
        {
            foreach (Ssh.Keys.SshPublicKey key in lease.Keys())
            {
                lines.Add($"{lease.HostKeyAlias} {key}\n");
            }
        }

        return string.Concat(lines);
    }

    /// <summary>For <c>ssh -F</c>: ours first, so that a user's <c>Host *</c> can't weaken it; then what the user has set beside.</summary>
    private static string Own(AgentFolder folder) =>
        $"Include {Word(folder.HostsConfig)}\nInclude ~/.ssh/config\nInclude /etc/ssh/ssh_config\n";

    /// <summary>A path as one word; <see cref="AgentFolder"/> lets no path in that has quotes or what ssh expands.</summary>
    private static string Word(string path) => path.Any(char.IsWhiteSpace) ? $"\"{path}\"" : path;
}
