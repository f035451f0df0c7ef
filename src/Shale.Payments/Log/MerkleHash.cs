using System.Security.Cryptography;

namespace Shale.Payments.Log;

/// <summary>A node of the log's Merkle tree: 32 bytes, SHA-256 with RFC 6962's domain separation.</summary>
public readonly record struct MerkleHash
{
    /// <summary>Bytes of a hash.</summary>
    public const int Size = 32;

    private readonly ulong _a;
    private readonly ulong _b;
    private readonly ulong _c;
    private readonly ulong _d;

    /// <summary>Takes 32 bytes.</summary>
    public MerkleHash(ReadOnlySpan<byte> bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(bytes.Length, Size);
        (_a, _b, _c, _d) = (BitConverter.ToUInt64(bytes), BitConverter.ToUInt64(bytes[8..]), BitConverter.ToUInt64(bytes[16..]), BitConverter.ToUInt64(bytes[24..]));
    }

    /// <summary>The hash of an empty tree: SHA-256 of nothing (RFC 6962, 2.1).</summary>
    public static MerkleHash Empty { get; } = new(SHA256.HashData([]));

    /// <summary>The hash of a leaf: SHA-256(0x00 ‖ entry).</summary>
    public static MerkleHash Leaf(ReadOnlySpan<byte> entry)
    {
        // Entries are at most 65,535 bytes (a tile's length prefix); small ones are hashed on the stack.
        Span<byte> input = entry.Length < 1024 ? stackalloc byte[entry.Length + 1] : new byte[entry.Length + 1];
        input[0] = 0;
        entry.CopyTo(input[1..]);
        return Sha256(input);
    }

    /// <summary>The hash of an inner node: SHA-256(0x01 ‖ left ‖ right).</summary>
    public static MerkleHash Node(in MerkleHash left, in MerkleHash right)
    {
        Span<byte> input = stackalloc byte[1 + (2 * Size)];
        input[0] = 1;
        left.CopyTo(input[1..]);
        right.CopyTo(input[(1 + Size)..]);
        return Sha256(input);
    }

    /// <summary>Writes the 32 bytes.</summary>
    public void CopyTo(Span<byte> destination)
    {
        BitConverter.TryWriteBytes(destination, _a);
        BitConverter.TryWriteBytes(destination[8..], _b);
        BitConverter.TryWriteBytes(destination[16..], _c);
        BitConverter.TryWriteBytes(destination[24..], _d);
    }

    /// <summary>The 32 bytes.</summary>
    public byte[] ToArray()
    {
        var bytes = new byte[Size];
        CopyTo(bytes);
        return bytes;
    }

    /// <summary>Base64, as in a checkpoint.</summary>
    public override string ToString() => Convert.ToBase64String(ToArray());

    private static MerkleHash Sha256(ReadOnlySpan<byte> input)
    {
        Span<byte> hash = stackalloc byte[Size];
        SHA256.HashData(input, hash);
        return new MerkleHash(hash);
    }
}
