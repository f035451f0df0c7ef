using System.Net;
using System.Net.Sockets;
using Xunit;

namespace Shale.Interop.Tests;

/// <summary>Ports of a container that the provider's machine passes on.</summary>
public sealed class PublishedPortTests
{
    [Fact]
    public async Task PublishedPort_OfAServerInTheContainer_IsReachedAndComesBackAfterAKill()
    {
        await using var gateway = await GatewayProcess.StartAsync();
        var port = Ports.Free();
        var lease = await gateway.LeaseAsync("--image=shale/debian:12", $"--publish={port}:8000");
        const string Serve = "mkdir -p /srv/www; echo here > /srv/www/index.html; setsid python3 -m http.server -d /srv/www 8000 >/dev/null 2>&1 </dev/null & until pgrep -f '^python3 -m http.server' >/dev/null; do sleep 0.1; done";
        Assert.Equal(0, (await gateway.SshAsync(lease, Serve)).ExitCode);
        Assert.Equal("here\n", await GetAsync($"http://127.0.0.1:{port}/"));
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
}
