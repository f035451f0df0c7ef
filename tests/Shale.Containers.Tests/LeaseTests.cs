using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Shale.Containers.Engine;
using Shale.Containers.Exec;
using Shale.Containers.Leases;
using Xunit;
using static Shale.Containers.Tests.LeaseFixture;

namespace Shale.Containers.Tests;

/// <summary>Leases' containers on the real engine: limits that hold, pausing, finding again, events, statistics.</summary>
[Collection("leases")]
public sealed class LeaseTests(LeaseFixture leases)
{
    [Fact]
    public async Task Limits_OfASpec_AreThoseOfTheControlGroups()
    {
        var lease = await leases.CreateAsync(new LeaseSpec { Image = Debian, MilliCpus = 500, MemoryBytes = 256 << 20, PidsLimit = 77 });
        // Control groups version 2, else version 1.
        var (_, text, _) = await RunAsync(lease, Shell(
            "cd /sys/fs/cgroup; cat memory.max memory/memory.limit_in_bytes 2>/dev/null; cat pids.max pids/pids.max 2>/dev/null; cat cpu.max cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us 2>/dev/null | tr '\\n' ' '; df -k --output=size /dev/shm | tail -1"));
        Assert.Equal([$"{256 << 20}", "77", "50000", "100000", $"{128 << 10}"], text.Split((char[])['\n', ' '], StringSplitOptions.RemoveEmptyEntries));

        // And they bind: the 78th process, and more memory than there is.
        const string Fill = "import subprocess\np=[]\ntry:\n  while len(p)<100: p.append(subprocess.Popen(['sleep','1000']))\nexcept OSError as e: print(e)\nfor x in p: x.kill()\nfor x in p: x.wait()";
        (var status, text, _) = await RunAsync(lease, new ExecRequest { Arguments = ["python3", "-c", Fill] });
        Assert.Contains("Resource temporarily unavailable", text, StringComparison.Ordinal);
        await using (var full = await lease.StartAsync(Shell("for i in $(seq 73); do sleep 1000 & done; echo full; wait"), Soon))
        {
            await ReadUntilAsync(full.Stdout, "full");
            var e = await Assert.ThrowsAsync<ExecException>(async () =>
            {
                for (var i = 0; i < 5; i++)
                {
                    _ = await lease.StartAsync(new ExecRequest { Arguments = ["sleep", "1000"] }, Soon);
                }
            });
            Assert.Equal(ExecFailure.OutOfResources, e.Failure);
        }

        await EventuallyAsync(async () => (await lease.GetStatsAsync(Soon)).Processes < 20, "the session's processes end");
        (status, _, _) = await RunAsync(lease, new ExecRequest { Arguments = ["python3", "-c", "x = bytearray(600 << 20)"] });
        Assert.Equal("KILL", status.Signal);
        Assert.Equal("alive\n", (await RunAsync(lease, Shell("echo alive"))).Out);
    }

    [Fact]
    public async Task Rights_OfALease_AreTheListedCapabilitiesAndNoMore()
    {
        var (_, text, _) = await RunAsync(leases.DebianLease, Shell("grep -E '^(CapEff|CapBnd|CapPrm|NoNewPrivs|Seccomp):' /proc/self/status | tr '\\n\\t' '  '; cat /proc/1/status | grep CapEff"));
        // chown 0, dac_override 1, fowner 3, fsetid 4, kill 5, setgid 6, setuid 7, net_bind_service 10, sys_chroot 18, setfcap 31 (capabilities(7))
        var mask = new[] { 0, 1, 3, 4, 5, 6, 7, 10, 18, 31 }.Aggregate(0UL, (m, c) => m | (1UL << c)).ToString("x16");
        Assert.Contains($"CapPrm: {mask} CapEff: {mask} CapBnd: {mask} NoNewPrivs: 1 Seccomp: 2", text, StringComparison.Ordinal);
        Assert.Contains(mask, text[(text.IndexOf("Seccomp", StringComparison.Ordinal) + 1)..], StringComparison.Ordinal);
        Assert.NotEqual(0, (await RunAsync(leases.DebianLease, Shell("mount -t tmpfs none /mnt || mknod /tmp/sda b 8 0"))).Status.Code);

        Assert.Equal("500\n", (await RunAsync(leases.DebianLease, Shell("cat /proc/self/oom_score_adj"))).Out);

        // What apt-get does: change owners, become _apt.
        Assert.Equal("42 42\n", (await RunAsync(leases.DebianLease, Shell("touch /tmp/f; chown 42:42 /tmp/f; stat -c '%u %g' /tmp/f; python3 -c 'import os; os.setgroups([]); os.setgid(65534); os.setuid(42)'"))).Out);
    }

    [Fact]
    public async Task AptGet_InALease_InstallsAPackageWithOwnersAndAUser()
    {
        // A repository of one package, made inside: what counts is that apt-get's own sandbox user, dpkg and a maintainer script work.
        const string Script = """
            set -e
            mkdir -p /repo/p/DEBIAN /repo/p/opt/p; cd /repo
            printf 'Package: shale-p\nVersion: 1\nArchitecture: all\nMaintainer: x <x@example.org>\nDescription: x\n' >p/DEBIAN/control
            printf '#!/bin/sh\nset -e\nuseradd -r shale-p\nchown shale-p /opt/p/f\nchmod 4755 /opt/p/f\n' >p/DEBIAN/postinst; chmod 755 p/DEBIAN/postinst
            echo data >p/opt/p/f; dpkg-deb -b p p.deb >/dev/null
            { cat p/DEBIAN/control; printf 'Filename: ./p.deb\nSize: %s\nSHA256: %s\n' $(stat -c %s p.deb) $(sha256sum p.deb | cut -d' ' -f1); } >Packages
            rm -f /etc/apt/sources.list.d/*; echo 'deb [trusted=yes] file:/repo ./' >/etc/apt/sources.list
            apt-get -qq update; apt-get -qq install -y shale-p >/dev/null 2>&1
            stat -c '%U %a' /opt/p/f
            """;
        var lease = await leases.CreateAsync(new LeaseSpec { Image = Debian });
        var (status, text, error) = await RunAsync(lease, Shell(Script));
        Assert.True(status.Code == 0, error);
        Assert.Equal("shale-p 4755\n", text);
    }

    [Fact]
    public async Task Container_Helper_CannotBeWrittenFromInside()
    {
        var (_, text, _) = await RunAsync(leases.DebianLease, Shell("ls /.shale; echo x >/.shale/helper || rm -f /.shale/helper || mv /.shale/helper /tmp/ || echo kept"));
        Assert.Contains("kept", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Mounts_OfASpec_AreReadOnly()
    {
        var file = Path.Combine(leases.Folder, "data.txt");
        await File.WriteAllTextAsync(file, "data set");
        var lease = await leases.CreateAsync(new LeaseSpec { Image = Busybox, Mounts = [new ReadOnlyMount(file, "/mnt/set/data.txt")] });
        var (status, text, _) = await RunAsync(lease, Shell("cat /mnt/set/data.txt; echo no >/mnt/set/data.txt"));
        Assert.Equal("data set", text);
        Assert.NotEqual(0, status.Code);
        Assert.Equal("data set", await File.ReadAllTextAsync(file));
    }

    [Fact]
    public async Task Image_NamedByTheEnginesOwnId_IsFoundWithoutARegistry()
    {
        var id = (await leases.Host.Engine.InspectImageAsync(Busybox, Soon)).Id;
        var lease = await leases.CreateAsync(new LeaseSpec { Image = "nobody.example/never-pushed@" + id });
        Assert.Equal(id, lease.ImageId);
        Assert.Equal(0, (await RunAsync(lease, Shell("true"))).Status.Code);
    }

    [Fact]
    public async Task Image_ByDigest_IsLookedUpAsSuchThenAsAnIdThenPulled()
    {
        var asked = new ConcurrentQueue<string>();
        using var engine = new FakeEngine(leases.Folder, async (stream, request) =>
        {
            asked.Enqueue(Uri.UnescapeDataString(request));
            if (request.Contains("/version", StringComparison.Ordinal))
            {
                await FakeEngine.AnswerAsync(stream, 200, """{"Version":"20.10.0","ApiVersion":"1.41","MinAPIVersion":"1.12"}""");
            }
            else if (request.Contains("images/create", StringComparison.Ordinal))
            {
                await FakeEngine.AnswerAsync(stream, 200, """{"error":"no such repository"}""" + "\n");
            }
            else
            {
                await FakeEngine.AnswerAsync(stream, 404, """{"message":"no such image"}""");
            }
        });
        await using var host = new LeaseHost(new LeaseHostOptions { StateDirectory = leases.Folder, Engine = engine.Endpoint });
        var name = "debian@sha256:" + new string('a', 64);
        var error = await Assert.ThrowsAsync<EngineException>(() => host.CreateAsync("t-digest", new LeaseSpec { Image = name }, null, Soon));
        Assert.Contains("no such repository", error.Message, StringComparison.Ordinal);
        var images = asked.Where(r => r.Contains("/images/", StringComparison.Ordinal)).ToArray();
        Assert.Equal(3, images.Length);
        Assert.Contains($"/images/{name}/json", images[0], StringComparison.Ordinal);
        Assert.Contains($"/images/sha256:{new string('a', 64)}/json", images[1], StringComparison.Ordinal);
        Assert.Contains("/images/create?fromImage=debian", images[2], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Debian)]
    [InlineData(Busybox)]
    [InlineData(Static)]
    public async Task Container_OfAnyImage_StaysAliveAndStops(string image)
    {
        var lease = await leases.CreateAsync(new LeaseSpec { Image = image });
        await Task.Delay(300);
        Assert.Equal(LeaseContainerStatus.Running, (await lease.GetStateAsync(Soon)).Status);
        await lease.KillAsync("TERM", Soon);
        await EventuallyAsync(async () => (await lease.GetStateAsync(Soon)).Status == LeaseContainerStatus.Stopped, "process 1 ends by TERM");
        var e = await Assert.ThrowsAsync<ExecException>(() => lease.StartAsync(new ExecRequest { Arguments = ["/tool"] }, Soon));
        Assert.Equal(ExecFailure.NotRunning, e.Failure);
        await lease.EnsureRunningAsync(Soon);
        Assert.Equal(0, (await RunAsync(lease, new ExecRequest { Arguments = [image == Static ? "/tool" : "true"] })).Status.Code);
        await lease.RemoveAsync(Soon);
        Assert.Equal(LeaseContainerStatus.Removed, (await lease.GetStateAsync(Soon)).Status);
        Assert.False(Directory.Exists(Path.Combine(leases.Folder, lease.LeaseId)));
    }

    [Fact]
    public async Task ImageCommand_WhenAsked_RunsBesideTheSessions()
    {
        var lease = await leases.CreateAsync(new LeaseSpec { Image = Static, RunImageCommand = true });
        await using var process = await lease.StartAsync(Shell("/tool x"), Soon);
        Assert.Contains("pause", string.Join('|', Directory.GetFiles("/proc", "cmdline", new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 1, IgnoreInaccessible = true }).Select(Read)), StringComparison.Ordinal);

        static string Read(string path)
        {
            try
            {
                var text = File.ReadAllText(path);
                return text.StartsWith("/tool\0", StringComparison.Ordinal) ? text : "";
            }
            catch (IOException)
            {
                return "";
            }
        }
    }

    [Fact]
    public async Task Pause_FreezesWithoutLossAndRefusesNewCommands()
    {
        var lease = await leases.CreateAsync(new LeaseSpec { Image = Debian });
        await using var process = await lease.StartAsync(Shell("i=0; while :; do i=$((i+1)); echo $i; sleep 0.02; done"), Soon);
        var said = new StringBuilder(await ReadUntilAsync(process.Stdout, "3\n"));
        await lease.PauseAsync(Soon);
        await lease.PauseAsync(Soon); // again: nothing
        Assert.Equal(LeaseContainerStatus.Paused, (await lease.GetStateAsync(Soon)).Status);
        var e = await Assert.ThrowsAsync<ExecException>(() => lease.StartAsync(Shell("true"), Soon));
        Assert.Equal(ExecFailure.Paused, e.Failure);

        // Also for who did not pause it himself, such as a gateway that was restarted.
        await using var other = await leases.Host.FindAsync(lease.LeaseId, Soon);
        e = await Assert.ThrowsAsync<ExecException>(() => other!.StartAsync(Shell("true"), Soon));
        Assert.Equal(ExecFailure.Paused, e.Failure);

        // What was under way comes, then nothing for a second: what runs says something fifty times as often.
        var buffer = new byte[65536];
        for (var quiet = false; !quiet;)
        {
            Assert.True(said.Length < 60_000, "It goes on while it is paused.");
            using var second = new CancellationTokenSource(1000);
            try
            {
                said.Append(Encoding.ASCII.GetString(buffer, 0, await process.Stdout.ReadAsync(buffer, second.Token)));
            }
            catch (OperationCanceledException)
            {
                quiet = true;
            }
        }

        await lease.ResumeAsync(Soon);
        await lease.ResumeAsync(Soon);
        for (var paused = said.Length; said.Length < paused + 20;)
        {
            said.Append(Encoding.ASCII.GetString(buffer, 0, await process.Stdout.ReadAsync(buffer, Soon)));
        }

        var numbers = said.ToString().Split('\n')[..^1];
        Assert.Equal(Enumerable.Range(1, numbers.Length).Select(n => n.ToString(System.Globalization.CultureInfo.InvariantCulture)), numbers);
        Assert.False(process.Exited.IsCompleted);
        Assert.Equal("goes on\n", (await RunAsync(lease, Shell("echo goes on"))).Out);
    }

    [Fact]
    public async Task Leases_AfterARestartOfTheGateway_AreFoundAndServe()
    {
        var spec = new LeaseSpec { Image = Busybox, User = "7:8", BandwidthBytesPerSecond = 1 << 20 };
        var id = leases.NewId();
        var first = new LeaseHost(leases.Options);
        var lease = await first.CreateAsync(id, spec, null, Soon);
        var left = await lease.StartAsync(Shell("sleep 1000"), Soon); // its gateway dies with it running
        await lease.DisposeAsync();
        await first.DisposeAsync();
        Assert.Equal("KILL", (await left.Exited).Signal);

        await using var second = new LeaseHost(leases.Options);
        var found = await second.FindAsync(id, Soon);
        Assert.NotNull(found);
        Assert.Equal((lease.ContainerId, (long?)(1 << 20)), (found.ContainerId, found.Bandwidth?.BytesPerSecond));
        Assert.Contains(await second.ListAsync(Soon), l => l.LeaseId == id);
        Assert.Equal("7 8\n", (await RunAsync(found, Shell("echo $(id -u) $(id -g)"))).Out);
        await EventuallyAsync(async () => (await RunAsync(found, Shell("pgrep sleep"))).Status.Code != 0, "what the old gateway ran ends");
        Assert.Null(await second.FindAsync(leases.NewId(), Soon));
        await found.RemoveAsync(Soon);
        await found.RemoveAsync(Soon); // again: nothing
        await found.DisposeAsync();
    }

    [Fact]
    public async Task Create_WithATakenIdOrAMissingImage_SaysSoAndLeavesNothing()
    {
        var e = await Assert.ThrowsAsync<EngineException>(() => leases.Host.CreateAsync(leases.DebianLease.LeaseId, new LeaseSpec { Image = Debian }, null, Soon));
        Assert.Equal(EngineFailure.Conflict, e.Failure);
        Assert.Equal("still\n", (await RunAsync(leases.DebianLease, Shell("echo still"))).Out);

        var id = leases.NewId();
        e = await Assert.ThrowsAsync<EngineException>(() => leases.Host.CreateAsync(id, new LeaseSpec { Image = "shale/none:9", PullMissingImage = false }, null, Soon));
        Assert.Equal(EngineFailure.NotFound, e.Failure);
        Assert.Contains("docker pull shale/none:9", e.Message, StringComparison.Ordinal);
        e = await Assert.ThrowsAsync<EngineException>(() => leases.Host.CreateAsync(id, new LeaseSpec { Image = Debian, Gpus = GpuRequest.All }, null, Soon));
        Assert.Contains("nvidia-container-toolkit", e.Message, StringComparison.Ordinal);
        Assert.Null(await leases.Host.FindAsync(id, Soon));
        Assert.False(Directory.Exists(Path.Combine(leases.Folder, id)));
    }

    [Fact]
    public async Task Spec_ThatCannotBeMeant_IsRefusedBeforeAnythingIsMade()
    {
        var good = new LeaseSpec { Image = Debian };
        foreach (var bad in new[]
        {
            good with { Image = " " },
            good with { Image = "../containers/x" },
            good with { Image = "a//b" },
            good with { Network = "host" },
            good with { Network = "container:other" },
            good with { MemoryBytes = 1000 },
            good with { PidsLimit = 0 },
            good with { BandwidthBytesPerSecond = 10 },
            good with { Gpus = GpuRequest.Any(0) },
            good with { Mounts = [new ReadOnlyMount("relative", "/x")] },
            good with { Mounts = [new ReadOnlyMount("/etc/hostname", "/a/../b")] },
            good with { Mounts = [new ReadOnlyMount("/etc/hostname", "/.shale/helper")] },
            good with { Mounts = [new ReadOnlyMount("/nowhere/at/all", "/x")] },
            good with { Ports = [new PublishedPort(70000)] },
            good with { Environment = new Dictionary<string, string> { ["A=B"] = "" } },
        })
        {
            await Assert.ThrowsAsync<ArgumentException>(() => leases.Host.CreateAsync(leases.NewId(), bad, null, Soon));
        }

        foreach (var id in new[] { "", "../x", "-a", "a/b", new string('a', 49) })
        {
            await Assert.ThrowsAsync<ArgumentException>(() => leases.Host.CreateAsync(id, good, null, Soon));
        }
    }

    [Fact]
    public async Task Port_WhenPublished_IsReachableAndItsServiceRuns()
    {
        var lease = await leases.CreateAsync(new LeaseSpec
        {
            Image = Debian,
            Ports = [new PublishedPort(8080, 0, IPAddress.Loopback)],
            Services = [new LeaseService("web", ["python3", "-m", "http.server", "8080", "--directory", "/etc"])],
        });
        var port = Assert.Single((await lease.GetStateAsync(Soon)).Ports);
        Assert.Equal(("8080/tcp", "127.0.0.1"), (port.ContainerPort, port.HostAddress));
        using var http = new HttpClient();
        await EventuallyAsync(
            async () =>
            {
                try
                {
                    return (await http.GetStringAsync($"http://127.0.0.1:{port.HostPort}/debian_version", Soon)).StartsWith("12", StringComparison.Ordinal);
                }
                catch (HttpRequestException)
                {
                    return false;
                }
            },
            "the service answers");
        var e = await Assert.ThrowsAsync<EngineException>(() => leases.CreateAsync(new LeaseSpec { Image = Debian, Services = [LeaseService.Jupyter(8888, "t")] }));
        Assert.Contains("jupyter", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Stats_OfABusyContainer_ShowItsProcessorAndMemory()
    {
        var lease = await leases.CreateAsync(new LeaseSpec { Image = Debian, MemoryBytes = 512 << 20 });

        // A second of the processor's time, however long the machine takes to give it.
        const string Burn = "import sys,time\nx = bytearray(100 << 20); print('go', flush=True); sys.stdin.readline(); t=time.process_time()\nwhile time.process_time()-t < 1: pass\nprint('done', flush=True); sys.stdin.readline()";
        await using var process = await lease.StartAsync(new ExecRequest { Arguments = ["python3", "-c", Burn] }, Soon);
        await ReadUntilAsync(process.Stdout, "go");
        var first = await lease.GetStatsAsync(Soon);
        await process.Stdin.WriteAsync("\n"u8.ToArray(), Soon);
        await ReadUntilAsync(process.Stdout, "done");
        var second = await lease.GetStatsAsync(Soon);
        Assert.InRange((second.CpuTime - first.CpuTime).TotalSeconds, 0.95, 1.5);
        Assert.InRange(second.CpusSince(first), double.Epsilon, 1.3);
        Assert.InRange(second.MemoryBytes, 100 << 20, 200 << 20);
        Assert.Equal(512 << 20, second.MemoryLimitBytes);
        Assert.InRange(second.Processes, 2, 20);
    }

    [Fact]
    public async Task Events_OfALease_ComeInOrder()
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Soon);
        var seen = new ConcurrentQueue<LeaseEvent>();
        var watching = Task.Run(async () =>
        {
            await foreach (var e in leases.Host.WatchAsync(stop.Token))
            {
                seen.Enqueue(e);
            }
        });
        await EventuallyAsync(() => Task.FromResult(seen.Any(e => e.Kind == LeaseEventKind.EngineBack)), "the watch is connected");
        var lease = await leases.CreateAsync(new LeaseSpec { Image = Busybox });
        await lease.PauseAsync(Soon);
        await lease.ResumeAsync(Soon);
        await lease.RemoveAsync(Soon);
        await EventuallyAsync(() => Task.FromResult(seen.Any(e => e.LeaseId == lease.LeaseId && e.Kind == LeaseEventKind.Removed)), "the last event");

        // A busy engine tells of a short pause twice: it hears of it from containerd when the container runs again, and takes it for another.
        var kinds = string.Join(' ', seen.Where(e => e.LeaseId == lease.LeaseId).Select(e => e.Kind));
        Assert.Matches("^Started (Paused Resumed ){1,2}Stopped Removed$", kinds);
        Assert.Equal("137", seen.First(e => e.LeaseId == lease.LeaseId && e.Kind == LeaseEventKind.Stopped).Detail);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => watching);
    }

    [Fact]
    public async Task Pause_ByAnotherHand_IsNoticedAndEndsNoSession()
    {
        var lease = await leases.CreateAsync(new LeaseSpec { Image = Busybox });
        await using var process = await lease.StartAsync(Shell("cat"), Soon);
        await leases.Host.Engine.PauseContainerAsync(lease.ContainerId, Soon); // docker pause
        var e = await Assert.ThrowsAsync<ExecException>(() => lease.StartAsync(Shell("true"), Soon));
        Assert.Equal(ExecFailure.Paused, e.Failure);
        await leases.Host.Engine.UnpauseContainerAsync(lease.ContainerId, Soon);
        await process.Stdin.WriteAsync("still here"u8.ToArray(), Soon);
        await ReadUntilAsync(process.Stdout, "still here");
        Assert.Equal("too\n", (await RunAsync(lease, Shell("echo too"))).Out);
    }

    [Fact]
    public async Task Uses_ThatAreOver_LeaveNoDescriptorThreadOrProcess()
    {
        async Task UseAsync()
        {
            Assert.Equal(0, (await RunAsync(leases.BusyboxLease, Shell("true"))).Status.Code);
            await using (var process = await leases.BusyboxLease.StartAsync(new ExecRequest { Terminal = new TerminalRequest() }, Soon))
            {
                await ReadUntilAsync(process.Stdout, "#");
            }

            await using (var tree = await leases.BusyboxLease.OpenFilesAsync(null, Soon))
            {
                Assert.True((await tree.GetStatusAsync("/bin"u8.ToArray(), true, Soon)).Ok);
            }

            await Assert.ThrowsAsync<Network.ForwardException>(() => leases.BusyboxLease.ConnectTcpAsync("localhost", 1, Soon));
            await Assert.ThrowsAsync<Network.ForwardException>(() => leases.BusyboxLease.ConnectUnixAsync("/none"u8.ToArray(), null, Soon));
        }

        static int Descriptors() => Directory.GetFiles("/proc/self/fd").Length;

        static int Threads() => Directory.GetDirectories("/proc/self/task").Length;

        await UseAsync();
        var (descriptors, threads) = (Descriptors(), Threads());
        for (var i = 0; i < 60; i++)
        {
            await UseAsync();
        }

        // The pool's own threads and the engine's idle connections come and go: a leak would be at least 60.
        await EventuallyAsync(() => Task.FromResult(Descriptors() < descriptors + 30 && Threads() < threads + 30), $"from {descriptors} descriptors and {threads} threads to {Descriptors()} and {Threads()}");
        await EventuallyAsync(async () => (await RunAsync(leases.BusyboxLease, Shell("ps | grep -c '[-]sh'"))).Out.Trim() == "0", "the shells end");
    }
}
