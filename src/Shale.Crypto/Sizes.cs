using System.Runtime.CompilerServices;

namespace Shale.Crypto;

/// <summary>Argument checks: a wrong length is a bug of the caller, never something that a peer can cause.</summary>
internal static class Sizes
{
    internal static void Require(ReadOnlySpan<byte> value, int size, [CallerArgumentExpression(nameof(value))] string? name = null)
    {
        if (value.Length != size)
        {
            Throw(name, size, value.Length);
        }
    }

    private static void Throw(string? name, int size, int actual) =>
        throw new ArgumentException($"{size} bytes are needed, {actual} were given.", name);
}
