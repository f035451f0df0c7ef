namespace Shale.Chain.Networks;

/// <summary>Why a network can't be used: one sentence, and what to do next.</summary>
public sealed class NetworkException : Exception
{
    /// <summary>With a sentence and a hint.</summary>
    public NetworkException(string message, string? hint = null, Exception? cause = null)
        : base(message, cause) => Hint = hint;

    /// <summary>What to do next; null where the sentence says it.</summary>
    public string? Hint { get; }
}
