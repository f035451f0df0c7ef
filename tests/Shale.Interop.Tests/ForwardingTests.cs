using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Xunit;

namespace Shale.Interop.Tests;

/// <summary>ssh -L, -R, -D and -W into the container's network, with any image.</summary>
[Collection(nameof(GatewayCollection))]
public sealed class ForwardingTests(GatewayFixture fixture)
{
    private const string EchoServer =
        "import socket,threading\n" +
        "s=socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(('127.0.0.1', {0})); s.listen(8); print('ready', flush=True)\n" +
        "def go(c):\n" +
        "  d=c.recv(65536)\n" +
        "  while d: c.sendall(d.upper()); d=c.recv(65536)\n" +
        "  c.close()\n" +
        "while True:\n" +
        "  threading.Thread(target=go, args=(s.accept()[0],)).start()\n";

    private readonly GatewayProcess _gateway = fixture.Gateway;

    [Fact]
    public async Task LocalForward_ToLocalhostInTheContainer_ReachesWhatListensThere()
    {
        using var server = await ServeAsync(8888);
        var local = Ports.Free();
        using var forward = Ssh("-N", "-L", $"127.0.0.1:{local}:localhost:8888");
        Assert.Equal("HELLO", await AskAsync(local, "hello"));
        Assert.Equal(8, (await Task.WhenAll(Enumerable.Range(0, 8).Select(i => AskAsync(local, $"n{i}")))).Distinct().Count());
        forward.Kill();
        server.Kill();
    }

    [Fact]
    public async Task StandardForward_OfW_CarriesBothWays()
    {
        using var server = await ServeAsync(8889);
        var outcome = await Cli.RunAsync("ssh", [.. _gateway.SshOptions(), "-W", "127.0.0.1:8889", $"{fixture.Debian}@127.0.0.1"], Encoding.UTF8.GetBytes("through"));
        Assert.Equal("THROUGH", outcome.Output);
        var closed = await Cli.RunAsync("ssh", [.. _gateway.SshOptions(), "-W", "127.0.0.1:1", $"{fixture.Debian}@127.0.0.1"]);
        Assert.NotEqual(0, closed.ExitCode);
        server.Kill();
    }

    [Fact]
    public async Task RemoteForward_FromTheContainer_ReachesTheClient()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        using var forward = Ssh("-N", "-R", $"127.0.0.1:9999:127.0.0.1:{port}");
        var accepting = listener.AcceptTcpClientAsync();
        var asking = Cli.RunAsync("ssh", [.. _gateway.SshOptions(), $"{fixture.Debian}@127.0.0.1", "python3 -c \"import socket,time\nfor i in range(600):\n  try: s=socket.create_connection(('127.0.0.1',9999)); break\n  except OSError: time.sleep(0.2)\nprint(s.recv(100).decode())\""]);
        using var client = await accepting.WaitAsync(TimeSpan.FromSeconds(180));
        await client.GetStream().WriteAsync("from outside"u8.ToArray());
        client.Close();
        Assert.Equal("from outside\n", (await asking).Output);
        forward.Kill();
    }

    [Fact]
    public async Task RemoteForward_AskedForWithACommand_IsThereWhenItRuns()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        var asking = Cli.RunAsync("ssh", [.. _gateway.SshOptions(), "-R", $"127.0.0.1:9998:127.0.0.1:{port}", $"{fixture.Busybox}@127.0.0.1", "nc 127.0.0.1 9998 </dev/null"]);
        using var client = await listener.AcceptTcpClientAsync().WaitAsync(TimeSpan.FromSeconds(60));
        await client.GetStream().WriteAsync("at once"u8.ToArray());
        client.Close();
        Assert.Equal("at once", (await asking).Output);
    }

    [Fact]
    public async Task SocketForward_FromTheContainer_ReachesTheClientAndGoesWithItsConnection()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        const string Ask = "python3 -c \"import socket; s=socket.socket(socket.AF_UNIX); s.connect('/tmp/back.sock'); print(s.recv(100).decode())\"";
        for (var i = 0; i < 2; i++)
        {
            var asking = Cli.RunAsync("ssh", [.. _gateway.SshOptions(), "-R", $"/tmp/back.sock:127.0.0.1:{port}", $"{fixture.Debian}@127.0.0.1", Ask]);
            using var client = await listener.AcceptTcpClientAsync().WaitAsync(TimeSpan.FromSeconds(60));
            await client.GetStream().WriteAsync("from outside"u8.ToArray());
            client.Close();
            Assert.Equal("from outside\n", (await asking).Output);
        }

        await Wait.UntilAsync(async () => (await _gateway.SshAsync(fixture.Debian, "test ! -e /tmp/back.sock")).ExitCode == 0, "the socket to be removed");
    }

    [Fact]
    public async Task Jump_OverALeaseWithoutAnything_ReachesAServerThatItsNetworkHas()
    {
        // The server is this gateway once more, which a remote forward brings into the container's network.
        using var forward = Process.Start(new ProcessStartInfo("ssh", [.. _gateway.SshOptions(), "-v", "-N", "-o", "ExitOnForwardFailure=yes", "-R", $"127.0.0.1:2200:127.0.0.1:{_gateway.Port}", $"{fixture.Static}@127.0.0.1"]) { RedirectStandardError = true })!;
        string? line;
        do
        {
            line = await forward.StandardError.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(60));
        }
        while (line is not null && !line.Contains("remote forward success", StringComparison.Ordinal));
        Assert.NotNull(line);
        _ = forward.StandardError.ReadToEndAsync();

        // Only a configuration file reaches both hosts.
        var configuration = Path.Combine(_gateway.Folder, "jump");
        await File.WriteAllTextAsync(configuration, $"""
            Host *
              IdentityFile {_gateway.Key}
              IdentitiesOnly yes
              StrictHostKeyChecking no
              UserKnownHostsFile /dev/null
              LogLevel ERROR
              BatchMode yes
            """);
        var outcome = await Cli.RunAsync("ssh", ["-F", configuration, "-J", $"{fixture.Static}@127.0.0.1:{_gateway.Port}", "-p", "2200", $"{fixture.Busybox}@127.0.0.1", "echo $SHALE_LEASE"]);
        Assert.True(outcome.Output == $"{fixture.Busybox}\n", outcome.Output + outcome.Error);
        forward.Kill();
    }

    [Fact]
    public async Task Forward_ToTheProvidersOwnLoopback_FindsNothing()
    {
        // The gateway's SSH port is on the host's 127.0.0.1: from the container's network it isn't there.
        var outcome = await Cli.RunAsync("ssh", [.. _gateway.SshOptions(), "-W", string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{_gateway.Port}"), $"{fixture.Static}@127.0.0.1"]);
        Assert.NotEqual(0, outcome.ExitCode);
        Assert.DoesNotContain("SSH-2.0", outcome.Output, StringComparison.Ordinal);
    }

    private async Task<Process> ServeAsync(int port)
    {
        var start = new ProcessStartInfo("ssh", [.. _gateway.SshOptions(), $"{fixture.Debian}@127.0.0.1", "python3 -"]) { RedirectStandardInput = true, RedirectStandardOutput = true };
        var server = Process.Start(start)!;
        await server.StandardInput.WriteAsync(EchoServer.Replace("{0}", port.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal));
        server.StandardInput.Close();
        Assert.Equal("ready", await server.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(180)));
        return server;
    }

    private Process Ssh(params string[] arguments) =>
        Process.Start(new ProcessStartInfo("ssh", [.. _gateway.SshOptions(), "-o", "ExitOnForwardFailure=yes", .. arguments, $"{fixture.Debian}@127.0.0.1"]))!;

    private static async Task<string> AskAsync(int port, string question)
    {
        for (var i = 0; ; i++)
        {
            try
            {
                using var client = new TcpClient();
                await client.ConnectAsync(IPAddress.Loopback, port);
                var stream = client.GetStream();
                await stream.WriteAsync(Encoding.ASCII.GetBytes(question));
                client.Client.Shutdown(SocketShutdown.Send);
                using var reader = new StreamReader(stream);
                return await reader.ReadToEndAsync().WaitAsync(TimeSpan.FromSeconds(180));
            }
            catch (SocketException) when (i < 1800)
            {
                await Task.Delay(100);
            }
        }
    }
}
