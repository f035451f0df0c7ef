using System.CommandLine;

namespace Shale.Cli.Parsing;

/// <summary>The options that ask for resources, the same wherever a container is asked for. Each has the published spelling and a dashed one.</summary>
internal sealed class LeaseOptions
{
    private static readonly string[] DefaultKeys = ["id_ed25519.pub", "id_ecdsa.pub", "id_rsa.pub"];

    public Option<string> Image { get; } = new("--image") { Description = "Container image: name, tag or digest." };

    public Option<double> Cpus { get; } = new("--num_cpus", "--num-cpus") { Description = "CPU cores; fractions are fine. Default: no limit." };

    public Option<string?> Memory { get; } = new("--num_rams", "--num-rams") { Description = "Memory: 12Gi, 16g, 512m. Default: no limit." };

    public Option<string?> Gpus { get; } = new("--num_gpus", "--num-gpus") { Description = "GPUs: a number, all, or device ids with commas. Default: none." };

    public Option<string?> Bandwidth { get; } = new("--bandwidth") { Description = "Limit each way, network and SSH together: 1Mi (MiB a second) or 8Mbps (bits a second)." };

    public Option<string[]> Mounts { get; } = new("--mnt", "--mount", "-m")
    {
        Description = "Read-only data: CID[/path]:/in/container. May be given often.",
        AllowMultipleArgumentsPerToken = false,
    };

    public Option<string?> PublicKey { get; } = new("--ssh_pubkey", "--ssh-pubkey") { Description = "Public key file of who may connect. Default: the first of ~/.ssh/id_ed25519.pub, id_ecdsa.pub, id_rsa.pub." };

    public void AddTo(Command command)
    {
        foreach (var option in new Option[] { Image, Cpus, Memory, Gpus, Bandwidth, Mounts, PublicKey })
        {
            command.Options.Add(option);
        }
    }

    /// <summary>The lines of the public key file, each one key.</summary>
    /// <exception cref="CliError">There is no such file, or it holds no key.</exception>
    public static IReadOnlyList<string> ReadPublicKeys(string? option)
    {
        var home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        var defaults = DefaultKeys.Select(f => Path.Combine(home, ".ssh", f));
        var path = option is null ? defaults.FirstOrDefault(File.Exists) : Expand(option, home);
        if (path is null || !File.Exists(path))
        {
            throw new CliError(
                path is null ? "There is no SSH public key in ~/.ssh." : $"The public key file {path} does not exist.",
                "Make one with ssh-keygen -t ed25519, or name yours with --ssh_pubkey=FILE.",
                ExitCodes.NoInput);
        }

        if (new FileInfo(path).Length > 64 * 1024)
        {
            throw new CliError($"{path} is larger than any public key file.", "Name the .pub file, not the private key.", ExitCodes.NoInput);
        }

        string[] lines = [.. File.ReadAllLines(path).Select(l => l.Trim()).Where(l => l.Length > 0 && l[0] != '#')];
        if (lines.Any(l => l.Contains("PRIVATE KEY", StringComparison.Ordinal)))
        {
            throw new CliError($"{path} is a private key.", "Name its .pub file.", ExitCodes.NoInput);
        }

        return lines.Length > 0 ? lines : throw new CliError($"{path} holds no key.", "Make one with ssh-keygen -t ed25519.", ExitCodes.NoInput);
    }

    private static string Expand(string path, string home) => path.StartsWith("~/", StringComparison.Ordinal) ? Path.Combine(home, path[2..]) : path;
}
