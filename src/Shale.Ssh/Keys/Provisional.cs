using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using Shale.Crypto;
using Shale.Wire;

namespace Shale.Ssh.Keys;

// The shapes that the rest of the library is written against. The full Keys folder replaces this whole file.

/// <summary>A public key in SSH's encoding.</summary>
public sealed partial class SshPublicKey
{
    private SshPublicKey(string keyType, ReadOnlyMemory<byte> blob)
    {
        KeyType = keyType;
        Blob = blob;
    }

    /// <summary>The key type's name.</summary>
    public string KeyType { get; }

    /// <summary>The encoding (RFC 4253 section 6.6).</summary>
    public ReadOnlyMemory<byte> Blob { get; }

    /// <summary>SHA256:…, as OpenSSH prints it.</summary>
    public string Fingerprint => "SHA256:" + Convert.ToBase64String(SHA256.HashData(Blob.Span)).TrimEnd('=');

    /// <summary>Parses a key.</summary>
    /// <param name="blob">The encoding.</param>
    /// <param name="key">The key.</param>
    /// <returns>Whether it is one.</returns>
    public static bool TryParse(ReadOnlySpan<byte> blob, [NotNullWhen(true)] out SshPublicKey? key)
    {
        key = null;
        var reader = new WireReader(blob);
        if (!reader.TryReadAscii(64, out var type) || type != "ssh-ed25519" || !reader.TryReadString(out var point) || point.Length != 32 || !reader.IsAtEnd)
        {
            return false;
        }

        key = new SshPublicKey(type, blob.ToArray());
        return true;
    }

    /// <summary>Verifies a signature.</summary>
    /// <param name="data">What was signed.</param>
    /// <param name="signatureBlob">The signature blob.</param>
    /// <param name="expectedSignatureAlgorithm">The algorithm that was agreed.</param>
    /// <returns>The outcome.</returns>
    public SignatureCheck Verify(ReadOnlySpan<byte> data, ReadOnlySpan<byte> signatureBlob, string expectedSignatureAlgorithm)
    {
        var reader = new WireReader(signatureBlob);
        if (!reader.TryReadAscii(64, out var algorithm) || !reader.TryReadString(out var signature) || !reader.IsAtEnd)
        {
            return SignatureCheck.Bad;
        }

        return algorithm != expectedSignatureAlgorithm ? SignatureCheck.AlgorithmMismatch
            : signature.Length == 64 && Ed25519.Verify(Blob.Span[^32..], data, signature) ? SignatureCheck.Ok
            : SignatureCheck.Bad;
    }
}

/// <summary>A user certificate.</summary>
public sealed partial class SshCertificate
{
    private SshCertificate()
    {
    }
}

/// <summary>What the check of a signature gave.</summary>
public enum SignatureCheck
{
    /// <summary>It verifies.</summary>
    Ok,

    /// <summary>It does not verify.</summary>
    Bad,

    /// <summary>It was made with another algorithm than agreed.</summary>
    AlgorithmMismatch,
}

/// <summary>A host's private key.</summary>
public sealed partial class HostKey : IDisposable
{
    private readonly Ed25519PrivateKey _key;

    /// <summary>Takes an Ed25519 seed.</summary>
    /// <param name="seed">32 bytes.</param>
    public HostKey(ReadOnlySpan<byte> seed)
    {
        _key = new Ed25519PrivateKey(seed);
        var blob = new System.Buffers.ArrayBufferWriter<byte>();
        var writer = new WireWriter(blob);
        writer.WriteString("ssh-ed25519");
        writer.WriteString(_key.PublicKey);
        PublicKey = SshPublicKey.TryParse(blob.WrittenSpan, out var key) ? key : throw new CryptographicException("no key");
    }

    /// <summary>Its public half.</summary>
    public SshPublicKey PublicKey { get; }

    /// <summary>The signature algorithms that it can sign with, best first.</summary>
    public IReadOnlyList<string> SignatureAlgorithms { get; } = ["ssh-ed25519"];

    /// <summary>Signs.</summary>
    /// <param name="algorithm">One of <see cref="SignatureAlgorithms"/>.</param>
    /// <param name="data">What to sign.</param>
    /// <returns>The signature blob.</returns>
    public byte[] Sign(string algorithm, ReadOnlySpan<byte> data)
    {
        var signature = new byte[64];
        _key.Sign(data, signature);
        var blob = new System.Buffers.ArrayBufferWriter<byte>();
        var writer = new WireWriter(blob);
        writer.WriteString(algorithm);
        writer.WriteString(signature);
        return blob.WrittenSpan.ToArray();
    }

    /// <summary>Zeroes the key.</summary>
    public void Dispose() => _key.Dispose();
}
