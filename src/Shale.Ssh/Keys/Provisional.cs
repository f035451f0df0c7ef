using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;
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
public abstract partial class HostKey : IDisposable
{
    /// <summary>Its public half.</summary>
    public abstract SshPublicKey PublicKey { get; }

    /// <summary>The signature algorithms that it can sign with, best first.</summary>
    public abstract IReadOnlyList<string> SignatureAlgorithms { get; }

    /// <summary>Signs.</summary>
    /// <param name="algorithm">One of <see cref="SignatureAlgorithms"/>.</param>
    /// <param name="data">What to sign.</param>
    /// <returns>The signature blob.</returns>
    public abstract byte[] Sign(string algorithm, ReadOnlySpan<byte> data);

    /// <summary>Zeroes the key.</summary>
    public abstract void Dispose();
}
