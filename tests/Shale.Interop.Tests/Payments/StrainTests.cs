using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Xunit;

namespace Shale.Interop.Tests.Payments;

/// <summary>A gateway whose leases cost something, shared by tests that leave it running; its voucher log is served over HTTP.</summary>
public sealed class PaymentGateway : IAsyncLifetime
{
    internal GatewayProcess Gateway { get; private set; } = null!;

    internal int LogPort { get; } = Ports.Free();

    public async Task InitializeAsync() => Gateway = await GatewayProcess.StartAsync([$"--log-listen=127.0.0.1:{LogPort}"]);

    public async Task DisposeAsync() => await Gateway.DisposeAsync();
}

/// <summary>Payment through stock OpenSSH while the client's side and the network fail.</summary>
[Collection(nameof(PaymentCollection))]
public sealed class StrainTests(PaymentGateway shared) : IClassFixture<PaymentGateway>
{
    // While it waits for its process to be frozen: longer than window and grace together.
    private static readonly TimeSpan Outage = TimeSpan.FromSeconds(PaidLease.Window + PaidLease.Grace + 3);

    /// <summary>A container's own clock: ticks tenths of a second until it is frozen, and again when it goes on.</summary>
    private const string Ticking = "i=0; while :; do i=$((i+1)); echo $i; sleep 0.1; done";

    [Fact]
    public async Task Agent_Killed_LeavesServiceOfTheWindowAndTheGraceAndNotMore()
    {
        await using var paid = await PaidLease.StartAsync(shared.Gateway);
        var ticks = await Ticks.StartAsync(paid);
        await paid.PaidAsync(3);
        await paid.KillAgentAsync();
        var before = ticks.Count;
        await paid.FrozenAsync();
        await ticks.StoppedAsync();
        var meter = paid.AssertHolds("frozen");
        Assert.Equal(3, meter.Phase);

        // A tick lasts at least a tenth of a second. What the engine takes to freeze is no part of the bound; it is given ten seconds.
        Assert.InRange(ticks.Count - before, 0, 10 * (PaidLease.Window + PaidLease.Grace + 10));

        // The same ssh, the same process: the agent comes back, and the gateway finds it.
        await paid.StartAgentAsync();
        await paid.PaidAsync(2);
        var frozen = ticks.Count;
        await Wait.UntilAsync(() => ticks.Count > frozen + 5, "the process to go on");
        Assert.Equal(Enumerable.Range(1, ticks.Count), ticks.All());
        await paid.EndAndAuditAsync();
    }

    /// <summary>Mute: it is there and says nothing. ssh must not freeze with it, and the process goes on where it was.</summary>
    [Fact]
    public async Task Agent_Mute_FreezesTheContainerAndNotSsh()
    {
        await using var paid = await PaidLease.StartAsync(shared.Gateway);
        var ticks = await Ticks.StartAsync(paid);
        await paid.PaidAsync(2);
        await SignalAsync("-STOP", paid.AgentPid);
        await paid.FrozenAsync();
        await ticks.StoppedAsync();
        paid.AssertHolds("mute");
        await SignalAsync("-CONT", paid.AgentPid);
        await paid.PaidAsync(2);
        var frozen = ticks.Count;
        await Wait.UntilAsync(() => ticks.Count > frozen + 5, "the process to go on");
        paid.AssertHolds("heard again");
        await paid.EndAndAuditAsync();
    }

    [Fact]
    public async Task Ssh_KilledInTheMiddle_PausesTheLeaseUntilTheNextOne()
    {
        await using var paid = await PaidLease.StartAsync(shared.Gateway);
        await paid.PayAsync();
        Assert.Equal(0, (await paid.SshAsync("echo kept > /tmp/file; (while :; do sleep 1; done) >/dev/null 2>&1 </dev/null & exit 0")).ExitCode);
        paid.EndShells();
        await paid.FrozenAsync();
        paid.AssertHolds("without a connection");
        Assert.Equal("kept\n", (await paid.SshAsync("cat /tmp/file")).Output);
        paid.AssertHolds("with the next one");
        await paid.EndAndAuditAsync();
    }

    /// <summary>Longer than window, grace and the time that a payer has for an answer; slow before and after.</summary>
    [Fact]
    public async Task Network_GoneForAWhile_PausesAndGoesOnOverTheSameConnection()
    {
        await using var network = new TcpProxy(shared.Gateway.Port) { Delay = TimeSpan.FromMilliseconds(100) };
        await using var paid = await PaidLease.StartAsync(shared.Gateway, network.Port);
        var ticks = await Ticks.StartAsync(paid);
        await paid.PaidAsync(2);
        network.Cut();
        await paid.FrozenAsync();
        await Task.Delay(Outage + TimeSpan.FromSeconds(5));
        paid.AssertHolds("cut off");
        network.Heal();
        await paid.PaidAsync(2);
        var healed = ticks.Count;
        await Wait.UntilAsync(() => ticks.Count > healed + 5, "the process to go on");
        Assert.Equal(Enumerable.Range(1, ticks.Count), ticks.All());
        paid.AssertHolds("healed");
        await paid.EndAndAuditAsync();
    }

    /// <summary>Three connections that all pay: two shells and the agent's own. One meter, each second once.</summary>
    [Fact]
    public async Task Connections_RacingOnOneLease_PayEachSecondOnce()
    {
        await using var paid = await PaidLease.StartAsync(shared.Gateway);
        await paid.ShaleAsync(0, "agent", "keep", paid.Lease.ToString(CultureInfo.InvariantCulture));
        var shells = new[] { paid.Shell("sleep 1000"), paid.Shell("sleep 1000") };
        for (var i = 0; i < 3; i++)
        {
            await paid.PaidAsync(2);
            paid.AssertHolds("racing");
        }

        // Whichever goes, the others pay on.
        shells[0].Kill();
        await paid.PaidAsync(2);
        shells[1].Kill();
        await paid.PaidAsync(2);
        paid.AssertHolds("the agent alone");
        await Wait.UntilAsync(async () => (await SessionAsync(paid)).GetProperty("state").GetString() is "Paying", "the agent to say that it pays");
        await paid.EndAndAuditAsync();
    }

    [Fact]
    public async Task Provider_EndingTheLease_LeavesBothSidesTheSameFinalStatement()
    {
        await using var paid = await PaidLease.StartAsync(shared.Gateway);
        var shell = paid.Shell("sleep 1000");
        await paid.PaidAsync(3);
        await paid.EndAndAuditAsync();
        await shell.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(180));
        Assert.Contains($"lease-{paid.Lease} is over", await shell.StandardError.ReadToEndAsync(), StringComparison.Ordinal);

        // The last voucher of both is the same, and the agent knows the lease for closed.
        Assert.Equal(PaymentFiles.Signed(paid.Home, paid.Lease)[^1], PaymentFiles.Logged(shared.Gateway.State, paid.Lease)[^1]);
        Assert.Equal(5, PaymentFiles.Log(shared.Gateway.State).Last(e => e.Lease == paid.Lease).Kind);
        await Wait.UntilAsync(async () => (await SessionAsync(paid)).GetProperty("state").GetString() is "Closed", "the agent to know the lease for closed");

        // What was paid ahead is at most the window.
        var meter = PaymentFiles.ReadMeter(shared.Gateway.State, paid.Lease)!;
        Assert.Equal(4, meter.Phase);
    }

    /// <summary>The client's end: its user stops, is told so, and is frozen; what is signed is the last word of both.</summary>
    [Fact]
    public async Task Client_StoppingPayment_IsFrozenAndToldWhyAndResumes()
    {
        await using var paid = await PaidLease.StartAsync(shared.Gateway);
        var ticks = await Ticks.StartAsync(paid);
        await paid.PaidAsync(2);
        await paid.ShaleAsync(0, "agent", "stop", paid.Lease.ToString(CultureInfo.InvariantCulture));
        await paid.FrozenAsync();
        var signed = PaymentFiles.Signed(paid.Home, paid.Lease)[^1];
        var turnedAway = await paid.SshAsync("true");
        Assert.NotEqual(0, turnedAway.ExitCode);
        Assert.Equal(1, turnedAway.Error.Count(c => c == '\n'));
        Assert.Contains("The user stopped paying", turnedAway.Error, StringComparison.Ordinal);
        Assert.Equal(signed, PaymentFiles.Signed(paid.Home, paid.Lease)[^1]);
        paid.AssertHolds("stopped");
        await paid.ShaleAsync(0, "agent", "resume", paid.Lease.ToString(CultureInfo.InvariantCulture));
        await paid.PaidAsync(2);
        await paid.EndAndAuditAsync();
    }

    /// <summary>docs/AGENT.md, "What the container uses": asked for while somebody looks.</summary>
    [Fact]
    public async Task Session_WhileWatched_ShowsWhatTheContainerUses()
    {
        await using var paid = await PaidLease.StartAsync(shared.Gateway, options: "--num_rams=64m");
        _ = paid.Shell("while :; do :; done");
        await paid.PaidAsync(1);
        await Wait.UntilAsync(
            async () => (await SessionAsync(paid)).TryGetProperty("usage", out var usage) && usage.ValueKind == JsonValueKind.Object &&
                usage.GetProperty("cpu_percent").GetDouble() > 5 && usage.GetProperty("memory_bytes").GetInt64() > 0 && usage.GetProperty("memory_limit_bytes").GetInt64() == 64 << 20,
            "usage of a busy container");

        // The line of a moment in which it pays and has been told: the next one may be another on a busy machine.
        const string Line = @"^\d:\d\d:\d\d  Spent 0\.\d+ FIL  lease \d+  ssh lease-\d+  paying  0\.01 FIL/min  CPU \d+ %  memory [\d.]+ MiB of 64 MiB\n$";
        var line = "";
        await Wait.UntilAsync(
            async () => Regex.IsMatch(line = (await paid.ShaleAsync(0, "session", paid.Lease.ToString(CultureInfo.InvariantCulture), "--once")).Output, Line), "the session's line", () => line);
    }

    /// <summary>As an auditor anywhere reads it; what the folder holds beside tiles and checkpoint stays inside.</summary>
    [Fact]
    public async Task Log_ServedOverHttp_IsAuditedByItsUrlAndGivesNothingElse()
    {
        await using var paid = await PaidLease.StartAsync(shared.Gateway);
        await paid.PayAsync(3);
        var url = $"http://127.0.0.1:{shared.LogPort}";
        var key = "--key=" + Path.Combine(shared.Gateway.State, "log.pub");
        await Wait.UntilAsync(
            async () =>
            {
                // Published a moment after it was written.
                var audit = await Cli.RunAsync(Cli.Shale, ["audit", url, key, "--json"]);
                Assert.True(audit.ExitCode == 0, audit.Output + audit.Error);
                return JsonDocument.Parse(audit.Output).RootElement.GetProperty("vouchers").GetInt32() >= 1;
            },
            "a voucher in the published log");

        // Without --key: the client's own agent was shown the log's key with its first charge.
        var known = await paid.ShaleAsync(0, "audit", url);
        Assert.Contains("all as it must be", known.Output, StringComparison.Ordinal);

        using var http = new HttpClient();
        foreach (var path in new[] { "journal/00000000000000000000", "lock", "", "tile/entries/../../lock", "%2e%2e/log.key", "..%2flog.key", "tile/0/000.tmp", "checkpoint/", "metrics", "leases" })
        {
            Assert.Equal(System.Net.HttpStatusCode.NotFound, (await http.GetAsync($"{url}/{path}")).StatusCode);
        }

        using var answer = await http.GetAsync(url + "/checkpoint");
        Assert.Equal("text/plain", answer.Content.Headers.ContentType!.MediaType);
        Assert.Equal(System.Net.HttpStatusCode.MethodNotAllowed, (await http.PostAsync(url + "/checkpoint", null)).StatusCode);
    }

    private static async Task<JsonElement> SessionAsync(PaidLease paid) =>
        JsonDocument.Parse((await paid.ShaleAsync(0, "session", paid.Lease.ToString(CultureInfo.InvariantCulture), "--once", "--json")).Output).RootElement;

    private static Task SignalAsync(string signal, int pid) => GatewayProcess.MustAsync("kill", [signal, pid.ToString(CultureInfo.InvariantCulture)]);

    /// <summary>What the process in the container has said so far.</summary>
    private sealed class Ticks
    {
        private readonly List<int> _ticks = [];

        private Ticks(Process shell) => _ = ReadAsync(shell);

        /// <summary>In a session that the gateway lets in: a machine that is busy with its first charge may turn one away as not paid yet.</summary>
        public static async Task<Ticks> StartAsync(PaidLease paid)
        {
            var shell = paid.Shell(Ticking);
            var ticks = new Ticks(shell);
            await Wait.UntilAsync(
                () =>
                {
                    if (ticks.Count == 0 && shell.HasExited)
                    {
                        shell = paid.Shell(Ticking);
                        ticks = new Ticks(shell);
                    }

                    return ticks.Count > 0;
                },
                "a session in the lease",
                () => paid.Gateway.Log);
            return ticks;
        }

        public int Count
        {
            get
            {
                lock (_ticks)
                {
                    return _ticks.Count;
                }
            }
        }

        public List<int> All()
        {
            lock (_ticks)
            {
                return [.. _ticks];
            }
        }

        /// <summary>Waits until nothing has been said for two seconds.</summary>
        public async Task StoppedAsync()
        {
            int before;
            do
            {
                before = Count;
                await Task.Delay(2000);
            }
            while (Count != before);
        }

        private async Task ReadAsync(Process shell)
        {
            while (await shell.StandardOutput.ReadLineAsync() is { } line)
            {
                lock (_ticks)
                {
                    _ticks.Add(int.Parse(line, CultureInfo.InvariantCulture));
                }
            }
        }
    }
}
