namespace Shale.Payments.Channel;

/// <summary>
/// Whoever pays for a lease on one connection, whatever carries the messages. One request at a time; the answer's bytes have
/// been checked for form, its voucher's signature has not.
/// </summary>
public interface IPayer : IAsyncDisposable
{
    /// <summary>True when no further answer can be had: the channel is gone, or an answer came late or malformed.</summary>
    bool IsBroken { get; }

    /// <summary>Says what the lease costs and where it stands; once, first.</summary>
    /// <param name="hello">The hello; host key and signature are filled in here where the carrier needs them.</param>
    /// <param name="cancellation">Ends the wait and breaks the payer.</param>
    ValueTask<PayerAnswer<WelcomeMessage>> HelloAsync(HelloMessage hello, CancellationToken cancellation);

    /// <summary>Asks for a voucher.</summary>
    ValueTask<PayerAnswer<PaymentMessage>> ChargeAsync(ChargeMessage charge, CancellationToken cancellation);

    /// <summary>Tells something.</summary>
    ValueTask<PayerAnswer<NoticeMessage>> NotifyAsync(NoticeMessage notice, CancellationToken cancellation);

    /// <summary>Hands over a probe's result.</summary>
    ValueTask<PayerAnswer<VerdictMessage>> ProbeAsync(ProbeMessage probe, CancellationToken cancellation);
}

/// <summary>How a payer answered.</summary>
public enum PayerStatus
{
    /// <summary>With what was asked.</summary>
    Answered,

    /// <summary>With a refusal.</summary>
    Refused,

    /// <summary>Not in time.</summary>
    Silent,

    /// <summary>With something that is no answer.</summary>
    Malformed,

    /// <summary>The agent at the other end doesn't know this extension.</summary>
    NotSpoken,

    /// <summary>The channel is gone.</summary>
    Gone,
}

/// <summary>An answer.</summary>
/// <typeparam name="T">What was asked for.</typeparam>
/// <param name="Status">How it went.</param>
/// <param name="Message">The answer, for <see cref="PayerStatus.Answered"/>.</param>
/// <param name="Refusal">The refusal, for <see cref="PayerStatus.Refused"/>.</param>
public readonly record struct PayerAnswer<T>(PayerStatus Status, T Message, RefusalMessage Refusal)
{
    /// <summary>One line for the user on why nothing was paid.</summary>
    public string Explain() => Status switch
    {
        PayerStatus.Answered => "The agent answered.",
        PayerStatus.Refused => Refusal.Text.Length > 0 ? $"The payment agent refused: {Refusal.Text}" : $"The payment agent refused ({Refusal.Reason}).",
        PayerStatus.Silent => "The payment agent did not answer in time.",
        PayerStatus.Malformed => "The payment agent sent a malformed answer; its version may be too old.",
        PayerStatus.NotSpoken => "The agent on this connection does not speak pay@shaleprotocol.com; connect with 'shale ssh' or run 'shale agent'.",
        _ => "The payment agent is gone.",
    };
}
