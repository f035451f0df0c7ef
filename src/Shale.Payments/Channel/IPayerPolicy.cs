namespace Shale.Payments.Channel;

/// <summary>
/// What the agent decides. Everything is answered from memory and the agent's own disk: nothing here waits for a chain or a
/// person, since an agent that doesn't answer freezes its user's ssh.
/// </summary>
public interface IPayerPolicy
{
    /// <summary>Judges a hello.</summary>
    /// <param name="leaseId">The lease whose socket or stream this is.</param>
    /// <param name="hello">The hello; its version range includes one that this code speaks.</param>
    /// <param name="gateway">Who is at the other end, as far as it was proven.</param>
    HelloDecision Hello(ulong leaseId, in HelloMessage hello, GatewayIdentity gateway);
}

/// <summary>A lease that is payable on a connection: the gateway was identified and its hello accepted.</summary>
public interface IPayableLease
{
    /// <summary>Signs, or says why not. The voucher is durable when this returns.</summary>
    ChargeDecision Charge(in ChargeMessage charge);

    /// <summary>Takes note.</summary>
    void Notice(in NoticeMessage notice);

    /// <summary>Judges a probe's result.</summary>
    VerdictMessage Probe(in ProbeMessage probe);
}

/// <summary>What was proven about the gateway of a connection.</summary>
public abstract record GatewayIdentity
{
    private GatewayIdentity()
    {
    }

    /// <summary>It holds this host key.</summary>
    /// <param name="Blob">The public key blob.</param>
    public sealed record HostKey(ReadOnlyMemory<byte> Blob) : GatewayIdentity;

    /// <summary>Nothing: the client relays without session-bind (PuTTY, paramiko, asyncssh).</summary>
    public sealed record Unbound : GatewayIdentity;
}

/// <summary>The answer to a hello: a lease with its welcome, or a refusal.</summary>
public readonly record struct HelloDecision
{
    /// <summary>Accepted.</summary>
    public HelloDecision(IPayableLease lease, WelcomeMessage welcome) => (Lease, Welcome) = (lease, welcome);

    /// <summary>Refused.</summary>
    public HelloDecision(RefusalMessage refusal) => Refusal = refusal;

    /// <summary>Null where refused.</summary>
    public IPayableLease? Lease { get; }

    /// <summary>The welcome.</summary>
    public WelcomeMessage Welcome { get; }

    /// <summary>The refusal.</summary>
    public RefusalMessage Refusal { get; }
}

/// <summary>The answer to a charge: a payment, or a refusal.</summary>
/// <param name="Payment">Null where refused.</param>
/// <param name="Refusal">The refusal.</param>
public readonly record struct ChargeDecision(PaymentMessage? Payment, RefusalMessage Refusal)
{
    /// <summary>Refused.</summary>
    public static ChargeDecision Refuse(RefusalReason reason, string text) => new(null, new RefusalMessage(reason, text));
}
