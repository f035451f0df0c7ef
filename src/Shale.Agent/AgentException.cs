namespace Shale.Agent;

/// <summary>Why the agent can't do what its user asked: one sentence, and what to do next.</summary>
public sealed class AgentException : Exception
{
    /// <summary>With a sentence and a hint.</summary>
    public AgentException(string message, string? hint = null)
        : base(message) => Hint = hint;

    /// <summary>What to do next; null where the sentence says it.</summary>
    public string? Hint { get; }
}
