using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using Shale.Crypto;

namespace Shale.Data.Cids;

/// <summary>
/// A content identifier (https://github.com/multiformats/cid): a codec, a hash function and a digest. Immutable.
/// Version 0 is dag-pb with SHA-256, written as base58btc without a prefix; two CIDs of different versions are different.
/// </summary>
public sealed class Cid : IEquatable<Cid>, IComparable<Cid>
{
    /// <summary>The longest digest that is accepted, in bytes: more than any hash function here has, and room for small identity data.</summary>
    public const int MaxDigestLength = 128;

    /// <summary>The longest text that is accepted, in characters: <see cref="MaxDigestLength"/> and four varints in hexadecimal.</summary>
    public const int MaxTextLength = 1 + (2 * (MaxDigestLength + (4 * Varint.MaxLength)));

    private readonly byte[] _bytes;
    private readonly int _digestStart;
    private string? _text;

    private Cid(int version, ulong codec, ulong hash, byte[] bytes, int digestStart)
    {
        Version = version;
        Codec = codec;
        Hash = hash;
        _bytes = bytes;
        _digestStart = digestStart;
    }

    /// <summary>0 or 1.</summary>
    public int Version { get; }

    /// <summary>The codec of the bytes that the CID stands for (<see cref="Cids.Codec"/>).</summary>
    public ulong Codec { get; }

    /// <summary>The hash function (<see cref="MultihashCode"/>).</summary>
    public ulong Hash { get; }

    /// <summary>The digest.</summary>
    public ReadOnlySpan<byte> Digest => _bytes.AsSpan(_digestStart);

    /// <summary>The binary form.</summary>
    public ReadOnlySpan<byte> Bytes => _bytes;

    /// <summary>The multihash alone: hash function, length, digest.</summary>
    public ReadOnlySpan<byte> Multihash => Version == 0 ? _bytes : _bytes.AsSpan(1 + Varint.Length(Codec));

    /// <summary>Makes a CID from a digest.</summary>
    /// <param name="version">0 or 1.</param>
    /// <param name="codec">The codec; dag-pb for version 0.</param>
    /// <param name="hash">The hash function; SHA-256 for version 0.</param>
    /// <param name="digest">The digest, of a length that the function has.</param>
    /// <returns>The CID.</returns>
    /// <exception cref="ArgumentException">The combination does not exist.</exception>
    public static Cid Create(int version, ulong codec, ulong hash, ReadOnlySpan<byte> digest)
    {
        if (version is < 0 or > 1 || (version == 0 && (codec != Cids.Codec.DagPb || hash != MultihashCode.Sha256)) || HasWrongLength(hash, digest.Length))
        {
            throw new ArgumentException("no CID has this version, codec, hash function and digest length");
        }

        Span<byte> prefix = stackalloc byte[4 * Varint.MaxLength];
        var at = 0;
        if (version == 1)
        {
            at += Varint.Write(1, prefix);
            at += Varint.Write(codec, prefix[at..]);
        }

        at += Varint.Write(hash, prefix[at..]);
        at += Varint.Write((ulong)digest.Length, prefix[at..]);
        var bytes = new byte[at + digest.Length];
        prefix[..at].CopyTo(bytes);
        digest.CopyTo(bytes.AsSpan(at));
        return new Cid(version, codec, hash, bytes, at);
    }

    /// <summary>Hashes a block with SHA-256 and makes its CID.</summary>
    /// <param name="version">0 or 1.</param>
    /// <param name="codec">The codec; dag-pb for version 0.</param>
    /// <param name="block">The block's bytes.</param>
    /// <returns>The CID.</returns>
    public static Cid OfBlock(int version, ulong codec, ReadOnlySpan<byte> block)
    {
        Span<byte> digest = stackalloc byte[32];
        SHA256.HashData(block, digest);
        return Create(version, codec, MultihashCode.Sha256, digest);
    }

    /// <summary>Reads a CID's text.</summary>
    /// <param name="text">Untrusted text: the whole CID and nothing else.</param>
    /// <param name="cid">The CID.</param>
    /// <returns>None, or what is wrong, with the place in characters where one can be named.</returns>
    public static DataError TryParse(ReadOnlySpan<char> text, [NotNullWhen(true)] out Cid? cid)
    {
        cid = null;
        if (text.Length < 2 || text.Length > MaxTextLength)
        {
            return new DataError(DataFault.CidLength, $"a CID has 2 to {MaxTextLength} characters, not {text.Length}", text.Length);
        }

        DataError error;
        byte[] bytes;
        if (text.StartsWith("Qm", StringComparison.Ordinal))
        {
            if (text.Length != 46)
            {
                return new DataError(DataFault.CidLength, $"a version 0 CID has 46 characters, not {text.Length}", text.Length);
            }

            error = BaseEncoding.TryDecode(Multibase.Base58Btc, text, out bytes);
            if (error.IsError)
            {
                return error;
            }

            if (bytes.Length != 34)
            {
                return new DataError(DataFault.CidLength, $"a version 0 CID has 34 bytes, not {bytes.Length}");
            }
        }
        else
        {
            if (!BaseEncoding.IsSupported(text[0]))
            {
                return new DataError(DataFault.CidMultibase, $"'{(char.IsControl(text[0]) ? '?' : text[0])}' is not a multibase prefix that CIDs use here (f, F, b, B, k, K, z, u)", 0);
            }

            error = BaseEncoding.TryDecode((Multibase)text[0], text[1..], out bytes);
            if (error.IsError)
            {
                return error with { Offset = error.Offset < 0 ? -1 : error.Offset + 1 };
            }

            if (bytes.Length > 0 && bytes[0] == 0x12)
            {
                return new DataError(DataFault.CidVersion, "a version 0 CID has no multibase prefix", 0);
            }
        }

        error = TryRead(bytes, out cid, out var consumed);
        if (error.IsError)
        {
            return new DataError(error.Fault, $"{error.Detail} (byte {error.Offset} of the decoded CID)");
        }

        if (consumed == bytes.Length)
        {
            return DataError.None;
        }

        cid = null;
        return new DataError(DataFault.CidTrailingBytes, $"{bytes.Length - consumed} bytes follow the digest, whose length is given as {consumed} bytes from the start");
    }

    /// <summary>Reads a CID's text that is known to be right.</summary>
    /// <param name="text">The text.</param>
    /// <returns>The CID.</returns>
    /// <exception cref="FormatException">It is not a CID.</exception>
    public static Cid Parse(string text)
    {
        var error = TryParse(text, out var cid);
        return cid ?? throw new FormatException(error.ToString());
    }

    /// <summary>Reads a CID's binary form from the start of untrusted bytes.</summary>
    /// <param name="source">Bytes that start with a CID.</param>
    /// <param name="cid">The CID.</param>
    /// <param name="consumed">How many bytes it took.</param>
    /// <returns>None, or what is wrong, with the place in bytes.</returns>
    public static DataError TryRead(ReadOnlySpan<byte> source, [NotNullWhen(true)] out Cid? cid, out int consumed)
    {
        cid = null;
        consumed = 0;
        int version, at = 0, n;
        ulong codec = Cids.Codec.DagPb;
        DataError error;
        if (source.Length >= 2 && source[0] == 0x12 && source[1] == 0x20)
        {
            version = 0;
        }
        else
        {
            error = Varint.TryRead(source, out var v, out n);
            if (error.IsError)
            {
                return error.Within(0, "CID version");
            }

            if (v != 1)
            {
                return new DataError(DataFault.CidVersion, $"there is no CID version {v}", 0);
            }

            version = 1;
            at = n;
            error = Varint.TryRead(source[at..], out codec, out n);
            if (error.IsError)
            {
                return error.Within(at, "CID codec");
            }

            at += n;
        }

        error = Varint.TryRead(source[at..], out var hash, out n);
        if (error.IsError)
        {
            return error.Within(at, "CID hash function");
        }

        at += n;
        error = Varint.TryRead(source[at..], out var length, out n);
        if (error.IsError)
        {
            return error.Within(at, "CID digest length");
        }

        if (length > MaxDigestLength || HasWrongLength(hash, (int)length))
        {
            return new DataError(DataFault.CidDigestLength, $"hash function 0x{hash:x} has no digest of {length} bytes", at);
        }

        at += n;
        if (source.Length - at < (int)length)
        {
            return new DataError(DataFault.CidTruncated, $"the digest has {length} bytes and {source.Length - at} are there", source.Length);
        }

        consumed = at + (int)length;
        cid = new Cid(version, codec, hash, source[..consumed].ToArray(), at);
        return DataError.None;
    }

    /// <summary>Whether a block hashes to this CID.</summary>
    /// <param name="block">The block's bytes.</param>
    /// <returns>None, <see cref="DataFault.HashMismatch"/>, or <see cref="DataFault.HashUnsupported"/>.</returns>
    public DataError Verify(ReadOnlySpan<byte> block)
    {
        Span<byte> digest = stackalloc byte[32];
        switch (Hash)
        {
            case MultihashCode.Sha256:
                SHA256.HashData(block, digest);
                break;
            case MultihashCode.Blake2b256:
                Blake2b.HashData(block, digest);
                break;
            case MultihashCode.Identity:
                return block.SequenceEqual(Digest) ? DataError.None : Mismatch();
            default:
                return new DataError(DataFault.HashUnsupported, $"{this} uses hash function 0x{Hash:x}, which blocks cannot be checked with");
        }

        return digest.SequenceEqual(Digest) ? DataError.None : Mismatch();
    }

    /// <summary>The same content under the other version.</summary>
    /// <returns>A version 1 CID of the same codec and multihash.</returns>
    public Cid ToV1() => Version == 1 ? this : Create(1, Codec, Hash, Digest);

    /// <summary>The text in a chosen base.</summary>
    /// <param name="multibase">The base; version 0 has only base58btc, and no prefix.</param>
    /// <returns>The text.</returns>
    /// <exception cref="ArgumentException">Version 0 in another base.</exception>
    public string ToString(Multibase multibase)
    {
        if (Version == 0)
        {
            return multibase == Multibase.Base58Btc
                ? BaseEncoding.Encode(multibase, _bytes)
                : throw new ArgumentException("a version 0 CID is written in base58btc", nameof(multibase));
        }

        return (char)multibase + BaseEncoding.Encode(multibase, _bytes);
    }

    /// <summary>The usual text: base58btc for version 0, base32 for version 1.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => _text ??= ToString(Version == 0 ? Multibase.Base58Btc : Multibase.Base32);

    /// <inheritdoc/>
    public bool Equals(Cid? other) => other is not null && _bytes.AsSpan().SequenceEqual(other._bytes);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as Cid);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var code = default(HashCode);
        code.AddBytes(_bytes);
        return code.ToHashCode();
    }

    /// <inheritdoc/>
    public int CompareTo(Cid? other) => other is null ? 1 : _bytes.AsSpan().SequenceCompareTo(other._bytes);

    /// <summary>Equality of version, codec, hash function and digest.</summary>
    public static bool operator ==(Cid? left, Cid? right) => left is null ? right is null : left.Equals(right);

    /// <summary>Inequality.</summary>
    public static bool operator !=(Cid? left, Cid? right) => !(left == right);

    /// <summary>Order of the binary forms.</summary>
    public static bool operator <(Cid? left, Cid? right) => left is null ? right is not null : left.CompareTo(right) < 0;

    /// <summary>Order of the binary forms.</summary>
    public static bool operator >(Cid? left, Cid? right) => right < left;

    /// <summary>Order of the binary forms.</summary>
    public static bool operator <=(Cid? left, Cid? right) => !(left > right);

    /// <summary>Order of the binary forms.</summary>
    public static bool operator >=(Cid? left, Cid? right) => !(left < right);

    private DataError Mismatch() => new(DataFault.HashMismatch, $"the bytes do not hash to {this}");

    private static bool HasWrongLength(ulong hash, int length) => hash switch
    {
        MultihashCode.Sha256 or MultihashCode.Blake2b256 or MultihashCode.Sha256Trunc254Padded or MultihashCode.PoseidonBls12381A2Fc1 => length != 32,
        // a padding varint of one to nine bytes, the height, the root (FRC-0069)
        MultihashCode.Fr32Sha256Trunc254PadBinTree => length is < 34 or > 42,
        MultihashCode.Identity => length > MaxDigestLength,
        _ => length is 0 or > MaxDigestLength,
    };
}
