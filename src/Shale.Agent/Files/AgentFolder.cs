using System.Globalization;
using System.Text;

namespace Shale.Agent.Files;

/// <summary>Where the payment agent of one user keeps everything, mode 0700 (docs/AGENT.md).</summary>
public sealed class AgentFolder
{
    /// <summary>sun_path has 108 bytes, one of them the final NUL (unix(7)).</summary>
    private const int MaxSocketPath = 107;

    /// <summary>Owner only.</summary>
    internal const UnixFileMode FolderMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    /// <summary>Owner only.</summary>
    internal const UnixFileMode FileMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>Names a folder; nothing is created yet.</summary>
    /// <exception cref="AgentException">The path holds characters that an ssh configuration can't, or is too long for a socket.</exception>
    public AgentFolder(string path)
    {
        Root = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        if (Root.Any(c => char.IsControl(c) || c is '"' or '\\' or '%' or '$'))
        {
            throw new AgentException(
                $"The agent's folder {Root} has a character that has a meaning of its own in an ssh configuration.", "Choose another with --agent_dir or SHALE_HOME.");
        }
    }

    /// <summary>The folder.</summary>
    public string Root { get; }

    /// <summary>The payment key, encrypted (docs/decisions/0031).</summary>
    public string KeyFile => In("payment-key.json");

    /// <summary>What the user allows.</summary>
    public string PolicyFile => In("policy.json");

    /// <summary>One folder a lease.</summary>
    public string Leases => In("leases");

    /// <summary>The agent's own log: every voucher that it signed.</summary>
    public string Vouchers => In("vouchers");

    /// <summary>Held by the agent that runs.</summary>
    public string LockFile => In("agent.lock");

    /// <summary>What an agent in the background has to say.</summary>
    public string LogFile => In("agent.log");

    /// <summary>Where commands reach the agent.</summary>
    public string ControlSocket => In("control.sock");

    /// <summary>Passes identity requests on to the user's own agent.</summary>
    public string IdentitySocket => In("id.sock");

    /// <summary>The providers' host keys, from the chain.</summary>
    public string KnownHosts => In("known_hosts");

    /// <summary>The Host entries of all leases, to be included in the user's own configuration.</summary>
    public string HostsConfig => In("hosts.conf");

    /// <summary>Shale's own configuration for <c>ssh -F</c>: the Host entries, then the user's.</summary>
    public string SshConfig => In("ssh_config");

    /// <summary>The folder that a user's commands work on: the one named, else SHALE_HOME, else <c>~/.shale</c>.</summary>
    public static AgentFolder Locate(string? named)
    {
        if (string.IsNullOrEmpty(named))
        {
            named = Environment.GetEnvironmentVariable("SHALE_HOME");
        }

        return new AgentFolder(string.IsNullOrEmpty(named) ? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".shale") : named);
    }

    /// <summary>A lease's folder.</summary>
    public string Lease(ulong id) => Path.Combine(Leases, id.ToString(CultureInfo.InvariantCulture));

    /// <summary>What is known of a lease.</summary>
    public string LeaseFile(ulong id) => Path.Combine(Lease(id), "lease.json");

    /// <summary>The lease's pay socket, which ssh forwards to the gateway.</summary>
    public string PaySocket(ulong id) => Path.Combine(Lease(id), "pay.sock");

    /// <summary>The newest settlement that the gateway told of: what the client needs for its exit.</summary>
    public string Settlement(ulong id) => Path.Combine(Lease(id), "settled.json");

    /// <summary>Makes the folder, and makes it its owner's alone.</summary>
    /// <exception cref="AgentException">It can't be.</exception>
    public void Create()
    {
        try
        {
            foreach (string folder in new[] { Root, Leases, Vouchers })
            {
                Directory.CreateDirectory(folder, FolderMode);
                if (File.GetUnixFileMode(folder) != FolderMode)
                {
                    File.SetUnixFileMode(folder, FolderMode);
                }
            }
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
        {
            throw new AgentException($"The agent's folder {Root} can't be made this user's alone: {cause.Message}", "Choose another with --agent_dir or SHALE_HOME.");
        }
    }

    /// <summary>Checks that a socket can have this path.</summary>
    /// <exception cref="AgentException">It is too long.</exception>
    internal static string CheckSocketPath(string path) => Encoding.UTF8.GetByteCount(path) <= MaxSocketPath
        ? path
        : throw new AgentException($"The path {path} is longer than a socket's may be ({MaxSocketPath} bytes).", "Choose a shorter folder with --agent_dir or SHALE_HOME.");

    private string In(string name) => Path.Combine(Root, name);
}
