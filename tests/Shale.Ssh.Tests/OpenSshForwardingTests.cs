using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Shale.Ssh.Connection;
using Shale.Ssh.Tests.Support;
using Xunit;

namespace Shale.Ssh.Tests;

/// <summary>Forwards and agent channels as OpenSSH's own client opens them.</summary>
public sealed class OpenSshForwardingTests : IAsyncLifetime
{
    private readonly LocalForwarding _forwarding = new();
    private TestServer _server = null!;
    private OpenSshClient _client = null!;

    public async Task InitializeAsync()
    {
        _server = await TestServer.StartAsync(forwarding: _forwarding);
        _client = new OpenSshClient(_server);
    }

    public async Task DisposeAsync()
    {
        _client.Dispose();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task LocalForward_OfManyConnections_CarriesEachToItsEnd()
    {
        await using var echo = new EchoServer();
        var port = Ports.Free();
        using var ssh = _client.Start(["-N", "-L", $"{port}:127.0.0.1:{echo.Port}"], []);
        try
        {
            await WaitForPortAsync(port);
            var sizes = new[] { 0, 1, 1000, 100_000, 3_000_000 };
            await Task.WhenAll(sizes.Concat(sizes).Select(size => EchoAsync(port, size)));
        }
        finally
        {
            ssh.Kill();
        }
    }

    [Fact]
    public async Task StandardIoForward_ToAPort_CarriesBothWays()
    {
        await using var echo = new EchoServer();
        var result = await _client.SshAsync(["-W", $"127.0.0.1:{echo.Port}"], [], new MemoryStream("through"u8.ToArray()));
        Assert.Equal("through", result.Text);
    }

    [Fact]
    public async Task LocalForward_ToNobody_IsRefusedAndTheConnectionGoesOn()
    {
        var result = await _client.SshAsync(["-o", "LogLevel=INFO", "-W", $"127.0.0.1:{Ports.Free()}"], []);
        Assert.NotEqual(0, result.ExitCode);
        Assert.Contains("open failed: connect failed", result.Error, StringComparison.Ordinal);
        Assert.Equal(0, (await _client.SshAsync([], ["true"])).ExitCode);
    }

    [Fact]
    public async Task RemoteForward_WithAndWithoutAPort_CarriesConnectionsBack()
    {
        await using var echo = new EchoServer();
        var port = Ports.Free();
        using var ssh = _client.Start(["-N", "-v", "-R", $"{port}:127.0.0.1:{echo.Port}", "-R", $"0:127.0.0.1:{echo.Port}"], []);
        try
        {
            string? line;
            do
            {
                line = await ssh.StandardError.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(120));
            }
            while (line is not null && !line.Contains("Allocated port", StringComparison.Ordinal));
            Assert.NotNull(line);
            var chosen = int.Parse(line.Split("Allocated port ")[1].Split(' ')[0]);
            await EchoAsync(port, 300_000);
            await EchoAsync(chosen, 300_000);
        }
        finally
        {
            ssh.Kill();
        }

        // Its listeners go with the connection.
        for (var i = 0; i < 2400 && !CanBind(port); i++)
        {
            await Task.Delay(50);
        }

        Assert.True(CanBind(port));
    }

    [Fact]
    public async Task RemoteForward_ThatTakesItsTime_IsThereBeforeTheCommandThatWasAskedForAfterIt()
    {
        // The client does not wait for the answer: it asks for the forward and the command in one go.
        await using var echo = new EchoServer();
        var port = Ports.Free();
        var started = new TaskCompletionSource();
        _server.Sessions.Custom = async (session, token) =>
        {
            started.SetResult();
            await session.ExitAsync(CanBind(port) ? 1 : 0, token);
        };
        _forwarding.BeforeListening = () => Task.WhenAny(started.Task, Task.Delay(TimeSpan.FromSeconds(2)));
        Assert.Equal(0, (await _client.SshAsync(["-R", $"{port}:127.0.0.1:{echo.Port}"], ["x"])).ExitCode);
    }

    [Fact]
    public async Task SocketForwards_BothWays_Carry()
    {
        await using var echo = new EchoServer();
        var (near, middle) = (Path.Combine(_client.Folder, "near"), Path.Combine(_client.Folder, "middle"));
        using var ssh = _client.Start(["-N", "-R", $"{middle}:127.0.0.1:{echo.Port}", "-L", $"{near}:{middle}"], []);
        try
        {
            await OpenSshClient.WaitForSocketAsync(middle);
            await OpenSshClient.WaitForSocketAsync(near);

            using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(near));
            await EchoAsync(socket, 200_000);
        }
        finally
        {
            ssh.Kill();
        }
    }

    [Fact]
    public async Task DynamicForward_ThroughSocks_Carries()
    {
        await using var echo = new EchoServer();
        var port = Ports.Free();
        using var ssh = _client.Start(["-N", "-D", $"127.0.0.1:{port}"], []);
        try
        {
            await WaitForPortAsync(port);
            using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(IPAddress.Loopback, port);

            // SOCKS5 without authentication, CONNECT to 127.0.0.1 and the port.
            await socket.SendAsync(new byte[] { 5, 1, 0 });
            var reply = new byte[2];
            await socket.ReceiveAsync(reply);
            await socket.SendAsync(new byte[] { 5, 1, 0, 1, 127, 0, 0, 1, (byte)(echo.Port >> 8), (byte)echo.Port });
            var answer = new byte[10];
            Assert.Equal(10, await socket.ReceiveAsync(answer));
            Assert.Equal(0, answer[1]);
            await EchoAsync(socket, 50_000);
        }
        finally
        {
            ssh.Kill();
        }
    }

    [Fact]
    public async Task Forwards_NotPermitted_AreRefused()
    {
        _server.Authenticator.Allow(_client.Fingerprint, user => user with { PermitPortForwarding = false });
        var result = await _client.SshAsync(["-o", "LogLevel=INFO", "-W", "127.0.0.1:1"], []);
        Assert.Contains("administratively prohibited", result.Error, StringComparison.Ordinal);
        var remote = await _client.SshAsync(["-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:1"], ["true"]);
        Assert.Contains("remote port forwarding failed", remote.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AgentChannel_AskedFor_ReachesTheUsersAgent()
    {
        var agentSocket = Path.Combine(_client.Folder, "agent");
        using var agent = Process.Start(new ProcessStartInfo("ssh-agent") { ArgumentList = { "-D", "-a", agentSocket }, RedirectStandardOutput = true })!;
        try
        {
            await OpenSshClient.WaitForSocketAsync(agentSocket);

            byte[] answer = [];
            _server.Sessions.Custom = async (session, token) =>
            {
                Assert.True(session.AgentForwardingGranted);
                var opened = await session.Connection.OpenChannelAsync("auth-agent@openssh.com", default, token);
                Assert.True(opened.IsOpen);

                // SSH_AGENTC_REQUEST_IDENTITIES; the answer is SSH_AGENT_IDENTITIES_ANSWER with none.
                await opened.Channel.WriteAsync(new byte[] { 0, 0, 0, 1, 11 }, token);
                while (answer.Length < 9)
                {
                    var read = await opened.Channel.Input.ReadAsync(token);
                    answer = [.. answer, .. System.Buffers.BuffersExtensions.ToArray(read.Buffer)];
                    opened.Channel.Input.AdvanceTo(read.Buffer.End);
                }

                await opened.Channel.DisposeAsync();
                await session.ExitAsync(0, token);
            };
            var result = await OpenSshClient.RunProgramAsync(
                "ssh",
                ["-o", $"ForwardAgent={agentSocket}", "-o", $"IdentityAgent={agentSocket}", .. _client.Options, "user@127.0.0.1", "x"],
                null,
                TimeSpan.FromSeconds(120));
            Assert.Equal(0, result.ExitCode);
            Assert.Equal("", result.Error);
            Assert.Equal([0, 0, 0, 5, 12, 0, 0, 0, 0], answer);
        }
        finally
        {
            agent.Kill();
        }
    }

    [Fact]
    public async Task AgentChannel_NotAskedFor_IsNotEvenTried()
    {
        ChannelOpenResult opened = default;
        _server.Sessions.Custom = async (session, token) =>
        {
            opened = await session.Connection.OpenChannelAsync("auth-agent@openssh.com", default, token);
            await session.ExitAsync(0, token);
        };
        var result = await _client.SshAsync([], ["x"]);
        Assert.Equal("", result.Error);
        Assert.Equal(ChannelOpenFailure.AdministrativelyProhibited, opened.Failure);
    }

    [Fact]
    public async Task Channel_OfATypeTheClientDoesNotKnow_IsRefusedWithItsReason()
    {
        ChannelOpenResult opened = default;
        _server.Sessions.Custom = async (session, token) =>
        {
            opened = await session.Connection.OpenChannelAsync("pay@shaleprotocol.com", default, token);
            await session.ExitAsync(0, token);
        };
        Assert.Equal(0, (await _client.SshAsync([], ["x"])).ExitCode);
        Assert.False(opened.IsOpen);
        Assert.NotEqual(ChannelOpenFailure.None, opened.Failure);
    }

    private static async Task EchoAsync(int port, int size)
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(IPAddress.Loopback, port);
        await EchoAsync(socket, size);
    }

    private static async Task EchoAsync(Socket socket, int size)
    {
        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(120));
        var data = new byte[size];
        new Random(size).NextBytes(data);
        var sending = Task.Run(async () =>
        {
            for (var sent = 0; sent < data.Length;)
            {
                sent += await socket.SendAsync(data.AsMemory(sent), timeout.Token);
            }

            socket.Shutdown(SocketShutdown.Send);
        });
        var received = new MemoryStream();
        var buffer = new byte[65536];
        int count;
        while ((count = await socket.ReceiveAsync(buffer, timeout.Token)) > 0)
        {
            received.Write(buffer, 0, count);
        }

        await sending;
        Assert.True(received.ToArray().AsSpan().SequenceEqual(data), $"{received.Length} of {size} bytes came back.");
    }

    private static bool CanBind(int port)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Bind(new IPEndPoint(IPAddress.Loopback, port));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private static async Task WaitForPortAsync(int port)
    {
        for (var i = 0; i < 2400; i++)
        {
            using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
            try
            {
                await socket.ConnectAsync(IPAddress.Loopback, port);
                return;
            }
            catch (SocketException)
            {
                await Task.Delay(50);
            }
        }

        throw new TimeoutException($"Nobody listens on {port}.");
    }

    /// <summary>Sends back what it receives, to the end.</summary>
    private sealed class EchoServer : IAsyncDisposable
    {
        private readonly Socket _socket = new(SocketType.Stream, ProtocolType.Tcp);
        private readonly Task _running;

        public EchoServer()
        {
            _socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            _socket.Listen();
            _running = RunAsync();
        }

        public int Port => ((IPEndPoint)_socket.LocalEndPoint!).Port;

        public async ValueTask DisposeAsync()
        {
            _socket.Dispose();
            await _running;
        }

        private static async Task ServeAsync(Socket peer)
        {
            using (peer)
            {
                try
                {
                    var buffer = new byte[65536];
                    int count;
                    while ((count = await peer.ReceiveAsync(buffer)) > 0)
                    {
                        for (var sent = 0; sent < count;)
                        {
                            sent += await peer.SendAsync(buffer.AsMemory(sent, count - sent));
                        }
                    }

                    peer.Shutdown(SocketShutdown.Send);
                }
                catch (SocketException)
                {
                    // The peer went.
                }
            }
        }

        private async Task RunAsync()
        {
            try
            {
                while (true)
                {
                    _ = ServeAsync(await _socket.AcceptAsync());
                }
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // Disposed.
            }
        }
    }
}
