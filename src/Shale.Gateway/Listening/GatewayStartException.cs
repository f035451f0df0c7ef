namespace Shale.Gateway.Listening;

/// <summary>A gateway that can't start: what is wrong, and what to do.</summary>
public sealed class GatewayStartException(string message, string hint, Exception? cause = null) : IOException(message, cause)
{
    /// <summary>What to do.</summary>
    public string Hint { get; } = hint;
}
