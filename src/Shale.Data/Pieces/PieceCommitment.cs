using System.Numerics;
using Shale.Data.Cids;

namespace Shale.Data.Pieces;

/// <summary>The commitment to a piece (CommP): the root of the tree over its padded bytes, the tree's height, and how much of it is payload.</summary>
public sealed class PieceCommitment
{
    /// <summary>The highest tree that is accepted: 2^50 leaves are 32 PiB, a million of the largest sectors.</summary>
    public const int MaxHeight = 50;

    private readonly byte[] _root;

    internal PieceCommitment(ReadOnlySpan<byte> root, int height, long payloadLength)
    {
        _root = root.ToArray();
        Height = height;
        PayloadLength = payloadLength;
    }

    /// <summary>The root, 32 bytes.</summary>
    public ReadOnlySpan<byte> Root => _root;

    /// <summary>The height of the tree over leaves of 32 bytes; at least 2.</summary>
    public int Height { get; }

    /// <summary>How many bytes the piece was made of.</summary>
    public long PayloadLength { get; }

    /// <summary>The size of the piece on chain, in bytes: a power of two.</summary>
    public long PieceSize => 32L << Height;

    /// <summary>How many bytes fit the piece before Fr32 padding.</summary>
    public long UnpaddedSize => UnpaddedSizeOf(Height);

    /// <summary>How many zero bytes were added to the payload.</summary>
    public long Padding => UnpaddedSize - PayloadLength;

    /// <summary>The piece CID of version 1, which is what the chain knows; it does not say how large the piece is.</summary>
    public Cid CidV1 => Cid.Create(1, Codec.FilCommitmentUnsealed, MultihashCode.Sha256Trunc254Padded, _root);

    /// <summary>The piece CID of version 2 (FRC-0069), which says how large the piece and its payload are.</summary>
    public Cid CidV2
    {
        get
        {
            Span<byte> digest = stackalloc byte[Varint.MaxLength + 33];
            var n = Varint.Write((ulong)Padding, digest);
            digest[n++] = (byte)Height;
            _root.CopyTo(digest[n..]);
            return Cid.Create(1, Codec.Raw, MultihashCode.Fr32Sha256Trunc254PadBinTree, digest[..(n + 32)]);
        }
    }

    /// <summary>Reads a piece CID of version 2.</summary>
    /// <param name="cid">Untrusted.</param>
    /// <param name="piece">The commitment.</param>
    /// <returns>None, or <see cref="DataFault.PieceSize"/>.</returns>
    public static DataError TryFrom(Cid cid, out PieceCommitment? piece)
    {
        ArgumentNullException.ThrowIfNull(cid);
        piece = null;
        if (cid.Codec != Codec.Raw || cid.Hash != MultihashCode.Fr32Sha256Trunc254PadBinTree)
        {
            return new DataError(DataFault.PieceSize, $"{cid} is no piece CID of version 2");
        }

        var error = Varint.TryRead(cid.Digest, out var padding, out var n);
        if (error.IsError || cid.Digest.Length != n + 33)
        {
            return new DataError(DataFault.PieceSize, $"{cid} does not hold a padding, a height and a root");
        }

        int height = cid.Digest[n];
        if (height is < 2 or > MaxHeight)
        {
            return new DataError(DataFault.PieceSize, $"{cid} has a tree of height {height}");
        }

        // More padding than this and a smaller tree would have done; the smallest holds anything from nothing on.
        var size = UnpaddedSizeOf(height);
        if ((long)padding > (height == 2 ? size : (size / 2) - 1))
        {
            return new DataError(DataFault.PieceSize, $"{cid} has {padding} bytes of padding in a piece of {size}");
        }

        piece = new PieceCommitment(cid.Digest[(n + 1)..], height, size - (long)padding);
        return DataError.None;
    }

    /// <summary>The piece CID of version 2 of a piece whose CID of version 1 and size on chain are known; the whole piece counts as payload.</summary>
    /// <param name="cidV1">The piece CID of version 1.</param>
    /// <param name="pieceSize">The size on chain.</param>
    /// <param name="piece">The commitment.</param>
    /// <returns>None, or <see cref="DataFault.PieceSize"/>.</returns>
    public static DataError TryFrom(Cid cidV1, long pieceSize, out PieceCommitment? piece)
    {
        ArgumentNullException.ThrowIfNull(cidV1);
        piece = null;
        if (cidV1.Codec != Codec.FilCommitmentUnsealed || cidV1.Hash != MultihashCode.Sha256Trunc254Padded)
        {
            return new DataError(DataFault.PieceSize, $"{cidV1} is no piece CID of version 1");
        }

        if (pieceSize < 128 || !BitOperations.IsPow2(pieceSize) || pieceSize > 32L << MaxHeight)
        {
            return new DataError(DataFault.PieceSize, $"no piece has {pieceSize} bytes");
        }

        var height = BitOperations.Log2((ulong)pieceSize) - 5;
        piece = new PieceCommitment(cidV1.Digest, height, UnpaddedSizeOf(height));
        return DataError.None;
    }

    /// <summary>Whether another commitment is to the same piece, whatever of it is called payload.</summary>
    /// <param name="other">The other.</param>
    /// <returns>True for the same root and size.</returns>
    public bool SamePiece(PieceCommitment other)
    {
        ArgumentNullException.ThrowIfNull(other);
        return Height == other.Height && Root.SequenceEqual(other.Root);
    }

    /// <summary>The same payload in a larger piece: zeros on the right up to a height.</summary>
    /// <param name="height">The height to reach; not below this one's.</param>
    /// <returns>The larger piece's commitment.</returns>
    public PieceCommitment PadTo(int height)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(height, Height);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(height, MaxHeight);
        return new PieceCommitment(PieceHasher.PadNode(_root, Height, height), height, PayloadLength);
    }

    internal static long UnpaddedSizeOf(int height) => 127L << (height - 2);

    internal static int HeightFor(long payloadLength)
    {
        var quads = Math.Max(1, (payloadLength + 126) / 127);
        return 2 + (quads == 1 ? 0 : BitOperations.Log2((ulong)quads - 1) + 1);
    }
}
