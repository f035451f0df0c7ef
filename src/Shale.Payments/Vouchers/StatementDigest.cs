using System.Buffers.Binary;
using System.Security.Cryptography;
using Shale.Bn254.Fields;

namespace Shale.Payments.Vouchers;

/// <summary>What a voucher carries of its meter statement: the first 31 bytes of the statement's SHA-256, which as a number fit the field.</summary>
public readonly record struct StatementDigest
{
    /// <summary>Bytes of a digest.</summary>
    public const int Size = 31;

    private readonly UInt128 _high;
    private readonly UInt128 _low;

    /// <summary>Takes 31 bytes.</summary>
    public StatementDigest(ReadOnlySpan<byte> bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(bytes.Length, Size);
        Span<byte> padded = stackalloc byte[32];
        padded[0] = 0;
        bytes.CopyTo(padded[1..]);
        _high = BinaryPrimitives.ReadUInt128BigEndian(padded);
        _low = BinaryPrimitives.ReadUInt128BigEndian(padded[16..]);
    }

    /// <summary>The digest of a statement's canonical bytes.</summary>
    public static StatementDigest Of(ReadOnlySpan<byte> statement)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(statement, hash);
        return new StatementDigest(hash[..Size]);
    }

    /// <summary>Writes the 31 bytes.</summary>
    public void Write(Span<byte> destination)
    {
        Span<byte> padded = stackalloc byte[32];
        WritePadded(padded);
        padded[1..].CopyTo(destination);
    }

    /// <summary>The bytes as a number, most significant first.</summary>
    public Fr ToFieldElement()
    {
        Span<byte> padded = stackalloc byte[32];
        WritePadded(padded);
        return Fr.ReduceBigEndian(padded);
    }

    /// <summary>The bytes in hexadecimal.</summary>
    public override string ToString()
    {
        Span<byte> bytes = stackalloc byte[Size];
        Write(bytes);
        return Convert.ToHexStringLower(bytes);
    }

    private void WritePadded(Span<byte> padded)
    {
        BinaryPrimitives.WriteUInt128BigEndian(padded, _high);
        BinaryPrimitives.WriteUInt128BigEndian(padded[16..], _low);
    }
}
