namespace Shale.Chain.Accounts;

/// <summary>Why a wallet or a network can't be used: one sentence without secrets, and what to do next.</summary>
public sealed class WalletException : Exception
{
    /// <summary>With a sentence and a hint.</summary>
    public WalletException(string message, string? hint = null, Exception? cause = null)
        : base(message, cause) => Hint = hint;

    /// <summary>What to do next; null where the sentence says it.</summary>
    public string? Hint { get; }
}
