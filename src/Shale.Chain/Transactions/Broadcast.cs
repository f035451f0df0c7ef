using Shale.Chain.Rpc;

namespace Shale.Chain.Transactions;

/// <summary>What the nodes said to a signed transaction.</summary>
internal enum BroadcastResult
{
    /// <summary>At least one has it.</summary>
    Accepted,

    /// <summary>None answered: one may have it.</summary>
    Unknown,

    /// <summary>The nonce is used up, or another transaction waits with it.</summary>
    NonceTaken,

    /// <summary>They do not take it.</summary>
    Refused,
}

/// <summary>Hands signed bytes to every endpoint; the same bytes any number of times do no harm.</summary>
internal static class Broadcast
{
    // geth, Lotus, anvil, Nethermind, Erigon, Besu.
    private static readonly string[] Known = ["already known", "already imported", "known transaction", "already in mpool", "alreadyknown", "already exists", "already have"];
    private static readonly string[] Taken = ["nonce too low", "nonce is too low", "minimum expected nonce", "replacement transaction underpriced", "replace by fee", "underpriced to replace", "replacementnotallowed", "nonce already"];

    internal static async Task<(BroadcastResult Result, RpcFailure? Failure, string Tried)> SendAsync(ChainClient client, SignedTransaction signed, CancellationToken cancel)
    {
        var answers = await client.Rpc.AskAllAsync(RpcCall.Of("eth_sendRawTransaction", Quantity.Of(signed.Raw.Span)), cancel).ConfigureAwait(false);
        var failures = new List<(RpcEndpoint Endpoint, RpcFailure Failure)>();
        foreach (var (endpoint, answer) in answers)
        {
            if (answer.Failure is { } failure)
            {
                if (Contains(failure.Reason, Known))
                {
                    return (BroadcastResult.Accepted, null, "");
                }

                failures.Add((endpoint, failure));
            }
            else if (Quantity.TryRead(answer.Result, out Bytes32 hash) && hash == signed.Hash)
            {
                return (BroadcastResult.Accepted, null, "");
            }
            else
            {
                failures.Add((endpoint, RpcResponse.Malformed("it answered with another transaction's hash")));
            }
        }

        var tried = string.Join("; ", failures.Select(f => $"{f.Endpoint}: {f.Failure.Reason}"));
        if (failures.FirstOrDefault(f => Contains(f.Failure.Reason, Taken)) is { Failure: { } taken })
        {
            return (BroadcastResult.NonceTaken, taken, tried);
        }

        return failures.FirstOrDefault(f => !f.Failure.Retry) is { Failure: { } refused }
            ? (BroadcastResult.Refused, refused, tried)
            : (BroadcastResult.Unknown, failures[0].Failure, tried);
    }

    private static bool Contains(string text, string[] parts) => Array.Exists(parts, p => text.Contains(p, StringComparison.OrdinalIgnoreCase));
}
