using System.Buffers;
using System.Security.Cryptography;
using Shale.Wire;

namespace Shale.Payments.Channel;

/// <summary>
/// The agent's end of the payment protocol on one connection of one lease. Every request is answered at once, an unknown one
/// with a failure. The order that it enforces: who the gateway is, one hello, then charges, notices and probes.
/// </summary>
public sealed class PayerServer
{
    private readonly ulong _leaseId;
    private readonly IPayerPolicy _policy;
    private readonly IHostKeyVerifier _hostKeys;
    private GatewayIdentity? _identity = new GatewayIdentity.Unbound();
    private bool _bound;
    private bool _greeted;
    private IPayableLease? _lease;

    /// <summary>For one connection.</summary>
    public PayerServer(ulong leaseId, IPayerPolicy policy, IHostKeyVerifier hostKeys)
    {
        _leaseId = leaseId;
        _policy = policy;
        _hostKeys = hostKeys;
    }

    /// <summary>
    /// Carrier A: serves a connection to the lease's pay socket until it closes. Nothing of the agent protocol is answered but
    /// session-bind and the payment extension: no identity is listed, none signs.
    /// </summary>
    public async Task ServeAgentSocketAsync(FrameConnection connection, CancellationToken cancellation)
    {
        while (true)
        {
            (FrameStatus status, byte[] message) = await connection.ReadAsync(AgentProtocol.MaxMessageSize, cancellation);
            if (status != FrameStatus.Frame || !await connection.WriteAsync(AnswerAgentMessage(message), cancellation))
            {
                return;
            }
        }
    }

    /// <summary>
    /// Carrier B: sends a nonce, expects a hello that the gateway's host key signed with it, then serves until the stream closes.
    /// </summary>
    public async Task ServeSubsystemAsync(FrameConnection connection, CancellationToken cancellation)
    {
        byte[] nonce = RandomNumberGenerator.GetBytes(PaymentProtocol.NonceSize);
        if (!await connection.WriteAsync(Encode(new OpenMessage(nonce).Write), cancellation))
        {
            return;
        }

        while (true)
        {
            (FrameStatus status, byte[] body) = await connection.ReadAsync(PaymentProtocol.MaxBodySize, cancellation);
            if (status != FrameStatus.Frame)
            {
                return;
            }

            if (!_greeted && HelloMessage.TryRead(body, out HelloMessage hello))
            {
                _identity = _hostKeys.Verify(hello.HostKey.Span, hello.HostSignature.Span, hello.SignedData(nonce))
                    ? new GatewayIdentity.HostKey(hello.HostKey)
                    : null;
            }

            if (!await connection.WriteAsync(AnswerBody(body), cancellation))
            {
                return;
            }
        }
    }

    /// <summary>The answer to one agent message, for tests of the bytes alone too.</summary>
    internal byte[] AnswerAgentMessage(ReadOnlySpan<byte> message)
    {
        if (!AgentProtocol.TryReadExtension(message, out string? name, out ReadOnlySpan<byte> content))
        {
            return [AgentProtocol.Failure];
        }

        return name switch
        {
            AgentProtocol.SessionBindName => [Bind(content) ? AgentProtocol.Success : AgentProtocol.Failure],
            PaymentProtocol.Name when content.IsEmpty => [AgentProtocol.ExtensionFailure],
            PaymentProtocol.Name => [AgentProtocol.Success, .. AnswerBody(content)],
            _ => [AgentProtocol.Failure],
        };
    }

    /// <summary>
    /// The first bind counts. A second one, a bad one, one that is not for forwarding and one that comes after the hello leave
    /// the connection unpayable: a host can replay a bind that it captured elsewhere, but never before the client's own.
    /// </summary>
    private bool Bind(ReadOnlySpan<byte> content)
    {
        bool good = !_bound && !_greeted &&
            SessionBindMessage.TryRead(content, out SessionBindMessage bind) && bind.IsForwarding &&
            _hostKeys.Verify(bind.HostKey.Span, bind.Signature.Span, bind.SessionId.Span) &&
            SetIdentity(bind.HostKey);
        if (!good)
        {
            _identity = null;
            _lease = null;
        }

        _bound = true;
        return good;
    }

    private bool SetIdentity(ReadOnlyMemory<byte> hostKey)
    {
        _identity = new GatewayIdentity.HostKey(hostKey);
        return true;
    }

    private byte[] AnswerBody(ReadOnlySpan<byte> body)
    {
        switch ((PaymentMessageType)body[0])
        {
            case PaymentMessageType.Hello:
                return Hello(body);
            case PaymentMessageType.Charge when ChargeMessage.TryRead(body, out ChargeMessage charge):
                if (_lease is null)
                {
                    return NotPayable();
                }

                ChargeDecision decision = _lease.Charge(charge);
                return decision.Payment is { } payment ? Encode(payment.Write) : Encode(decision.Refusal.Write);
            case PaymentMessageType.Notice when NoticeMessage.TryRead(body, out NoticeMessage notice):
                _lease?.Notice(notice);
                return [(byte)PaymentMessageType.Acknowledgement];
            case PaymentMessageType.Probe when ProbeMessage.TryRead(body, out ProbeMessage probe):
                return _lease is null ? NotPayable() : Encode(_lease.Probe(probe).Write);
            default:
                return Refuse(RefusalReason.Protocol, "The gateway sent a message that this agent can't read.");
        }
    }

    private byte[] Hello(ReadOnlySpan<byte> body)
    {
        if (_greeted)
        {
            // One recovery a connection: a gateway that could begin again would try until something fits.
            _lease = null;
            return Refuse(RefusalReason.Protocol, "The gateway greeted twice.");
        }

        _greeted = true;
        if (!HelloMessage.TryReadVersions(body, out uint oldest, out uint newest))
        {
            return Refuse(RefusalReason.Protocol, "The gateway sent a message that this agent can't read.");
        }

        if (newest < PaymentProtocol.OldestVersion || oldest > PaymentProtocol.Version)
        {
            return Refuse(
                RefusalReason.Version,
                $"This agent speaks payment protocol {PaymentProtocol.OldestVersion} to {PaymentProtocol.Version}, the gateway {oldest} to {newest}: update {(newest < PaymentProtocol.OldestVersion ? "the gateway" : "shale on this machine")}.");
        }

        if (!HelloMessage.TryRead(body, out HelloMessage hello))
        {
            return Refuse(RefusalReason.Protocol, "The gateway sent a message that this agent can't read.");
        }

        if (_identity is null)
        {
            return Refuse(RefusalReason.WrongHost, "The gateway did not prove its host key.");
        }

        HelloDecision decision = _policy.Hello(_leaseId, hello, _identity);
        _lease = decision.Lease;
        return _lease is null ? Encode(decision.Refusal.Write) : Encode(decision.Welcome.Write);
    }

    private byte[] NotPayable() => Refuse(
        _identity is null ? RefusalReason.WrongHost : RefusalReason.Protocol, "The gateway is not identified on this connection, or has not greeted.");

    private static byte[] Refuse(RefusalReason reason, string text) => Encode(new RefusalMessage(reason, text).Write);

    private static byte[] Encode(Action<IBufferWriter<byte>> write)
    {
        using var buffer = new PooledBufferWriter(PaymentProtocol.MaxBodySize);
        write(buffer);
        return buffer.WrittenSpan.ToArray();
    }
}
