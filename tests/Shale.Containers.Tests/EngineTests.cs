using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Shale.Containers.Engine;
using Shale.Containers.Exec;
using Shale.Containers.Leases;
using Xunit;
using static Shale.Containers.Tests.LeaseFixture;

namespace Shale.Containers.Tests;

/// <summary>The engine's client when the engine is well, gone, hung or talks nonsense.</summary>
[Collection("leases")]
public sealed class EngineTests(LeaseFixture leases)
{
    [Fact]
    public async Task Engine_ThatAnswers_NegotiatesItsVersion()
    {
        Assert.Matches(@"^Docker Engine .+, API 1\.\d+$", await leases.Host.CheckAsync(Soon));
        var e = await Assert.ThrowsAsync<EngineException>(() => leases.Host.Engine.InspectContainerAsync("no-such", Soon));
        Assert.Equal((EngineFailure.NotFound, 404), (e.Failure, e.Status));
    }

    [Fact]
    public async Task Engine_ThatIsGone_FailsAtOnceAndSaysWhatToDo()
    {
        await using var client = new EngineClient(EngineEndpoint.Parse("unix:///nowhere/docker.sock"));
        var e = await Assert.ThrowsAsync<EngineException>(() => client.VersionAsync(Soon));
        Assert.Equal(EngineFailure.Unreachable, e.Failure);
        Assert.Contains("unix:///nowhere/docker.sock", e.Message, StringComparison.Ordinal);
        e = await Assert.ThrowsAsync<EngineException>(() => client.CreateExecAsync("x", new CreateExec { Cmd = ["true"] }, Soon));
        Assert.Equal(EngineFailure.Unreachable, e.Failure);
    }

    [Fact]
    public async Task Engine_ThatHangs_FailsInTimeWithEveryCall()
    {
        using var server = new FakeEngine(leases.Folder, (_, _) => Task.Delay(Timeout.Infinite, Soon));
        await using var client = new EngineClient(server.Endpoint, TimeSpan.FromSeconds(0.3));
        var e = await Assert.ThrowsAsync<EngineException>(() => client.VersionAsync(Soon));
        Assert.Equal(EngineFailure.TimedOut, e.Failure);
        e = await Assert.ThrowsAsync<EngineException>(() => client.StartExecAttachedAsync("x", new StartExec(false, false), Soon));
        Assert.Equal(EngineFailure.TimedOut, e.Failure);
        await using var patient = new EngineClient(server.Endpoint);
        using var cancelled = new CancellationTokenSource(50);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => patient.VersionAsync(cancelled.Token));
    }

    [Fact]
    public async Task Engine_ThatHangsAfterItsVersion_FailsAttachEventsAndInspection()
    {
        using var server = new FakeEngine(leases.Folder, async (stream, path) =>
        {
            if (path.Contains("/version", StringComparison.Ordinal))
            {
                await FakeEngine.AnswerAsync(stream, 200, """{"Version":"20.10.24","ApiVersion":"1.41","MinAPIVersion":"1.12"}""");
            }
            else
            {
                await Task.Delay(Timeout.Infinite, Soon);
            }
        });
        await using var client = new EngineClient(server.Endpoint, TimeSpan.FromSeconds(0.3));
        foreach (var call in new Func<Task>[]
        {
            () => client.InspectContainerAsync("x", Soon),
            () => client.StartExecAttachedAsync("x", new StartExec(false, false), Soon),
            async () => { await foreach (var _ in client.EventsAsync([], [], 0, null, Soon)) { } },
            () => client.StatsAsync("x", Soon),
        })
        {
            Assert.Equal(EngineFailure.TimedOut, (await Assert.ThrowsAsync<EngineException>(call)).Failure);
        }
    }

    [Theory]
    [InlineData(200, "no json", EngineFailure.Protocol)]
    [InlineData(200, """{"Version":"1.13","ApiVersion":"1.24"}""", EngineFailure.Refused)]
    [InlineData(500, """{"message":"storage is full"}""", EngineFailure.Failed)]
    [InlineData(503, "<html>", EngineFailure.Failed)]
    public async Task Engine_ThatAnswersAmiss_IsATypedFailure(int status, string body, EngineFailure failure)
    {
        using var server = new FakeEngine(leases.Folder, (stream, _) => FakeEngine.AnswerAsync(stream, status, body));
        await using var client = new EngineClient(server.Endpoint);
        var e = await Assert.ThrowsAsync<EngineException>(() => client.InspectContainerAsync("x", Soon));
        Assert.Equal(failure, e.Failure);
    }

    [Fact]
    public async Task Pull_OfAMissingImage_ReportsItsProgressAndItsFailure()
    {
        const string Lines = """
            {"status":"Pulling from library/x","id":"latest"}
            {"status":"Downloading","progressDetail":{"current":10,"total":100},"id":"abc"}

            """;
        var inspected = 0;
        var server = new FakeEngine(leases.Folder, (stream, path) => path switch
        {
            _ when path.Contains("/version", StringComparison.Ordinal) => FakeEngine.AnswerAsync(stream, 200, """{"Version":"20.10.24","ApiVersion":"1.41"}"""),
            _ when path.Contains("/images/create", StringComparison.Ordinal) => FakeEngine.AnswerAsync(stream, 200, path.Contains("fromImage=bad", StringComparison.Ordinal) ? Lines + "{\"error\":\"manifest unknown\"}\n" : Lines),
            _ when path.Contains("/images/", StringComparison.Ordinal) && Interlocked.Increment(ref inspected) > 1 => FakeEngine.AnswerAsync(stream, 200, """{"Id":"sha256:1"}"""),
            _ => FakeEngine.AnswerAsync(stream, 404, """{"message":"No such image"}"""),
        });
        using (server)
        {
            await using var client = new EngineClient(server.Endpoint);
            var seen = new List<PullLine>();
            await client.PullImageAsync("x", seen.Add, Soon);
            Assert.Equal(("Downloading", "abc", 10L, 100L), (seen[1].Status, seen[1].Id, seen[1].ProgressDetail!.Current, seen[1].ProgressDetail!.Total));
            var e = await Assert.ThrowsAsync<EngineException>(() => client.PullImageAsync("bad", null, Soon));
            Assert.Contains("manifest unknown", e.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Events_WhenTheEngineGoesAndComesBack_GoOn()
    {
        var proxy = new EngineProxy(leases.Folder);
        await using var host = new LeaseHost(leases.Options with { Engine = proxy.Endpoint });
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Soon);
        var seen = new System.Collections.Concurrent.ConcurrentQueue<LeaseEvent>();
        var watching = Task.Run(async () =>
        {
            await foreach (var e in host.WatchAsync(stop.Token))
            {
                seen.Enqueue(e);
            }
        });
        await EventuallyAsync(() => Task.FromResult(seen.Any(e => e.Kind == LeaseEventKind.EngineBack)), "connected");
        proxy.Dispose();
        await EventuallyAsync(() => Task.FromResult(seen.Any(e => e.Kind == LeaseEventKind.EngineLost)), "lost");
        var lease = await leases.CreateAsync(new LeaseSpec { Image = Busybox }); // missed...
        using var again = new EngineProxy(leases.Folder);
        await EventuallyAsync(() => Task.FromResult(seen.Count(e => e.Kind == LeaseEventKind.EngineBack) >= 2), "back");
        await lease.PauseAsync(Soon);
        await lease.ResumeAsync(Soon);
        await EventuallyAsync(() => Task.FromResult(seen.Any(e => e.LeaseId == lease.LeaseId && e.Kind == LeaseEventKind.Resumed)), "events again");
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => watching);
    }

    [Theory]
    [InlineData("unix:///var/run/docker.sock", true)]
    [InlineData("tcp://10.0.0.1:2375", false)]
    public void Endpoint_AsDockerWritesIt_IsRead(string text, bool local)
    {
        var endpoint = EngineEndpoint.Parse(text);
        Assert.Equal((text, local), (endpoint.ToString(), endpoint.IsLocal));
    }

    [Theory]
    [InlineData("http://x")]
    [InlineData("unix://relative")]
    [InlineData("")]
    public void Endpoint_ThatIsNone_IsRefused(string text) => Assert.Throws<EngineException>(() => EngineEndpoint.Parse(text));

    [Theory]
    [InlineData("debian", "debian", "latest")]
    [InlineData("debian:12", "debian", "12")]
    [InlineData("host:5000/a/b", "host:5000/a/b", "latest")]
    [InlineData("host:5000/a/b:1", "host:5000/a/b", "1")]
    [InlineData("a@sha256:00", "a@sha256:00", "")]
    public void Image_Name_SplitsIntoRepositoryAndTag(string image, string repository, string tag) =>
        Assert.Equal((repository, tag), EngineClient.SplitImage(image));

    [Fact]
    public async Task Attach_WhereTheHelperIsNotUsed_CarriesTheSameSessions()
    {
        await using var host = new LeaseHost(leases.Options with { AttachOnly = true });
        await using var lease = (await host.FindAsync(leases.DebianLease.LeaseId, Soon))!;
        var (status, stdout, stderr) = await RunAsync(lease, Shell("cat; echo err >&2; exit 7"), "hello\n");
        Assert.Equal((7, "hello\n", "err\n"), (status.Code, stdout, stderr));

        await using (var process = await lease.StartAsync(Shell("until [ \"$(stty size)\" = '33 99' ]; do sleep 0.1; done; stty size; read x; echo got $x; exit 4") with { Terminal = new TerminalRequest { Size = new(99, 33) } }, Soon))
        {
            Assert.False(process.IsDirect);
            await ReadUntilAsync(process.Stdout, "33 99");
            await process.ResizeAsync(new TerminalSize(50, 20), Soon);
            await process.Stdin.WriteAsync("word\n"u8.ToArray(), Soon);
            await ReadUntilAsync(process.Stdout, "got word");
            Assert.Equal(4, (await process.Exited.WaitAsync(Soon)).Code);
        }

        await using (var process = await lease.StartAsync(Shell("sleep 98755 & sleep 98755"), Soon))
        {
            Assert.True(await process.SignalAsync("TERM", Soon));
            Assert.Equal(143, (await process.Exited.WaitAsync(Soon)).Code);
        }

        await using (await lease.StartAsync(Shell("sleep 98756"), Soon))
        {
            await EventuallyAsync(async () => (await RunAsync(leases.DebianLease, Shell("pgrep -f '^sleep 98756'"))).Status.Code == 0, "it runs");
        }

        await EventuallyAsync(async () => (await RunAsync(leases.DebianLease, Shell("pgrep -f '^sleep 98756'"))).Status.Code != 0, "its session is gone");
        var e = await Assert.ThrowsAsync<ExecException>(() => lease.StartAsync(new ExecRequest { Arguments = ["no-such-program"] }, Soon));
        Assert.Equal(ExecFailure.NotFound, e.Failure);
        await using var none = (await host.FindAsync(leases.StaticLease.LeaseId, Soon))!;
        Assert.Equal("a b\n", (await RunAsync(none, Shell("/tool a b"))).Out);
    }

    [Fact]
    public async Task Attach_OverTcp_ServesImagesWithAndWithoutAShell()
    {
        // An engine on another machine: no files and processes of its are here, so the helper is copied in and streams go by attach.
        using var proxy = new EngineProxy(null);
        await using var host = new LeaseHost(leases.Options with { Engine = proxy.Endpoint });
        foreach (var image in new[] { Debian, Static })
        {
            var lease = await host.CreateAsync(leases.NewId(), new LeaseSpec { Image = image }, null, Soon);
            try
            {
                Assert.Equal(("hi there\n", 0), (await RunAsync(lease, Shell(image == Static ? "/tool hi there" : "echo hi there")) is var r ? (r.Out, r.Status.Code) : default));
                Assert.Equal("typed\n", (await RunAsync(lease, Shell(image == Static ? "/tool cat" : "cat"), "typed\n")).Out);
                var pause = Shell(image == Static ? "/tool pause" : "sleep 98757 & sleep 98757");
                await using (var process = await lease.StartAsync(pause, Soon))
                {
                    await Task.Delay(500);
                    Assert.True(await process.SignalAsync("TERM", Soon));
                    Assert.Equal(143, (await process.Exited.WaitAsync(Soon)).Code);
                }

                var left = await lease.StartAsync(pause with { User = "7" }, Soon);
                await Task.Delay(500);
                await left.DisposeAsync(); // its client is gone
                await left.Exited.WaitAsync(Soon);
            }
            finally
            {
                await lease.RemoveAsync(Soon);
                await lease.DisposeAsync();
            }
        }
    }

    [Fact]
    public async Task Engine_OverTls_TakesOnlyTheRightCertificates()
    {
        // ca.pem, cert.pem, key.pem as dockerd's --tlsverify wants them.
        var (authority, other) = (Authority("ours"), Authority("another"));
        using var server = Issue(authority, "localhost");
        using var proxy = new EngineProxy(null, server, authority);
        var good = Folder(authority, Issue(authority, "client"));
        await using (var host = new LeaseHost(leases.Options with { Engine = EngineEndpoint.Parse(proxy.Address!, good) }))
        {
            Assert.Contains("API", await host.CheckAsync(Soon), StringComparison.Ordinal);
            await using var lease = (await host.FindAsync(leases.BusyboxLease.LeaseId, Soon))!;
            Assert.Equal("typed\n", (await RunAsync(lease, Shell("cat"), "typed\n")).Out); // stdin's end passes TLS
        }

        foreach (var folder in new[] { Folder(authority, Issue(other, "client")), Folder(other, Issue(authority, "client")) })
        {
            await using var client = new EngineClient(EngineEndpoint.Parse(proxy.Address!, folder));
            Assert.Equal(EngineFailure.Unreachable, (await Assert.ThrowsAsync<EngineException>(() => client.VersionAsync(Soon))).Failure);
        }

        Assert.Throws<EngineException>(() => EngineEndpoint.Parse(proxy.Address!, "/nowhere"));

        static X509Certificate2 Authority(string name)
        {
            var request = new CertificateRequest("CN=" + name, ECDsa.Create(ECCurve.NamedCurves.nistP256), HashAlgorithmName.SHA256);
            request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
            return request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        }

        static X509Certificate2 Issue(X509Certificate2 authority, string name)
        {
            var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            var request = new CertificateRequest("CN=" + name, key, HashAlgorithmName.SHA256);
            var names = new SubjectAlternativeNameBuilder();
            names.AddDnsName(name);
            request.CertificateExtensions.Add(names.Build());
            using var issued = request.Create(authority, DateTimeOffset.UtcNow.AddHours(-1), DateTimeOffset.UtcNow.AddHours(1), RandomNumberGenerator.GetBytes(8));
            return X509CertificateLoader.LoadPkcs12(issued.CopyWithPrivateKey(key).Export(X509ContentType.Pkcs12), null);
        }

        string Folder(X509Certificate2 authority, X509Certificate2 certificate)
        {
            var folder = Directory.CreateDirectory(Path.Combine(leases.Folder, Guid.NewGuid().ToString("N"))).FullName;
            File.WriteAllText(Path.Combine(folder, "ca.pem"), authority.ExportCertificatePem());
            File.WriteAllText(Path.Combine(folder, "cert.pem"), certificate.ExportCertificatePem());
            File.WriteAllText(Path.Combine(folder, "key.pem"), certificate.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem());
            return folder;
        }
    }

    [Fact]
    public async Task Engine_GoneUnderARunningLease_LeavesItsSessionsFilesAndForwards()
    {
        var proxy = new EngineProxy(leases.Folder);
        await using var host = new LeaseHost(leases.Options with { Engine = proxy.Endpoint });
        await using var lease = (await host.FindAsync(leases.BusyboxLease.LeaseId, Soon))!;
        await using var before = await lease.StartAsync(Shell("cat"), Soon);
        proxy.Dispose();
        Assert.Equal("after\n", (await RunAsync(lease, Shell("echo after"))).Out);
        await before.Stdin.WriteAsync("on"u8.ToArray(), Soon);
        await ReadUntilAsync(before.Stdout, "on");
        await using (var tree = await lease.OpenFilesAsync(null, Soon))
        {
            Assert.True((await tree.GetStatusAsync("/bin/sh"u8.ToArray(), true, Soon)).Ok);
        }

        await using var listener = await lease.ListenTcpAsync("localhost", 0, Soon);
        (await lease.ConnectTcpAsync("localhost", listener.Port, Soon)).Dispose();
        Assert.Equal(EngineFailure.Unreachable, (await Assert.ThrowsAsync<EngineException>(() => lease.GetStateAsync(Soon))).Failure);
        using var again = new EngineProxy(leases.Folder);
        Assert.Equal(LeaseContainerStatus.Running, (await lease.GetStateAsync(Soon)).Status);
    }
}
