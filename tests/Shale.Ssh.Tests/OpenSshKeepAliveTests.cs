using Shale.Ssh.Tests.Support;
using Xunit;

namespace Shale.Ssh.Tests;

/// <summary>
/// Signs of life between OpenSSH's client and the server, by the real clock of both. A side that is alive may take ten seconds and more to say so, as it does on a busy machine:
/// whoever were not answered at all would be given up before these tests look.
/// </summary>
public sealed class OpenSshKeepAliveTests
{
    [Fact]
    public async Task KeepAlive_OfTheClient_IsAnswered()
    {
        await using var server = await TestServer.StartAsync();
        using var client = new OpenSshClient(server);

        // Without an answer ssh gives up after eleven seconds.
        var result = await client.SshAsync(["-o", "ServerAliveInterval=1", "-o", "ServerAliveCountMax=10"], ["sleep 15; echo alive"]);
        Assert.Equal("alive\n", result.Text);
    }

    [Fact]
    public async Task KeepAlive_OfTheServer_KeepsALiveClientAndEndsAStoppedOne()
    {
        // Without an answer the server gives up after four intervals.
        await using var server = await TestServer.StartAsync(o => o.KeepAliveInterval = TimeSpan.FromSeconds(3));
        using var client = new OpenSshClient(server);
        using var ssh = client.Start([], ["shale-events"]);
        Assert.Equal("ready", await ssh.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(120)));
        Assert.True(server.Sessions.Sessions.TryPeek(out var session));
        await Task.Delay(TimeSpan.FromSeconds(15));
        Assert.False(session.Connection.Closed.IsCancellationRequested);
        OpenSshClient.RunProgram("kill", "-STOP", ssh.Id.ToString());
        try
        {
            for (var i = 0; i < 1200 && !session.Connection.Closed.IsCancellationRequested; i++)
            {
                await Task.Delay(100);
            }

            Assert.True(session.Connection.Closed.IsCancellationRequested);
        }
        finally
        {
            ssh.Kill();
        }
    }
}
