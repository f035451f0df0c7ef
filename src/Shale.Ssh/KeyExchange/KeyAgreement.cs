using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using Shale.Wire;

namespace Shale.Ssh.KeyExchange;

/// <summary>
/// One method of agreeing on a secret: the client sends a value, the server answers with one, both derive the secret. Made for one exchange, used on one side of it; disposing zeroes what is secret.
/// </summary>
internal abstract class KeyAgreement : IDisposable
{
    /// <summary>Our methods, in the order in which we prefer them as a client and list them as a server.</summary>
    public static readonly string[] Names =
    [
        "mlkem768x25519-sha256",
        "sntrup761x25519-sha512",
        "sntrup761x25519-sha512@openssh.com",
        "curve25519-sha256",
        "curve25519-sha256@libssh.org",
        "ecdh-sha2-nistp256",
        "ecdh-sha2-nistp384",
        "ecdh-sha2-nistp521",
        "diffie-hellman-group14-sha256",
        "diffie-hellman-group16-sha512",
        "diffie-hellman-group18-sha512",
    ];

    /// <summary>The hash of the exchange and of the keys.</summary>
    public abstract HashAlgorithmName Hash { get; }

    /// <summary>Whether the exchanged values are mpints (RFC 4253 section 8) rather than strings (RFC 5656, RFC 8731).</summary>
    public virtual bool ValuesAreMpints => false;

    /// <summary>The longest value that the peer may send, in bytes.</summary>
    public abstract int MaxValueLength { get; }

    public static bool IsKnown(string name) => Names.Contains(name);

    public static KeyAgreement Create(string name) => name switch
    {
        "mlkem768x25519-sha256" => new HybridAgreement(Kem.MlKem768, HashAlgorithmName.SHA256),
        "sntrup761x25519-sha512" or "sntrup761x25519-sha512@openssh.com" => new HybridAgreement(Kem.Sntrup761, HashAlgorithmName.SHA512),
        "curve25519-sha256" or "curve25519-sha256@libssh.org" => new X25519Agreement(),
        "ecdh-sha2-nistp256" => new EcdhAgreement(ECCurve.NamedCurves.nistP256, 32, HashAlgorithmName.SHA256),
        "ecdh-sha2-nistp384" => new EcdhAgreement(ECCurve.NamedCurves.nistP384, 48, HashAlgorithmName.SHA384),
        "ecdh-sha2-nistp521" => new EcdhAgreement(ECCurve.NamedCurves.nistP521, 66, HashAlgorithmName.SHA512),
        "diffie-hellman-group14-sha256" => new DhAgreement(ModpGroup.Group14, HashAlgorithmName.SHA256),
        "diffie-hellman-group16-sha512" => new DhAgreement(ModpGroup.Group16, HashAlgorithmName.SHA512),
        "diffie-hellman-group18-sha512" => new DhAgreement(ModpGroup.Group18, HashAlgorithmName.SHA512),
        _ => throw new ArgumentException($"There is no key exchange method {name}.", nameof(name)),
    };

    /// <summary>Client: makes the value to send.</summary>
    public abstract byte[] Begin();

    /// <summary>Client: derives the secret from the server's value, after <see cref="Begin"/>.</summary>
    /// <param name="serverValue">The server's value.</param>
    /// <param name="secret">The secret as the hashes take it: a whole mpint or string. The caller zeroes it.</param>
    /// <returns>Whether the value was acceptable.</returns>
    public abstract bool TryComplete(ReadOnlySpan<byte> serverValue, [NotNullWhen(true)] out byte[]? secret);

    /// <summary>Server: makes the value to send and derives the secret.</summary>
    /// <param name="clientValue">The client's value.</param>
    /// <param name="serverValue">The value to send.</param>
    /// <param name="secret">The secret as the hashes take it: a whole mpint or string. The caller zeroes it.</param>
    /// <returns>Whether the client's value was acceptable.</returns>
    public abstract bool TryRespond(
        ReadOnlySpan<byte> clientValue, [NotNullWhen(true)] out byte[]? serverValue, [NotNullWhen(true)] out byte[]? secret);

    public abstract void Dispose();

    protected static byte[] EncodeMpint(ReadOnlySpan<byte> magnitude)
    {
        using var buffer = new PooledBufferWriter(4096, holdsSecrets: true);
        new WireWriter(buffer).WriteMpint(magnitude);
        return buffer.WrittenSpan.ToArray();
    }

    protected static byte[] EncodeString(ReadOnlySpan<byte> value)
    {
        using var buffer = new PooledBufferWriter(4096, holdsSecrets: true);
        new WireWriter(buffer).WriteString(value);
        return buffer.WrittenSpan.ToArray();
    }
}
