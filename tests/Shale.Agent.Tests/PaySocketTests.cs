using System.Diagnostics;
using System.Net.Sockets;
using System.Security.Cryptography;
using Shale.Agent.Control;
using Shale.Agent.Files;
using Shale.Agent.Tests.Support;
using Shale.Payments.Channel;
using Shale.Payments.Vouchers;

namespace Shale.Agent.Tests;

/// <summary>What a gateway can and can't do with the socket that ssh forwards to it.</summary>
[System.Diagnostics.CodeAnalysis.SuppressMessage("Design", "CA1001", Justification = "xunit calls DisposeAsync.")]
public sealed class PaySocketTests : IAsyncLifetime
{
    private readonly TestAgent _agent = new();
    private readonly byte[] _session = RandomNumberGenerator.GetBytes(32);
    private GatewayDouble _gateway = null!;

    public async Task InitializeAsync()
    {
        _gateway = await GatewayDouble.CreateAsync(_agent.Directory);
        await _agent.StartAsync(_agent.Lease(_gateway));
    }

    public async Task DisposeAsync()
    {
        await _gateway.DisposeAsync();
        await _agent.DisposeAsync();
    }

    [Fact]
    public void Sockets_AndTheirFolders_AreTheirOwnersAlone()
    {
        foreach (string path in new[] { _agent.Folder.Root, _agent.Folder.Leases, _agent.Folder.Lease(42), _agent.Folder.Vouchers })
        {
            Assert.Equal("700", Convert.ToString((int)File.GetUnixFileMode(path), 8));
        }

        foreach (string path in new[] { _agent.Folder.PaySocket(42), _agent.Folder.IdentitySocket, _agent.Folder.ControlSocket, _agent.Folder.KnownHosts, _agent.Folder.SshConfig, _agent.Folder.LeaseFile(42) })
        {
            Assert.Equal("600", Convert.ToString((int)File.GetUnixFileMode(path), 8));
        }
    }

    /// <summary>Every number of draft-ietf-sshm-ssh-agent, the old protocol's, and none of it: SSH_AGENT_FAILURE, from the same connection, at once.</summary>
    [Fact]
    public async Task IdentityRequests_OfEveryKind_AreAnsweredWithFailure()
    {
        await using AgentSocket socket = await AgentSocket.ConnectAsync(_agent.Folder.PaySocket(42));
        var watch = Stopwatch.StartNew();
        for (int type = 0; type < 256; type++)
        {
            Assert.Equal([5], await socket.AskAsync([(byte)type]));
            Assert.Equal([5], await socket.AskAsync([(byte)type, 0, 0, 0, 4, 1, 2, 3, 4]));
        }

        // 512 answers one after the other: none of them waited for anything.
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(120), watch.Elapsed.ToString());
        await socket.BindAsync(_gateway.Bind(_session));
        Assert.Equal([5], await socket.AskAsync([11]));
    }

    [Fact]
    public async Task SshAdd_OnThePaySocket_ListsAddsAndLocksNothing()
    {
        string key = await Tool.KeyAsync(_agent.Directory, "user");
        var environment = new Dictionary<string, string?> { ["SSH_AUTH_SOCK"] = _agent.Folder.PaySocket(42) };
        foreach (string[] arguments in new[] { ["-l"], [key], ["-D"], ["-T", key + ".pub"], new[] { "-d", key + ".pub" } })
        {
            var result = await Tool.RunAsync("ssh-add", arguments, environment);
            Assert.NotEqual(0, result.ExitCode);
            Assert.DoesNotContain("SHA256", result.Output);
        }
    }

    [Fact]
    public async Task Charge_OfTheLeasesOwnHost_IsSigned()
    {
        await using AgentSocket socket = await GreetedAsync();
        _agent.Clock.Advance(5);
        var answer = await socket.ChargeAsync(_gateway.Charge(0, 1));
        SignedVoucher voucher = Assert.IsType<PaymentMessage>(answer.Payment).Voucher;
        Assert.True(voucher.Verify(_agent.PayerKey, _gateway.Domain));
        Assert.Equal(AttoFil.Cost(GatewayDouble.Price, 15_000), voucher.Voucher.Cumulative);
        LeaseView view = Assert.Single(_agent.Agent.Status().Leases);
        Assert.Equal((LeaseState.Paying, voucher.Voucher.Cumulative.ToString()), (view.State, view.Authorised));
    }

    [Theory]
    [InlineData("ecdsa")]
    [InlineData("rsa")]
    public async Task Bind_OfOtherKeyTypes_IsVerified(string type)
    {
        await using GatewayDouble gateway = await GatewayDouble.CreateAsync(_agent.Directory, type);
        LeaseBook.Write(_agent.Folder, _agent.Lease(gateway, id: 43));
        await _agent.Agent.ReloadAsync(CancellationToken.None);
        await using AgentSocket socket = await AgentSocket.ConnectAsync(_agent.Folder.PaySocket(43));
        await socket.BindAsync(gateway.Bind(_session));
        Assert.NotNull((await socket.HelloAsync(gateway.Hello(43))).Welcome);
    }

    [Fact]
    public async Task Hello_OfAnotherHost_IsRefused()
    {
        await using GatewayDouble other = await GatewayDouble.CreateAsync(_agent.Directory);
        await using AgentSocket socket = await AgentSocket.ConnectAsync(_agent.Folder.PaySocket(42));
        await socket.BindAsync(other.Bind(_session));
        Assert.Equal(RefusalReason.WrongHost, (await socket.HelloAsync(_gateway.Hello())).Reason);
        await AssertUnpaidAsync(socket);
    }

    [Fact]
    public async Task Bind_WithAnothersSignature_FailsAndLeavesTheConnectionUnpayable()
    {
        await using GatewayDouble other = await GatewayDouble.CreateAsync(_agent.Directory);
        byte[] forged = AgentSocket.Bind(
            _gateway.HostKey.PublicKey.Blob.Span, _session, other.HostKey.Sign(other.HostKey.SignatureAlgorithms[0], _session), forwarding: true);
        await using AgentSocket socket = await AgentSocket.ConnectAsync(_agent.Folder.PaySocket(42));
        Assert.Equal([5], await socket.AskAsync(forged));

        // Nor does the good one afterwards help.
        Assert.Equal([5], await socket.AskAsync(_gateway.Bind(_session)));
        Assert.Equal(RefusalReason.WrongHost, (await socket.HelloAsync(_gateway.Hello())).Reason);
        await AssertUnpaidAsync(socket);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(40)]
    [InlineData(90)]
    [InlineData(-1)]
    public async Task Bind_WithAFlippedBit_Fails(int position)
    {
        byte[] bind = _gateway.Bind(_session);

        // Behind the extension's name: the bytes of key, session and signature. The last byte is the flag.
        int at = position < 0 ? bind.Length - 1 : 1 + 4 + "session-bind@openssh.com".Length + 4 + position;
        bind[at] ^= 1;
        await using AgentSocket socket = await AgentSocket.ConnectAsync(_agent.Folder.PaySocket(42));
        Assert.Equal([5], await socket.AskAsync(bind));
        await AssertUnpaidAsync(socket);
    }

    /// <summary>A malicious host speaks through its own channel, whose bind the client sent first; then it replays one that it captured.</summary>
    [Fact]
    public async Task Bind_ReplayedBehindTheClientsOwn_LeavesTheConnectionUnpayable()
    {
        await using GatewayDouble thief = await GatewayDouble.CreateAsync(_agent.Directory);
        byte[] captured = _gateway.Bind(_session);
        await using AgentSocket socket = await AgentSocket.ConnectAsync(_agent.Folder.PaySocket(42));
        await socket.BindAsync(thief.Bind(RandomNumberGenerator.GetBytes(32)));
        Assert.Equal([5], await socket.AskAsync(captured));
        Assert.Equal(RefusalReason.WrongHost, (await socket.HelloAsync(_gateway.Hello())).Reason);
        await AssertUnpaidAsync(socket);
    }

    /// <summary>ssh -A through a first machine: that machine's ssh client sends a second, perfectly good bind.</summary>
    [Fact]
    public async Task Bind_OfANestedForward_LeavesTheConnectionUnpayable()
    {
        await using AgentSocket socket = await AgentSocket.ConnectAsync(_agent.Folder.PaySocket(42));
        await socket.BindAsync(_gateway.Bind(_session));
        Assert.Equal([5], await socket.AskAsync(_gateway.Bind(RandomNumberGenerator.GetBytes(32))));
        await AssertUnpaidAsync(socket);
    }

    [Fact]
    public async Task Bind_AfterTheHello_EndsPayment()
    {
        await using AgentSocket socket = await GreetedAsync();
        Assert.Equal([5], await socket.AskAsync(_gateway.Bind(RandomNumberGenerator.GetBytes(32))));
        await AssertUnpaidAsync(socket);
    }

    [Fact]
    public async Task Bind_ForAuthenticationOnly_IsNoGateway()
    {
        await using AgentSocket socket = await AgentSocket.ConnectAsync(_agent.Folder.PaySocket(42));
        Assert.Equal([5], await socket.AskAsync(_gateway.Bind(_session, forwarding: false)));
        await AssertUnpaidAsync(socket);
    }

    [Fact]
    public async Task Hello_WithoutABind_IsRefusedUntilTheUserAllowsIt()
    {
        await using (AgentSocket socket = await AgentSocket.ConnectAsync(_agent.Folder.PaySocket(42)))
        {
            var answer = await socket.HelloAsync(_gateway.Hello());
            Assert.Equal(RefusalReason.WrongHost, answer.Reason);
            Assert.Contains("--allow-unbound=42", answer.Refusal!.Value.Text);
            await AssertUnpaidAsync(socket);
        }

        await _agent.SetPolicyAsync(p => p with { AllowUnbound = [42] });
        await using AgentSocket allowed = await AgentSocket.ConnectAsync(_agent.Folder.PaySocket(42));
        Assert.NotNull((await allowed.HelloAsync(_gateway.Hello())).Welcome);
    }

    [Fact]
    public async Task Hello_ForAnotherLease_IsRefused()
    {
        LeaseBook.Write(_agent.Folder, _agent.Lease(_gateway, id: 43));
        await _agent.Agent.ReloadAsync(CancellationToken.None);
        await using AgentSocket socket = await AgentSocket.ConnectAsync(_agent.Folder.PaySocket(42));
        await socket.BindAsync(_gateway.Bind(_session));
        Assert.Equal(RefusalReason.UnknownLease, (await socket.HelloAsync(_gateway.Hello(43))).Reason);
        await AssertUnpaidAsync(socket, 43);
    }

    [Fact]
    public async Task Charge_WithAnotherLeasesStatement_IsRefused()
    {
        LeaseBook.Write(_agent.Folder, _agent.Lease(_gateway, id: 43));
        await _agent.Agent.ReloadAsync(CancellationToken.None);
        await using AgentSocket socket = await GreetedAsync();
        Assert.Equal(RefusalReason.UnknownLease, (await socket.ChargeAsync(_gateway.Charge(0, 1, lease: 43))).Reason);
    }

    /// <summary>An hour is claimed after five seconds: the voucher is for those, the window and two seconds of slack.</summary>
    [Fact]
    public async Task Charge_ForMoreTimeThanPassed_IsCut()
    {
        await using AgentSocket socket = await GreetedAsync();
        Assert.NotNull((await socket.ChargeAsync(_gateway.Charge(0, 1))).Payment);
        _agent.Clock.Advance(5);
        SignedVoucher voucher = (await socket.ChargeAsync(_gateway.Charge(3_600_000, 2))).Payment!.Value.Voucher;
        Assert.Equal(AttoFil.Cost(GatewayDouble.Price, 5_000 + 15_000 + 2_000), voucher.Voucher.Cumulative);

        // Asking again at the same instant brings nothing, however often.
        for (ulong sequence = 3; sequence < 20; sequence++)
        {
            var answer = await socket.ChargeAsync(_gateway.Charge(3_600_000, sequence));
            Assert.True(answer.Payment is null || answer.Payment.Value.Voucher.Voucher.Cumulative <= voucher.Voucher.Cumulative + AttoFil.Cost(GatewayDouble.Price, 2_000));
        }
    }

    [Fact]
    public async Task Charge_AfterANightOffline_IsNotForThatNight()
    {
        await using AgentSocket socket = await GreetedAsync();
        Assert.NotNull((await socket.ChargeAsync(_gateway.Charge(0, 1))).Payment);
        _agent.Clock.Advance(8 * 3600);
        SignedVoucher voucher = (await socket.ChargeAsync(_gateway.Charge(8 * 3_600_000, 2))).Payment!.Value.Voucher;

        // window + grace at most since the last voucher; then the window and the slack.
        Assert.Equal(AttoFil.Cost(GatewayDouble.Price, 25_000 + 15_000 + 2_000), voucher.Voucher.Cumulative);
    }

    [Fact]
    public async Task Charge_Backwards_IsRefused()
    {
        await using AgentSocket socket = await GreetedAsync();
        Assert.NotNull((await socket.ChargeAsync(_gateway.Charge(0, 5))).Payment);
        _agent.Clock.Advance(5);
        Assert.Equal(RefusalReason.Backwards, (await socket.ChargeAsync(_gateway.Charge(5_000, 6, asked: AttoFil.Create(1)))).Reason);
        Assert.Equal(RefusalReason.Backwards, (await socket.ChargeAsync(_gateway.Charge(5_000, 5))).Reason);
        Assert.Equal(RefusalReason.Backwards, (await socket.ChargeAsync(_gateway.Charge(5_000, 4))).Reason);
    }

    [Fact]
    public async Task Charge_AfterARestartOfTheAgent_CannotGoBackwards()
    {
        await using (AgentSocket socket = await GreetedAsync())
        {
            Assert.NotNull((await socket.ChargeAsync(_gateway.Charge(0, 5))).Payment);
        }

        await _agent.StopAsync();
        await _agent.StartAsync();
        await using AgentSocket again = await GreetedAsync();
        Assert.Equal(RefusalReason.Backwards, (await again.ChargeAsync(_gateway.Charge(0, 5))).Reason);
        Assert.Equal(AttoFil.Cost(GatewayDouble.Price, 15_000).ToString(), Assert.Single(_agent.Agent.Status().Leases).Authorised);
    }

    [Fact]
    public async Task Charge_WhileTheUserStopped_IsRefusedOnOpenConnectionsToo()
    {
        await using AgentSocket socket = await GreetedAsync();
        await _agent.SetPolicyAsync(p => p with { Stopped = [42] });
        Assert.Equal(RefusalReason.StoppedByUser, (await socket.ChargeAsync(_gateway.Charge(0, 1))).Reason);
        Assert.Equal(LeaseState.Stopped, Assert.Single(_agent.Agent.Status().Leases).State);
        await _agent.SetPolicyAsync(p => p with { Stopped = [] });
        Assert.NotNull((await socket.ChargeAsync(_gateway.Charge(0, 2))).Payment);
    }

    [Fact]
    public async Task Charge_AboveABudget_IsCutAndThenRefused()
    {
        AttoFil tenSeconds = AttoFil.Cost(GatewayDouble.Price, 10_000);
        await _agent.SetPolicyAsync(p => p with { DayBudget = tenSeconds.ToString() });
        await using AgentSocket socket = await GreetedAsync();
        Assert.Equal(tenSeconds, (await socket.ChargeAsync(_gateway.Charge(0, 1))).Payment!.Value.Voucher.Voucher.Cumulative);
        _agent.Clock.Advance(5);
        Assert.Equal(RefusalReason.OverBudget, (await socket.ChargeAsync(_gateway.Charge(5_000, 2))).Reason);
        Assert.Equal(LeaseState.Refused, Assert.Single(_agent.Agent.Status().Leases).State);
    }

    /// <summary>What another lease cost today counts, after a restart too.</summary>
    [Fact]
    public async Task DayBudget_AfterARestart_CountsAllLeases()
    {
        LeaseBook.Write(_agent.Folder, _agent.Lease(_gateway, id: 43));
        AttoFil window = AttoFil.Cost(GatewayDouble.Price, 15_000);
        await _agent.SetPolicyAsync(p => p with { DayBudget = window.ToString() });
        await using (AgentSocket socket = await GreetedAsync())
        {
            Assert.Equal(window, (await socket.ChargeAsync(_gateway.Charge(0, 1))).Payment!.Value.Voucher.Voucher.Cumulative);
        }

        await _agent.StopAsync();
        await _agent.StartAsync();
        await using AgentSocket other = await GreetedAsync(43);
        Assert.Equal(RefusalReason.OverBudget, (await other.ChargeAsync(_gateway.Charge(0, 1, lease: 43))).Reason);
    }

    [Fact]
    public async Task Hello_AboveTheUsersPrice_IsRefused()
    {
        await _agent.SetPolicyAsync(p => p with { MaxPricePerSecond = (GatewayDouble.Price.Value - 1).ToString() });
        await using AgentSocket socket = await AgentSocket.ConnectAsync(_agent.Folder.PaySocket(42));
        await socket.BindAsync(_gateway.Bind(_session));
        Assert.Equal(RefusalReason.WrongTerms, (await socket.HelloAsync(_gateway.Hello())).Reason);
    }

    [Fact]
    public async Task Hello_WithAPriceThatIsNotTheLeases_IsRefused()
    {
        await using AgentSocket socket = await AgentSocket.ConnectAsync(_agent.Folder.PaySocket(42));
        await socket.BindAsync(_gateway.Bind(_session));
        Assert.Equal(RefusalReason.WrongTerms, (await socket.HelloAsync(_gateway.Hello() with { PricePerSecond = AttoFil.Create(GatewayDouble.Price.Value * 2) })).Reason);
    }

    [Fact]
    public async Task Lease_OfAnotherPaymentKey_IsNotPaidAndSaid()
    {
        LeaseFile lease = _agent.Lease(_gateway, id: 44);
        LeaseBook.Write(_agent.Folder, lease with { Payment = lease.Payment! with { PayerKey = new string('a', 64) } });
        await _agent.Agent.ReloadAsync(CancellationToken.None);
        Assert.Contains("another payment key", Assert.Single(_agent.Agent.Status().Problems));
        await using AgentSocket socket = await AgentSocket.ConnectAsync(_agent.Folder.PaySocket(44));
        await socket.BindAsync(_gateway.Bind(_session));
        Assert.Equal(RefusalReason.UnknownLease, (await socket.HelloAsync(_gateway.Hello(44))).Reason);
    }

    [Fact]
    public async Task Reload_WithAPolicyThatCantBeRead_KeepsTheOneBefore()
    {
        await _agent.SetPolicyAsync(p => p with { Stopped = [42] });
        await File.WriteAllTextAsync(_agent.Folder.PolicyFile, """{"version":1,"stoped":[]}""");
        await Assert.ThrowsAsync<AgentException>(() => new AgentClient(_agent.Folder).ReloadAsync(CancellationToken.None));
        await using AgentSocket socket = await GreetedAsync();
        Assert.Equal(RefusalReason.StoppedByUser, (await socket.ChargeAsync(_gateway.Charge(0, 1))).Reason);
        await _agent.StopAsync();
        await Assert.ThrowsAsync<AgentException>(() => _agent.StartAsync());
    }

    [Theory]
    [InlineData(new byte[] { 0, 0, 0, 0 })]
    [InlineData(new byte[] { 0xFF, 0xFF, 0xFF, 0xFF })]
    [InlineData(new byte[] { 0, 1, 0, 0, 27 })]
    public async Task Frame_OfNoOrTooManyBytes_ClosesItsConnectionOnly(byte[] bytes)
    {
        await using AgentSocket good = await GreetedAsync();
        using Socket bad = await AgentSocket.RawAsync(_agent.Folder.PaySocket(42));
        await bad.SendAsync(bytes);
        using var timeout = new CancellationTokenSource(AgentSocket.AtOnce);
        Assert.Equal(0, await bad.ReceiveAsync(new byte[1], timeout.Token));
        Assert.NotNull((await good.ChargeAsync(_gateway.Charge(0, 1))).Payment);
    }

    /// <summary>ssh reads the agent's answers blocking: connections that stall, and more of them than are served, must not delay another.</summary>
    [Fact]
    public async Task Answers_BesideStalledConnections_StillComeAtOnce()
    {
        var stalled = new List<Socket>();
        try
        {
            for (int i = 0; i < 200; i++)
            {
                Socket socket = await AgentSocket.RawAsync(_agent.Folder.PaySocket(42));
                await socket.SendAsync(new byte[] { 0, 0, 1, 0, 27 });
                stalled.Add(socket);
            }

            await using AgentSocket live = await GreetedAsync();
            Assert.NotNull((await live.ChargeAsync(_gateway.Charge(0, 1))).Payment);

            // Past the bound a connection is closed, which ssh notices, rather than left to wait.
            for (int i = 0; i < 100; i++)
            {
                stalled.Add(await AgentSocket.RawAsync(_agent.Folder.PaySocket(42)));
            }

            using var timeout = new CancellationTokenSource(AgentSocket.AtOnce);
            Assert.Equal(0, await stalled[^1].ReceiveAsync(new byte[1], timeout.Token));
        }
        finally
        {
            stalled.ForEach(s => s.Dispose());
        }
    }

    private async Task<AgentSocket> GreetedAsync(ulong lease = 42)
    {
        AgentSocket socket = await AgentSocket.ConnectAsync(_agent.Folder.PaySocket(lease));
        await socket.BindAsync(_gateway.Bind(RandomNumberGenerator.GetBytes(32)));
        Assert.NotNull((await socket.HelloAsync(_gateway.Hello(lease))).Welcome);
        return socket;
    }

    private async Task AssertUnpaidAsync(AgentSocket socket, ulong lease = 42)
    {
        _ = await socket.HelloAsync(_gateway.Hello(lease));
        _agent.Clock.Advance(5);
        var answer = await socket.ChargeAsync(_gateway.Charge(0, 1, lease: lease));
        Assert.NotNull(answer.Reason);
        Assert.Null(answer.Payment);
        Assert.All(_agent.Agent.Status().Leases, l => Assert.Equal("0", l.Authorised));
    }
}
