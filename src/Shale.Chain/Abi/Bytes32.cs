using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using Shale.Crypto;

namespace Shale.Chain;

/// <summary>32 bytes compared by value: a hash, a topic, a word. Not for secrets.</summary>
public readonly record struct Bytes32
{
    /// <summary>Length in bytes.</summary>
    public const int Size = 32;

    private readonly ulong _a;
    private readonly ulong _b;
    private readonly ulong _c;
    private readonly ulong _d;

    /// <summary>Takes 32 bytes.</summary>
    /// <param name="bytes">In order.</param>
    /// <exception cref="ArgumentException">There are not 32 bytes.</exception>
    public Bytes32(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length != Size)
        {
            throw new ArgumentException("There have to be 32 bytes.", nameof(bytes));
        }

        _a = BinaryPrimitives.ReadUInt64BigEndian(bytes);
        _b = BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]);
        _c = BinaryPrimitives.ReadUInt64BigEndian(bytes[16..]);
        _d = BinaryPrimitives.ReadUInt64BigEndian(bytes[24..]);
    }

    /// <summary>Whether all bytes are zero.</summary>
    public bool IsZero => (_a | _b | _c | _d) == 0;

    /// <summary>The Keccak-256 of some bytes.</summary>
    /// <param name="message">Any length.</param>
    public static Bytes32 Keccak(ReadOnlySpan<byte> message)
    {
        Span<byte> hash = stackalloc byte[Keccak256.HashSize];
        Keccak256.Hash(message, hash);
        return new Bytes32(hash);
    }

    /// <summary>Reads <c>0x</c> and 64 hexadecimal digits.</summary>
    /// <param name="text">From anywhere.</param>
    /// <param name="value">The bytes.</param>
    /// <returns>False for everything else.</returns>
    public static bool TryParse([NotNullWhen(true)] string? text, out Bytes32 value)
    {
        value = default;
        Span<byte> bytes = stackalloc byte[Size];
        if (text is null || text.Length != 2 + (2 * Size) || !text.StartsWith("0x", StringComparison.Ordinal)
            || Convert.FromHexString(text.AsSpan(2), bytes, out _, out var written) != System.Buffers.OperationStatus.Done || written != Size)
        {
            return false;
        }

        value = new Bytes32(bytes);
        return true;
    }

    /// <summary>Reads text that has to be <c>0x</c> and 64 hexadecimal digits.</summary>
    /// <param name="text">As <see cref="TryParse"/> takes it.</param>
    /// <exception cref="FormatException">It is not.</exception>
    public static Bytes32 Parse(string text) =>
        TryParse(text, out var value) ? value : throw new FormatException($"'{text}' is not 0x and 64 hexadecimal digits.");

    /// <summary>Writes the bytes.</summary>
    /// <param name="destination">At least 32 bytes.</param>
    public void CopyTo(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt64BigEndian(destination, _a);
        BinaryPrimitives.WriteUInt64BigEndian(destination[8..], _b);
        BinaryPrimitives.WriteUInt64BigEndian(destination[16..], _c);
        BinaryPrimitives.WriteUInt64BigEndian(destination[24..], _d);
    }

    /// <summary>The 32 bytes.</summary>
    public byte[] ToArray()
    {
        var bytes = new byte[Size];
        CopyTo(bytes);
        return bytes;
    }

    /// <summary><c>0x</c> and 64 lower-case digits.</summary>
    public override string ToString() => "0x" + Convert.ToHexStringLower(ToArray());
}
