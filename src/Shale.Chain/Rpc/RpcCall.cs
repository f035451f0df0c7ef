using System.Text.Json;
using System.Text.Json.Nodes;

namespace Shale.Chain.Rpc;

/// <summary>A request: a method and its parameters.</summary>
internal sealed record RpcCall(string Method, JsonArray Parameters)
{
    internal static RpcCall Of(string method, params JsonNode?[] parameters) => new(method, new JsonArray(parameters));
}

/// <summary>Why a request got no result. The text is redacted and says nothing about which endpoint.</summary>
internal sealed record RpcFailure(ChainErrorKind Kind, bool Retry, string Reason, ReadOnlyMemory<byte>? RevertData = null)
{
    /// <summary>How long the node asked us to wait.</summary>
    internal TimeSpan? RetryAfter { get; init; }
}

/// <summary>A result, or why there is none.</summary>
internal readonly record struct RpcAnswer(JsonElement Result, RpcFailure? Failure)
{
    internal static RpcAnswer Of(RpcFailure failure) => new(default, failure);
}
