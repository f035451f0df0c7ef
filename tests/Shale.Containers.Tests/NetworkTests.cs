using System.Net;
using System.Net.Sockets;
using System.Text;
using Shale.Containers.Exec;
using Shale.Containers.Leases;
using Shale.Containers.Network;
using Xunit;
using static Shale.Containers.Tests.LeaseFixture;

namespace Shale.Containers.Tests;

/// <summary>Forwards into containers, also into one that has neither a shell nor a network tool.</summary>
[Collection("leases")]
public sealed class NetworkTests(LeaseFixture leases)
{
    private const string EchoServer = "import socket,sys\ns=socket.socket(getattr(socket,sys.argv[1])); s.setsockopt(socket.SOL_SOCKET,socket.SO_REUSEADDR,1); s.bind(eval(sys.argv[2])); s.listen(); print('up',flush=True)\nwhile True:\n  c,_=s.accept(); c.sendall(c.recv(99)); c.close()";

    private static async Task<string> EchoAsync(Socket socket, string text)
    {
        using (socket)
        {
            await socket.SendAsync(Encoding.UTF8.GetBytes(text), Soon);
            socket.Shutdown(SocketShutdown.Send);
            var buffer = new byte[99];
            return Encoding.UTF8.GetString(buffer, 0, await socket.ReceiveAsync(buffer, Soon));
        }
    }

    [Theory]
    [InlineData("localhost", 7071)]
    [InlineData("127.0.0.1", 7074)]
    public async Task Connect_ToLoopbackOfTheContainer_ReachesItsServer(string host, int port)
    {
        await using var server = await leases.DebianLease.StartAsync(new ExecRequest { Arguments = ["python3", "-c", EchoServer, "AF_INET", $"('127.0.0.1', {port})"] }, Soon);
        await ReadUntilAsync(server.Stdout, "up");
        Assert.Equal("hello", await EchoAsync(await leases.DebianLease.ConnectTcpAsync(host, port, Soon), "hello"));
        await Assert.ThrowsAnyAsync<SocketException>(async () =>
        {
            using var here = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            await here.ConnectAsync(IPAddress.Loopback, port, Soon); // it is the container's loopback, not this machine's
        });
    }

    [Fact]
    public async Task Connect_ToNobody_SaysSo()
    {
        Assert.Equal(ForwardFailure.ConnectFailed, (await Assert.ThrowsAsync<ForwardException>(() => leases.StaticLease.ConnectTcpAsync("localhost", 7072, Soon))).Failure);
        Assert.Contains("no such name", (await Assert.ThrowsAsync<ForwardException>(() => leases.StaticLease.ConnectTcpAsync("no-such-host.invalid", 80, Soon))).Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<ForwardException>(() => leases.StaticLease.ConnectTcpAsync("localhost", 0, Soon));
    }

    [Fact]
    public async Task Connect_ToANameOfTheContainersHosts_IsResolvedThere() =>
        Assert.Contains("refused", (await Assert.ThrowsAsync<ForwardException>(() => leases.StaticLease.ConnectTcpAsync(leases.StaticLease.LeaseId, 7073, Soon))).Message, StringComparison.OrdinalIgnoreCase);

    [Fact]
    public async Task Listen_InAContainerWithoutAShell_IsReachedFromInside()
    {
        await using var listener = await leases.StaticLease.ListenTcpAsync("localhost", 0, Soon);
        Assert.InRange(listener.Port, 1, 65535);
        var accepting = listener.AcceptAsync(Soon).AsTask();
        using var inside = await leases.StaticLease.ConnectTcpAsync("127.0.0.1", listener.Port, Soon);
        using var outside = await accepting;
        await inside.SendAsync("ping"u8.ToArray(), Soon);
        var buffer = new byte[9];
        Assert.Equal(4, await outside.ReceiveAsync(buffer, Soon));
        var e = await Assert.ThrowsAsync<ForwardException>(() => leases.StaticLease.ListenTcpAsync("localhost", listener.Port, Soon));
        Assert.Equal(ForwardFailure.Prohibited, e.Failure);
        await Assert.ThrowsAsync<ForwardException>(() => leases.StaticLease.ListenTcpAsync("8.8.8.8", 0, Soon));
        var port = listener.Port;
        await listener.DisposeAsync();
        await Assert.ThrowsAsync<ForwardException>(() => leases.StaticLease.ConnectTcpAsync("127.0.0.1", port, Soon));
    }

    [Fact]
    public async Task UnixSocket_OfTheContainer_IsReachedWithTheUsersRights()
    {
        await using var server = await leases.DebianLease.StartAsync(new ExecRequest { Arguments = ["python3", "-c", EchoServer, "AF_UNIX", "'/tmp/echo.sock'"] }, Soon);
        await ReadUntilAsync(server.Stdout, "up");
        await RunAsync(leases.DebianLease, Shell("chmod 600 /tmp/echo.sock; ln -sf /tmp/echo.sock /tmp/echo.link; echo x >/tmp/plain"));
        Assert.Equal("unix", await EchoAsync(await leases.DebianLease.ConnectUnixAsync("/tmp/echo.link"u8.ToArray(), null, Soon), "unix"));
        Assert.Equal(ForwardFailure.Prohibited, (await Assert.ThrowsAsync<ForwardException>(() => leases.DebianLease.ConnectUnixAsync("/tmp/echo.sock"u8.ToArray(), "nobody", Soon))).Failure);
        await Assert.ThrowsAsync<ForwardException>(() => leases.DebianLease.ConnectUnixAsync("/tmp/plain"u8.ToArray(), null, Soon));

        // The machine's own engine socket is not the container's.
        await Assert.ThrowsAsync<ForwardException>(() => leases.DebianLease.ConnectUnixAsync("/var/run/docker.sock"u8.ToArray(), null, Soon));
        await RunAsync(leases.DebianLease, Shell("ln -sf ../../../../../../var/run/docker.sock /tmp/dock; ln -sf /proc/1/root/var/run/docker.sock /tmp/dock2"));
        await Assert.ThrowsAsync<ForwardException>(() => leases.DebianLease.ConnectUnixAsync("/tmp/dock"u8.ToArray(), null, Soon));
        await Assert.ThrowsAsync<ForwardException>(() => leases.DebianLease.ConnectUnixAsync("/tmp/dock2"u8.ToArray(), null, Soon));
    }

    [Fact]
    public async Task UnixListener_InTheContainer_BelongsToItsUserAndIsRemoved()
    {
        await RunAsync(leases.DebianLease, Shell("mkdir -p /tmp/ul; chown 99 /tmp/ul"));
        await using (var listener = await leases.DebianLease.ListenUnixAsync("/tmp/ul/s"u8.ToArray(), "99", Soon))
        {
            Assert.Equal("99 600 socket\n", (await RunAsync(leases.DebianLease, Shell("stat -c '%u %a %F' /tmp/ul/s"))).Out);
            await Assert.ThrowsAsync<ForwardException>(() => leases.DebianLease.ListenUnixAsync("/tmp/ul/s"u8.ToArray(), "99", Soon));
            var accepting = listener.AcceptAsync(Soon).AsTask();
            var (_, text, _) = await RunAsync(leases.DebianLease, new ExecRequest { Arguments = ["python3", "-c", "import socket; s=socket.socket(socket.AF_UNIX); s.connect('/tmp/ul/s'); s.sendall(b'in'); print('sent')"] });
            Assert.Equal("sent\n", text);
            using var accepted = await accepting;
            Assert.Equal(2, await accepted.ReceiveAsync(new byte[9], Soon));
        }

        Assert.NotEqual(0, (await RunAsync(leases.DebianLease, Shell("test -e /tmp/ul/s"))).Status.Code);
        Assert.Equal(ForwardFailure.Prohibited, (await Assert.ThrowsAsync<ForwardException>(() => leases.DebianLease.ListenUnixAsync("/etc/s"u8.ToArray(), "99", Soon))).Failure);
    }

    [Fact]
    public async Task PausedLease_ServesNeitherForwardsNorFiles()
    {
        var lease = await leases.CreateAsync(new LeaseSpec { Image = Static });
        await lease.PauseAsync(Soon);
        var e = await Assert.ThrowsAsync<ForwardException>(() => lease.ConnectTcpAsync("localhost", 80, Soon));
        Assert.Equal(ForwardFailure.Prohibited, e.Failure);
        Assert.Contains("paused", e.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<ForwardException>(() => lease.ListenTcpAsync("", 0, Soon));
        await Assert.ThrowsAsync<ForwardException>(() => lease.ConnectUnixAsync("/s"u8.ToArray(), null, Soon));
        await Assert.ThrowsAsync<ExecException>(() => lease.OpenFilesAsync(null, Soon));
    }

    [Fact]
    public async Task Neighbours_OnTheLeasesNetwork_CannotReachEachOther()
    {
        var address = (await leases.BusyboxLease.GetStateAsync(Soon)).Address;
        Assert.NotNull(address);
        await using var listener = await leases.BusyboxLease.ListenTcpAsync("", 7075, Soon);
        using (await leases.BusyboxLease.ConnectTcpAsync(address, 7075, Soon))
        {
        }

        using var soon = new CancellationTokenSource(1500);
        await Assert.ThrowsAnyAsync<Exception>(() => leases.DebianLease.ConnectTcpAsync(address, 7075, soon.Token));
    }

    [Fact]
    public void Resolver_Messages_AreThoseOfRfc1035AndHostileOnesAreHarmless()
    {
        // RFC 1035 section 4.1: header, question "a.bc" type A class IN.
        var question = NameResolver.Question(0x1234, "a.bc", 1)!;
        Assert.Equal("12340100000100000000000001610262630000010001", Convert.ToHexStringLower(question));
        Assert.Null(NameResolver.Question(1, new string('a', 64) + ".x", 1));

        // Its answer: a CNAME, then an address, names by pointer (section 4.1.4).
        var head = "12348180000100020000000001610262630000010001";
        var answer = Convert.FromHexString(head + "c00c0005000100000001" + "0004" + "0178c00e" + "c00c0001000100000001" + "0004" + "0a000001");
        Assert.Equal([IPAddress.Parse("10.0.0.1")], NameResolver.Answer(answer, question, 1));
        Assert.Empty(NameResolver.Answer(Convert.FromHexString("12348183000100000000000001610262630000010001"), question, 1)!); // NXDOMAIN
        Assert.Null(NameResolver.Answer(Convert.FromHexString("12348182000100000000000001610262630000010001"), question, 1)); // SERVFAIL
        for (var length = 0; length < answer.Length; length++)
        {
            NameResolver.Answer(answer.AsSpan(0, length), question, 1);
        }

        var random = new Random(7);
        for (var i = 0; i < 20_000; i++)
        {
            var bad = (byte[])answer.Clone();
            bad[random.Next(22, bad.Length)] = (byte)random.Next(256);
            bad[random.Next(bad.Length)] = (byte)random.Next(256);
            NameResolver.Answer(bad, question, 1);
        }
    }
}
