using System.Globalization;
using System.Text.Json.Nodes;

namespace Shale.Chain;

/// <summary>Which block a question is about: a number, a hash (EIP-1898), or one of JSON-RPC's tags.</summary>
public readonly record struct BlockTag
{
    private readonly string? _tag;
    private readonly ulong _number;
    private readonly Bytes32 _hash;
    private readonly byte _kind;

    private BlockTag(byte kind, string? tag, ulong number, Bytes32 hash)
    {
        _kind = kind;
        _tag = tag;
        _number = number;
        _hash = hash;
    }

    /// <summary>The newest block that the node knows.</summary>
    public static BlockTag Latest => default;

    /// <summary>The newest block with what waits in the node's pool on top.</summary>
    public static BlockTag Pending { get; } = new(1, "pending", 0, default);

    /// <summary>The newest block that is unlikely to be taken back.</summary>
    public static BlockTag Safe { get; } = new(1, "safe", 0, default);

    /// <summary>The newest block that is final.</summary>
    public static BlockTag Finalized { get; } = new(1, "finalized", 0, default);

    /// <summary>A block by number.</summary>
    /// <param name="number">The number; on Filecoin the epoch.</param>
    public static BlockTag At(ulong number) => new(2, null, number, default);

    /// <summary>A block by hash: the answer is about that very block or none.</summary>
    /// <param name="hash">The hash.</param>
    public static BlockTag At(Bytes32 hash) => new(3, null, 0, hash);

    internal bool IsHash => _kind == 3;

    internal Bytes32 Hash => _hash;

    /// <summary>What the tag is called in a message.</summary>
    public override string ToString() => _kind switch
    {
        2 => _number.ToString(CultureInfo.InvariantCulture),
        3 => _hash.ToString(),
        _ => _tag ?? "latest",
    };

    internal JsonNode ToJson() => _kind switch
    {
        2 => Rpc.Quantity.Of(_number),
        3 => new JsonObject { ["blockHash"] = _hash.ToString() },
        _ => _tag ?? "latest",
    };
}
