using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using Shale.Crypto;

namespace Shale.Ssh.KeyExchange;

/// <summary>curve25519-sha256 (RFC 8731). A secret of zeros, which small-order points give, is refused.</summary>
internal sealed class X25519Agreement : KeyAgreement
{
    private readonly byte[] _privateKey = new byte[X25519.KeySize];

    public override HashAlgorithmName Hash => HashAlgorithmName.SHA256;

    public override int MaxValueLength => X25519.KeySize;

    public override byte[] Begin()
    {
        var publicKey = new byte[X25519.KeySize];
        X25519.GenerateKeyPair(_privateKey, publicKey);
        return publicKey;
    }

    public override bool TryComplete(ReadOnlySpan<byte> serverValue, [NotNullWhen(true)] out byte[]? secret)
    {
        secret = null;
        if (serverValue.Length != X25519.KeySize)
        {
            return false;
        }

        Span<byte> shared = stackalloc byte[X25519.KeySize];
        if (X25519.TryAgree(_privateKey, serverValue, shared))
        {
            // RFC 8731 section 3.1: the 32 bytes count as a big-endian number.
            secret = EncodeMpint(shared);
        }

        CryptographicOperations.ZeroMemory(shared);
        return secret is not null;
    }

    public override bool TryRespond(
        ReadOnlySpan<byte> clientValue, [NotNullWhen(true)] out byte[]? serverValue, [NotNullWhen(true)] out byte[]? secret)
    {
        serverValue = Begin();
        return TryComplete(clientValue, out secret);
    }

    public override void Dispose() => CryptographicOperations.ZeroMemory(_privateKey);
}
