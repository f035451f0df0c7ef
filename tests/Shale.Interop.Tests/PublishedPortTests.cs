using System.Net;
using System.Net.Sockets;
using Xunit;

namespace Shale.Interop.Tests;

/// <summary>Published ports, and --jupyter with an image that has it and one that has not.</summary>
public sealed class PublishedPortTests
{
    // What the lease asks of jupyter, and no more: the arguments, the port, the token.
    private const string Jupyter = """
        #!/usr/bin/python3
        import sys, http.server
        a=sys.argv[1:]; assert a[0]=='lab' and '--ip=0.0.0.0' in a and '--no-browser' in a and '--allow-root' in a, a
        o=dict(x[2:].split('=',1) for x in a[1:] if '=' in x)
        class H(http.server.BaseHTTPRequestHandler):
          def do_GET(self):
            ok=self.path=='/lab?token='+o['ServerApp.token']; self.send_response(200 if ok else 403); self.end_headers(); self.wfile.write(b'lab' if ok else b'no')
          def log_message(self, *x): pass
        http.server.ThreadingHTTPServer((o['ip'], int(o['port'])), H).serve_forever()
        """;

    [Fact]
    public async Task PublishedPort_OfAServerInTheContainer_IsReachedAndComesBackAfterAKill()
    {
        await using var gateway = await GatewayProcess.StartAsync();
        var port = FreePort();
        var lease = await gateway.LeaseAsync("--image=shale/debian:12", $"--publish={port}:8000");
        const string Serve = "mkdir -p /srv/www; echo here > /srv/www/index.html; setsid python3 -m http.server -d /srv/www 8000 >/dev/null 2>&1 </dev/null & sleep 0.1";
        Assert.Equal(0, (await gateway.SshAsync(lease, Serve)).ExitCode);
        Assert.Equal("here\n", await GetAsync($"http://127.0.0.1:{port}/"));
    }

    [Fact]
    public async Task Jupyter_InAnImageThatHasIt_AnswersAtThePrintedAddressAndAfterAKill()
    {
        var folder = Directory.CreateTempSubdirectory("shale-jupyter-").FullName;
        var image = "shale/test-jupyter:" + Path.GetFileName(folder).ToLowerInvariant();
        await using var gateway = await GatewayProcess.StartAsync();
        try
        {
            await File.WriteAllTextAsync(Path.Combine(folder, "jupyter"), Jupyter);
            File.SetUnixFileMode(Path.Combine(folder, "jupyter"), (UnixFileMode)0x1ed); // 0755
            var made = await Cli.RunAsync("bash", ["-c", $"set -e; c=$(docker create shale/debian:12 true); docker cp {folder}/jupyter $c:/usr/local/bin/jupyter; docker commit $c {image} >/dev/null; docker rm $c >/dev/null"]);
            Assert.True(made.ExitCode == 0, made.Error);
            var port = FreePort();
            var outcome = await Cli.RunAsync(
                Cli.Shale,
                ["lease-container", "--detach", $"--state_dir={gateway.Folder}/state", $"--listen=127.0.0.1:{gateway.Port}", $"--ssh_pubkey={gateway.Folder}/id.pub", $"--image={image}", "--jupyter", $"--publish={port}:8888"]);
            Assert.True(outcome.ExitCode == 0, outcome.Error);
            var url = outcome.Output.Trim().Split('\n')[1];
            Assert.Matches($@"^http://127\.0\.0\.1:{port}/lab\?token=[0-9a-f]{{48}}$", url);
            Assert.Equal("lab", await GetAsync(url));

            // Nobody logs in, and it is there again all the same.
            await Cli.RunAsync("docker", ["kill", await gateway.ContainerAsync(1)]);
            Assert.Equal("lab", await GetAsync(url));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
            foreach (var lease in Directory.GetFiles(Path.Combine(gateway.Folder, "state", "leases"), "*.json"))
            {
                File.Delete(lease);
            }

            for (var i = 0; i < 300 && (await Cli.RunAsync("docker", ["rmi", image])).ExitCode != 0; i++)
            {
                await Task.Delay(200);
            }
        }
    }

    [Fact]
    public async Task Jupyter_InAnImageWithoutIt_FailsTheLeaseWithASentence()
    {
        await using var gateway = await GatewayProcess.StartAsync();
        var outcome = await Cli.RunAsync(
            Cli.Shale, ["lease-container", "--detach", $"--state_dir={gateway.Folder}/state", $"--ssh_pubkey={gateway.Folder}/id.pub", "--image=shale/debian:12", "--jupyter", $"--publish={FreePort()}:8888"]);
        Assert.Equal(69, outcome.ExitCode);
        Assert.Contains("the image may lack jupyter", outcome.Error, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(Path.Combine(gateway.Folder, "state", "leases")));
    }

    [Fact]
    public async Task PublishedPort_ThatIsTaken_FailsTheLeaseWithASentence()
    {
        using var taken = new TcpListener(IPAddress.Any, 0);
        taken.Start();
        var port = ((IPEndPoint)taken.LocalEndpoint).Port;
        await using var gateway = await GatewayProcess.StartAsync();
        var outcome = await Cli.RunAsync(
            Cli.Shale, ["lease-container", "--detach", $"--state_dir={gateway.Folder}/state", $"--ssh_pubkey={gateway.Folder}/id.pub", "--image=shale/busybox:1", $"--publish={port}:80"]);
        Assert.Equal(69, outcome.ExitCode);
        Assert.Contains($"{port}", outcome.Error, StringComparison.Ordinal);
    }

    private static async Task<string> GetAsync(string url)
    {
        using var client = new HttpClient { Timeout = TimeSpan.FromSeconds(10) };
        for (var i = 0; ; i++)
        {
            try
            {
                return await client.GetStringAsync(url);
            }
            catch (Exception error) when (error is HttpRequestException or TaskCanceledException && i < 120)
            {
                await Task.Delay(500);
            }
        }
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
