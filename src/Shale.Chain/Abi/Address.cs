using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using Shale.Crypto;

namespace Shale.Chain;

/// <summary>An account's or a contract's address on an EVM: the last 20 bytes of a Keccak-256 hash. Printed as EIP-55 text, with the checksum in the case of its letters.</summary>
public readonly record struct Address
{
    /// <summary>Length in bytes.</summary>
    public const int Size = 20;

    private readonly ulong _high;
    private readonly ulong _middle;
    private readonly uint _low;

    /// <summary>Takes 20 bytes.</summary>
    /// <param name="bytes">The address, as it stands in calldata.</param>
    /// <exception cref="ArgumentException">There are not 20 bytes.</exception>
    public Address(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length != Size)
        {
            throw new ArgumentException("An address has 20 bytes.", nameof(bytes));
        }

        _high = BinaryPrimitives.ReadUInt64BigEndian(bytes);
        _middle = BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]);
        _low = BinaryPrimitives.ReadUInt32BigEndian(bytes[16..]);
    }

    /// <summary>The address of 20 zero bytes, which contracts use for "nobody".</summary>
    public static Address Zero => default;

    /// <summary>Whether all bytes are zero.</summary>
    public bool IsZero => _high == 0 && _middle == 0 && _low == 0;

    /// <summary>The address of a public key: the last 20 bytes of the Keccak-256 of its coordinates (Yellow Paper, appendix F).</summary>
    /// <param name="publicKey">65 bytes: 04, x, y.</param>
    /// <exception cref="ArgumentException">It is not an uncompressed public key.</exception>
    public static Address FromPublicKey(ReadOnlySpan<byte> publicKey)
    {
        if (publicKey.Length != Secp256k1.UncompressedPublicKeySize || publicKey[0] != 4)
        {
            throw new ArgumentException("An uncompressed public key has 65 bytes and begins with 4.", nameof(publicKey));
        }

        Span<byte> hash = stackalloc byte[Keccak256.HashSize];
        Keccak256.Hash(publicKey[1..], hash);
        return new Address(hash[12..]);
    }

    /// <summary>Reads <c>0x</c> and 40 hexadecimal digits. All lower case and all upper case are taken as they are; mixed case has to carry the checksum of EIP-55.</summary>
    /// <param name="text">From anywhere.</param>
    /// <param name="address">The address.</param>
    /// <returns>False for everything else.</returns>
    public static bool TryParse([NotNullWhen(true)] string? text, out Address address)
    {
        address = default;
        Span<byte> bytes = stackalloc byte[Size];
        if (text is null || text.Length != 2 + (2 * Size) || !text.StartsWith("0x", StringComparison.Ordinal)
            || Convert.FromHexString(text.AsSpan(2), bytes, out _, out var written) != System.Buffers.OperationStatus.Done || written != Size)
        {
            return false;
        }

        var parsed = new Address(bytes);
        var digits = text.AsSpan(2);
        var mixed = digits.IndexOfAnyInRange('a', 'f') >= 0 && digits.IndexOfAnyInRange('A', 'F') >= 0;
        if (mixed && !string.Equals(text, parsed.ToString(), StringComparison.Ordinal))
        {
            return false;
        }

        address = parsed;
        return true;
    }

    /// <summary>Reads text that has to be an address.</summary>
    /// <param name="text">As <see cref="TryParse"/> takes it.</param>
    /// <exception cref="FormatException">It is none, or its checksum is wrong.</exception>
    public static Address Parse(string text) => TryParse(text, out var address)
        ? address
        : throw new FormatException($"'{text}' is not an address: 0x and 40 hexadecimal digits, and in mixed case with the right checksum (EIP-55).");

    /// <summary>Writes the 20 bytes.</summary>
    /// <param name="destination">At least 20 bytes.</param>
    public void CopyTo(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt64BigEndian(destination, _high);
        BinaryPrimitives.WriteUInt64BigEndian(destination[8..], _middle);
        BinaryPrimitives.WriteUInt32BigEndian(destination[16..], _low);
    }

    /// <summary>The 20 bytes.</summary>
    public byte[] ToArray()
    {
        var bytes = new byte[Size];
        CopyTo(bytes);
        return bytes;
    }

    /// <summary>The address in EIP-55's mixed case.</summary>
    public override string ToString()
    {
        Span<byte> bytes = stackalloc byte[Size];
        CopyTo(bytes);
        var text = ("0x" + Convert.ToHexStringLower(bytes)).ToCharArray();
        Span<byte> ascii = stackalloc byte[2 * Size], hash = stackalloc byte[Keccak256.HashSize];
        for (var i = 0; i < ascii.Length; i++)
        {
            ascii[i] = (byte)text[i + 2];
        }

        Keccak256.Hash(ascii, hash);
        for (var i = 0; i < ascii.Length; i++)
        {
            var nibble = (hash[i / 2] >> (i % 2 == 0 ? 4 : 0)) & 15;
            if (nibble >= 8)
            {
                text[i + 2] = char.ToUpperInvariant(text[i + 2]);
            }
        }

        return new string(text);
    }
}
