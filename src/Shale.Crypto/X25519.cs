using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Shale.Crypto.Native;

namespace Shale.Crypto;

/// <summary>Diffie-Hellman over Curve25519 (RFC 7748), from libcrypto.</summary>
public static unsafe class X25519
{
    /// <summary>Length in bytes of a private key, a public key and a shared secret.</summary>
    public const int KeySize = 32;

    /// <summary>Makes a key pair with the system's random generator.</summary>
    /// <param name="privateKey">Receives 32 bytes; the caller zeroes them after use.</param>
    /// <param name="publicKey">Receives 32 bytes.</param>
    /// <exception cref="ArgumentException">A span is not 32 bytes long.</exception>
    public static void GenerateKeyPair(Span<byte> privateKey, Span<byte> publicKey)
    {
        Sizes.Require(privateKey, KeySize);
        RandomNumberGenerator.Fill(privateKey);
        DerivePublicKey(privateKey, publicKey);
    }

    /// <summary>Computes the public key of a private key (RFC 7748 section 6.1; the private key is clamped on use).</summary>
    /// <param name="privateKey">32 bytes.</param>
    /// <param name="publicKey">Receives 32 bytes.</param>
    /// <exception cref="ArgumentException">A span is not 32 bytes long.</exception>
    public static void DerivePublicKey(ReadOnlySpan<byte> privateKey, Span<byte> publicKey)
    {
        Sizes.Require(privateKey, KeySize);
        Sizes.Require(publicKey, KeySize);
        fixed (byte* secret = privateKey, output = publicKey)
        {
            using var key = LibCrypto.Check(LibCrypto.NewRawPrivateKey(LibCrypto.EvpPkeyX25519, 0, secret, KeySize), "EVP_PKEY_new_raw_private_key");
            nuint length = KeySize;
            LibCrypto.Check(LibCrypto.GetRawPublicKey(key, output, &length), "EVP_PKEY_get_raw_public_key");
        }
    }

    /// <summary>Computes the shared secret.</summary>
    /// <param name="privateKey">32 bytes.</param>
    /// <param name="peerPublicKey">32 bytes from the peer; any value is safe to pass.</param>
    /// <param name="shared">Receives 32 bytes; all zero when the method returns false.</param>
    /// <returns>False when the peer's point has small order, so that the secret would be all zero (RFC 7748 section 6.1).</returns>
    /// <exception cref="ArgumentException">A span is not 32 bytes long.</exception>
    public static bool TryAgree(ReadOnlySpan<byte> privateKey, ReadOnlySpan<byte> peerPublicKey, Span<byte> shared)
    {
        Sizes.Require(privateKey, KeySize);
        Sizes.Require(peerPublicKey, KeySize);
        Sizes.Require(shared, KeySize);
        shared.Clear();
        fixed (byte* secret = privateKey, point = peerPublicKey, output = shared)
        {
            using var key = LibCrypto.Check(LibCrypto.NewRawPrivateKey(LibCrypto.EvpPkeyX25519, 0, secret, KeySize), "EVP_PKEY_new_raw_private_key");
            using var peer = LibCrypto.Check(LibCrypto.NewRawPublicKey(LibCrypto.EvpPkeyX25519, 0, point, KeySize), "EVP_PKEY_new_raw_public_key");
            using var context = LibCrypto.Check(LibCrypto.NewKeyContext(key, 0), "EVP_PKEY_CTX_new");
            LibCrypto.Check(LibCrypto.DeriveInit(context), "EVP_PKEY_derive_init");
            nuint length = KeySize;
            if (LibCrypto.DeriveSetPeer(context, peer) <= 0 || LibCrypto.Derive(context, output, &length) <= 0 || length != KeySize)
            {
                // With well-formed lengths the only thing libcrypto refuses is a point of small order.
                LibCrypto.ClearErrors();
                shared.Clear();
                return false;
            }
        }

        return !IsZero(shared);
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.NoOptimization)]
    private static bool IsZero(ReadOnlySpan<byte> value)
    {
        var bits = 0;
        foreach (var b in value)
        {
            bits |= b;
        }

        return bits == 0;
    }
}
