namespace Shale.Data.Cids;

/// <summary>Codecs of the multicodec table (https://github.com/multiformats/multicodec) that data sets and pieces use.</summary>
public static class Codec
{
    /// <summary>Bytes without structure.</summary>
    public const ulong Raw = 0x55;

    /// <summary>MerkleDAG protobuf: UnixFS stands on it.</summary>
    public const ulong DagPb = 0x70;

    /// <summary>CBOR with links.</summary>
    public const ulong DagCbor = 0x71;

    /// <summary>The commitment to a piece (CommP, version 1 of piece CIDs).</summary>
    public const ulong FilCommitmentUnsealed = 0xf101;

    /// <summary>The commitment to a sealed sector.</summary>
    public const ulong FilCommitmentSealed = 0xf102;

    /// <summary>A codec's name in the table, or its number.</summary>
    /// <param name="codec">The codec.</param>
    /// <returns>A name for people.</returns>
    public static string Name(ulong codec) => codec switch
    {
        Raw => "raw",
        DagPb => "dag-pb",
        DagCbor => "dag-cbor",
        FilCommitmentUnsealed => "fil-commitment-unsealed",
        FilCommitmentSealed => "fil-commitment-sealed",
        _ => $"0x{codec:x}",
    };
}

/// <summary>Hash functions of the multicodec table.</summary>
public static class MultihashCode
{
    /// <summary>The bytes themselves.</summary>
    public const ulong Identity = 0x00;

    /// <summary>SHA-256.</summary>
    public const ulong Sha256 = 0x12;

    /// <summary>The root of the tree over a piece, with its height and padding (FRC-0069).</summary>
    public const ulong Fr32Sha256Trunc254PadBinTree = 0x1011;

    /// <summary>The root of the tree over a piece (CommP).</summary>
    public const ulong Sha256Trunc254Padded = 0x1012;

    /// <summary>The Poseidon tree of a sealed sector; never computed here.</summary>
    public const ulong PoseidonBls12381A2Fc1 = 0xb401;

    /// <summary>BLAKE2b with 32 bytes of output.</summary>
    public const ulong Blake2b256 = 0xb220;
}
