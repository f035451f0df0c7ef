using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Xunit;

namespace Shale.EndToEnd.Tests.Worlds;

/// <summary>A provider: its folder, its offer, its <c>shale daemon</c>.</summary>
internal sealed class Provider(LocalChain chain, string wallet, string folder, OwnEngine? engine = null) : IAsyncDisposable
{
    private readonly StringBuilder _log = new();
    private Process? _daemon;
    private string[] _options = [];

    public string Wallet { get; } = wallet;

    public string State { get; } = Path.Combine(folder, "state");

    public int Port { get; } = Ports.Free();

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

    private Dictionary<string, string> Environment
    {
        get
        {
            var set = new Dictionary<string, string> { ["SHALE_HOME"] = Path.Combine(folder, "home"), ["SHALE_NETWORK"] = chain.NetworkFile, ["SHALE_WALLET"] = Wallet };
            if (engine is not null)
            {
                set["DOCKER_HOST"] = engine.Address;
            }

            return set;
        }
    }

    public Task<Outcome> ShaleAsync(params string[] arguments) => Programs.RunAsync(Programs.Shale, arguments, Environment);

    public Task<Outcome> MustAsync(params string[] arguments) => Programs.MustAsync(Programs.Shale, arguments, Environment);

    /// <summary>Registers, and offers images for 0.01 FIL a minute.</summary>
    public async Task RegisterAsync(string miner, params string[] images)
    {
        Directory.CreateDirectory(Path.Combine(folder, "home"));
        await MustAsync("provider", "register", $"--state_dir={State}", string.Create(CultureInfo.InvariantCulture, $"--endpoint=127.0.0.1:{Port}"), $"--miner={miner}");
        await OfferAsync([.. images.Select(i => "--image=" + i)]);
    }

    public Task<Outcome> OfferAsync(params string[] options) =>
        MustAsync(["offer", "put", $"--state_dir={State}", "--price=0.01fil/min", "--num_cpus=3", "--num_rams=2Gi", "--min_deposit=0.01fil", .. options]);

    /// <summary>Starts the daemon, or starts it again as before.</summary>
    public async Task StartAsync(params string[] options)
    {
        if (options.Length > 0)
        {
            _options = options;
        }

        var from = Log.Length;
        var daemon = Process.Start(Programs.Start(
            Programs.Shale,
            ["daemon", $"--state_dir={State}", string.Create(CultureInfo.InvariantCulture, $"--listen=127.0.0.1:{Port}"), "--poll=0.3", "--interval=1", "--window=3", "--grace=1", "--num_cpus=3", "--num_rams=2Gi", .. _options],
            Environment))!;
        daemon.StandardInput.Close();
        daemon.OutputDataReceived += (_, line) => Append(line.Data);
        daemon.ErrorDataReceived += (_, line) => Append(line.Data);
        daemon.BeginOutputReadLine();
        daemon.BeginErrorReadLine();
        _daemon = daemon;
        await Wait.UntilAsync(
            () => daemon.HasExited ? throw new InvalidOperationException("The daemon ended: " + Log[from..]) : Log[from..] is var said && said.Contains("serving SSH", StringComparison.Ordinal) && said.Contains("operating provider", StringComparison.Ordinal),
            "the daemon to start", () => Log);
    }

    /// <summary>Waits for a line that the daemon says after a point of its log, and returns what it matched.</summary>
    public async Task<Match> SaidAsync(string pattern, int from = 0)
    {
        Match match = Match.Empty;
        await Wait.UntilAsync(() => (match = Regex.Match(Log[from..], pattern)).Success, $"the daemon to say '{pattern}'", () => Log);
        return match;
    }

    /// <summary>The process of one of the daemon's children: gateway, operator.</summary>
    public async Task<int> ChildAsync(string name)
    {
        int found = 0;
        await Wait.UntilAsync(() => (found = Programs.Children(_daemon!.Id).FirstOrDefault(c => c.CommandLine.Contains($" {name} ", StringComparison.Ordinal)).Id) > 0, $"the daemon's {name} to run");
        return found;
    }

    /// <summary>The machine is gone, at once.</summary>
    public async Task VanishAsync()
    {
        var children = Programs.Children(_daemon!.Id);
        _daemon.Kill();
        await _daemon.WaitForExitAsync();
        foreach (var (id, _) in children)
        {
            await Programs.SignalAsync(id, 9);
        }

        _daemon.Dispose();
        _daemon = null;
    }

    /// <summary>Kills the daemon's own process alone, and waits until what it had started has noticed.</summary>
    public async Task KillDaemonAsync()
    {
        var children = Programs.Children(_daemon!.Id);
        Assert.Equal(2, children.Count);
        _daemon.Kill();
        await _daemon.WaitForExitAsync();
        _daemon.Dispose();
        _daemon = null;
        await Wait.UntilAsync(() => children.All(c => !Directory.Exists($"/proc/{c.Id}")), "gateway and operator to end with their daemon");
    }

    /// <summary>Asks it to end, as a service manager does.</summary>
    public async Task StopAsync()
    {
        await Programs.SignalAsync(_daemon!.Id, 15);
        await _daemon.WaitForExitAsync().WaitAsync(TimeSpan.FromMinutes(2));
        _daemon.Dispose();
        _daemon = null;
    }

    /// <summary>What the gateway says of a lease: Starting, Serving, Paused, Failed, Ended; with its message and container.</summary>
    public async Task<(string Service, string Message, string Container)> StatusAsync(ulong lease)
    {
        try
        {
            using var status = JsonDocument.Parse(await File.ReadAllBytesAsync(Path.Combine(State, "status", lease.ToString(CultureInfo.InvariantCulture) + ".json")));
            string Text(string name) => status.RootElement.TryGetProperty(name, out var value) ? value.GetString() ?? "" : "";
            return (Text("service"), Text("message"), Text("container"));
        }
        catch (FileNotFoundException)
        {
            return ("", "", "");
        }
    }

    public async Task BecomesAsync(ulong lease, string service)
    {
        (string Service, string Message, string Container) status = default;
        await Wait.UntilAsync(async () => (status = await StatusAsync(lease)).Service == service, $"lease {lease} to be {service}", () => $"It is {status}: {Log}");
    }

    /// <summary>What the engine says of a lease's container.</summary>
    public async Task<string> InspectAsync(ulong lease, string format) =>
        (await Programs.MustAsync("docker", ["inspect", "--format", format, (await StatusAsync(lease)).Container], Environment)).Output.Trim();

    /// <summary>Settles all that was signed, and waits until that is final and in the voucher log.</summary>
    public async Task SettleAsync(ulong lease)
    {
        var (from, before) = (Log.Length, Settlements(lease));
        await MustAsync("settle", $"--state_dir={State}");
        await SaidAsync("settled and final", from);
        await Wait.UntilAsync(() => Settlements(lease) > before, $"the gateway to log the settlement of lease {lease}");
    }

    /// <summary>How many settlements of a lease are in the voucher log.</summary>
    public int Settlements(ulong lease) =>
        Path.Combine(State, "status", lease.ToString(CultureInfo.InvariantCulture) + ".settled") is var file && File.Exists(file) ? int.Parse(File.ReadAllText(file), CultureInfo.InvariantCulture) : 0;

    /// <summary>Audits a voucher log against the chain.</summary>
    public Task<Outcome> AuditAsync(string? log = null, string? network = null, params string[] more) =>
        ShaleAsync(["audit", log ?? Path.Combine(State, "log"), "--key=" + File.ReadAllText(Path.Combine(State, "log.pub")).Trim(), "--chain", .. network is null ? Array.Empty<string>() : [$"--network={network}"], .. more]);

    public async ValueTask DisposeAsync()
    {
        if (_daemon is { HasExited: false })
        {
            await VanishAsync();
        }

        // An engine of its own goes with all that is in it.
        if (engine is null && File.Exists(Path.Combine(State, "instance")))
        {
            var instance = (await File.ReadAllTextAsync(Path.Combine(State, "instance"))).Trim();
            var containers = (await Programs.RunAsync("docker", ["ps", "-aq", "--filter", $"name={instance}"])).Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
            if (containers.Length > 0)
            {
                await Programs.RunAsync("docker", ["rm", "-f", .. containers]);
            }
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
