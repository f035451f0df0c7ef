using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Xunit;

namespace Shale.Interop.Tests;

/// <summary>Stock OpenSSH against a real gateway and real containers.</summary>
[Collection(nameof(GatewayCollection))]
public sealed class OpenSshTests(GatewayFixture fixture)
{
    private readonly GatewayProcess _gateway = fixture.Gateway;

    [Theory]
    [InlineData("exit 0", 0)]
    [InlineData("exit 3", 3)]
    [InlineData("exit 255", 255)]
    [InlineData("no-such-command-anywhere", 127)]
    [InlineData("/etc/passwd", 126)]
    public async Task Exec_ExitCode_IsTheCommands(string command, int expected) =>
        Assert.Equal(expected, (await _gateway.SshAsync(fixture.Debian, command)).ExitCode);

    [Fact]
    public async Task Exec_KilledBySignal_ReportsTheSignal()
    {
        var outcome = await Cli.RunAsync("ssh", [.. _gateway.SshOptions(log: "DEBUG1"), $"{fixture.Debian}@127.0.0.1", "kill -SEGV $$"]);
        Assert.Equal(255, outcome.ExitCode);
        Assert.Contains("exit-signal", outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Exec_Streams_StayApartAndInputEnds()
    {
        var outcome = await _gateway.SshAsync(fixture.Debian, "cat; echo problem >&2; echo done", Encoding.UTF8.GetBytes("typed\n"));
        Assert.Equal("typed\ndone\n", outcome.Output);
        Assert.Equal("problem\n", outcome.Error);
    }

    [Theory]
    [InlineData("debian")]
    [InlineData("busybox")]
    public async Task Exec_BinaryBothWays_ArrivesUnchanged(string image)
    {
        var bytes = RandomNumberGenerator.GetBytes(20_000_003);
        var outcome = await _gateway.SshAsync(image == "debian" ? fixture.Debian : fixture.Busybox, "cat", bytes);
        Assert.True(bytes.AsSpan().SequenceEqual(outcome.OutputBytes), $"{outcome.OutputBytes.Length} bytes came back: {outcome.Error}");
    }

    /// <summary>Past 32 bits of bytes and several rekeys (each after 1 GiB).</summary>
    [Fact]
    public async Task Exec_FiveGigabytesEachWay_ArriveWhole()
    {
        var ssh = "ssh " + string.Join(' ', _gateway.SshOptions()) + $" -c aes128-gcm@openssh.com {fixture.Debian}@127.0.0.1 ";
        var down = await Cli.RunAsync("bash", ["-c", "set -o pipefail; " + ssh + "'head -c 5000000000 /dev/zero' | tee >(wc -c >&2) | cmp -n 5000000000 - /dev/zero; echo $?; wait"], seconds: 540);
        Assert.Equal("0\n", down.Output);
        Assert.Contains("5000000000", down.Error, StringComparison.Ordinal);
        var up = await Cli.RunAsync("bash", ["-c", "head -c 5000000000 /dev/zero | " + ssh + "'wc -c'"], seconds: 540);
        Assert.Equal("5000000000\n", up.Output);
    }

    [Fact]
    public async Task Exec_InAnImageOfOneStaticBinary_Works()
    {
        Assert.Equal("hello there\n", (await _gateway.SshAsync(fixture.Static, "/tool hello there")).Output);
        Assert.Equal(7, (await _gateway.SshAsync(fixture.Static, "/tool exit 7")).ExitCode);
        var bytes = RandomNumberGenerator.GetBytes(3_000_001);
        var echoed = await _gateway.SshAsync(fixture.Static, "/tool cat", bytes);
        Assert.True(bytes.AsSpan().SequenceEqual(echoed.OutputBytes));
        var shell = await Cli.RunAsync("ssh", [.. _gateway.SshOptions(), $"{fixture.Static}@127.0.0.1"], []);
        Assert.Equal(127, shell.ExitCode);
        Assert.StartsWith("shale: ", shell.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Pty_SizeTermAndResize_ReachTheProgram()
    {
        // script(1) gives ssh a terminal of its own; its size is set with stty from inside that terminal before ssh runs, and from outside once the program is ready for it.
        var terminal = Path.Combine(_gateway.Folder, "terminal");
        var inner = $"ssh -tt {string.Join(' ', _gateway.SshOptions())} {fixture.Debian}@127.0.0.1 'stty size; echo $TERM; trap \"stty size; exit 5\" WINCH; echo ready; while :; do sleep 0.1; done'";
        var start = new ProcessStartInfo("script", ["-qec", $"stty rows 33 cols 101; tty > {terminal}; {inner}", "/dev/null"]) { RedirectStandardInput = true, RedirectStandardOutput = true };
        start.Environment["TERM"] = "xterm-256color";
        using var script = Process.Start(start)!;
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(4));
        var lines = new List<string>();
        while (await script.StandardOutput.ReadLineAsync(limit.Token) is { } line)
        {
            lines.Add(line.Trim());
            if (lines[^1] == "ready")
            {
                await GatewayProcess.MustAsync("stty", ["-F", (await File.ReadAllTextAsync(terminal)).Trim(), "rows", "44", "cols", "77"]);
            }
        }

        // Its input stays open to here: at the end of it script would type the end of file.
        await script.WaitForExitAsync(limit.Token);
        Assert.Contains("33 101", lines);
        Assert.Contains("xterm-256color", lines);
        Assert.Contains("44 77", lines);
        Assert.Equal(5, script.ExitCode);
    }

    [Fact]
    public async Task Shell_WithATerminal_RunsWhatIsTypedAndEnds()
    {
        var outcome = await Cli.RunAsync("ssh", [.. _gateway.SshOptions(), "-tt", $"{fixture.Debian}@127.0.0.1"], Encoding.UTF8.GetBytes("echo $((6*7)); exit 4\n"));
        Assert.Equal(4, outcome.ExitCode);
        Assert.Contains("42", outcome.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Environment_OnlyWhatIsAllowed_ArrivesInTheContainer()
    {
        var environment = new Dictionary<string, string> { ["LC_SHALE"] = "yes", ["LD_PRELOAD_X"] = "no", ["GIT_PROTOCOL"] = "version=2" };
        var outcome = await Cli.RunAsync(
            "ssh",
            [.. _gateway.SshOptions(), "-o", "SendEnv=LC_SHALE LD_PRELOAD_X GIT_PROTOCOL", "-o", "SetEnv=LD_PRELOAD=/tmp/evil.so", $"{fixture.Debian}@127.0.0.1", "env"],
            environment: environment);
        Assert.Contains("LC_SHALE=yes", outcome.Output, StringComparison.Ordinal);
        Assert.Contains("GIT_PROTOCOL=version=2", outcome.Output, StringComparison.Ordinal);
        Assert.Contains($"SHALE_LEASE={fixture.Debian}\n", outcome.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("LD_PRELOAD", outcome.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Connections_FiftyAtOnce_AllServed()
    {
        // Above 10 unauthenticated connections MaxStartups refuses some at random, as sshd does: the client comes in waves below that.
        using var wave = new SemaphoreSlim(8);
        var open = new TaskCompletionSource();
        var count = 0;
        var sessions = Enumerable.Range(0, 50).Select(async i =>
        {
            await wave.WaitAsync();
            using var client = Process.Start(new ProcessStartInfo("ssh", [.. _gateway.SshOptions(), $"{fixture.Debian}@127.0.0.1", $"echo up; read x; echo $x {i}"])
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
            })!;
            var first = await client.StandardOutput.ReadLineAsync();
            wave.Release();
            if (Interlocked.Increment(ref count) == 50)
            {
                open.SetResult();
            }

            // Nobody goes on before all fifty are there.
            await open.Task;
            await client.StandardInput.WriteLineAsync("go");
            client.StandardInput.Close();
            return (first, second: await client.StandardOutput.ReadLineAsync());
        });
        var results = await Task.WhenAll(sessions).WaitAsync(TimeSpan.FromMinutes(8));
        for (var i = 0; i < 50; i++)
        {
            Assert.Equal(("up", string.Create(CultureInfo.InvariantCulture, $"go {i}")), results[i]);
        }
    }

    [Fact]
    public async Task ControlMaster_SessionsOfOneConnection_ShareIt()
    {
        var socket = Path.Combine(_gateway.Folder, "mux");
        string[] shared = ["-o", $"ControlPath={socket}", "-o", "ControlMaster=auto", "-o", "ControlPersist=600"];
        var outputs = new List<string>();
        for (var i = 0; i < 5; i++)
        {
            outputs.Add((await _gateway.SshAsync(fixture.Debian, "echo $SSH_CONNECTION", options: shared)).Output);
        }

        Assert.Single(outputs.Distinct());
        await Cli.RunAsync("ssh", ["-o", $"ControlPath={socket}", "-O", "exit", "x"]);
    }

    [Fact]
    public async Task Process_WhoseClientWasKilled_EndsUnlessItWasDetached()
    {
        var start = new ProcessStartInfo("ssh", [.. _gateway.SshOptions(), $"{fixture.Debian}@127.0.0.1", "setsid sleep 7001 >/dev/null 2>&1 </dev/null & sleep 7002; true"]) { RedirectStandardInput = true, RedirectStandardOutput = true };
        using var client = Process.Start(start)!;
        // Both, each as what it is going to be: setsid takes a moment to become its sleep.
        for (var i = 0; i < 600 && (await Sleeping()).Split('\n').Length < 3; i++)
        {
            await Task.Delay(100);
        }

        client.Kill();
        string left;
        var waited = 0;
        do
        {
            await Task.Delay(200);
            left = await Sleeping();
        }
        while (left.Contains("7002", StringComparison.Ordinal) && ++waited < 600);

        Assert.DoesNotContain("7002", left, StringComparison.Ordinal);
        Assert.Contains("7001", left, StringComparison.Ordinal);
        await _gateway.SshAsync(fixture.Debian, "pkill -f 'sleep 7001'");

        async Task<string> Sleeping() => (await _gateway.SshAsync(fixture.Debian, "pgrep -af '^sleep 700'")).Output;
    }

    [Fact]
    public async Task Limits_OfTheLease_AreTheContainers()
    {
        var outcome = await _gateway.SshAsync(fixture.Debian, "cat /sys/fs/cgroup/memory/memory.limit_in_bytes; cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu/cpu.cfs_period_us; grep NoNewPrivs /proc/1/status; hostname");
        var lines = outcome.Output.Split('\n');
        Assert.Equal("1073741824", lines[0]);
        Assert.Equal(2.0, double.Parse(lines[1], CultureInfo.InvariantCulture) / double.Parse(lines[2], CultureInfo.InvariantCulture));
        Assert.Equal($"lease-{fixture.Debian}", lines[4]);
    }
}
