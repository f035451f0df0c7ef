using System.Diagnostics.CodeAnalysis;
using System.Numerics;
using System.Security.Cryptography;
using System.Text;
using Shale.Crypto;
using Shale.Wire;

namespace Shale.Ssh.Keys;

/// <summary>OpenSSH's private key format (PROTOCOL.key), unencrypted. Other formats and encrypted keys are told apart, so that the message says what to do.</summary>
internal static class OpenSshKeyFile
{
    /// <summary>The longest file, in bytes: an RSA key of 16384 bits takes 13 KiB.</summary>
    internal const int MaxSize = 65536;

    private const string Begin = "-----BEGIN OPENSSH PRIVATE KEY-----";
    private const string End = "-----END OPENSSH PRIVATE KEY-----";
    private const int LineLength = 70;
    private const int BlockSize = 8; // of the cipher "none"

    private static ReadOnlySpan<byte> Magic => "openssh-key-v1\0"u8;

    /// <summary>Parses a file's text.</summary>
    /// <returns>Null when <paramref name="key"/> was read; else what is wrong and what to do, a phrase that follows the file's name.</returns>
    internal static string? TryRead(string text, out HostKey? key)
    {
        key = null;
        text = text.Trim();
        if (!text.StartsWith(Begin, StringComparison.Ordinal) || !text.EndsWith(End, StringComparison.Ordinal))
        {
            return text.Contains("PRIVATE KEY-----", StringComparison.Ordinal)
                ? "is a private key in another format than OpenSSH's; convert it with 'ssh-keygen -p -N \"\" -f FILE'"
                : "is not an OpenSSH private key";
        }

        byte[] bytes;
        try
        {
            bytes = Convert.FromBase64String(text[Begin.Length..^End.Length]);
        }
        catch (FormatException)
        {
            return "is damaged: what stands between its first and last line is not base64";
        }

        try
        {
            return TryReadBinary(bytes, out key);
        }
        catch (CryptographicException error)
        {
            return $"holds numbers that are not a key ({error.Message})";
        }
        finally
        {
            CryptographicOperations.ZeroMemory(bytes);
        }
    }

    /// <summary>The file's text.</summary>
    internal static string Write(HostKey key, string comment)
    {
        using var section = new PooledBufferWriter(MaxSize, holdsSecrets: true);
        var inner = new WireWriter(section);
        var check = BitConverter.ToUInt32(RandomNumberGenerator.GetBytes(sizeof(uint)));
        inner.WriteUInt32(check);
        inner.WriteUInt32(check);
        key.WritePrivate(inner);
        inner.WriteString(comment);
        for (byte padding = 1; section.WrittenCount % BlockSize != 0; padding++)
        {
            inner.WriteByte(padding);
        }

        using var file = new PooledBufferWriter(MaxSize, holdsSecrets: true);
        var writer = new WireWriter(file);
        writer.WriteBytes(Magic);
        writer.WriteString("none"); // cipher
        writer.WriteString("none"); // key derivation
        writer.WriteString(""); // its options
        writer.WriteUInt32(1); // number of keys
        writer.WriteString(key.PublicKey.Blob.Span);
        writer.WriteString(section.WrittenSpan);

        var text = new StringBuilder().Append(Begin).Append('\n');
        foreach (var line in Convert.ToBase64String(file.WrittenSpan).Chunk(LineLength))
        {
            text.Append(line).Append('\n');
        }

        return text.Append(End).Append('\n').ToString();
    }

    private static string? TryReadBinary(ReadOnlySpan<byte> bytes, out HostKey? key)
    {
        key = null;
        const string damaged = "is damaged";
        if (!bytes.StartsWith(Magic))
        {
            return damaged;
        }

        var reader = new WireReader(bytes[Magic.Length..]);
        if (!reader.TryReadAscii(WireReader.MaxNameLength, out var cipher) || !reader.TryReadAscii(WireReader.MaxNameLength, out var derivation)
            || !reader.TryReadString(out var options) || !reader.TryReadUInt32(out var count)
            || !reader.TryReadString(out var publicBlob) || !reader.TryReadString(out var section) || !reader.IsAtEnd)
        {
            return damaged;
        }

        if (cipher != "none" || derivation != "none")
        {
            return $"is encrypted ({cipher}, {derivation}), and a host key must be readable without a passphrase; take the passphrase off with 'ssh-keygen -p -N \"\" -f FILE'";
        }

        var inner = new WireReader(section);
        if (options.Length != 0 || count != 1 || section.Length % BlockSize != 0
            || !inner.TryReadUInt32(out var first) || !inner.TryReadUInt32(out var second) || first != second
            || !inner.TryReadAscii(WireReader.MaxNameLength, out var type))
        {
            return damaged;
        }

        if (!IsSupported(type))
        {
            return $"holds a key of type {type}, which is no host key here; use ed25519, ecdsa or rsa";
        }

        if (!TryReadPrivate(type, ref inner, out key))
        {
            return damaged;
        }

        if (!inner.TryReadString(out _) || !IsPadding(inner.Remaining) || !publicBlob.SequenceEqual(key.PublicKey.Blob.Span))
        {
            key.Dispose();
            key = null;
            return damaged + ": its public and private halves do not belong together";
        }

        return null;
    }

    private static bool IsSupported(string type) =>
        type is SshKeyAlgorithms.Ed25519 or SshKeyAlgorithms.EcdsaP256 or SshKeyAlgorithms.EcdsaP384 or SshKeyAlgorithms.EcdsaP521 or SshKeyAlgorithms.Rsa;

    private static bool TryReadPrivate(string type, ref WireReader reader, [NotNullWhen(true)] out HostKey? key)
    {
        key = type switch
        {
            SshKeyAlgorithms.Ed25519 => ReadEd25519(ref reader),
            SshKeyAlgorithms.Rsa => ReadRsa(ref reader),
            _ => ReadEcdsa(type["ecdsa-sha2-".Length..], ref reader),
        };
        return key is not null;
    }

    private static Ed25519HostKey? ReadEd25519(ref WireReader reader)
    {
        if (!reader.TryReadString(Ed25519.PublicKeySize, out var point) || !reader.TryReadString(Ed25519.SeedSize + Ed25519.PublicKeySize, out var pair)
            || pair.Length != Ed25519.SeedSize + Ed25519.PublicKeySize)
        {
            return null;
        }

        // The public key stands here twice and follows from the seed. Were it taken from the file, a damaged copy could make us sign under a wrong one.
        var key = new Ed25519HostKey(pair[..Ed25519.SeedSize]);
        if (key.PublicKey.Blob.Span.EndsWith(point) && point.SequenceEqual(pair[Ed25519.SeedSize..]))
        {
            return key;
        }

        key.Dispose();
        return null;
    }

    private static EcdsaHostKey? ReadEcdsa(string curveName, ref WireReader reader)
    {
        var curve = NistCurve.Get(curveName);
        if (!reader.TryReadAscii(WireReader.MaxNameLength, out var name) || name != curveName || !reader.TryReadString(curve.PointSize, out var point)
            || !curve.IsOnCurve(point) || !reader.TryReadMpint(curve.FieldSize, out var scalar))
        {
            return null;
        }

        var key = new EcdsaHostKey(curve, point.ToArray(), Padded(scalar, curve.FieldSize));
        return SignsForItself(key) ? key : null;
    }

    private static RsaHostKey? ReadRsa(ref WireReader reader)
    {
        const int most = RsaMaterial.MaxBits / 8;
        if (!reader.TryReadMpint(most, out var n) || !reader.TryReadMpint(RsaMaterial.MaxExponentSize, out var e) || !reader.TryReadMpint(most, out var d)
            || !reader.TryReadMpint(most, out var inverse) || !reader.TryReadMpint(most, out var p) || !reader.TryReadMpint(most, out var q)
            || n.Length < 2 || p.Length > (n.Length + 1) / 2 || q.Length > (n.Length + 1) / 2 || inverse.Length > (n.Length + 1) / 2 || d.Length > n.Length
            || p.Length < 2 || q.Length < 2)
        {
            return null;
        }

        var half = (n.Length + 1) / 2;
        var key = new RsaHostKey(new RSAParameters
        {
            Modulus = n.ToArray(),
            Exponent = e.ToArray(),
            D = Padded(d, n.Length),
            P = Padded(p, half),
            Q = Padded(q, half),
            DP = Padded(Remainder(d, p), half),
            DQ = Padded(Remainder(d, q), half),
            InverseQ = Padded(inverse, half),
        });
        return SignsForItself(key) ? key : null;
    }

    // d mod (prime - 1), which the format leaves out. BigInteger is not constant time and its memory is not zeroed: this runs once, at start, on the host itself.
    private static byte[] Remainder(ReadOnlySpan<byte> d, ReadOnlySpan<byte> prime) =>
        (Number(d) % (Number(prime) - 1)).ToByteArray(isUnsigned: true, isBigEndian: true);

    private static BigInteger Number(ReadOnlySpan<byte> bytes) => new(bytes, isUnsigned: true, isBigEndian: true);

    private static byte[] Padded(ReadOnlySpan<byte> value, int size)
    {
        var padded = new byte[size];
        value.TrimStart((byte)0).CopyTo(padded.AsSpan(size - value.TrimStart((byte)0).Length));
        return padded;
    }

    // Whether the private half belongs to the public one: a signature tells.
    private static bool SignsForItself(HostKey key)
    {
        var algorithm = key.SignatureAlgorithms[0];
        if (key.PublicKey.Verify("check"u8, key.Sign(algorithm, "check"u8), algorithm) == SignatureCheck.Ok)
        {
            return true;
        }

        key.Dispose();
        return false;
    }

    private static bool IsPadding(ReadOnlySpan<byte> bytes)
    {
        for (var i = 0; i < bytes.Length; i++)
        {
            if (bytes[i] != i + 1)
            {
                return false;
            }
        }

        return bytes.Length < BlockSize;
    }
}
