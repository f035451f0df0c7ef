using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Xunit;

namespace Shale.Interop.Tests;

/// <summary>
/// The steps of VS Code's Remote-SSH, as its log shows them: the server's archive by scp, an install script over the standard input of one long exec that carries a SOCKS forward, and
/// everything else as many connections through that forward or to a Unix socket.
/// </summary>
[Collection(nameof(GatewayCollection))]
public sealed class EditorTests(GatewayFixture fixture) : IDisposable
{
    private const int Connections = 40;
    private const int Each = 300_000;

    private readonly GatewayProcess _gateway = fixture.Gateway;
    private readonly string _folder = Directory.CreateTempSubdirectory("shale-editor-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task RemoteEditor_InstalledStartedAndUsed_WorksOverOneConnection()
    {
        // The archive goes ahead, as with remote.SSH.localServerDownload.
        var archive = Path.Combine(_folder, "server.tar");
        await File.WriteAllBytesAsync(archive, RandomNumberGenerator.GetBytes(20_000_000));
        var copied = await Cli.RunAsync("scp", [.. _gateway.SshOptions("-P"), archive, $"{fixture.Debian}@127.0.0.1:/root/vscode-server.tar"]);
        Assert.True(copied.ExitCode == 0, copied.Error);

        // A script of megabytes on standard input, which installs and starts the server and then stays.
        var id = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(6));
        var payload = Convert.ToBase64String(RandomNumberGenerator.GetBytes(3_000_000));
        var script = $$"""
            echo "{{id}}: running"
            mkdir -p /root/.vscode-server
            cat > /root/.vscode-server/payload <<'EOF{{id}}'
            {{payload}}
            EOF{{id}}
            cat > /root/.vscode-server/server.py <<'EOF{{id}}'
            import socket, threading
            def go(c):
              n=int(c.makefile('rb').readline()); c.sendall(b'x'*n); c.close()
            def serve(s):
              while True: threading.Thread(target=go, args=(s.accept()[0],)).start()
            t=socket.socket(); t.bind(('127.0.0.1', 0)); u=socket.socket(socket.AF_UNIX); u.bind('/root/.vscode-server/{{id}}.sock'); t.listen(128); u.listen(128)
            threading.Thread(target=serve, args=(u,)).start()
            print('{{id}}: listeningOn==%d==' % t.getsockname()[1], flush=True)
            serve(t)
            EOF{{id}}
            sha256sum < /root/vscode-server.tar
            wc -c < /root/.vscode-server/payload
            exec python3 /root/.vscode-server/server.py
            """;
        var (socks, socket) = (Ports.Free(), Path.Combine(_folder, "s"));
        string[] options =
        [
            .. _gateway.SshOptions(), "-T", "-D", $"127.0.0.1:{socks}", "-L", $"{socket}:/root/.vscode-server/{id}.sock", "-o", "ConnectTimeout=120", "-o", "ExitOnForwardFailure=yes",
            $"{fixture.Debian}@127.0.0.1", "sh",
        ];
        using var ssh = Process.Start(new ProcessStartInfo("ssh", options) { RedirectStandardInput = true, RedirectStandardOutput = true })!;
        try
        {
            await ssh.StandardInput.WriteAsync(script + "\n");
            await ssh.StandardInput.FlushAsync();
            Assert.Equal($"{id}: running", await LineAsync(ssh));
            Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(await File.ReadAllBytesAsync(archive))) + "  -", await LineAsync(ssh));
            Assert.Equal((payload.Length + 1).ToString(CultureInfo.InvariantCulture), await LineAsync(ssh));
            var listening = (await LineAsync(ssh)).Split("==");
            Assert.Equal($"{id}: listeningOn", listening[0]);
            var port = ushort.Parse(listening[1], CultureInfo.InvariantCulture);

            var answers = await Task.WhenAll(Enumerable.Range(0, Connections).Select(i => i % 2 == 0 ? ThroughSocksAsync(socks, port) : ThroughSocketAsync(socket))).WaitAsync(TimeSpan.FromSeconds(300));
            Assert.All(answers, a => Assert.Equal(Each, a));
            Assert.False(ssh.HasExited);
        }
        finally
        {
            ssh.Kill();
            await _gateway.SshAsync(fixture.Debian, "rm -rf /root/.vscode-server /root/vscode-server.tar");
        }
    }

    private static async Task<string> LineAsync(Process process) => await process.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(180)) ?? "";

    /// <summary>SOCKS version 5 without authentication, by name (RFC 1928).</summary>
    private static async Task<int> ThroughSocksAsync(int socks, ushort port)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, socks);
        var stream = client.GetStream();
        var reply = new byte[10];
        await stream.WriteAsync(new byte[] { 5, 1, 0 });
        await stream.ReadExactlyAsync(reply.AsMemory(0, 2));
        await stream.WriteAsync((byte[])[5, 1, 0, 3, 9, .. "localhost"u8, (byte)(port >> 8), (byte)port]);
        await stream.ReadExactlyAsync(reply);
        Assert.Equal(0, reply[1]);
        return await AskAsync(stream);
    }

    private static async Task<int> ThroughSocketAsync(string path)
    {
        using var client = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await client.ConnectAsync(new UnixDomainSocketEndPoint(path));
        await using var stream = new NetworkStream(client);
        return await AskAsync(stream);
    }

    private static async Task<int> AskAsync(Stream stream)
    {
        await stream.WriteAsync(Encoding.ASCII.GetBytes(Each.ToString(CultureInfo.InvariantCulture) + "\n"));
        using var answer = new MemoryStream();
        await stream.CopyToAsync(answer);
        return (int)answer.Length;
    }
}
