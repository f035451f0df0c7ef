using System.Diagnostics;
using Shale.Agent.Files;
using Shale.Agent.Tests.Support;

namespace Shale.Agent.Tests;

/// <summary>The identity socket, before OpenSSH's own ssh-add and ssh-agent.</summary>
public sealed class IdentitySocketTests
{
    [Fact]
    public async Task IdentitySocket_WithoutAnAgentOfTheUsers_HasNoIdentities()
    {
        await using var agent = new TestAgent();
        await agent.StartAsync();
        Assert.False(agent.Agent.Status().HasIdentityAgent);
        var listed = await SshAddAsync(agent.Folder.IdentitySocket, "-l");
        Assert.Equal((1, "The agent has no identities."), (listed.ExitCode, listed.Output.Trim()));
        await using AgentSocket socket = await AgentSocket.ConnectAsync(agent.Folder.IdentitySocket);
        Assert.Equal([5], await socket.AskAsync([13, 0, 0, 0, 0]));
        Assert.Equal([5], await socket.AskAsync([255]));
        Assert.Equal([12, 0, 0, 0, 0], await socket.AskAsync([11]));
    }

    [Fact]
    public async Task IdentitySocket_WithOne_PassesEverythingOn()
    {
        string folder = Directory.CreateTempSubdirectory("si").FullName;
        string real = Path.Combine(folder, "real.sock");
        using Process daemon = Process.Start(new ProcessStartInfo("ssh-agent") { ArgumentList = { "-D", "-a", real }, RedirectStandardOutput = true })!;
        try
        {
            await Wait.ForSocketAsync(real);
            string key = await Tool.KeyAsync(folder, "user");
            Assert.Equal(0, (await SshAddAsync(real, key)).ExitCode);
            await using var agent = new TestAgent { IdentityAgent = real };
            await agent.StartAsync();
            var listed = await SshAddAsync(agent.Folder.IdentitySocket, "-l");
            Assert.Equal(0, listed.ExitCode);
            Assert.Contains("user", listed.Output);

            // -T signs and verifies: a large request and its answer go through.
            Assert.Equal(0, (await SshAddAsync(agent.Folder.IdentitySocket, "-T", key + ".pub")).ExitCode);

            // Gone while the agent lives: an answer all the same, from then on an empty one.
            await using AgentSocket open = await AgentSocket.ConnectAsync(agent.Folder.IdentitySocket);
            Assert.NotEqual([12, 0, 0, 0, 0], await open.AskAsync([11]));
            daemon.Kill();
            await daemon.WaitForExitAsync();
            Assert.Equal([12, 0, 0, 0, 0], await open.AskAsync([11]));
            Assert.Equal(1, (await SshAddAsync(agent.Folder.IdentitySocket, "-l")).ExitCode);

            // Another login's agent is taken now, as the one before is gone; a third is not, while that lives.
            string second = Path.Combine(folder, "second.sock");
            using Process next = Process.Start(new ProcessStartInfo("ssh-agent") { ArgumentList = { "-D", "-a", second }, RedirectStandardOutput = true })!;
            await Wait.ForSocketAsync(second);
            Assert.Equal(0, (await SshAddAsync(second, key)).ExitCode);
            var client = new Control.AgentClient(agent.Folder);
            Assert.True(await client.OfferIdentityAgentAsync(second, CancellationToken.None));
            Assert.Equal(0, (await SshAddAsync(agent.Folder.IdentitySocket, "-l")).ExitCode);
            Assert.True(await client.OfferIdentityAgentAsync(Path.Combine(folder, "third.sock"), CancellationToken.None));
            Assert.Equal(0, (await SshAddAsync(agent.Folder.IdentitySocket, "-l")).ExitCode);
            next.Kill();
        }
        finally
        {
            daemon.Kill();
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task IdentitySocket_NamedAsItsOwnAgent_DoesNotAskItself()
    {
        await using var agent = new TestAgent();
        await agent.StartAsync();
        string own = agent.Folder.IdentitySocket;
        await agent.StopAsync();
        var relay = new Sockets.IdentityRelay(own, agent.Folder);
        Assert.False(relay.HasUpstream);
    }

    /// <summary>An agent that was stopped (SIGSTOP) accepts no connection: ssh's login must not hang on it.</summary>
    [Fact]
    public async Task IdentitySocket_WithAFrozenAgent_ConnectsOrGivesUp()
    {
        string folder = Directory.CreateTempSubdirectory("si").FullName;
        string path = Path.Combine(folder, "full.sock");
        using var full = new System.Net.Sockets.Socket(System.Net.Sockets.AddressFamily.Unix, System.Net.Sockets.SocketType.Stream, System.Net.Sockets.ProtocolType.Unspecified);
        full.Bind(new System.Net.Sockets.UnixDomainSocketEndPoint(path));
        full.Listen(0);
        using var first = await AgentSocket.RawAsync(path);
        await using var agent = new TestAgent { IdentityAgent = path };
        await agent.StartAsync();
        await using AgentSocket socket = await AgentSocket.ConnectAsync(agent.Folder.IdentitySocket);
        Assert.Equal([12, 0, 0, 0, 0], await socket.AskAsync([11]));
        Directory.Delete(folder, recursive: true);
    }

    private static Task<(int ExitCode, string Output, string Error)> SshAddAsync(string socket, params string[] arguments) =>
        Tool.RunAsync("ssh-add", arguments, new Dictionary<string, string?> { ["SSH_AUTH_SOCK"] = socket });
}
