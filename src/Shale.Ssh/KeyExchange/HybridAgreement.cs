using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using Shale.Crypto;

namespace Shale.Ssh.KeyExchange;

/// <summary>A key encapsulation mechanism, by its sizes and functions.</summary>
internal abstract class Kem
{
    public static Kem MlKem768 { get; } = new MlKem();

    public static Kem Sntrup761 { get; } = new Sntrup();

    public abstract int PublicKeySize { get; }

    public abstract int PrivateKeySize { get; }

    public abstract int CiphertextSize { get; }

    public abstract void GenerateKeyPair(Span<byte> publicKey, Span<byte> privateKey);

    public abstract bool TryEncapsulate(ReadOnlySpan<byte> publicKey, Span<byte> ciphertext, Span<byte> secret);

    public abstract bool TryDecapsulate(ReadOnlySpan<byte> privateKey, ReadOnlySpan<byte> ciphertext, Span<byte> secret);

    private sealed class MlKem : Kem
    {
        public override int PublicKeySize => Crypto.MlKem768.PublicKeySize;

        public override int PrivateKeySize => Crypto.MlKem768.PrivateKeySize;

        public override int CiphertextSize => Crypto.MlKem768.CiphertextSize;

        public override void GenerateKeyPair(Span<byte> publicKey, Span<byte> privateKey) => Crypto.MlKem768.GenerateKeyPair(publicKey, privateKey);

        public override bool TryEncapsulate(ReadOnlySpan<byte> publicKey, Span<byte> ciphertext, Span<byte> secret) =>
            Crypto.MlKem768.TryEncapsulate(publicKey, ciphertext, secret);

        public override bool TryDecapsulate(ReadOnlySpan<byte> privateKey, ReadOnlySpan<byte> ciphertext, Span<byte> secret) =>
            Crypto.MlKem768.TryDecapsulate(privateKey, ciphertext, secret);
    }

    private sealed class Sntrup : Kem
    {
        public override int PublicKeySize => Crypto.Sntrup761.PublicKeySize;

        public override int PrivateKeySize => Crypto.Sntrup761.PrivateKeySize;

        public override int CiphertextSize => Crypto.Sntrup761.CiphertextSize;

        public override void GenerateKeyPair(Span<byte> publicKey, Span<byte> privateKey) => Crypto.Sntrup761.GenerateKeyPair(publicKey, privateKey);

        public override bool TryEncapsulate(ReadOnlySpan<byte> publicKey, Span<byte> ciphertext, Span<byte> secret) =>
            Crypto.Sntrup761.TryEncapsulate(publicKey, ciphertext, secret);

        public override bool TryDecapsulate(ReadOnlySpan<byte> privateKey, ReadOnlySpan<byte> ciphertext, Span<byte> secret) =>
            Crypto.Sntrup761.TryDecapsulate(privateKey, ciphertext, secret);
    }
}

/// <summary>
/// mlkem768x25519-sha256 (draft-ietf-sshm-mlkem-hybrid-kex) and sntrup761x25519-sha512 (draft-ietf-sshm-ntruprime-ssh): the client sends a KEM's public key and an X25519 key behind it, the server a
/// ciphertext and an X25519 key; the secret is HASH(KEM secret || X25519 secret), which enters the exchange hash and the keys as a string.
/// </summary>
internal sealed class HybridAgreement(Kem kem, HashAlgorithmName hash) : KeyAgreement
{
    private const int SecretSize = 32;

    private readonly byte[] _kemPrivateKey = new byte[kem.PrivateKeySize];
    private readonly byte[] _curvePrivateKey = new byte[X25519.KeySize];

    public override HashAlgorithmName Hash => hash;

    public override int MaxValueLength => Math.Max(kem.PublicKeySize, kem.CiphertextSize) + X25519.KeySize;

    public override byte[] Begin()
    {
        var value = new byte[kem.PublicKeySize + X25519.KeySize];
        kem.GenerateKeyPair(value.AsSpan(0, kem.PublicKeySize), _kemPrivateKey);
        X25519.GenerateKeyPair(_curvePrivateKey, value.AsSpan(kem.PublicKeySize));
        return value;
    }

    public override bool TryComplete(ReadOnlySpan<byte> serverValue, [NotNullWhen(true)] out byte[]? secret)
    {
        secret = null;
        if (serverValue.Length != kem.CiphertextSize + X25519.KeySize)
        {
            return false;
        }

        Span<byte> secrets = stackalloc byte[SecretSize + X25519.KeySize];
        if (kem.TryDecapsulate(_kemPrivateKey, serverValue[..kem.CiphertextSize], secrets[..SecretSize])
            && X25519.TryAgree(_curvePrivateKey, serverValue[kem.CiphertextSize..], secrets[SecretSize..]))
        {
            secret = Combine(secrets);
        }

        CryptographicOperations.ZeroMemory(secrets);
        return secret is not null;
    }

    public override bool TryRespond(
        ReadOnlySpan<byte> clientValue, [NotNullWhen(true)] out byte[]? serverValue, [NotNullWhen(true)] out byte[]? secret)
    {
        serverValue = null;
        secret = null;
        if (clientValue.Length != kem.PublicKeySize + X25519.KeySize)
        {
            return false;
        }

        var value = new byte[kem.CiphertextSize + X25519.KeySize];
        Span<byte> secrets = stackalloc byte[SecretSize + X25519.KeySize];
        X25519.GenerateKeyPair(_curvePrivateKey, value.AsSpan(kem.CiphertextSize));
        if (kem.TryEncapsulate(clientValue[..kem.PublicKeySize], value.AsSpan(0, kem.CiphertextSize), secrets[..SecretSize])
            && X25519.TryAgree(_curvePrivateKey, clientValue[kem.PublicKeySize..], secrets[SecretSize..]))
        {
            serverValue = value;
            secret = Combine(secrets);
        }

        CryptographicOperations.ZeroMemory(secrets);
        return secret is not null;
    }

    public override void Dispose()
    {
        CryptographicOperations.ZeroMemory(_kemPrivateKey);
        CryptographicOperations.ZeroMemory(_curvePrivateKey);
    }

    private byte[] Combine(ReadOnlySpan<byte> secrets)
    {
        var combined = CryptographicOperations.HashData(hash, secrets);
        var encoded = EncodeString(combined);
        CryptographicOperations.ZeroMemory(combined);
        return encoded;
    }
}
