namespace Shale.Fuzz;

/// <summary>An input that made a parser throw.</summary>
public sealed class FuzzFindingException(string target, byte[] input, Exception cause)
    : Exception($"{target}: {cause.GetType().Name}: {cause.Message} on {Convert.ToHexString(input.AsSpan(0, Math.Min(input.Length, 512)))} ({input.Length} bytes)", cause)
{
    /// <summary>The input, to be kept in the target's corpus.</summary>
    public byte[] Input { get; } = input;
}
