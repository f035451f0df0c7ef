using Shale.Data.Cids;

namespace Shale.Data.UnixFs;

/// <summary>What decides that a directory is written as a HAMT.</summary>
public enum ShardingRule
{
    /// <summary>More entries than the threshold.</summary>
    Entries,

    /// <summary>More bytes of names and CIDs than the threshold.</summary>
    LinkBytes,

    /// <summary>A block longer than the threshold.</summary>
    BlockBytes,
}

/// <summary>
/// How files become blocks. The same tree has another CID under another preset, so a data set's manifest names its preset.
/// </summary>
/// <param name="Name">The name on the command line.</param>
/// <param name="CidVersion">0 or 1.</param>
/// <param name="RawLeaves">Whether a file's bytes stand in raw blocks, or in dag-pb ones.</param>
/// <param name="ChunkLength">How many bytes of a file a leaf has.</param>
/// <param name="MaxLinks">How many links a node of a file has at most.</param>
/// <param name="Sharding">What <paramref name="ShardingThreshold"/> counts.</param>
/// <param name="ShardingThreshold">A directory with more than this becomes a HAMT.</param>
public sealed record ImportPreset(string Name, int CidVersion, bool RawLeaves, int ChunkLength, int MaxLinks, ShardingRule Sharding, long ShardingThreshold)
{
    /// <summary>How many slots a HAMT's nodes have under every preset here.</summary>
    public const int Fanout = 256;

    /// <summary>IPIP-499's profile of 2015: what <c>ipfs add</c> does without options.</summary>
    public static ImportPreset UnixFsV0 { get; } = new("unixfs-v0-2015", 0, false, 256 << 10, 174, ShardingRule.LinkBytes, 256 << 10);

    /// <summary>What <c>ipfs add --cid-version=1</c> did before profiles: the same chunks and widths, leaves raw.</summary>
    public static ImportPreset KuboV1 { get; } = new("kubo-v1", 1, true, 256 << 10, 174, ShardingRule.LinkBytes, 256 << 10);

    /// <summary>IPIP-499's profile of 2025, the default here: chunks of a mebibyte, 1024 links.</summary>
    public static ImportPreset UnixFsV1 { get; } = new("unixfs-v1-2025", 1, true, 1 << 20, 1024, ShardingRule.BlockBytes, 256 << 10);

    /// <summary>What <c>ipfs-car pack</c> does: files as in <see cref="UnixFsV1"/>, directories of more than 1000 entries sharded.</summary>
    public static ImportPreset IpfsCar { get; } = new("ipfs-car", 1, true, 1 << 20, 1024, ShardingRule.Entries, 1000);

    /// <summary>All of them.</summary>
    public static IReadOnlyList<ImportPreset> All { get; } = [UnixFsV1, UnixFsV0, KuboV1, IpfsCar];

    /// <summary>A CID as long as every root under this preset, to stand in a CAR's header until the root is known.</summary>
    public Cid RootPlaceholder => Cid.Create(CidVersion, Codec.DagPb, MultihashCode.Sha256, new byte[32]);

    /// <summary>Finds a preset; <c>kubo-v0</c> and <c>kubo</c> are other names for the profiles of 2015 and 2025.</summary>
    /// <param name="name">The name.</param>
    /// <returns>The preset, or null.</returns>
    public static ImportPreset? Find(string name) => name switch
    {
        "kubo-v0" => UnixFsV0,
        "kubo" => UnixFsV1,
        _ => All.FirstOrDefault(p => p.Name == name),
    };
}
