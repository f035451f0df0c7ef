using System.Security.Cryptography;
using Shale.Crypto;
using Shale.Payments.Channel;
using Shale.Wire;

namespace Shale.Payments.Tests.Support;

/// <summary>An ssh-ed25519 host key as RFC 8709 encodes it.</summary>
internal sealed class TestHostKey : IHostKeySigner
{
    private readonly byte[] _seed = RandomNumberGenerator.GetBytes(Ed25519.SeedSize);

    public TestHostKey()
    {
        byte[] publicKey = new byte[Ed25519.PublicKeySize];
        Ed25519.DerivePublicKey(_seed, publicKey);
        HostKey = Blob(publicKey);
    }

    public ReadOnlyMemory<byte> HostKey { get; }

    public byte[] Sign(ReadOnlySpan<byte> data)
    {
        byte[] signature = new byte[Ed25519.SignatureSize];
        Ed25519.Sign(_seed, data, signature);
        return Blob(signature);
    }

    private static byte[] Blob(byte[] content)
    {
        using var buffer = new PooledBufferWriter(256);
        var writer = new WireWriter(buffer);
        writer.WriteString("ssh-ed25519");
        writer.WriteString(content);
        return buffer.WrittenSpan.ToArray();
    }

    public sealed class Verifier : IHostKeyVerifier
    {
        public bool Verify(ReadOnlySpan<byte> hostKey, ReadOnlySpan<byte> signature, ReadOnlySpan<byte> data) =>
            TryContent(hostKey, 32, out ReadOnlySpan<byte> key) && TryContent(signature, 64, out ReadOnlySpan<byte> bytes) && Ed25519.Verify(key, data, bytes);

        private static bool TryContent(ReadOnlySpan<byte> blob, int length, out ReadOnlySpan<byte> content)
        {
            var reader = new WireReader(blob);
            content = default;
            return reader.TryReadAscii(64, out string? name) && name == "ssh-ed25519" && reader.TryReadString(out content) && reader.IsAtEnd && content.Length == length;
        }
    }
}
