using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace Shale.Interop.Tests;

/// <summary>A real <c>shale gateway</c> with a state folder of its own, and leases in it; used through the executables alone.</summary>
internal sealed class GatewayProcess : IAsyncDisposable
{
    private readonly StringBuilder _log = new();
    private Process? _process;

    private GatewayProcess(string folder, int port) => (Folder, Port) = (folder, port);

    public string Folder { get; }

    /// <summary>More options and environment for the next launch.</summary>
    public string[] Options { get; init; } = [];

    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();

    /// <summary>What is to be done between the gateway's end and the removal of its folder.</summary>
    public Func<ValueTask> BeforeDelete { get; set; } = () => ValueTask.CompletedTask;

    public int Pid => _process!.Id;

    public int Port { get; }

    public string Log
    {
        get
        {
            lock (_log)
            {
                return _log.ToString();
            }
        }
    }

    public string State => Path.Combine(Folder, "state");

    public string Key => Path.Combine(Folder, "id");

    public static async Task<GatewayProcess> StartAsync(string[]? options = null, IReadOnlyDictionary<string, string>? environment = null, string? folder = null)
    {
        var gateway = new GatewayProcess(folder ?? Directory.CreateTempSubdirectory("shale-it-").FullName, Ports.Free())
        {
            Options = options ?? [],
            Environment = environment ?? new Dictionary<string, string>(),
        };
        await MustAsync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", gateway.Key]);
        await gateway.LaunchAsync();
        return gateway;
    }

    /// <summary>Adds a lease, waits until it is served, and returns its number.</summary>
    public async Task<ulong> LeaseAsync(params string[] options)
    {
        var outcome = await Cli.RunAsync(
            Cli.Shale,
            ["lease-container", "--detach", $"--state_dir={State}", $"--listen=127.0.0.1:{Port}", $"--ssh_pubkey={Key}.pub", .. options]);
        if (outcome.ExitCode != 0)
        {
            throw new InvalidOperationException($"lease-container: {outcome.Error}{Log}");
        }

        // The line that it prints for the user: ssh -p PORT ID@ADDRESS.
        var target = outcome.Output.Trim().Split(' ')[^1];
        return ulong.Parse(target.Split('@')[0], CultureInfo.InvariantCulture);
    }

    /// <summary>The arguments for stock OpenSSH programs; <c>scp</c> and <c>sftp</c> name the port as <c>-P</c>.</summary>
    public string[] SshOptions(string portOption = "-p", string log = "ERROR", bool port = true) =>
    [
        .. port ? (string[])[portOption, Port.ToString(CultureInfo.InvariantCulture)] : [], "-i", Key, "-F", "/dev/null", "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=accept-new",
        "-o", $"UserKnownHostsFile={Path.Combine(Folder, "known_hosts")}", "-o", $"LogLevel={log}", "-o", "BatchMode=yes",
    ];

    public Task<Outcome> SshAsync(ulong lease, string command, byte[]? input = null, int seconds = 240, params string[] options) =>
        Cli.RunAsync("ssh", [.. SshOptions(), .. options, $"{lease}@127.0.0.1", command], input, seconds);

    /// <summary>The engine's ID of a lease's container.</summary>
    public Task<string> ContainerAsync(ulong lease) => ContainerAsync(State, lease);

    public static async Task<string> ContainerAsync(string state, ulong lease)
    {
        var status = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(state, "status", lease.ToString(CultureInfo.InvariantCulture) + ".json"))).RootElement;
        return status.GetProperty("service").GetString() == "Serving"
            ? status.GetProperty("container").GetString()!
            : throw new InvalidOperationException($"Lease {lease} is not served: {status}");
    }

    public async Task KillAsync()
    {
        _process!.Kill();
        await _process.WaitForExitAsync();
    }

    /// <summary>Waits until something else has ended it.</summary>
    public Task ExitedAsync() => _process!.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(180));

    /// <summary>Asks it to end, as a service manager does.</summary>
    public async Task TerminateAsync()
    {
        await MustAsync("kill", ["-TERM", Pid.ToString(CultureInfo.InvariantCulture)]);
        await ExitedAsync();
    }

    /// <summary>Ends a lease by its record, and waits until the gateway says so.</summary>
    public async Task EndLeaseAsync(ulong lease)
    {
        File.Delete(Path.Combine(State, "leases", lease.ToString(CultureInfo.InvariantCulture) + ".json"));
        await Wait.UntilAsync(async () => await StatusAsync(lease) == "Ended", $"lease {lease} to end");
    }

    /// <summary>What the gateway says of a lease: Starting, Serving, Paused, Failed, Ended.</summary>
    public async Task<string> StatusAsync(ulong lease)
    {
        try
        {
            var status = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(State, "status", lease.ToString(CultureInfo.InvariantCulture) + ".json"))).RootElement;
            return status.GetProperty("service").GetString()!;
        }
        catch (FileNotFoundException)
        {
            return "";
        }
    }

    public async Task LaunchAsync()
    {
        _process?.Dispose();
        var start = new ProcessStartInfo(Cli.Shale, ["gateway", $"--state_dir={State}", $"--listen=127.0.0.1:{Port}", "--verbose", .. Options]) { RedirectStandardError = true, RedirectStandardOutput = true };
        foreach (var (name, value) in Environment)
        {
            start.Environment[name] = value;
        }

        _process = Process.Start(start)!;
        _process.ErrorDataReceived += (_, line) => Append(line.Data);
        _process.OutputDataReceived += (_, line) => Append(line.Data);
        _process.BeginErrorReadLine();
        _process.BeginOutputReadLine();
        for (var i = 0; i < 1800; i++)
        {
            try
            {
                using var client = new TcpClient();
                await client.ConnectAsync(IPAddress.Loopback, Port);
                return;
            }
            catch (SocketException) when (!_process.HasExited)
            {
                await Task.Delay(100);
            }
        }

        throw new InvalidOperationException("The gateway does not listen: " + Log);
    }

    public async ValueTask DisposeAsync()
    {
        // Ending the leases by their records is what removes their containers.
        foreach (var lease in Directory.GetFiles(Path.Combine(State, "leases"), "*.json"))
        {
            File.Delete(lease);
        }

        if (_process is { HasExited: false })
        {
            for (var i = 0; i < 1800 && await ContainersAsync() > 0; i++)
            {
                await Task.Delay(100);
            }

            _process.Kill();
            await _process.WaitForExitAsync();
        }

        _process?.Dispose();
        await BeforeDelete();
        Directory.Delete(Folder, recursive: true);
    }

    private async Task<int> ContainersAsync()
    {
        var count = 0;
        foreach (var status in Directory.GetFiles(Path.Combine(State, "status"), "*.json"))
        {
            count += (await File.ReadAllTextAsync(status)).Contains("\"Ended\"", StringComparison.Ordinal) ? 0 : 1;
        }

        return count;
    }

    internal static async Task MustAsync(string program, string[] arguments)
    {
        var outcome = await Cli.RunAsync(program, arguments);
        if (outcome.ExitCode != 0)
        {
            throw new InvalidOperationException($"{program}: {outcome.Error}");
        }
    }

    private void Append(string? line)
    {
        lock (_log)
        {
            _log.AppendLine(line);
        }
    }
}
