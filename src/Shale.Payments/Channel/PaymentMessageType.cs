namespace Shale.Payments.Channel;

/// <summary>The first byte of a body (docs/PROTOCOL.payment.md, section 4).</summary>
public enum PaymentMessageType : byte
{
    /// <summary>Gateway: who it is, what the lease costs, where it stands.</summary>
    Hello = 1,

    /// <summary>Agent: the version, and where it stands itself.</summary>
    Welcome = 2,

    /// <summary>Gateway: asks for a voucher.</summary>
    Charge = 3,

    /// <summary>Agent: the voucher.</summary>
    Payment = 4,

    /// <summary>Agent: no, and why.</summary>
    Refusal = 5,

    /// <summary>Gateway: paused, resumed, closing or settled.</summary>
    Notice = 6,

    /// <summary>Agent: read.</summary>
    Acknowledgement = 7,

    /// <summary>Gateway: the result of a quality probe that the agent asked for.</summary>
    Probe = 8,

    /// <summary>Agent: its verdict on the result.</summary>
    Verdict = 9,

    /// <summary>Agent, on carrier B only, before anything else: its nonce.</summary>
    Open = 10,
}

/// <summary>Why an agent does not pay. A value that a reader does not know counts as <see cref="Other"/>.</summary>
public enum RefusalReason : uint
{
    /// <summary>See the text.</summary>
    Other = 0,

    /// <summary>No protocol version is common to both.</summary>
    Version = 1,

    /// <summary>The agent can't tell which gateway it talks to, or it isn't the lease's.</summary>
    WrongHost = 2,

    /// <summary>The agent doesn't know the lease, or it is not to pay for it.</summary>
    UnknownLease = 3,

    /// <summary>Price, chain, contract or provider are not what the chain says, or the price is above the user's limit.</summary>
    WrongTerms = 4,

    /// <summary>The budget of the lease, of the day or the deposit is used up.</summary>
    OverBudget = 5,

    /// <summary>More time is claimed than has passed.</summary>
    TooFast = 6,

    /// <summary>Less is asked than was signed before, or the statement goes backwards.</summary>
    Backwards = 7,

    /// <summary>Quality was not as promised.</summary>
    Quality = 8,

    /// <summary>The user stopped paying.</summary>
    StoppedByUser = 9,

    /// <summary>The gateway's log contradicts what it showed before.</summary>
    LogContradiction = 10,

    /// <summary>The agent can't write its own record.</summary>
    RecordFailure = 11,

    /// <summary>The message is malformed or not allowed now.</summary>
    Protocol = 12,

    /// <summary>The charge's proof does not start at the checkpoint that the agent last accepted; the refusal names that.</summary>
    StaleCheckpoint = 13,
}
