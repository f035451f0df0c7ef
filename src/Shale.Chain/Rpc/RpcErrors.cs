using System.Text.Json;

namespace Shale.Chain.Rpc;

/// <summary>
/// What a node's error means. JSON-RPC has few codes and nodes use them as they like, so most is in the words: those of geth, Lotus, anvil and of public gateways are known here.
/// What is not known is taken as final.
/// </summary>
internal static class RpcErrors
{
    // EIP-1474 and what gateways use.
    private const long ExecutionReverted = 3;
    private const long VmExecutionError = -32015;
    private const long NullRound = 12;
    private const long InternalError = -32603;
    private const long ResourceUnavailable = -32002;
    private const long LimitExceeded = -32005;

    private static readonly System.Buffers.SearchValues<char> HexDigits = System.Buffers.SearchValues.Create("0123456789abcdefABCDEF");

    private static readonly string[] TooOften = ["rate limit", "too many request", "request rate", "capacity", "requests per", "throttl", "quota"];
    private static readonly string[] TooMuch = ["range", "too many", "more than", "too large", "response size", "exceed", "maximum"];
    private static readonly string[] NotYet = ["header not found", "block not found", "unknown block", "future epoch", "future block", "cannot find tipset", "failed to get tipset", "beyond current head", "blockoutofrange", "block out of range"];
    private static readonly string[] Pruned = ["missing trie node", "pruned", "state not available", "historical state", "state is not available", "no state available", "archive", "lookback", "blockstore: block not found", "ipld: could not find"];
    private static readonly string[] TryAgain = ["try again", "timeout", "timed out", "temporarily", "unavailable", "busy", "overloaded", "connection re", "no healthy", "bad gateway", "syncing"];

    internal static RpcFailure Classify(string method, long code, string message, JsonElement data, Func<string, string> redact)
    {
        var reason = message.Length == 0 ? $"error {code}" : $"error {code}: {redact(message)}";
        if (code == NullRound || Contains(message, "null round"))
        {
            return new RpcFailure(ChainErrorKind.NullRound, false, reason);
        }

        var revert = FindData(data, 0);
        if (code is ExecutionReverted or VmExecutionError || Contains(message, "execution reverted") || Contains(message, "revert reason") || (revert is not null && Contains(message, "revert")))
        {
            return new RpcFailure(ChainErrorKind.Reverted, false, reason, revert ?? Array.Empty<byte>());
        }

        if (ContainsAny(message, TooOften))
        {
            return new RpcFailure(ChainErrorKind.Unreachable, true, reason);
        }

        if (Contains(message, "insufficient funds") || Contains(message, "not enough funds"))
        {
            return new RpcFailure(ChainErrorKind.InsufficientFunds, false, reason);
        }

        if (method == "eth_getLogs" && ContainsAny(message, TooMuch))
        {
            return new RpcFailure(ChainErrorKind.TooMuch, false, reason);
        }

        // Another endpoint may keep more, or be further.
        if (ContainsAny(message, Pruned))
        {
            return new RpcFailure(ChainErrorKind.Pruned, true, reason);
        }

        if (ContainsAny(message, NotYet))
        {
            return new RpcFailure(ChainErrorKind.NotFound, true, reason);
        }

        var again = code is ResourceUnavailable or LimitExceeded or InternalError || ContainsAny(message, TryAgain);
        return new RpcFailure(again ? ChainErrorKind.Unreachable : ChainErrorKind.Refused, again, reason);
    }

    /// <summary>Revert data: a string of digits, the same after a word (Parity), or one level down (Hardhat).</summary>
    private static byte[]? FindData(JsonElement data, int depth)
    {
        switch (data.ValueKind)
        {
            case JsonValueKind.String:
                var text = data.GetString()!;
                var start = text.IndexOf("0x", StringComparison.Ordinal);
                if (start < 0)
                {
                    return null;
                }

                var digits = text.AsSpan(start + 2);
                var length = digits.IndexOfAnyExcept(HexDigits);
                digits = length < 0 ? digits : digits[..length];
                return digits.Length % 2 == 0 ? Convert.FromHexString(digits) : null;
            case JsonValueKind.Object when depth < 2:
                return data.TryGetProperty("data", out var inner) ? FindData(inner, depth + 1) : null;
            default:
                return null;
        }
    }

    private static bool ContainsAny(string text, string[] parts) => Array.Exists(parts, part => Contains(text, part));

    private static bool Contains(string text, string part) => text.Contains(part, StringComparison.OrdinalIgnoreCase);
}
