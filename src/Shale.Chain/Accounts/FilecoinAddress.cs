using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Shale.Crypto;

namespace Shale.Chain.Accounts;

/// <summary>The classes of Filecoin addresses: the digit after the network's letter, and the first byte (Filecoin specification, "Address"; FIP-0048).</summary>
public enum FilecoinAddressClass : byte
{
    /// <summary>f0: an actor's ID.</summary>
    Id = 0,

    /// <summary>f1: BLAKE2b-160 of an uncompressed secp256k1 public key.</summary>
    Secp256k1 = 1,

    /// <summary>f2: BLAKE2b-160 of what an actor was made from.</summary>
    Actor = 2,

    /// <summary>f3: a BLS12-381 public key.</summary>
    Bls = 3,

    /// <summary>f4: an address within the namespace of an address manager; f410 is Ethereum's.</summary>
    Delegated = 4,
}

/// <summary>
/// A Filecoin address: f0, f1, f2, f3 or f4 with its checksum (https://spec.filecoin.io/#section-appendix.address, FIP-0048). Immutable. The letter, f or t, is the
/// network's and no part of the address.
/// </summary>
public sealed class FilecoinAddress : IEquatable<FilecoinAddress>
{
    /// <summary>Namespace of the Ethereum address manager: f410.</summary>
    public const ulong EthereumNamespace = 10;

    /// <summary>The longest subaddress of an f4 address, in bytes (FIP-0048).</summary>
    public const int MaxSubaddressSize = 54;

    /// <summary>IDs and namespaces are below 2^63, as go-address has it.</summary>
    public const ulong MaxId = long.MaxValue;

    private const int HashSize = 20;
    private const int BlsKeySize = 48;
    private const int ChecksumSize = 4;

    /// <summary>No text is longer: f4, a namespace of 19 digits, f, 58 bytes in base 32.</summary>
    private const int MaxTextLength = 2 + 19 + 1 + 93;

    private readonly byte[] _payload;

    private FilecoinAddress(FilecoinAddressClass @class, ulong number, byte[] payload) => (Class, Number, _payload) = (@class, number, payload);

    /// <summary>The class.</summary>
    public FilecoinAddressClass Class { get; }

    /// <summary>f0: the actor's ID; f4: the namespace; else 0.</summary>
    public ulong Number { get; }

    /// <summary>f1, f2: 20 bytes; f3: 48 bytes; f4: the subaddress, 0 to 54 bytes; f0: none.</summary>
    public ReadOnlyMemory<byte> Payload => _payload;

    /// <summary>An f0 address.</summary>
    /// <param name="id">The actor's ID, below 2^63.</param>
    public static FilecoinAddress FromId(ulong id)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(id, MaxId);
        return new FilecoinAddress(FilecoinAddressClass.Id, id, []);
    }

    /// <summary>The f1 address of a public key.</summary>
    /// <param name="publicKey">65 bytes: 04, x, y.</param>
    /// <exception cref="ArgumentException">Not an uncompressed key.</exception>
    public static FilecoinAddress FromPublicKey(ReadOnlySpan<byte> publicKey) =>
        publicKey.Length == Secp256k1.UncompressedPublicKeySize && publicKey[0] == 4
            ? new FilecoinAddress(FilecoinAddressClass.Secp256k1, 0, Hash(publicKey, HashSize))
            : throw new ArgumentException("An uncompressed public key has 65 bytes and begins with 04.", nameof(publicKey));

    /// <summary>The f2 address of an actor.</summary>
    /// <param name="data">What the actor was made from, as the chain hashes it.</param>
    public static FilecoinAddress FromActor(ReadOnlySpan<byte> data) => new(FilecoinAddressClass.Actor, 0, Hash(data, HashSize));

    /// <summary>
    /// The Filecoin form of an EVM address: f410 in general; f0 for a masked ID (0xff, eleven zero bytes, the ID), which is how FEVM shows an actor that has no EVM address.
    /// </summary>
    /// <param name="address">The EVM address.</param>
    public static FilecoinAddress FromEvm(Address address)
    {
        var bytes = address.ToArray();
        return IsMaskedId(bytes, out var id) ? FromId(id) : new FilecoinAddress(FilecoinAddressClass.Delegated, EthereumNamespace, bytes);
    }

    /// <summary>The EVM form: of f410, and of f0 (masked). Other classes have one only through the chain, by their ID.</summary>
    /// <param name="address">The EVM address.</param>
    /// <returns>False for f1, f2, f3, other namespaces, and an f410 of another length.</returns>
    public bool TryToEvm(out Address address)
    {
        address = default;
        if (Class == FilecoinAddressClass.Id)
        {
            Span<byte> masked = stackalloc byte[20];
            masked.Clear();
            masked[0] = 0xff;
            BinaryPrimitives.WriteUInt64BigEndian(masked[12..], Number);
            address = new Address(masked);
            return true;
        }

        if (Class != FilecoinAddressClass.Delegated || Number != EthereumNamespace || _payload.Length != 20 || IsMaskedId(_payload, out _))
        {
            return false; // FIP-0055: a masked ID is never delegated
        }

        address = new Address(_payload);
        return true;
    }

    /// <summary>Reads the text of an address, with the letter of any network.</summary>
    /// <param name="text">The text, from anywhere.</param>
    /// <param name="address">The address.</param>
    /// <param name="testnet">Whether its letter is t.</param>
    /// <returns>False for everything that <see cref="ToString(bool)"/> does not write: a wrong checksum, upper case, leading zeros included.</returns>
    public static bool TryParse(string? text, [NotNullWhen(true)] out FilecoinAddress? address, out bool testnet)
    {
        (address, testnet) = (null, false);
        if (text is null || text.Length < 3 || text.Length > MaxTextLength || text[0] is not ('f' or 't'))
        {
            return false;
        }

        testnet = text[0] == 't';
        address = (FilecoinAddressClass)(text[1] - '0') switch
        {
            FilecoinAddressClass.Id => ParseNumber(text.AsSpan(2)) is { } id ? FromId(id) : null,
            FilecoinAddressClass.Secp256k1 => ParseChecked(FilecoinAddressClass.Secp256k1, 0, text.AsSpan(2), HashSize, HashSize),
            FilecoinAddressClass.Actor => ParseChecked(FilecoinAddressClass.Actor, 0, text.AsSpan(2), HashSize, HashSize),
            FilecoinAddressClass.Bls => ParseChecked(FilecoinAddressClass.Bls, 0, text.AsSpan(2), BlsKeySize, BlsKeySize),
            FilecoinAddressClass.Delegated => ParseDelegated(text.AsSpan(2)),
            _ => null,
        };
        return address is not null;
    }

    /// <summary>Reads the bytes of an address.</summary>
    /// <param name="bytes">The class, then an ID as LEB128, a payload, or a namespace as LEB128 and a subaddress.</param>
    /// <param name="address">The address.</param>
    /// <returns>False for everything that <see cref="ToArray"/> does not write.</returns>
    public static bool TryRead(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out FilecoinAddress? address)
    {
        address = null;
        if (bytes.IsEmpty)
        {
            return false;
        }

        var @class = (FilecoinAddressClass)bytes[0];
        var rest = bytes[1..];
        switch (@class)
        {
            case FilecoinAddressClass.Id:
                address = TryReadNumber(rest, out var id, out var read) && read == rest.Length ? FromId(id) : null;
                break;
            case FilecoinAddressClass.Secp256k1 or FilecoinAddressClass.Actor:
                address = rest.Length == HashSize ? new FilecoinAddress(@class, 0, rest.ToArray()) : null;
                break;
            case FilecoinAddressClass.Bls:
                address = rest.Length == BlsKeySize ? new FilecoinAddress(@class, 0, rest.ToArray()) : null;
                break;
            case FilecoinAddressClass.Delegated:
                address = TryReadNumber(rest, out var manager, out read) && rest.Length - read <= MaxSubaddressSize ? new FilecoinAddress(@class, manager, rest[read..].ToArray()) : null;
                break;
        }

        return address is not null;
    }

    /// <summary>The bytes, as <see cref="TryRead"/> reads them.</summary>
    public byte[] ToArray()
    {
        var bytes = new List<byte>(64) { (byte)Class };
        if (Class is FilecoinAddressClass.Id or FilecoinAddressClass.Delegated)
        {
            var number = Number;
            for (; number >= 0x80; number >>= 7)
            {
                bytes.Add((byte)(number | 0x80));
            }

            bytes.Add((byte)number);
        }

        bytes.AddRange(_payload);
        return [.. bytes];
    }

    /// <summary>The text with the main network's letter.</summary>
    public override string ToString() => ToString(testnet: false);

    /// <summary>The text.</summary>
    /// <param name="testnet">The letter: t for test networks, f for the main one.</param>
    public string ToString(bool testnet)
    {
        var letter = testnet ? 't' : 'f';
        if (Class == FilecoinAddressClass.Id)
        {
            return string.Create(CultureInfo.InvariantCulture, $"{letter}0{Number}");
        }

        var manager = Class == FilecoinAddressClass.Delegated ? Number.ToString(CultureInfo.InvariantCulture) + "f" : "";
        return $"{letter}{(byte)Class}{manager}{Base32.Encode([.. _payload, .. Hash(ToArray(), ChecksumSize)])}";
    }

    /// <inheritdoc/>
    public bool Equals(FilecoinAddress? other) => other is not null && Class == other.Class && Number == other.Number && _payload.AsSpan().SequenceEqual(other._payload);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as FilecoinAddress);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = default(HashCode);
        hash.Add(Class);
        hash.Add(Number);
        hash.AddBytes(_payload);
        return hash.ToHashCode();
    }

    private static bool IsMaskedId(ReadOnlySpan<byte> address, out ulong id)
    {
        id = BinaryPrimitives.ReadUInt64BigEndian(address[12..]);
        return address[0] == 0xff && address[1..12].IndexOfAnyExcept((byte)0) < 0 && id <= MaxId;
    }

    private static FilecoinAddress? ParseDelegated(ReadOnlySpan<char> text)
    {
        var separator = text.IndexOf('f');
        return separator > 0 && ParseNumber(text[..separator]) is { } manager
            ? ParseChecked(FilecoinAddressClass.Delegated, manager, text[(separator + 1)..], 0, MaxSubaddressSize)
            : null;
    }

    private static FilecoinAddress? ParseChecked(FilecoinAddressClass @class, ulong number, ReadOnlySpan<char> text, int least, int most)
    {
        if (Base32.Decode(text) is not { } bytes || bytes.Length < least + ChecksumSize || bytes.Length > most + ChecksumSize)
        {
            return null;
        }

        var address = new FilecoinAddress(@class, number, bytes[..^ChecksumSize]);
        return bytes.AsSpan()[^ChecksumSize..].SequenceEqual(Hash(address.ToArray(), ChecksumSize)) ? address : null;
    }

    // TryParse takes zero characters at the end for nothing.
    private static ulong? ParseNumber(ReadOnlySpan<char> digits) =>
        (digits.Length == 1 || (digits.Length > 0 && digits[0] != '0')) && !digits.ContainsAnyExceptInRange('0', '9')
        && ulong.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number <= MaxId ? number : null;

    /// <summary>Unsigned LEB128 in its shortest form.</summary>
    private static bool TryReadNumber(ReadOnlySpan<byte> bytes, out ulong number, out int read)
    {
        (number, read) = (0, 0);
        for (var shift = 0; shift < 63 && read < bytes.Length; shift += 7)
        {
            var part = bytes[read++];
            number |= (ulong)(part & 0x7f) << shift;
            if (part < 0x80)
            {
                return part != 0 || read == 1;
            }
        }

        return false;
    }

    private static byte[] Hash(ReadOnlySpan<byte> data, int size)
    {
        var digest = new byte[size];
        Blake2b.HashData(data, digest);
        return digest;
    }
}
