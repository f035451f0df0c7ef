using Shale.Crypto.Native;

namespace Shale.Crypto;

/// <summary>
/// Ed25519 signatures (RFC 8032 section 5.1), from libcrypto. Verification is strict: besides S below the group's order
/// (section 5.1.7) it refuses public keys that are not canonically encoded (section 5.1.3) and those of small order,
/// under which one signature fits many messages.
/// </summary>
public static unsafe class Ed25519
{
    /// <summary>Length in bytes of the seed, RFC 8032's private key.</summary>
    public const int SeedSize = 32;

    /// <summary>Length in bytes of a public key.</summary>
    public const int PublicKeySize = 32;

    /// <summary>Length in bytes of a signature (R, then S).</summary>
    public const int SignatureSize = 64;

    /// <summary>Computes the public key of a seed.</summary>
    /// <param name="seed">32 bytes.</param>
    /// <param name="publicKey">Receives 32 bytes.</param>
    /// <exception cref="ArgumentException">A span has another length.</exception>
    public static void DerivePublicKey(ReadOnlySpan<byte> seed, Span<byte> publicKey)
    {
        Sizes.Require(seed, SeedSize);
        Sizes.Require(publicKey, PublicKeySize);
        using var key = ImportSeed(seed);
        ExportPublicKey(key, publicKey);
    }

    /// <summary>Signs a message; deterministic. For many signatures with one key, <see cref="Ed25519PrivateKey"/> spares the derivation.</summary>
    /// <param name="seed">32 bytes.</param>
    /// <param name="message">The message itself (PureEdDSA: it is not hashed before).</param>
    /// <param name="signature">Receives 64 bytes.</param>
    /// <exception cref="ArgumentException">A span has another length.</exception>
    public static void Sign(ReadOnlySpan<byte> seed, ReadOnlySpan<byte> message, Span<byte> signature)
    {
        Sizes.Require(seed, SeedSize);
        Sizes.Require(signature, SignatureSize);
        using var key = ImportSeed(seed);
        Sign(key, message, signature);
    }

    /// <summary>Verifies a signature. Wrong lengths of the key or the signature are answered with false.</summary>
    /// <param name="publicKey">The signer's public key, from anywhere.</param>
    /// <param name="message">The signed message.</param>
    /// <param name="signature">The signature, from anywhere.</param>
    public static bool Verify(ReadOnlySpan<byte> publicKey, ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature)
    {
        if (signature.Length != SignatureSize || !IsAcceptablePublicKey(publicKey))
        {
            return false;
        }

        ReadOnlySpan<byte> data = message.IsEmpty ? [0] : message;
        fixed (byte* point = publicKey, text = data, proof = signature)
        {
            using var key = LibCrypto.NewRawPublicKey(LibCrypto.EvpPkeyEd25519, 0, point, PublicKeySize);
            if (key.IsInvalid)
            {
                LibCrypto.ClearErrors();
                return false;
            }

            using var context = LibCrypto.Check(LibCrypto.NewDigestContext(), "EVP_MD_CTX_new");
            LibCrypto.Check(LibCrypto.DigestVerifyInit(context, 0, 0, 0, key), "EVP_DigestVerifyInit");
            if (LibCrypto.DigestVerify(context, proof, SignatureSize, text, (nuint)message.Length) == 1)
            {
                return true;
            }

            LibCrypto.ClearErrors();
            return false;
        }
    }

    /// <summary>
    /// Whether 32 bytes are a canonical encoding (y below 2^255 - 19) that is not of small order. That the point lies on the curve is
    /// found out by <see cref="Verify"/>, where the square root is taken anyway.
    /// </summary>
    /// <param name="publicKey">The encoded point.</param>
    public static bool IsAcceptablePublicKey(ReadOnlySpan<byte> publicKey)
    {
        if (publicKey.Length != PublicKeySize)
        {
            return false;
        }

        Span<byte> y = stackalloc byte[PublicKeySize];
        publicKey.CopyTo(y);
        y[31] &= 0x7f;
        return IsBelowPrime(y) && !IsSmallOrder(y);
    }

    internal static EvpKeyHandle ImportSeed(ReadOnlySpan<byte> seed)
    {
        fixed (byte* secret = seed)
        {
            return LibCrypto.Check(LibCrypto.NewRawPrivateKey(LibCrypto.EvpPkeyEd25519, 0, secret, SeedSize), "EVP_PKEY_new_raw_private_key");
        }
    }

    internal static void ExportPublicKey(EvpKeyHandle key, Span<byte> publicKey)
    {
        fixed (byte* output = publicKey)
        {
            nuint length = PublicKeySize;
            LibCrypto.Check(LibCrypto.GetRawPublicKey(key, output, &length), "EVP_PKEY_get_raw_public_key");
        }
    }

    internal static void Sign(EvpKeyHandle key, ReadOnlySpan<byte> message, Span<byte> signature)
    {
        ReadOnlySpan<byte> data = message.IsEmpty ? [0] : message;
        fixed (byte* text = data, output = signature)
        {
            using var context = LibCrypto.Check(LibCrypto.NewDigestContext(), "EVP_MD_CTX_new");
            LibCrypto.Check(LibCrypto.DigestSignInit(context, 0, 0, 0, key), "EVP_DigestSignInit");
            nuint length = SignatureSize;
            LibCrypto.Check(LibCrypto.DigestSign(context, output, &length, text, (nuint)message.Length), "EVP_DigestSign");
        }
    }

    // p = 2^255 - 19, little-endian ed ff … ff 7f.
    private static bool IsBelowPrime(ReadOnlySpan<byte> y) =>
        y[31] != 0x7f || y[1..31].ContainsAnyExcept((byte)0xff) || y[0] < 0xed;

    // The y coordinates of the eight points of order 1, 2, 4 and 8; a test derives them from the curve.
    private static bool IsSmallOrder(ReadOnlySpan<byte> y)
    {
        if (y[1..31].ContainsAnyExcept((byte)0) || y[31] != 0)
        {
            return y.SequenceEqual(MinusOne) || y.SequenceEqual(OrderEightA) || y.SequenceEqual(OrderEightB);
        }

        return y[0] <= 1;
    }

    private static ReadOnlySpan<byte> MinusOne =>
    [
        0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
    ];

    private static ReadOnlySpan<byte> OrderEightA =>
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
        0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ];

    private static ReadOnlySpan<byte> OrderEightB =>
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
        0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ];
}
