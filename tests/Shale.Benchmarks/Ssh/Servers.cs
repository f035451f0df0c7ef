using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Shale.Crypto;
using Shale.Ssh.Client;

namespace Shale.Benchmarks.Ssh;

/// <summary>A gateway with one lease, and OpenSSH's sshd in a container of the same image, both on loopback.</summary>
internal sealed class Servers : IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("shale-bench-").FullName;
    private readonly List<Process> _processes = [];
    private string _container = "";
    private Ed25519PrivateKey _seed = null!;

    public Target Ours { get; private set; } = null!;

    public Target Sshd { get; private set; } = null!;

    public static async Task<Servers> StartAsync()
    {
        var servers = new Servers();
        var root = BenchmarkDocument.FindRoot();
        await RunAsync("bash", Path.Combine(root, "src/setup/images.sh"), "sshd");
        await RunAsync("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", servers.Path_("id"));
        await RunAsync("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", servers.Path_("host"));
        await servers.StartSshdAsync();
        await servers.StartGatewayAsync(Path.Combine(root, "src/Shale.Cli/bin/Release/net10.0/shale"));
        return servers;
    }

    /// <summary>Arguments of stock ssh up to and with the destination.</summary>
    public string[] Ssh(Target target, params string[] options) =>
    [
        "-F", "/dev/null", "-p", target.Port.ToString(CultureInfo.InvariantCulture), "-i", Path_("id"), "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no",
        "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", .. options, $"{target.User}@127.0.0.1",
    ];

    public async Task<SshClient> ConnectAsync(Target target)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPAddress.Loopback, target.Port);
        var options = new SshClientOptions
        {
            UserName = target.User,
            Identity = ClientIdentity.FromEd25519(_seed),
            VerifyHostKey = (_, _) => ValueTask.FromResult(true),
            KeyExchangeAlgorithms = ["curve25519-sha256"],
        };
        var result = await SshClient.ConnectAsync(socket, options, CancellationToken.None);
        return result.Client ?? throw new InvalidOperationException($"No connection: {result.Closed.Description}");
    }

    /// <summary>Processor seconds that a server used so far: the gateway's process, or all of sshd's (its container's group).</summary>
    public double CpuSeconds(Target target)
    {
        if (target == Sshd)
        {
            return long.Parse(File.ReadAllText($"/sys/fs/cgroup/cpuacct/docker/{_container}/cpuacct.usage").Trim(), CultureInfo.InvariantCulture) / 1e9;
        }

        var process = _processes[0];
        process.Refresh();
        return process.TotalProcessorTime.TotalSeconds;
    }

    /// <summary>Resident bytes: the gateway's process, or the proportional share (PSS) of every process of sshd's container.</summary>
    public long Memory(Target target)
    {
        if (target == Sshd)
        {
            return File.ReadLines($"/sys/fs/cgroup/cpuacct/docker/{_container}/cgroup.procs").Sum(pid =>
            {
                try
                {
                    var line = File.ReadLines($"/proc/{pid}/smaps_rollup").First(l => l.StartsWith("Pss:", StringComparison.Ordinal));
                    return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024;
                }
                catch (IOException)
                {
                    return 0;
                }
            });
        }

        var process = _processes[0];
        process.Refresh();
        return process.WorkingSet64;
    }

    public static async Task RunAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true })!;
        process.StandardInput.Close();
        var error = process.StandardError.ReadToEndAsync();
        await process.StandardOutput.BaseStream.CopyToAsync(Stream.Null);
        await process.WaitForExitAsync();
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"{program} {string.Join(' ', arguments)}: {await error}");
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_container.Length > 0)
        {
            await RunAsync("docker", "rm", "-f", _container);
        }

        foreach (var process in _processes)
        {
            await RunAsync("kill", "-TERM", process.Id.ToString(CultureInfo.InvariantCulture));
            await process.WaitForExitAsync();
            process.Dispose();
        }

        _seed.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private async Task StartSshdAsync()
    {
        var seed = RandomNumberGenerator.GetBytes(Ed25519.SeedSize);
        _seed = new Ed25519PrivateKey(seed);
        var blob = ClientIdentity.FromEd25519(_seed).PublicKey.Blob.ToArray();
        await File.WriteAllTextAsync(Path_("keys"), await File.ReadAllTextAsync(Path_("id.pub")) + "ssh-ed25519 " + Convert.ToBase64String(blob) + "\n");
        var port = Ports.Free();
        await File.WriteAllTextAsync(
            Path_("sshd_config"),
            $"Port {port}\nListenAddress 127.0.0.1\nHostKey /bench/host\nAuthorizedKeysFile /bench/keys\nPermitRootLogin yes\nStrictModes no\nUsePAM no\nMaxStartups 1000\nSubsystem sftp internal-sftp\n");
        var start = new ProcessStartInfo("docker", ["run", "-d", "--network", "host", "-v", $"{_folder}:/bench:ro", "shale/sshd:12", "/usr/sbin/sshd", "-D", "-f", "/bench/sshd_config"]) { RedirectStandardOutput = true };
        using var docker = Process.Start(start)!;
        _container = (await docker.StandardOutput.ReadToEndAsync()).Trim();
        Sshd = new Target("root", port);
        await AnswersAsync(port);
    }

    private async Task StartGatewayAsync(string shale)
    {
        var port = Ports.Free();
        var process = Process.Start(new ProcessStartInfo(
            shale,
            ["lease-container", "--image=shale/sshd:12", $"--ssh_pubkey={Path_("keys")}", $"--state_dir={Path_("state")}", $"--listen=127.0.0.1:{port}"]) { RedirectStandardOutput = true })!;
        _processes.Add(process);
        var line = await process.StandardOutput.ReadLineAsync() ?? throw new InvalidOperationException("The gateway did not start.");
        Ours = new Target(line.Split(' ')[^1].Split('@')[0], port);
    }

    private static async Task AnswersAsync(int port)
    {
        for (var i = 0; ; i++)
        {
            try
            {
                using var client = new TcpClient();
                await client.ConnectAsync(IPAddress.Loopback, port);
                return;
            }
            catch (SocketException) when (i < 100)
            {
                await Task.Delay(100);
            }
        }
    }

    private string Path_(string name) => Path.Combine(_folder, name);
}

/// <summary>Whom to log in as, where.</summary>
internal sealed record Target(string User, int Port);
