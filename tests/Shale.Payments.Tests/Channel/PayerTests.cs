using System.Security.Cryptography;
using Shale.Payments.Channel;
using Shale.Payments.Policy;
using Shale.Payments.Tests.Support;
using Shale.Payments.Vouchers;
using Shale.Wire;
using Xunit;

namespace Shale.Payments.Tests.Channel;

/// <summary>Both ends over both carriers, and what either does with a malicious other end.</summary>
public sealed class PayerTests : IAsyncDisposable
{
    private static readonly TimeSpan Short = TimeSpan.FromMilliseconds(300);
    private readonly LeaseFixture _lease = new();
    private readonly CancellationTokenSource _end = new();
    private readonly FrameConnection _gatewayEnd;
    private readonly FrameConnection _agentEnd;

    public PayerTests() => (_gatewayEnd, _agentEnd) = DuplexPipe.Create();

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        _end.Dispose();
        _lease.Dispose();
        await _gatewayEnd.DisposeAsync();
        await _agentEnd.DisposeAsync();
    }

    [Fact]
    public async Task CarrierA_BindHelloChargeNoticeProbe_AllAnswered()
    {
        Task serving = ServeAgent();
        AssertAnswer(await Raw(Bind(_lease.HostKey)), AgentProtocol.Success);
        var payer = PayerClient.OverAgentChannel(_gatewayEnd, TimeProvider.System);
        await Use(payer);
        await payer.DisposeAsync();
        await serving.WaitAsync(TimeSpan.FromSeconds(120));
    }

    [Fact]
    public async Task CarrierB_NonceSignedByTheHostKey_AllAnswered()
    {
        Task serving = ServeSubsystem();
        var payer = PayerClient.OverSubsystem(_gatewayEnd, _lease.HostKey, TimeProvider.System);
        await Use(payer);
        await payer.DisposeAsync();
        await serving.WaitAsync(TimeSpan.FromSeconds(120));
    }

    [Fact]
    public async Task CarrierB_OtherHostKey_IsRefused()
    {
        _ = ServeSubsystem();
        var payer = PayerClient.OverSubsystem(_gatewayEnd, new TestHostKey(), TimeProvider.System);
        PayerAnswer<WelcomeMessage> answer = await payer.HelloAsync(_lease.Hello(), default);
        Assert.Equal((PayerStatus.Refused, RefusalReason.WrongHost), (answer.Status, answer.Refusal.Reason));
    }

    [Fact]
    public async Task CarrierB_SignatureOfAnotherNonceOrHello_IsRefused()
    {
        // A signature replayed from another connection of the same gateway, and one over another hello.
        foreach (bool otherNonce in new[] { true, false })
        {
            (FrameConnection gateway, FrameConnection agent) = DuplexPipe.Create();
            _ = new PayerServer(42, _lease.Policy, new TestHostKey.Verifier()).ServeSubsystemAsync(agent, _end.Token);
            (_, byte[] body) = await gateway.ReadAsync(1024, default);
            Assert.True(OpenMessage.TryRead(body, out OpenMessage open));
            HelloMessage hello = _lease.Hello() with { HostKey = _lease.HostKey.HostKey };
            byte[] signed = otherNonce ? hello.SignedData(RandomNumberGenerator.GetBytes(32)) : (hello with { WindowMilliseconds = 1 }).SignedData(open.Nonce.Span);
            await gateway.WriteAsync(LeaseFixture.Encode((hello with { HostSignature = _lease.HostKey.Sign(signed) }).Write), default);
            (_, byte[] answer) = await gateway.ReadAsync(4096, default);
            Assert.True(RefusalMessage.TryRead(answer, out RefusalMessage refusal));
            Assert.Equal(RefusalReason.WrongHost, refusal.Reason);
        }
    }

    [Fact]
    public async Task CarrierA_NoBind_IsRefused()
    {
        _ = ServeAgent();
        await AssertHelloRefused(RefusalReason.WrongHost);
    }

    [Fact]
    public async Task CarrierA_BindOfAnotherHost_IsRefused()
    {
        _ = ServeAgent();
        AssertAnswer(await Raw(Bind(new TestHostKey())), AgentProtocol.Success);
        await AssertHelloRefused(RefusalReason.WrongHost);
    }

    [Fact]
    public async Task CarrierA_ReplayedBindAfterTheClients_MakesItUnpayable()
    {
        // The client's own bind names the malicious host; that host then replays one that it captured at the right host.
        _ = ServeAgent();
        await Raw(Bind(new TestHostKey()));
        AssertAnswer(await Raw(Bind(_lease.HostKey)), AgentProtocol.Failure);
        await AssertHelloRefused(RefusalReason.WrongHost);
    }

    [Fact]
    public async Task CarrierA_SecondBindAfterTheHello_TakesTheLeaseAway()
    {
        _ = ServeAgent();
        await Raw(Bind(_lease.HostKey));
        var payer = PayerClient.OverAgentChannel(_gatewayEnd, TimeProvider.System);
        Assert.Equal(PayerStatus.Answered, (await payer.HelloAsync(_lease.Hello(), default)).Status);
        AssertAnswer(await Raw(Bind(_lease.HostKey)), AgentProtocol.Failure);
        PayerAnswer<PaymentMessage> answer = await payer.ChargeAsync(_lease.Charge(0, 1), default);
        Assert.Equal((PayerStatus.Refused, RefusalReason.WrongHost), (answer.Status, answer.Refusal.Reason));
    }

    [Theory]
    [InlineData("signature")]
    [InlineData("session")]
    [InlineData("not forwarding")]
    [InlineData("trailing")]
    [InlineData("empty")]
    public async Task CarrierA_BadBind_IsRefusedAndUnpayable(string kind)
    {
        _ = ServeAgent();
        byte[] bind = kind switch
        {
            "signature" => Bind(_lease.HostKey, signer: new TestHostKey()),
            "session" => Bind(_lease.HostKey, signedSession: new byte[32]),
            "not forwarding" => Bind(_lease.HostKey, forwarding: 0),
            "trailing" => [.. Bind(_lease.HostKey), 0],
            _ => Bind(_lease.HostKey)[..29],
        };
        AssertAnswer(await Raw(bind), AgentProtocol.Failure);
        await AssertHelloRefused(RefusalReason.WrongHost);
    }

    [Fact]
    public async Task CarrierA_EveryOtherAgentRequest_FailsAtOnce()
    {
        // Identities (11), sign (13), add (17, 25), remove (18, 19), smartcard (20, 26), lock (22, 23), an unknown extension, none at all.
        _ = ServeAgent();
        for (int type = 0; type < 256; type++)
        {
            AssertAnswer(await Raw([(byte)type]), AgentProtocol.Failure);
            AssertAnswer(await Raw([(byte)type, 0, 0, 0, 0]), AgentProtocol.Failure);
        }

        AssertAnswer(await Raw(Extension("query", [])), AgentProtocol.Failure);
        AssertAnswer(await Raw(Extension(PaymentProtocol.Name, [])), AgentProtocol.ExtensionFailure);
    }

    [Fact]
    public async Task Charge_BeforeTheHello_IsRefused()
    {
        _ = ServeAgent();
        await Raw(Bind(_lease.HostKey));
        var payer = PayerClient.OverAgentChannel(_gatewayEnd, TimeProvider.System);
        PayerAnswer<PaymentMessage> answer = await payer.ChargeAsync(_lease.Charge(0, 1), default);
        Assert.Equal((PayerStatus.Refused, RefusalReason.Protocol), (answer.Status, answer.Refusal.Reason));
        Assert.Null(_lease.Journal.Newest);
    }

    [Fact]
    public async Task Hello_Twice_EndsPayment()
    {
        _ = ServeAgent();
        await Raw(Bind(_lease.HostKey));
        byte[] hello = Extension(PaymentProtocol.Name, LeaseFixture.Encode(_lease.Hello().Write));
        AssertAnswer((await Raw(hello))[..2], AgentProtocol.Success, (byte)PaymentMessageType.Welcome);
        AssertAnswer((await Raw(hello))[..2], AgentProtocol.Success, (byte)PaymentMessageType.Refusal);
        byte[] charge = Extension(PaymentProtocol.Name, LeaseFixture.Encode(_lease.Charge(0, 1).Write));
        AssertAnswer((await Raw(charge))[..2], AgentProtocol.Success, (byte)PaymentMessageType.Refusal);
    }

    [Fact]
    public async Task Hello_OfANewerGateway_SaysWhoHasToUpdate()
    {
        _ = ServeAgent();
        await Raw(Bind(_lease.HostKey));

        // A hello of version 2 that this agent can't read beyond its first nine bytes.
        byte[] body = [(byte)PaymentMessageType.Hello, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3];
        byte[] answer = await Raw(Extension(PaymentProtocol.Name, body));
        Assert.True(RefusalMessage.TryRead(answer.AsSpan(1), out RefusalMessage refusal));
        Assert.Equal(RefusalReason.Version, refusal.Reason);
        Assert.Contains("update shale on this machine", refusal.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Hello_OfAGatewayThatAlsoSpeaksNewer_AgreesOnTheCommonVersion()
    {
        _ = ServeAgent();
        await Raw(Bind(_lease.HostKey));
        var payer = PayerClient.OverAgentChannel(_gatewayEnd, TimeProvider.System);
        PayerAnswer<WelcomeMessage> answer = await payer.HelloAsync(_lease.Hello() with { NewestVersion = 9 }, default);
        Assert.Equal(1u, answer.Message.Version);
    }

    [Theory]
    [InlineData("mute", PayerStatus.Silent)]
    [InlineData("gone", PayerStatus.Gone)]
    [InlineData("torn", PayerStatus.Gone)]
    [InlineData("huge", PayerStatus.Malformed)]
    [InlineData("empty", PayerStatus.Malformed)]
    [InlineData("garbage", PayerStatus.Malformed)]
    [InlineData("wrong type", PayerStatus.Malformed)]
    [InlineData("failure", PayerStatus.NotSpoken)]
    [InlineData("extension failure", PayerStatus.NotSpoken)]
    [InlineData("refusal", PayerStatus.Refused)]
    public async Task PayerClient_BadAgent_IsToldApartAndBrokenUnlessItRefused(string kind, PayerStatus expected)
    {
        // Only silence is waited out; the others answer, and a slow machine may take its time.
        var payer = PayerClient.OverAgentChannel(_gatewayEnd, TimeProvider.System, kind == "mute" ? Short : TimeSpan.FromMinutes(2));
        ValueTask<PayerAnswer<PaymentMessage>> asked = payer.ChargeAsync(_lease.Charge(0, 1), default);
        byte[] refusal = LeaseFixture.Encode(new RefusalMessage(RefusalReason.OverBudget, "No.").Write);
        switch (kind)
        {
            case "mute":
                break;
            case "gone":
                await _agentEnd.DisposeAsync();
                break;
            case "huge":
                // Only the length of the frame is on its way: it must not be waited for.
                await RawTo([0x7F, 0xFF, 0xFF, 0xFF]);
                break;
            case "torn":
                await RawTo([0, 0, 0, 9, 6]);
                await _agentEnd.DisposeAsync();
                break;
            case "empty":
                await RawTo([0, 0, 0, 0]);
                break;
            default:
                await _agentEnd.WriteAsync(kind switch
                {
                    "garbage" => new byte[] { AgentProtocol.Success, 99, 1, 2 },
                    "wrong type" => [AgentProtocol.Success, .. LeaseFixture.Encode(new WelcomeMessage(1, 0, 0, null).Write)],
                    "failure" => [AgentProtocol.Failure],
                    "extension failure" => [AgentProtocol.ExtensionFailure],
                    _ => [AgentProtocol.Success, .. refusal],
                }, default);
                break;
        }

        PayerAnswer<PaymentMessage> answer = await asked;
        Assert.Equal(expected, answer.Status);
        Assert.Equal(expected != PayerStatus.Refused, payer.IsBroken);
        Assert.NotEmpty(answer.Explain());
        if (payer.IsBroken)
        {
            Assert.Equal(PayerStatus.Gone, (await payer.ChargeAsync(_lease.Charge(0, 2), default)).Status);
        }
    }

    [Fact]
    public async Task PayerClient_AnswerThatComesLate_IsNotTakenForTheNext()
    {
        var payer = PayerClient.OverAgentChannel(_gatewayEnd, TimeProvider.System, Short);
        Assert.Equal(PayerStatus.Silent, (await payer.ChargeAsync(_lease.Charge(0, 1), default)).Status);
        await _agentEnd.WriteAsync(new byte[] { AgentProtocol.Success, (byte)PaymentMessageType.Acknowledgement }, default);
        Assert.Equal(PayerStatus.Gone, (await payer.NotifyAsync(NoticeMessage.Plain(NoticeKind.Paused, "", DateTimeOffset.UnixEpoch), default)).Status);
    }

    [Fact]
    public async Task PayerServer_FrameAboveTheBound_EndsTheConnection()
    {
        Task serving = ServeAgent();
        await RawTo([0, 0x10, 0, 0], fromGateway: true);
        await serving.WaitAsync(TimeSpan.FromSeconds(120));
    }

    private async Task Use(PayerClient payer)
    {
        Assert.Equal(PayerStatus.Answered, (await payer.HelloAsync(_lease.Hello(), default)).Status);
        for (ulong i = 0; i < 5; i++)
        {
            PayerAnswer<PaymentMessage> answer = await payer.ChargeAsync(_lease.Charge(5000 * i, i + 1), default);
            Assert.Equal(PayerStatus.Answered, answer.Status);
            Assert.Equal(AttoFil.Cost(LeaseFixture.Price, (5000 * i) + 15_000), answer.Message.Voucher.Voucher.Cumulative);
            _lease.Advance(5);
        }

        NoticeMessage notice = NoticeMessage.Plain(NoticeKind.Closing, "The provider goes down for repairs.", DateTimeOffset.UnixEpoch);
        Assert.Equal(PayerStatus.Answered, (await payer.NotifyAsync(notice, default)).Status);
        PayerAnswer<VerdictMessage> verdict = await payer.ProbeAsync(new ProbeMessage("disk", "{\"MBps\":400}"), default);
        Assert.Equal((PayerStatus.Answered, true), (verdict.Status, verdict.Message.Accepted));
        Assert.False(payer.IsBroken);
    }

    private async Task AssertHelloRefused(RefusalReason reason)
    {
        var payer = PayerClient.OverAgentChannel(_gatewayEnd, TimeProvider.System);
        PayerAnswer<WelcomeMessage> answer = await payer.HelloAsync(_lease.Hello(), default);
        Assert.Equal((PayerStatus.Refused, reason), (answer.Status, answer.Refusal.Reason));
        PayerAnswer<PaymentMessage> charge = await payer.ChargeAsync(_lease.Charge(0, 1), default);
        Assert.Equal(PayerStatus.Refused, charge.Status);
        Assert.Null(_lease.Journal.Newest);
    }

    private Task ServeAgent() => new PayerServer(42, _lease.Policy, new TestHostKey.Verifier()).ServeAgentSocketAsync(_agentEnd, _end.Token);

    private Task ServeSubsystem() => new PayerServer(42, _lease.Policy, new TestHostKey.Verifier()).ServeSubsystemAsync(_agentEnd, _end.Token);

    private static void AssertAnswer(byte[] answer, params byte[] expected) => Assert.Equal(expected, answer);

    private async Task<byte[]> Raw(byte[] message)
    {
        Assert.True(await _gatewayEnd.WriteAsync(message, default));
        (FrameStatus status, byte[] answer) = await _gatewayEnd.ReadAsync(AgentProtocol.MaxMessageSize, default);
        Assert.Equal(FrameStatus.Frame, status);
        return answer;
    }

    /// <summary>Bytes that are no frame of FrameConnection's making.</summary>
    private ValueTask RawTo(byte[] bytes, bool fromGateway = false) => (fromGateway ? _gatewayEnd : _agentEnd).WriteRawAsync(bytes);

    private static byte[] Extension(string name, byte[] content)
    {
        using var buffer = new PooledBufferWriter(AgentProtocol.MaxMessageSize);
        var writer = new WireWriter(buffer);
        writer.WriteByte(AgentProtocol.Extension);
        writer.WriteString(name);
        writer.WriteBytes(content);
        return buffer.WrittenSpan.ToArray();
    }

    private static byte[] Bind(TestHostKey host, TestHostKey? signer = null, byte[]? signedSession = null, byte forwarding = 1)
    {
        byte[] session = RandomNumberGenerator.GetBytes(32);
        using var buffer = new PooledBufferWriter(4096);
        var writer = new WireWriter(buffer);
        writer.WriteString(host.HostKey.Span);
        writer.WriteString(session);
        writer.WriteString((signer ?? host).Sign(signedSession ?? session));
        writer.WriteByte(forwarding);
        return Extension(AgentProtocol.SessionBindName, buffer.WrittenSpan.ToArray());
    }
}
