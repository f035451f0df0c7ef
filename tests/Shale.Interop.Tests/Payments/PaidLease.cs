using System.Diagnostics;
using System.Globalization;
using Xunit;

namespace Shale.Interop.Tests.Payments;

/// <summary>A real gateway, a real payment agent and a lease with a price between them; and what must hold of their files after whatever happened to them.</summary>
internal sealed class PaidLease : IAsyncDisposable
{
    public const int Window = 3;
    public const int Grace = 2;

    /// <summary>0.01 FIL a minute in attoFIL a second, rounded up.</summary>
    public static readonly UInt128 Price = 166_666_666_666_667;

    private readonly List<PaymentFiles.Voucher> _logged = [];
    private readonly List<PaymentFiles.Voucher> _signed = [];
    private readonly List<Process> _shells = [];
    private Process? _agent;
    private Process? _identities;

    private readonly bool _ownsGateway;

    private PaidLease(GatewayProcess gateway, string home, bool ownsGateway) => (Gateway, Home, _ownsGateway) = (gateway, home, ownsGateway);

    public GatewayProcess Gateway { get; }

    /// <summary>The agent's folder.</summary>
    public string Home { get; }

    public ulong Lease { get; private set; }

    public int AgentPid => _agent!.Id;

    /// <summary>The agent's environment beside SHALE_HOME.</summary>
    public Dictionary<string, string> AgentEnvironment { get; } = [];

    /// <param name="gateway">The gateway; null: one of its own.</param>
    /// <param name="port">Where the agent and ssh find it, where that is not the gateway's own port.</param>
    /// <param name="ownsGateway">Whether the gateway ends with this.</param>
    /// <param name="options">More for lease-container.</param>
    public static async Task<PaidLease> StartAsync(GatewayProcess? gateway = null, int? port = null, bool ownsGateway = false, params string[] options)
    {
        var owns = ownsGateway || gateway is null;
        gateway ??= await GatewayProcess.StartAsync();

        // Short: sockets lie in it.
        var paid = new PaidLease(gateway, Path.Combine(Directory.CreateTempSubdirectory("sp").FullName, "a"), owns);
        try
        {
            await paid.ShaleAsync(0, "agent", "init", "--insecure-no-passphrase");
            await paid.ShaleAsync(0, "agent", "policy", $"--prepay={Window}s");
            var key = (await paid.ShaleAsync(0, "agent", "key")).Output.Trim();
            paid.Lease = await gateway.LeaseAsync(["--image=shale/busybox:1", "--price=0.01fil/min", "--payer=" + key, "--deposit=1fil", "--interval=1", $"--window={Window}", $"--grace={Grace}", .. options]);
            await paid.ShaleAsync(
                0, "agent", "add-lease", $"--lease={paid.Lease}", "--host=127.0.0.1", $"--port={port ?? gateway.Port}", $"--host_key={gateway.State}/hostkeys/ssh_host_ed25519_key.pub", "--price=0.01fil/min", "--deposit=1fil");
            await paid.StartIdentityAgentAsync();
            await paid.StartAgentAsync();
            return paid;
        }
        catch
        {
            await paid.DisposeAsync();
            throw;
        }
    }

    private Dictionary<string, string> ClientEnvironment => new() { ["SHALE_HOME"] = Home, ["SSH_AUTH_SOCK"] = IdentitySocket };

    /// <summary>Runs <c>shale</c> as the client.</summary>
    public async Task<Outcome> ShaleAsync(int? exitCode, params string[] arguments)
    {
        var outcome = await Cli.RunAsync(Cli.Shale, arguments, [], environment: ClientEnvironment);
        Assert.True(exitCode is null || outcome.ExitCode == exitCode, $"shale {string.Join(' ', arguments)}: {outcome.ExitCode} {outcome.Output}{outcome.Error}");
        return outcome;
    }

    private string IdentitySocket => Path.Combine(Path.GetDirectoryName(Home)!, "ssh-agent");

    /// <summary>The user's own ssh-agent, with the key that the lease lets in.</summary>
    private async Task StartIdentityAgentAsync()
    {
        _identities = Process.Start(new ProcessStartInfo("ssh-agent", ["-D", "-a", IdentitySocket]) { RedirectStandardOutput = true })!;
        await Wait.ForSocketAsync(IdentitySocket);
        var added = await Cli.RunAsync("ssh-add", ["-q", Gateway.Key], environment: new Dictionary<string, string> { ["SSH_AUTH_SOCK"] = IdentitySocket });
        Assert.Equal(0, added.ExitCode);
    }

    public async Task StartAgentAsync()
    {
        var start = new ProcessStartInfo(Cli.Shale, ["agent", "--verbose"]) { RedirectStandardError = true, RedirectStandardInput = true, RedirectStandardOutput = true };
        start.Environment["SHALE_HOME"] = Home;
        start.Environment["SSH_AUTH_SOCK"] = IdentitySocket;
        foreach (var (name, value) in AgentEnvironment)
        {
            start.Environment[name] = value;
        }

        _agent?.Dispose();
        _agent = Process.Start(start)!;
        var line = await _agent.StandardError.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(180));
        while (line is not null && !line.Contains("the payment agent serves", StringComparison.Ordinal))
        {
            line = await _agent.StandardError.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(180));
        }

        Assert.NotNull(line);
        _ = _agent.StandardError.ReadToEndAsync();
    }

    public async Task KillAgentAsync()
    {
        _agent!.Kill();
        await AgentExitedAsync();
    }

    public Task AgentExitedAsync() => _agent!.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(180));

    /// <summary>Stock ssh with what <c>shale ssh</c> gives it; runs until it is killed or the command ends.</summary>
    public Process Shell(string command, params string[] options)
    {
        var start = new ProcessStartInfo(Cli.Shale, ["ssh", Lease.ToString(CultureInfo.InvariantCulture), "-o", "BatchMode=yes", .. options, command])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["SHALE_HOME"] = Home;
        start.Environment["SSH_AUTH_SOCK"] = IdentitySocket;
        var shell = Process.Start(start)!;
        _shells.Add(shell);
        return shell;
    }

    /// <summary>Runs a command in the lease over stock ssh and waits for its end.</summary>
    public Task<Outcome> SshAsync(string command, int seconds = 240) => Cli.RunAsync(
        Cli.Shale,
        ["ssh", Lease.ToString(CultureInfo.InvariantCulture), "-o", "BatchMode=yes", command],
        [],
        seconds,
        ClientEnvironment);

    /// <summary>Opens a shell that does nothing, again where the gateway is not back yet, and waits until <paramref name="vouchers"/> more vouchers are in the log.</summary>
    public async Task PayAsync(int vouchers = 2)
    {
        var before = PaymentFiles.Logged(Gateway.State, Lease).Count;
        Process? shell = null;
        await Wait.UntilAsync(
            () =>
            {
                if (shell is null || shell.HasExited)
                {
                    shell = Shell("sleep 1000");
                }

                return PaymentFiles.Logged(Gateway.State, Lease).Count >= before + vouchers;
            },
            $"{vouchers} vouchers",
            () => Gateway.Log + File.ReadAllText(Path.Combine(Gateway.State, "status", Lease.ToString(CultureInfo.InvariantCulture) + ".json")));
    }

    /// <summary>Waits until so many more vouchers are in the log, whoever pays.</summary>
    public Task PaidAsync(int vouchers)
    {
        var before = PaymentFiles.Logged(Gateway.State, Lease).Count;
        return Wait.UntilAsync(() => PaymentFiles.Logged(Gateway.State, Lease).Count >= before + vouchers, $"{vouchers} vouchers", () => Gateway.Log);
    }

    /// <summary>
    /// "What must survive", of the files as they lie there now: what was logged or signed is there still, amounts never fall, settled ≤ authorised ≤ consumed + price × window,
    /// consumed ≤ authorised + price × grace, and nothing is logged that the agent did not sign.
    /// </summary>
    public PaymentFiles.Meter AssertHolds(string when, bool agentKeptItsRecord = true)
    {
        // In this order: a voucher is signed before it is logged, and logged before it is credited.
        var meter = PaymentFiles.ReadMeter(Gateway.State, Lease)!;
        var logged = PaymentFiles.Logged(Gateway.State, Lease);
        var signed = PaymentFiles.Signed(Home, Lease);
        Assert.True(logged.Count >= _logged.Count && logged.Take(_logged.Count).SequenceEqual(_logged), $"{when}: logged vouchers are gone");
        Assert.Equal(logged.Select(v => v.Amount), logged.Select(v => v.Amount).Order());
        if (agentKeptItsRecord)
        {
            Assert.True(signed.Count >= _signed.Count && signed.Take(_signed.Count).SequenceEqual(_signed), $"{when}: signed vouchers are gone");
            Assert.Equal(signed.Select(v => v.Amount), signed.Select(v => v.Amount).Order());
            Assert.Subset(signed.Select(v => v.Bytes).ToHashSet(), logged.Select(v => v.Bytes).ToHashSet());
        }

        // Each voucher once.
        Assert.Equal(logged.Count, logged.Select(v => v.Bytes).Distinct().Count());
        var consumed = Cost(meter.Active);
        Assert.True(meter.Settled <= meter.Authorised, when);
        Assert.True(meter.Authorised <= consumed + Cost(meter.Window), $"{when}: {meter.Authorised} authorised, {consumed} consumed: more than the window ahead");
        Assert.True(consumed <= meter.Authorised + Cost(Grace * 1000), $"{when}: {consumed} consumed, {meter.Authorised} authorised: more than the grace behind");
        Assert.True(meter.Authorised <= logged.LastOrDefault()?.Amount || meter.Authorised == 0, $"{when}: credited before it was logged");
        _logged.Clear();
        _logged.AddRange(logged);
        _signed.Clear();
        _signed.AddRange(signed);
        return meter;
    }

    /// <summary>Waits until the container is frozen, by the engine's word, not the gateway's.</summary>
    public Task FrozenAsync()
    {
        var name = $"shale-{File.ReadAllText(Path.Combine(Gateway.State, "instance")).Trim()}-{Lease}";
        return Wait.UntilAsync(
            async () => (await Cli.RunAsync("docker", ["inspect", "--format", "{{.State.Paused}}", name])).Output == "true\n",
            "the container to be frozen",
            () => Gateway.Log);
    }

    /// <summary>Ends the lease, and has the log audited: no finding.</summary>
    public async Task EndAndAuditAsync()
    {
        await Gateway.EndLeaseAsync(Lease);
        AssertHolds("after the end");
        await AuditAsync();
    }

    public async Task AuditAsync()
    {
        var audit = await Cli.RunAsync(Cli.Shale, ["audit", Path.Combine(Gateway.State, "log"), "--key=" + Path.Combine(Gateway.State, "log.pub")]);
        Assert.True(audit.ExitCode == 0, audit.Output + audit.Error + Gateway.Log);
        Assert.Contains("all as it must be", audit.Output, StringComparison.Ordinal);
    }

    public static UInt128 Cost(ulong milliseconds) => ((Price * milliseconds) + 999) / 1000;

    public void EndShells()
    {
        foreach (var shell in _shells)
        {
            if (!shell.HasExited)
            {
                shell.Kill();
            }

            shell.Dispose();
        }

        _shells.Clear();
    }

    public async ValueTask DisposeAsync()
    {
        EndShells();
        if (_agent is { HasExited: false })
        {
            // Its ssh with it.
            _agent.Kill(entireProcessTree: true);
            await _agent.WaitForExitAsync();
        }

        _agent?.Dispose();
        if (_identities is not null)
        {
            _identities.Kill();
            await _identities.WaitForExitAsync();
            _identities.Dispose();
        }

        if (_ownsGateway)
        {
            await Gateway.DisposeAsync();
        }

        Directory.Delete(Path.GetDirectoryName(Home)!, recursive: true);
    }
}
