using System.Text.Json;
using System.Text.Json.Nodes;

namespace Shale.Chain.Rpc;

/// <summary>Reads what nodes answer into records; false for whatever is not what it should be.</summary>
internal static class RpcModels
{
    // EVMs allow four (LOG4).
    private const int MostTopics = 4;

    internal static bool TryReadBlock(JsonElement element, out BlockHeader? block)
    {
        block = null;
        if (element.ValueKind == JsonValueKind.Null)
        {
            return true;
        }

        if (element.ValueKind != JsonValueKind.Object
            || !Quantity.Field(element, "number", out ulong number) || !Quantity.Field(element, "hash", out Bytes32 hash) || !Quantity.Field(element, "parentHash", out Bytes32 parent)
            || !Quantity.Field(element, "timestamp", out ulong timestamp) || !Quantity.Field(element, "gasLimit", out ulong gasLimit))
        {
            return false;
        }

        UInt128? baseFee = null;
        if (Quantity.Has(element, "baseFeePerGas"))
        {
            if (!Quantity.Field(element, "baseFeePerGas", out UInt128 fee))
            {
                return false;
            }

            baseFee = fee;
        }

        block = new BlockHeader(number, hash, parent, timestamp, gasLimit, baseFee);
        return true;
    }

    internal static bool TryReadReceipt(JsonElement element, out TransactionReceipt? receipt)
    {
        receipt = null;
        if (element.ValueKind == JsonValueKind.Null)
        {
            return true;
        }

        if (element.ValueKind != JsonValueKind.Object)
        {
            return false;
        }

        // Some nodes give a receipt without a block while the transaction waits.
        if (!Quantity.Has(element, "blockNumber") || !Quantity.Has(element, "blockHash"))
        {
            return true;
        }

        if (!Quantity.Field(element, "transactionHash", out Bytes32 hash) || !Quantity.Field(element, "blockNumber", out ulong number) || !Quantity.Field(element, "blockHash", out Bytes32 blockHash)
            || !Quantity.Field(element, "transactionIndex", out ulong index) || !Quantity.Field(element, "status", out ulong status) || status > 1
            || !Quantity.Field(element, "gasUsed", out ulong gasUsed) || !Quantity.Field(element, "from", out Address from)
            || !element.TryGetProperty("logs", out var list) || !TryReadLogs(list, out var logs))
        {
            return false;
        }

        _ = Quantity.Field(element, "effectiveGasPrice", out UInt128 price);
        Address? contract = null;
        if (Quantity.Has(element, "contractAddress"))
        {
            if (!Quantity.Field(element, "contractAddress", out Address created))
            {
                return false;
            }

            contract = created.IsZero ? null : created;
        }

        receipt = new TransactionReceipt(hash, number, blockHash, index, status == 1, gasUsed, price, from, contract, logs!);
        return true;
    }

    internal static bool TryReadLogs(JsonElement element, out IReadOnlyList<LogEntry>? logs)
    {
        logs = null;
        if (element.ValueKind != JsonValueKind.Array)
        {
            return false;
        }

        var list = new List<LogEntry>(element.GetArrayLength());
        foreach (var item in element.EnumerateArray())
        {
            if (!TryReadLog(item, out var log))
            {
                return false;
            }

            list.Add(log!);
        }

        logs = list;
        return true;
    }

    internal static bool TryReadTransaction(JsonElement element, out TransactionInfo? transaction)
    {
        transaction = null;
        if (element.ValueKind == JsonValueKind.Null)
        {
            return true;
        }

        if (element.ValueKind != JsonValueKind.Object || !Quantity.Field(element, "hash", out Bytes32 hash) || !Quantity.Field(element, "from", out Address from) || !Quantity.Field(element, "nonce", out ulong nonce))
        {
            return false;
        }

        ulong? block = null;
        if (Quantity.Has(element, "blockNumber"))
        {
            if (!Quantity.Field(element, "blockNumber", out ulong number))
            {
                return false;
            }

            block = number;
        }

        byte[] input = [];
        if (Quantity.Has(element, "input") && !Quantity.TryRead(element.GetProperty("input"), out input))
        {
            return false;
        }

        transaction = new TransactionInfo(hash, from, nonce, block) { Input = input };
        return true;
    }

    internal static JsonObject ToJson(LogFilter filter)
    {
        var json = new JsonObject { ["address"] = new JsonArray([.. filter.Addresses.Select(a => (JsonNode)a.ToString().ToLowerInvariant())]) };
        if (filter.BlockHash is { } hash)
        {
            json["blockHash"] = hash.ToString();
        }
        else
        {
            json["fromBlock"] = Quantity.Of(filter.FromBlock);
            json["toBlock"] = Quantity.Of(filter.ToBlock);
        }

        if (filter.Topics.Count > 0)
        {
            json["topics"] = new JsonArray([.. filter.Topics.Select(t => t is null or { Count: 0 } ? null : (JsonNode)new JsonArray([.. t.Select(v => (JsonNode)v.ToString())]))]);
        }

        return json;
    }

    /// <summary>Whether a log is one that was asked for: a node that answers something else is not believed.</summary>
    internal static bool Matches(LogFilter filter, LogEntry log)
    {
        if (!filter.Addresses.Contains(log.Address) || (filter.BlockHash is { } hash ? log.BlockHash != hash : log.BlockNumber < filter.FromBlock || log.BlockNumber > filter.ToBlock))
        {
            return false;
        }

        for (var i = 0; i < filter.Topics.Count; i++)
        {
            if (filter.Topics[i] is { Count: > 0 } values && (i >= log.Topics.Count || !values.Contains(log.Topics[i])))
            {
                return false;
            }
        }

        return true;
    }

    private static bool TryReadLog(JsonElement element, out LogEntry? log)
    {
        log = null;
        if (element.ValueKind != JsonValueKind.Object
            || !Quantity.Field(element, "address", out Address address) || !Quantity.Field(element, "data", out byte[] data)
            || !Quantity.Field(element, "blockNumber", out ulong number) || !Quantity.Field(element, "blockHash", out Bytes32 blockHash)
            || !Quantity.Field(element, "transactionHash", out Bytes32 transaction) || !Quantity.Field(element, "transactionIndex", out ulong transactionIndex)
            || !Quantity.Field(element, "logIndex", out ulong logIndex)
            || !element.TryGetProperty("topics", out var list) || list.ValueKind != JsonValueKind.Array || list.GetArrayLength() > MostTopics)
        {
            return false;
        }

        var topics = new Bytes32[list.GetArrayLength()];
        for (var i = 0; i < topics.Length; i++)
        {
            if (!Quantity.TryRead(list[i], out topics[i]))
            {
                return false;
            }
        }

        var removed = element.TryGetProperty("removed", out var flag) && flag.ValueKind == JsonValueKind.True;
        log = new LogEntry(address, topics, data, number, blockHash, transaction, transactionIndex, logIndex, removed);
        return true;
    }
}
