using System.Diagnostics;
using System.Globalization;
using Shale.Agent.Control;
using Shale.Agent.Files;
using Shale.Agent.Tests.Support;
using Shale.Payments.Channel;
using Shale.Payments.Metering;
using Shale.Payments.Vouchers;

namespace Shale.Agent.Tests;

/// <summary>The agent behind OpenSSH's own client: to a gateway on our SSH server, and to OpenSSH's server as a stranger to payment.</summary>
public sealed class OpenSshTests
{
    /// <summary>Carrier A, the whole of it: stock ssh, its session-bind, vouchers that the gateway verifies and records; and nothing of the user's identities.</summary>
    [Fact]
    public async Task Ssh_WithTheWrittenConfiguration_PaysBesideItsCommand()
    {
        await using var agent = new TestAgent { UsesRealClock = true };
        await using GatewayDouble gateway = await GatewayDouble.CreateAsync(agent.Directory);
        await using SshGateway server = (await SshGateway.StartAsync(gateway)).For(agent.PayerKey);
        await agent.StartAsync(agent.Lease(gateway, server.Port));
        var result = await SshAsync(agent, "pay 5");
        Assert.True(result.ExitCode == 0, result.Output + result.Error);
        Assert.Equal("", result.Error);
        MeterState metered = gateway.Meter.Snapshot();
        AttoFil authorised = metered.Authorised;
        Assert.True(authorised >= AttoFil.Cost(GatewayDouble.Price, 15_000));

        // The command ended beside the payments: what was signed last may not have reached the gateway, and is no more than its meter counts.
        Assert.True(AttoFil.TryParse(Assert.Single(agent.Agent.Status().Leases).Authorised, out AttoFil signed));
        Assert.True(signed >= authorised && signed <= AttoFil.Cost(GatewayDouble.Price, metered.ActiveMilliseconds + 15_000), $"{signed} {authorised} {metered}");
        Assert.NotEmpty(server.IdentityAnswers);
        Assert.All(server.IdentityAnswers, answer => Assert.Equal([5], answer));
    }

    /// <summary>A gateway with another key than the lease's is not even reached by ssh; where its user insists, the agent still pays nothing.</summary>
    [Fact]
    public async Task Ssh_ToAnotherHostKey_NeitherConnectsNorPays()
    {
        await using var agent = new TestAgent { UsesRealClock = true };
        await using GatewayDouble gateway = await GatewayDouble.CreateAsync(agent.Directory), honest = await GatewayDouble.CreateAsync(agent.Directory);
        await using SshGateway server = (await SshGateway.StartAsync(gateway)).For(agent.PayerKey);
        await agent.StartAsync(agent.Lease(honest, server.Port));
        var refused = await SshAsync(agent, "pay 1");
        Assert.Equal(255, refused.ExitCode);
        Assert.Contains("Host key verification failed", refused.Error);

        var insisted = await SshAsync(agent, "pay 1", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null");
        Assert.Equal(75, insisted.ExitCode);
        Assert.Contains("host's key", insisted.Output);
        Assert.Equal(AttoFil.Zero, gateway.Meter.Snapshot().Authorised);
        Assert.Equal("0", Assert.Single(agent.Agent.Status().Leases).Authorised);
    }

    /// <summary>Carrier B: kept without a shell, told of in the status, and again after the gateway was away.</summary>
    [Fact]
    public async Task Keep_OverStockSsh_PaysAndComesBackAfterTheGatewayWasAway()
    {
        await using var agent = new TestAgent { UsesRealClock = true, IdentityAgent = null };
        await using GatewayDouble gateway = await GatewayDouble.CreateAsync(agent.Directory);
        SshGateway server = (await SshGateway.StartAsync(gateway)).For(agent.PayerKey);
        int port = server.Port;
        await using var user = await UserAgentAsync(agent);
        await using var kept = await StartWithAsync(agent, user.Socket, agent.Lease(gateway, port));
        await agentPolicyAsync(agent, p => p with { Keep = [42] });
        await kept.ReloadAsync(CancellationToken.None);
        await Wait.UntilAsync(() => server.Paid >= 3, "three charges over the subsystem");
        Assert.True(server.Subsystems >= 1);
        await Wait.UntilAsync(() => Assert.Single(kept.Status().Leases) is { State: LeaseState.Paying, Keep: "connected" }, "the status to say so");
        AttoFil before = gateway.Meter.Snapshot().Authorised;
        await server.DisposeAsync();
        await Wait.UntilAsync(() => Assert.Single(kept.Status().Leases).Keep!.StartsWith("waiting", StringComparison.Ordinal), "the loss to be noticed");

        // Back, on another port, as after a move: the lease's file says where.
        await using SshGateway again = (await SshGateway.StartAsync(gateway)).For(agent.PayerKey);
        LeaseBook.Write(agent.Folder, agent.Lease(gateway, again.Port));
        await kept.ReloadAsync(CancellationToken.None);
        await Wait.UntilAsync(() => again.Paid >= 2, "charges after the return");
        Assert.True(gateway.Meter.Snapshot().Authorised > before);

        await agentPolicyAsync(agent, p => p with { Keep = [] });
        await kept.ReloadAsync(CancellationToken.None);
        Assert.Null(Assert.Single(kept.Status().Leases).Keep);
        await Wait.UntilAsync(() => again.Charging == 0, "its connection to end");
        int paid = again.Paid;
        await Task.Delay(600);
        Assert.Equal(paid, again.Paid);

        static Task agentPolicyAsync(TestAgent agent, Func<PolicyFile, PolicyFile> change) => PolicyFile.UpdateAsync(agent.Folder, change, CancellationToken.None);
    }

    /// <summary>OpenSSH's server, forwarded to as any machine is: its session-bind verifies, and its host is the only one that could be paid.</summary>
    [Fact]
    public async Task Sshd_ThatThePaySocketIsForwardedTo_SeesNoIdentityAndIsPaidOnlyAsTheLeasesHost()
    {
        await using var agent = new TestAgent { UsesRealClock = true };
        await using GatewayDouble gateway = await GatewayDouble.CreateAsync(agent.Directory), other = await GatewayDouble.CreateAsync(agent.Directory);
        string user = await Tool.KeyAsync(agent.Directory, "user");
        using RealSshd sshd = await RealSshd.StartAsync(agent.Directory, gateway.HostKeyFile, user);
        await agent.StartAsync(agent.Lease(gateway, sshd.Port), agent.Lease(other, sshd.Port, id: 43));

        var listed = await Tool.RunAsync("ssh", [.. Forwarding(agent, sshd, user, 42), "ssh-add -l; ssh-add -D; true"]);
        Assert.True(listed.ExitCode == 0, listed.Error);
        Assert.DoesNotContain("SHA256", listed.Output);

        await using (AgentSocket socket = await RemoteSocketAsync(agent, sshd, user, 42))
        {
            Assert.Equal([5], await socket.AskAsync([11]));
            Assert.NotNull((await socket.HelloAsync(gateway.Hello())).Welcome);
            Assert.NotNull((await socket.ChargeAsync(gateway.Charge(0, 1))).Payment);
        }

        await using (AgentSocket socket = await RemoteSocketAsync(agent, sshd, user, 43))
        {
            Assert.Equal(RefusalReason.WrongHost, (await socket.HelloAsync(gateway.Hello(43))).Reason);
        }
    }

    /// <summary>ssh -A through a machine in between, which forwards on: the second bind makes the channel unpayable, whoever stands at its end.</summary>
    [Fact]
    public async Task Sshd_ReachedThroughAnother_IsNotPaid()
    {
        await using var agent = new TestAgent { UsesRealClock = true };
        await using GatewayDouble middle = await GatewayDouble.CreateAsync(agent.Directory), gateway = await GatewayDouble.CreateAsync(agent.Directory);
        string user = await Tool.KeyAsync(agent.Directory, "user");
        using RealSshd first = await RealSshd.StartAsync(agent.Directory, middle.HostKeyFile, user), second = await RealSshd.StartAsync(agent.Directory, gateway.HostKeyFile, user);
        foreach (GatewayDouble registered in new[] { gateway, middle })
        {
            await agent.StartAsync(agent.Lease(registered, second.Port));
            string inner = $"exec ssh -F /dev/null -i {user} -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o ForwardAgent=yes -p {second.Port} 127.0.0.1 {Hold}";
            await using (AgentSocket socket = await RemoteSocketAsync(agent, first, user, 42, inner))
            {
                Assert.Equal(RefusalReason.WrongHost, (await socket.HelloAsync(gateway.Hello())).Reason);
            }

            Assert.Equal("0", Assert.Single(agent.Agent.Status().Leases).Authorised);
            await agent.StopAsync();
        }
    }

    /// <summary>
    /// A client's ssh must not freeze on its agent: while 200 stalled connections lie on the pay socket, ssh logs in, runs and
    /// ends as fast as anyone could wish.
    /// </summary>
    [Fact]
    public async Task Ssh_WhileTheAgentIsBesieged_DoesNotFreeze()
    {
        await using var agent = new TestAgent { UsesRealClock = true };
        await using GatewayDouble gateway = await GatewayDouble.CreateAsync(agent.Directory);
        await using SshGateway server = (await SshGateway.StartAsync(gateway)).For(agent.PayerKey);
        await agent.StartAsync(agent.Lease(gateway, server.Port));
        var stalled = new List<System.Net.Sockets.Socket>();
        for (int i = 0; i < 100; i++)
        {
            foreach (string path in new[] { agent.Folder.PaySocket(42), agent.Folder.IdentitySocket })
            {
                System.Net.Sockets.Socket socket = await AgentSocket.RawAsync(path);
                await socket.SendAsync(new byte[] { 0, 0, 0, 9, 27 });
                stalled.Add(socket);
            }
        }

        var watch = Stopwatch.StartNew();
        var result = await SshAsync(agent, "pay 2");
        Assert.True(result.ExitCode == 0, result.Output + result.Error);
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(120), watch.Elapsed.ToString());
        stalled.ForEach(s => s.Dispose());
    }

    // Says where its agent is and holds the connection open.
    private const string Hold = "'echo $SSH_AUTH_SOCK; exec sleep 600'";

    private static async Task<(int ExitCode, string Output, string Error)> SshAsync(TestAgent agent, string command, params string[] options)
    {
        string user = Path.Combine(agent.Directory, "user");
        if (!File.Exists(user))
        {
            await Tool.KeyAsync(agent.Directory, "user");
        }

        return await Tool.RunAsync(
            "ssh", ["-F", agent.Folder.HostsConfig, "-o", "BatchMode=yes", "-o", "LogLevel=ERROR", "-i", user, .. options, "lease-42", command],
            new Dictionary<string, string?> { ["SSH_AUTH_SOCK"] = null }, 180);
    }

    private static string[] Forwarding(TestAgent agent, RealSshd sshd, string user, ulong lease) =>
    [
        "-F", "/dev/null", "-i", user, "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
        "-o", "IdentityAgent=" + agent.Folder.IdentitySocket, "-o", "ForwardAgent=" + agent.Folder.PaySocket(lease), "-p", sshd.Port.ToString(), "127.0.0.1",
    ];

    /// <summary>A connection to the agent from the far side: the socket that sshd made for the session.</summary>
    private static async Task<AgentSocket> RemoteSocketAsync(TestAgent agent, RealSshd sshd, string user, ulong lease, string? command = null)
    {
        var start = new ProcessStartInfo("ssh") { RedirectStandardOutput = true };
        foreach (string argument in (string[])[.. Forwarding(agent, sshd, user, lease), command ?? "echo $SSH_AUTH_SOCK; exec sleep 600"])
        {
            start.ArgumentList.Add(argument);
        }

        // Ends with its server, which the test disposes.
        Process ssh = Process.Start(start)!;
        string path = await ssh.StandardOutput.ReadLineAsync() is { Length: > 0 } line ? line : throw new InvalidOperationException("sshd forwards no agent.");
        return await AgentSocket.ConnectAsync(path);
    }

    private static async Task<PaymentAgent> StartWithAsync(TestAgent agent, string identityAgent, LeaseFile lease)
    {
        LeaseBook.Write(agent.Folder, lease);
        return await PaymentAgent.StartAsync(
            new PaymentAgentOptions { Folder = agent.Folder, Key = new Bn254.BabyJubjub.EdDsaPrivateKey(TestAgent.Seed), IdentityAgent = identityAgent }, CancellationToken.None);
    }

    private static async Task<UserAgent> UserAgentAsync(TestAgent agent)
    {
        string socket = Path.Combine(agent.Directory, "user.sock");
        Process daemon = Process.Start(new ProcessStartInfo("ssh-agent") { ArgumentList = { "-D", "-a", socket }, RedirectStandardOutput = true })!;
        await Wait.ForSocketAsync(socket);
        string key = await Tool.KeyAsync(agent.Directory, "user");
        var added = await Tool.RunAsync("ssh-add", [key], new Dictionary<string, string?> { ["SSH_AUTH_SOCK"] = socket });
        Assert.True(added.ExitCode == 0, added.Error);
        return new UserAgent(daemon, socket);
    }

    private sealed record UserAgent(Process Daemon, string Socket) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            Daemon.Kill();
            await Daemon.WaitForExitAsync();
            Daemon.Dispose();
        }
    }
}
