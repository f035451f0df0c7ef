using System.Buffers;
using Shale.Crypto;
using Shale.Ssh.Keys;
using Shale.Wire;

namespace Shale.Ssh.Client;

/// <summary>A key that a client authenticates with.</summary>
public abstract class ClientIdentity
{
    /// <summary>The public half.</summary>
    public abstract SshPublicKey PublicKey { get; }

    /// <summary>The algorithm that <see cref="Sign"/> signs with.</summary>
    public abstract string SignatureAlgorithm { get; }

    /// <summary>Signs.</summary>
    /// <param name="data">What to sign.</param>
    /// <returns>A signature blob: string algorithm, string signature (RFC 4253 section 6.6).</returns>
    public abstract byte[] Sign(ReadOnlySpan<byte> data);

    /// <summary>An Ed25519 key (RFC 8709).</summary>
    /// <param name="key">The key; it stays the caller's to dispose.</param>
    /// <returns>The identity.</returns>
    public static ClientIdentity FromEd25519(Ed25519PrivateKey key)
    {
        ArgumentNullException.ThrowIfNull(key);
        return new Ed25519Identity(key);
    }

    private sealed class Ed25519Identity : ClientIdentity
    {
        private const string Name = "ssh-ed25519";
        private readonly Ed25519PrivateKey _key;

        public Ed25519Identity(Ed25519PrivateKey key)
        {
            _key = key;
            PublicKey = SshPublicKey.TryParse(Encode(key.PublicKey), out var parsed) ? parsed : throw new ArgumentException("The key is not an Ed25519 key.", nameof(key));
        }

        public override SshPublicKey PublicKey { get; }

        public override string SignatureAlgorithm => Name;

        public override byte[] Sign(ReadOnlySpan<byte> data)
        {
            Span<byte> signature = stackalloc byte[Ed25519.SignatureSize];
            _key.Sign(data, signature);
            return Encode(signature);
        }

        private static byte[] Encode(ReadOnlySpan<byte> value)
        {
            var output = new ArrayBufferWriter<byte>(128);
            var writer = new WireWriter(output);
            writer.WriteString(Name);
            writer.WriteString(value);
            return output.WrittenSpan.ToArray();
        }
    }
}
