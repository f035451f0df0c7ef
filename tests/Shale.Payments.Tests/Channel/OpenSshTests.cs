using System.Diagnostics;
using System.Net.Sockets;
using System.Security.Cryptography;
using Shale.Payments.Channel;
using Shale.Payments.Tests.Support;
using Shale.Payments.Vouchers;
using Xunit;

namespace Shale.Payments.Tests.Channel;

/// <summary>Both carriers through stock OpenSSH: its session-bind, its relay of unknown agent messages, its subsystem.</summary>
public sealed class OpenSshTests : IDisposable
{
    private readonly LeaseFixture _lease = new();
    private readonly CancellationTokenSource _end = new(TimeSpan.FromMinutes(2));

    public void Dispose()
    {
        _end.Cancel();
        _end.Dispose();
        _lease.Dispose();
    }

    [Fact]
    public async Task AgentChannel_OfAHostThatTheChainNames_IsBoundAndPaid()
    {
        await using SshdFixture sshd = await SshdFixture.StartAsync(_ => "AllowAgentForwarding yes");
        _lease.Facts = _lease.Facts! with { HostKeys = [SHA256.HashData(sshd.HostKeyBlob)] };
        using Process ssh = Connect(sshd);
        await using var payer = PayerClient.OverAgentChannel(Over(ssh), TimeProvider.System, TimeSpan.FromSeconds(100));
        await PayAsync(payer);
        ssh.Kill();
    }

    [Fact]
    public async Task AgentChannel_OfAnotherHost_IsRefused()
    {
        await using SshdFixture sshd = await SshdFixture.StartAsync(_ => "AllowAgentForwarding yes");
        using Process ssh = Connect(sshd);
        await using var payer = PayerClient.OverAgentChannel(Over(ssh), TimeProvider.System, TimeSpan.FromSeconds(100));
        PayerAnswer<WelcomeMessage> answer = await payer.HelloAsync(_lease.Hello(), _end.Token);
        Assert.Equal((PayerStatus.Refused, RefusalReason.WrongHost), (answer.Status, answer.Refusal.Reason));
        Assert.Contains("registered on chain", answer.Refusal.Text, StringComparison.Ordinal);
        ssh.Kill();
    }

    [Fact]
    public async Task AgentChannel_HostAsksForIdentities_GetsNone()
    {
        await using SshdFixture sshd = await SshdFixture.StartAsync(_ => "AllowAgentForwarding yes");
        using Process ssh = Start(sshd, "ssh-add -l; echo status $?");
        string output = await ssh.StandardOutput.ReadToEndAsync(_end.Token) + await ssh.StandardError.ReadToEndAsync(_end.Token);
        await ssh.WaitForExitAsync(_end.Token);
        Assert.Contains("status", output, StringComparison.Ordinal);
        Assert.DoesNotContain("SHA256:", output, StringComparison.Ordinal);
        Assert.DoesNotContain("status 0", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Subsystem_OverStockSsh_IsPaid()
    {
        // sshd hands the subsystem to the gateway of this test, through a socket.
        await using SshdFixture sshd = await SshdFixture.StartAsync(folder => $"Subsystem {PaymentProtocol.Name} /usr/bin/socat - UNIX-CONNECT:{folder}/gw");
        using Socket gateway = Listen(Path.Combine(sshd.Folder, "gw"));
        using Process ssh = sshd.Ssh(["-s"], PaymentProtocol.Name);
        Task serving = new PayerServer(42, _lease.Policy, new TestHostKey.Verifier()).ServeSubsystemAsync(Over(ssh), _end.Token);
        using Socket accepted = await gateway.AcceptAsync(_end.Token);
        await using var payer = PayerClient.OverSubsystem(
            FrameConnection.Over(new NetworkStream(accepted)), _lease.HostKey, TimeProvider.System, TimeSpan.FromSeconds(100));
        await PayAsync(payer);
        accepted.Close();
        await serving.WaitAsync(_end.Token);
        ssh.Kill();
    }

    private async Task PayAsync(PayerClient payer)
    {
        PayerAnswer<WelcomeMessage> welcome = await payer.HelloAsync(_lease.Hello(), _end.Token);
        Assert.True(welcome.Status == PayerStatus.Answered, welcome.Explain());
        for (ulong i = 0; i < 20; i++)
        {
            PayerAnswer<PaymentMessage> answer = await payer.ChargeAsync(_lease.Charge(5000 * i, i + 1), _end.Token);
            Assert.True(answer.Status == PayerStatus.Answered, answer.Explain());
            Assert.Equal(AttoFil.Cost(LeaseFixture.Price, (5000 * i) + 15_000), answer.Message.Voucher.Voucher.Cumulative);
            _lease.Advance(5);
        }
    }

    /// <summary>A shell at the host that hands its agent channel to ssh's standard streams, where this test is the gateway.</summary>
    private Process Connect(SshdFixture sshd) => Start(sshd, "exec socat - UNIX-CONNECT:\"$SSH_AUTH_SOCK\"");

    private Process Start(SshdFixture sshd, string command)
    {
        string pay = Path.Combine(sshd.Folder, "pay"), identities = Path.Combine(sshd.Folder, "id");
        _ = ServeAsync(Listen(pay), connection => new PayerServer(42, _lease.Policy, new TestHostKey.Verifier()).ServeAgentSocketAsync(connection, _end.Token));
        _ = ServeAsync(Listen(identities), ServeNoIdentitiesAsync);
        return sshd.Ssh(["-o", $"IdentityAgent={identities}", "-o", $"ForwardAgent={pay}"], command);
    }

    private async Task ServeAsync(Socket listener, Func<FrameConnection, Task> serve)
    {
        using (listener)
        {
            while (true)
            {
                Socket accepted = await listener.AcceptAsync(_end.Token);
                _ = serve(FrameConnection.Over(new NetworkStream(accepted, ownsSocket: true)));
            }
        }
    }

    private async Task ServeNoIdentitiesAsync(FrameConnection connection)
    {
        while (await connection.ReadAsync(AgentProtocol.MaxMessageSize, _end.Token) is (FrameStatus.Frame, var request))
        {
            byte[] answer = request[0] == 11 ? [12, 0, 0, 0, 0] : [AgentProtocol.Failure];
            await connection.WriteAsync(answer, _end.Token);
        }
    }

    private static Socket Listen(string path)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(path));
        socket.Listen();
        return socket;
    }

    private static FrameConnection Over(Process ssh) => FrameConnection.Over(ssh.StandardOutput.BaseStream, ssh.StandardInput.BaseStream);
}
