using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using Shale.Wire;

namespace Shale.Ssh.Keys;

/// <summary>
/// A public key in SSH's encoding (RFC 4253 section 6.6, RFC 5656, RFC 8709, OpenSSH's PROTOCOL.u2f). An instance exists only for a key whose numbers were checked:
/// points lie on their curve, RSA has 2048 to 16384 bits and a small odd exponent. Two keys are equal when their encodings are.
/// </summary>
public sealed class SshPublicKey : IEquatable<SshPublicKey>
{
    /// <summary>The longest encoding, in bytes: an RSA key of 16384 bits has about 2.1 KiB, a security key with the longest application name less.</summary>
    public const int MaxBlobSize = 4096;

    private readonly byte[] _blob;

    internal SshPublicKey(string keyType, KeyMaterial material)
    {
        using var buffer = new PooledBufferWriter(MaxBlobSize);
        var writer = new WireWriter(buffer);
        writer.WriteString(keyType);
        material.Write(writer);
        _blob = buffer.WrittenSpan.ToArray();
        KeyType = keyType;
        Material = material;
        Fingerprint = "SHA256:" + Convert.ToBase64String(SHA256.HashData(_blob)).TrimEnd('=');
    }

    /// <summary>The type's name, as it stands in the encoding: "ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa", "sk-ssh-ed25519@openssh.com", …</summary>
    public string KeyType { get; }

    /// <summary>The encoding.</summary>
    public ReadOnlyMemory<byte> Blob => _blob;

    /// <summary>"SHA256:" and the hash of the encoding in base64 without padding, as OpenSSH prints it.</summary>
    public string Fingerprint { get; }

    /// <summary>Whether the key lives in a FIDO authenticator, so that its signatures attest presence.</summary>
    public bool IsSecurityKey => Material is SecurityKeyMaterial;

    internal KeyMaterial Material { get; }

    /// <summary>Parses a plain key; certificates are not keys and are refused.</summary>
    /// <param name="blob">The encoding, from anywhere; it is copied.</param>
    /// <param name="key">The key.</param>
    /// <returns>Whether it is a well-formed key of a type and size that we accept, with nothing behind it.</returns>
    public static bool TryParse(ReadOnlySpan<byte> blob, [NotNullWhen(true)] out SshPublicKey? key)
    {
        key = null;
        var reader = new WireReader(blob);
        if (blob.Length > MaxBlobSize || !reader.TryReadAscii(WireReader.MaxNameLength, out var type)
            || !KeyMaterial.TryRead(type, ref reader, out var material) || !reader.IsAtEnd)
        {
            return false;
        }

        key = new SshPublicKey(type, material);
        return true;
    }

    /// <summary>Parses one line of an authorized_keys file (sshd(8), AUTHORIZED_KEYS FILE FORMAT).</summary>
    /// <param name="line">The line, from anywhere, without its end.</param>
    /// <param name="authorizedKey">The key with its options and comment.</param>
    /// <returns>False for blank lines and comments, for malformed lines, and for options that are unknown: a restriction that is not understood must not be dropped.</returns>
    public static bool TryParseAuthorizedKey(string line, [NotNullWhen(true)] out AuthorizedKey? authorizedKey) => AuthorizedKey.TryParse(line, out authorizedKey);

    /// <summary>Verifies a signature, requiring of security keys that the user was present.</summary>
    /// <param name="data">What was signed.</param>
    /// <param name="signatureBlob">The signature in SSH's encoding, from anywhere.</param>
    /// <param name="expectedSignatureAlgorithm">The signature algorithm agreed on ("rsa-sha2-512", "ssh-ed25519", …); a signature that names another is refused.</param>
    /// <returns>What the check gave.</returns>
    public SignatureCheck Verify(ReadOnlySpan<byte> data, ReadOnlySpan<byte> signatureBlob, string expectedSignatureAlgorithm) =>
        Verify(data, signatureBlob, expectedSignatureAlgorithm, SecurityKeyPolicy.RequirePresence, out _);

    /// <summary>Verifies a signature.</summary>
    /// <param name="data">What was signed.</param>
    /// <param name="signatureBlob">The signature in SSH's encoding, from anywhere.</param>
    /// <param name="expectedSignatureAlgorithm">The signature algorithm agreed on; a signature that names another is refused.</param>
    /// <param name="policy">What a security key must attest.</param>
    /// <param name="assertion">What a security key attested; only meaningful with <see cref="SignatureCheck.Ok"/>, and null for other keys.</param>
    /// <returns>What the check gave.</returns>
    public SignatureCheck Verify(
        ReadOnlySpan<byte> data, ReadOnlySpan<byte> signatureBlob, string expectedSignatureAlgorithm, SecurityKeyPolicy policy, out SecurityKeyAssertion? assertion)
    {
        assertion = null;
        var reader = new WireReader(signatureBlob);
        if (signatureBlob.Length > MaxBlobSize || !reader.TryReadAscii(WireReader.MaxNameLength, out var algorithm) || !reader.TryReadString(out var signature))
        {
            return SignatureCheck.Bad;
        }

        if (algorithm != expectedSignatureAlgorithm || !Material.Makes(KeyType, algorithm))
        {
            return SignatureCheck.AlgorithmMismatch;
        }

        if (Material is not SecurityKeyMaterial securityKey)
        {
            return reader.IsAtEnd && Material.Verify(data, signature, algorithm) ? SignatureCheck.Ok : SignatureCheck.Bad;
        }

        if (!reader.TryReadByte(out var flags) || !reader.TryReadUInt32(out var counter) || !reader.IsAtEnd
            || !securityKey.Verify(data, signature, new SecurityKeyAssertion(flags, counter)))
        {
            return SignatureCheck.Bad;
        }

        // The flags are believed only now that the signature, which covers them, has verified.
        if (policy.HasFlag(SecurityKeyPolicy.RequirePresence) && (flags & SecurityKeyAssertion.UserPresent) == 0)
        {
            return SignatureCheck.NoUserPresence;
        }

        if (policy.HasFlag(SecurityKeyPolicy.RequireVerification) && (flags & SecurityKeyAssertion.UserVerified) == 0)
        {
            return SignatureCheck.NoUserVerification;
        }

        assertion = new SecurityKeyAssertion(flags, counter);
        return SignatureCheck.Ok;
    }

    /// <inheritdoc/>
    public bool Equals(SshPublicKey? other) => other is not null && _blob.AsSpan().SequenceEqual(other._blob);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as SshPublicKey);

    /// <inheritdoc/>
    public override int GetHashCode() => StringComparer.Ordinal.GetHashCode(Fingerprint);

    /// <summary>The type and the encoding in base64, as in a .pub file.</summary>
    public override string ToString() => $"{KeyType} {Convert.ToBase64String(_blob)}";
}
