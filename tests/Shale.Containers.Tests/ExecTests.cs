using System.Diagnostics;
using System.Text;
using Shale.Containers.Exec;
using Shale.Containers.Leases;
using Xunit;
using static Shale.Containers.Tests.LeaseFixture;

namespace Shale.Containers.Tests;

/// <summary>Processes in containers of a full image, of busybox alone and of one static binary.</summary>
[Collection("leases")]
public sealed class ExecTests(LeaseFixture leases)
{
    [Fact]
    public async Task Exec_WithPipes_KeepsStdoutAndStderrApartAndReturnsTheExitCode()
    {
        var (status, stdout, stderr) = await RunAsync(leases.DebianLease, Shell("cat; echo err >&2; exit 7"), "hello\n");
        Assert.Equal(new ExitStatus(7), status);
        Assert.Equal("hello\n", stdout);
        Assert.Equal("err\n", stderr);
    }

    [Fact]
    public async Task Exec_InBusybox_RunsAndIsDirect()
    {
        await using (var process = await leases.BusyboxLease.StartAsync(Shell("true"), Soon))
        {
            Assert.True(process.IsDirect);
            Assert.Equal(0, (await process.Exited.WaitAsync(Soon)).Code);
        }

        Assert.Equal("3\n", (await RunAsync(leases.BusyboxLease, Shell("printf 'a\\nb\\nc\\n' | wc -l"))).Out);
    }

    [Fact]
    public async Task Exec_InAnImageWithoutAShell_SplitsTheCommandAndRunsIt()
    {
        Assert.Equal("hello two words\n", (await RunAsync(leases.StaticLease, Shell("/tool hello 'two words'"))).Out);
        Assert.Equal(3, (await RunAsync(leases.StaticLease, Shell("/tool exit 3"))).Status.Code);
        Assert.Equal("through\n", (await RunAsync(leases.StaticLease, Shell("/tool cat"), "through\n")).Out);
    }

    [Fact]
    public async Task Exec_OfAShellInAnImageWithoutOne_SaysSo()
    {
        var e = await Assert.ThrowsAsync<ExecException>(() => leases.StaticLease.StartAsync(new ExecRequest(), Soon));
        Assert.Equal((ExecFailure.NoShell, 127), (e.Failure, e.ExitCode));
        e = await Assert.ThrowsAsync<ExecException>(() => leases.StaticLease.StartAsync(Shell("/tool a | /tool cat"), Soon));
        Assert.Equal(ExecFailure.NoShell, e.Failure);
    }

    [Theory]
    [InlineData("/nowhere/nothing", ExecFailure.NotFound, 127)]
    [InlineData("no-such-program", ExecFailure.NotFound, 127)]
    [InlineData("/etc/passwd", ExecFailure.NotExecutable, 126)]
    public async Task Exec_OfWhatCannotRun_SaysWhyAsAShellWould(string program, ExecFailure failure, int code)
    {
        var e = await Assert.ThrowsAsync<ExecException>(() => leases.DebianLease.StartAsync(new ExecRequest { Arguments = [program] }, Soon));
        Assert.Equal((failure, code), (e.Failure, e.ExitCode));
        Assert.Contains(program, e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("KILL", 137)]
    [InlineData("TERM", 143)]
    [InlineData("HUP", 129)]
    public async Task Signal_ToAProcess_EndsItAndItsGroupWithThatSignal(string name, int code)
    {
        await using var process = await leases.DebianLease.StartAsync(Shell("sleep 1000 & sleep 1000"), Soon);
        Assert.True(await process.SignalAsync(name, Soon));
        Assert.Equal(new ExitStatus(code, name), await process.Exited.WaitAsync(Soon));
        Assert.Equal("", await ReadAllAsync(process.Stdout)); // the background sleep held it open
        Assert.False(await process.SignalAsync("NONSENSE", Soon));
    }

    [Fact]
    public async Task Exec_EnvironmentUserAndFolder_AreAsAsked()
    {
        var request = Shell("echo \"$FOO|$HOME|$USER|$(id -u):$(id -g):$(id -G)|$PWD|$LANG|$0\"") with
        {
            Environment = new Dictionary<string, string> { ["FOO"] = "b a=r" },
        };
        Assert.Equal("b a=r|/root|root|0:0:0|/root|C.UTF-8|bash\n", (await RunAsync(leases.DebianLease, request)).Out);
        Assert.Equal("b a=r|/|4242|4242:0:0|/|C.UTF-8|bash\n", (await RunAsync(leases.DebianLease, request with { User = "4242" })).Out);
        Assert.Equal("b a=r|/usr/games|games|5:60:60|/tmp|C.UTF-8|sh\n", (await RunAsync(leases.DebianLease, request with { User = "games", WorkingDirectory = "/tmp", Command = null, Arguments = ["sh", "-c", "echo \"$FOO|$HOME|$USER|$(id -u):$(id -g):$(id -G)|$PWD|$LANG|$0\""] })).Out);
        var e = await Assert.ThrowsAsync<ExecException>(() => leases.DebianLease.StartAsync(request with { User = "nobody-here" }, Soon));
        Assert.Equal(ExecFailure.NoUser, e.Failure);
    }

    [Fact]
    public async Task Exec_AsAnotherUser_CanOpenItsOwnStandardStreamsByName() =>
        Assert.Equal("x\n", (await RunAsync(leases.DebianLease, new ExecRequest { Arguments = ["sh", "-c", "echo x >/dev/stdout"], User = "nobody", WorkingDirectory = "/" })).Out);

    [Fact]
    public async Task Terminal_HasItsSizeFromTheStartAndFollowsResizes()
    {
        var request = Shell("stty size; tty; trap 'stty size; exit 5' WINCH; echo ready; while :; do sleep 0.05; done") with { Terminal = new TerminalRequest { Size = new(132, 43) } };
        await using var process = await leases.DebianLease.StartAsync(request, Soon);
        Assert.Null(process.Stderr);
        Assert.Contains("43 132\r\n/dev/pts/", await ReadUntilAsync(process.Stdout, "ready"), StringComparison.Ordinal);
        await process.ResizeAsync(new TerminalSize(100, 30), Soon);
        await ReadUntilAsync(process.Stdout, "30 100");
        Assert.Equal(5, (await process.Exited.WaitAsync(Soon)).Code);
    }

    [Fact]
    public async Task Terminal_LoginShell_IsOneAndTakesTypedInput()
    {
        await using var process = await leases.DebianLease.StartAsync(new ExecRequest { Terminal = new TerminalRequest() }, Soon);
        await process.Stdin.WriteAsync("shopt -q login_shell && echo is-\"login\"; exit 9\n"u8.ToArray(), Soon);
        await ReadUntilAsync(process.Stdout, "is-login");
        Assert.Equal(9, (await process.Exited.WaitAsync(Soon)).Code);
        await ReadAllAsync(process.Stdout); // ends
    }

    [Fact]
    public async Task Terminal_Modes_AreThoseOfThePtyRequest()
    {
        // RFC 4254 section 8: VINTR (1) = 7, ECHO (53) = 0, ONLCR (72) = 0, end.
        byte[] modes = [1, 0, 0, 0, 7, 53, 0, 0, 0, 0, 72, 0, 0, 0, 0, 0];
        var (_, stdout, _) = await RunAsync(leases.DebianLease, Shell("stty -a") with { Terminal = new TerminalRequest { Modes = modes } });
        Assert.Contains("intr = ^G;", stdout, StringComparison.Ordinal);
        Assert.Contains("-echo ", stdout, StringComparison.Ordinal);
        Assert.Contains("-onlcr", stdout, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Terminal_ControlC_InterruptsTheForegroundProcess()
    {
        await using var process = await leases.DebianLease.StartAsync(Shell("echo ready; sleep 1000") with { Terminal = new TerminalRequest() }, Soon);
        await ReadUntilAsync(process.Stdout, "ready");
        await process.Stdin.WriteAsync(new byte[] { 3 }, Soon);
        Assert.Equal("INT", (await process.Exited.WaitAsync(Soon)).Signal);
    }

    [Theory]
    [InlineData("sleep 98761", true)]
    [InlineData("sleep 98762 & wait", true)]
    [InlineData("trap '' HUP; exec sleep 98763", false)]
    [InlineData("nohup sleep 98764 >/dev/null 2>&1 & wait", false)]
    [InlineData("setsid -f sleep 98765 >/dev/null 2>&1 </dev/null; sleep 1000", false)]
    [InlineData("tmux -L t new-session -d 'sleep 98766'; sleep 1000", false)]
    [InlineData("trap 'sleep 60' HUP; sleep 98767; sleep 98767", true)]
    public async Task Session_WhenGone_TakesItsProcessesUnlessDetached(string command, bool ends)
    {
        var number = System.Text.RegularExpressions.Regex.Match(command, "9876.").Value;
        async Task<bool> RunsAsync() => (await RunAsync(leases.DebianLease, Shell($"pgrep -f '^sleep {number}'"))).Status.Code == 0;
        await using (await leases.DebianLease.StartAsync(Shell(command), Soon))
        {
            await EventuallyAsync(RunsAsync, "the process starts");
        }

        if (ends)
        {
            await EventuallyAsync(async () => !await RunsAsync(), "the process ends");
        }
        else
        {
            await Task.Delay(AgentProcess.HangupGrace + TimeSpan.FromSeconds(0.7));
            Assert.True(await RunsAsync());
            await RunAsync(leases.DebianLease, Shell($"pkill -9 -f '^sleep {number}'"));
        }
    }

    [Fact]
    public async Task Session_OfATerminal_EndsWithItsBackgroundJobs()
    {
        await using (var process = await leases.DebianLease.StartAsync(new ExecRequest { Terminal = new TerminalRequest() }, Soon))
        {
            await process.Stdin.WriteAsync("sleep 98768 &\n echo st\"arted\"\n"u8.ToArray(), Soon);
            await ReadUntilAsync(process.Stdout, "started");
        }

        await EventuallyAsync(async () => (await RunAsync(leases.DebianLease, Shell("pgrep -f '^sleep 98768'"))).Status.Code != 0, "the job ends");
    }

    [Fact]
    public async Task Streams_InBulk_ArriveWholeBothWays()
    {
        const long Bytes = 512L << 20;
        await using var process = await leases.DebianLease.StartAsync(Shell($"head -c {Bytes} /dev/zero; cat >/dev/null; wc -c </dev/null"), Soon);

        // By pipes, which is what makes it fast; how fast is for the benchmarks to say.
        Assert.True(process.IsDirect);
        long got = 0;
        var buffer = new byte[256 << 10];
        while (got < Bytes)
        {
            var read = await process.Stdout.ReadAsync(buffer, Soon);
            Assert.True(read > 0);
            got += read;
        }

        for (long sent = 0; sent < Bytes; sent += buffer.Length)
        {
            await process.Stdin.WriteAsync(buffer, Soon);
        }

        await process.Stdin.DisposeAsync();
        Assert.Equal("0\n", await ReadAllAsync(process.Stdout));
        Assert.Equal(Bytes, got);
    }

    [Fact]
    public async Task Input_WhoseReaderIsGone_FailsTheWrite()
    {
        await using var process = await leases.DebianLease.StartAsync(Shell("exec <&-; sleep 0.2"), Soon);
        await Assert.ThrowsAnyAsync<IOException>(async () =>
        {
            while (true)
            {
                await process.Stdin.WriteAsync(new byte[65536], Soon);
            }
        });
    }

    [Fact]
    public async Task Exec_ManyAtOnce_AllAnswer()
    {
        var results = await Task.WhenAll(Enumerable.Range(0, 50).Select(i => RunAsync(leases.DebianLease, Shell($"read x; echo $x-{i}; exit {i}"), $"in{i}\n")));
        for (var i = 0; i < results.Length; i++)
        {
            Assert.Equal((i, $"in{i}-{i}\n"), (results[i].Status.Code, results[i].Out));
        }
    }

    [Fact]
    public async Task Exec_WithALongCommandAndNul_IsTakenOrRefused()
    {
        var text = new string('x', 120_000);
        Assert.Equal(120_001, (await RunAsync(leases.DebianLease, new ExecRequest { Arguments = ["echo", text] })).Out.Length);
        var e = await Assert.ThrowsAsync<ExecException>(() => leases.DebianLease.StartAsync(Shell("echo a\0b"), Soon));
        Assert.Equal(ExecFailure.InvalidRequest, e.Failure);
        e = await Assert.ThrowsAsync<ExecException>(() => leases.DebianLease.StartAsync(new ExecRequest { Arguments = ["echo", new string('x', 200_000)] }, Soon));
        Assert.Equal(ExecFailure.InvalidRequest, e.Failure); // one argument over Linux's 128 KiB
        e = await Assert.ThrowsAsync<ExecException>(() => leases.DebianLease.StartAsync(Shell("true") with { Environment = new Dictionary<string, string> { ["A=B"] = "c" } }, Soon));
        Assert.Equal(ExecFailure.InvalidRequest, e.Failure);
    }

    [Fact]
    public async Task Helper_KilledByTheContainersRoot_IsReplaced()
    {
        var lease = await leases.CreateAsync(new LeaseSpec { Image = Debian });
        await using var process = await lease.StartAsync(Shell("pkill -9 -f 'shale-?helper agent|helper agent'; sleep 1000"), Soon);
        Assert.Equal("KILL", (await process.Exited.WaitAsync(Soon)).Signal);
        await using var next = await lease.StartAsync(Shell("echo again"), Soon);
        Assert.True(next.IsDirect);
        Assert.Equal("again\n", await ReadAllAsync(next.Stdout));
    }

    [Fact]
    public async Task Helper_StoppedByTheContainersRoot_IsReplaced()
    {
        var lease = await leases.CreateAsync(new LeaseSpec { Image = Debian });
        await using var process = await lease.StartAsync(Shell("pkill -STOP -f 'helper agent'; sleep 1000"), Soon);
        await EventuallyAsync(async () => (await lease.GetStatsAsync(Soon)).Processes > 0 && HelperIsStopped(lease), "it is stopped");
        Assert.Equal("again\n", (await RunAsync(lease, Shell("echo again"))).Out);

        bool HelperIsStopped(LeaseContainer lease) => Directory.EnumerateDirectories("/proc").Any(folder =>
        {
            try
            {
                return File.ReadAllText(folder + "/cgroup").Contains(lease.ContainerId, StringComparison.Ordinal) && File.ReadAllText(folder + "/stat").Contains("(helper) T", StringComparison.Ordinal);
            }
            catch (IOException)
            {
                return false;
            }
        });
    }

    [Fact]
    public async Task Process1_OfAContainer_ReapsOrphansAndCannotBeKilledFromInside()
    {
        // The orphan's folder in /proc stays until it is reaped.
        var (_, stdout, _) = await RunAsync(leases.DebianLease, Shell(
            "rm -f /tmp/orphan; (setsid sh -c 'echo $$ >/tmp/orphan; exec sleep 0.1' &); kill -9 1; kill -STOP 1; until [ -s /tmp/orphan ]; do sleep 0.05; done; " +
            "for i in $(seq 600); do [ -d /proc/$(cat /tmp/orphan) ] || [ \"$(ps -o stat= -e | grep -c Z)\" != 0 ] || break; sleep 0.1; done; [ -d /proc/$(cat /tmp/orphan) ] && echo left; ps -o stat= -e | grep -c Z"));
        Assert.Equal("0\n", stdout);
        Assert.Equal(LeaseContainerStatus.Running, (await leases.DebianLease.GetStateAsync(Soon)).Status);
    }

    [Fact]
    public async Task Helper_WhoseSocketAnImpostorConnectsTo_IsToldApart()
    {
        var lease = await leases.CreateAsync(new LeaseSpec { Image = Debian });
        const string Impostor = "import glob,socket,time\nheld=[]\nprint('go',flush=True)\nwhile True:\n  for p in glob.glob('/.shale/s*'):\n    s=socket.socket(socket.AF_UNIX)\n    try: s.connect(p); s.send(bytes(64)); held.append(s); print('in',flush=True)\n    except OSError: pass\n";
        await using var impostor = await lease.StartAsync(new ExecRequest { Arguments = ["python3", "-c", Impostor] }, Soon);
        await ReadUntilAsync(impostor.Stdout, "go");
        await using var other = (await leases.Host.FindAsync(lease.LeaseId, Soon))!; // another gateway: it starts a helper of its own
        await using var process = await other.StartAsync(Shell("echo mine"), Soon);
        Assert.True(process.IsDirect);
        Assert.Equal("mine\n", await ReadAllAsync(process.Stdout));
        await ReadUntilAsync(impostor.Stdout, "in");
    }

    [Fact]
    public async Task Helper_ThatTalksNonsense_EndsItsSessionsAndNothingElse()
    {
        var random = new Random(3);
        for (var round = 0; round < 50; round++)
        {
            var path = Path.Combine(leases.Folder, "n" + round);
            using var listener = new UnixListener(path);
            using var container = new System.Net.Sockets.Socket(System.Net.Sockets.AddressFamily.Unix, System.Net.Sockets.SocketType.Stream, System.Net.Sockets.ProtocolType.Unspecified);
            await container.ConnectAsync(new System.Net.Sockets.UnixDomainSocketEndPoint(path), Soon);
            await using var agent = new ExecAgent(await listener.AcceptAsync(Soon));
            var parameters = new ExecAgent.StartParameters { Terminal = false, Uid = 0, Gid = 0, Groups = [], Directory = "/", Program = [(byte)'x'], Arguments = ["x"u8.ToArray()], Environment = new Dictionary<string, string>() };
            var starting = AgentProcess.StartWithPipesAsync(agent, parameters, TimeProvider.System, Soon);
            var frames = new byte[16 * 20];
            random.NextBytes(frames);
            for (var i = 0; i < frames.Length; i += 16)
            {
                BitConverter.TryWriteBytes(frames.AsSpan(i), random.Next(0, 5)); // kinds 1 to 3 are known
                BitConverter.TryWriteBytes(frames.AsSpan(i + 4), random.Next(0, 3)); // the process has id 1
            }

            await container.SendAsync(frames.AsMemory(0, random.Next(1, frames.Length)), Soon);
            container.Dispose();
            try
            {
                await using var process = await starting.WaitAsync(Soon);
                await process.Exited.WaitAsync(Soon);
            }
            catch (ExecException)
            {
                // It said that the start failed, or nothing sensible at all.
            }

            await EventuallyAsync(() => Task.FromResult(!agent.IsAlive), "it is given up");
        }
    }

    [Fact]
    public async Task Start_ThroughTheHelper_TakesAFractionOfDockersExec()
    {
        await using var host = new LeaseHost(leases.Options with { AttachOnly = true });
        await using var attached = (await host.FindAsync(leases.BusyboxLease.LeaseId, Soon))!;
        async Task<double> MedianAsync(LeaseContainer lease)
        {
            var times = new List<double>();
            for (var i = 0; i < 9; i++)
            {
                var watch = Stopwatch.StartNew();
                Assert.Equal(0, (await RunAsync(lease, Shell("true"))).Status.Code);
                times.Add(watch.Elapsed.TotalMilliseconds);
            }

            return times.Order().ElementAt(4);
        }

        await MedianAsync(leases.BusyboxLease);
        var (direct, docker) = (await MedianAsync(leases.BusyboxLease), await MedianAsync(attached));
        Assert.True(direct < docker / 3, $"{direct:0.0} ms against {docker:0.0} ms");
    }
}
