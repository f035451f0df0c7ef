using System.Security.Cryptography;
using Shale.Crypto.Native;

namespace Shale.Crypto;

/// <summary>
/// ECDSA over secp256k1 (SEC 2 section 2.4.1) as Ethereum and Filecoin use it, from libsecp256k1: deterministic nonces (RFC 6979),
/// s in the lower half of the group (EIP-2), signatures from which the signer's key is recovered. All integers are big-endian.
/// </summary>
public static unsafe class Secp256k1
{
    /// <summary>Length in bytes of a private key.</summary>
    public const int PrivateKeySize = 32;

    /// <summary>Length in bytes of an uncompressed public key: 04, x, y (SEC 1 section 2.3.3).</summary>
    public const int UncompressedPublicKeySize = 65;

    /// <summary>Length in bytes of a compressed public key: 02 or 03, x.</summary>
    public const int CompressedPublicKeySize = 33;

    /// <summary>Length in bytes of a signature: r, s.</summary>
    public const int SignatureSize = 64;

    /// <summary>Length in bytes of the hash that is signed.</summary>
    public const int HashSize = 32;

    // Half of the group's order, rounded down.
    private static ReadOnlySpan<byte> HalfOrder =>
    [
        0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0x5d, 0x57, 0x6e, 0x73, 0x57, 0xa4, 0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0,
    ];

    /// <summary>Makes a private key with the system's random generator.</summary>
    /// <param name="privateKey">Receives 32 bytes; the caller zeroes them after use.</param>
    /// <exception cref="ArgumentException">The span is not 32 bytes long.</exception>
    public static void GeneratePrivateKey(Span<byte> privateKey)
    {
        Sizes.Require(privateKey, PrivateKeySize);
        do
        {
            RandomNumberGenerator.Fill(privateKey);
        }
        while (!IsValidPrivateKey(privateKey));
    }

    /// <summary>Whether 32 bytes are a private key: above zero and below the group's order. Another length gives false.</summary>
    /// <param name="privateKey">The candidate.</param>
    public static bool IsValidPrivateKey(ReadOnlySpan<byte> privateKey)
    {
        if (privateKey.Length != PrivateKeySize)
        {
            return false;
        }

        fixed (byte* secret = privateKey)
        {
            return LibSecp256k1.VerifySecretKey(LibSecp256k1.Context, secret) == 1;
        }
    }

    /// <summary>Computes the public key of a private key.</summary>
    /// <param name="privateKey">32 bytes.</param>
    /// <param name="publicKey">Receives 65 bytes (uncompressed) or 33 (compressed), by its length.</param>
    /// <returns>False when the private key is not valid.</returns>
    /// <exception cref="ArgumentException">The public key's span is neither 65 nor 33 bytes long.</exception>
    public static bool TryDerivePublicKey(ReadOnlySpan<byte> privateKey, Span<byte> publicKey)
    {
        RequirePublicKey(publicKey);
        publicKey.Clear();
        if (!IsValidPrivateKey(privateKey))
        {
            return false;
        }

        var point = stackalloc byte[LibSecp256k1.PublicKeySize];
        fixed (byte* secret = privateKey)
        {
            return LibSecp256k1.CreatePublicKey(LibSecp256k1.Context, point, secret) == 1 && Serialize(point, publicKey);
        }
    }

    /// <summary>Reads a public key in either form, checks that it lies on the curve, and writes it in either form.</summary>
    /// <param name="encoded">33 or 65 bytes, from anywhere; hybrid forms (06, 07) are refused.</param>
    /// <param name="publicKey">Receives 65 bytes (uncompressed) or 33 (compressed), by its length.</param>
    /// <returns>False when the bytes are no point of the curve.</returns>
    /// <exception cref="ArgumentException">The receiving span is neither 65 nor 33 bytes long.</exception>
    public static bool TryConvertPublicKey(ReadOnlySpan<byte> encoded, Span<byte> publicKey)
    {
        RequirePublicKey(publicKey);
        var point = stackalloc byte[LibSecp256k1.PublicKeySize];
        return TryParse(encoded, point) && Serialize(point, publicKey);
    }

    /// <summary>Signs a hash.</summary>
    /// <param name="privateKey">32 bytes, valid.</param>
    /// <param name="hash">32 bytes.</param>
    /// <param name="signature">Receives r and s, 64 bytes; s is in the lower half.</param>
    /// <param name="recoveryId">0 to 3: which of the candidate keys is the signer's (Ethereum's y parity is its lowest bit; 2 and 3 do not occur in practice).</param>
    /// <exception cref="ArgumentException">A length is wrong or the private key is not valid.</exception>
    public static void SignRecoverable(ReadOnlySpan<byte> privateKey, ReadOnlySpan<byte> hash, Span<byte> signature, out int recoveryId)
    {
        Sizes.Require(hash, HashSize);
        Sizes.Require(signature, SignatureSize);
        if (!IsValidPrivateKey(privateKey))
        {
            throw new ArgumentException("The private key is not valid.", nameof(privateKey));
        }

        var raw = stackalloc byte[LibSecp256k1.RecoverableSignatureSize];
        int id;
        fixed (byte* secret = privateKey, digest = hash, output = signature)
        {
            if (LibSecp256k1.SignRecoverable(LibSecp256k1.Context, raw, digest, secret, 0, 0) != 1)
            {
                throw new CryptographicException("secp256k1_ecdsa_sign_recoverable failed.");
            }

            _ = LibSecp256k1.SerializeRecoverable(LibSecp256k1.Context, output, &id, raw);
        }

        recoveryId = id;
    }

    /// <summary>Recovers the signer's public key (SEC 1 section 4.1.6).</summary>
    /// <param name="hash">32 bytes.</param>
    /// <param name="signature">r and s, from anywhere.</param>
    /// <param name="recoveryId">0 to 3, from anywhere.</param>
    /// <param name="publicKey">Receives 65 bytes (uncompressed) or 33 (compressed), by its length.</param>
    /// <returns>False when there is no such key, or s lies in the upper half (EIP-2: each signature has one form only).</returns>
    /// <exception cref="ArgumentException">The hash or the receiving span has another length.</exception>
    public static bool TryRecover(ReadOnlySpan<byte> hash, ReadOnlySpan<byte> signature, int recoveryId, Span<byte> publicKey)
    {
        Sizes.Require(hash, HashSize);
        RequirePublicKey(publicKey);
        publicKey.Clear();
        if (signature.Length != SignatureSize || recoveryId is < 0 or > 3 || !IsLowS(signature))
        {
            return false;
        }

        byte* raw = stackalloc byte[LibSecp256k1.RecoverableSignatureSize], point = stackalloc byte[LibSecp256k1.PublicKeySize];
        fixed (byte* digest = hash, rs = signature)
        {
            return LibSecp256k1.ParseRecoverable(LibSecp256k1.Context, raw, rs, recoveryId) == 1
                && LibSecp256k1.Recover(LibSecp256k1.Context, point, raw, digest) == 1
                && Serialize(point, publicKey);
        }
    }

    /// <summary>Verifies a signature. Everything that is not a valid signature by a valid key, s in the upper half included, gives false.</summary>
    /// <param name="publicKey">33 or 65 bytes, from anywhere.</param>
    /// <param name="hash">32 bytes.</param>
    /// <param name="signature">r and s, from anywhere.</param>
    /// <exception cref="ArgumentException">The hash is not 32 bytes long.</exception>
    public static bool Verify(ReadOnlySpan<byte> publicKey, ReadOnlySpan<byte> hash, ReadOnlySpan<byte> signature)
    {
        Sizes.Require(hash, HashSize);
        byte* raw = stackalloc byte[LibSecp256k1.SignatureSize], point = stackalloc byte[LibSecp256k1.PublicKeySize];
        if (signature.Length != SignatureSize || !IsLowS(signature) || !TryParse(publicKey, point))
        {
            return false;
        }

        fixed (byte* digest = hash, rs = signature)
        {
            return LibSecp256k1.ParseSignature(LibSecp256k1.Context, raw, rs) == 1
                && LibSecp256k1.Verify(LibSecp256k1.Context, raw, digest, point) == 1;
        }
    }

    /// <summary>Whether s lies in the lower half of the group (EIP-2).</summary>
    /// <param name="signature">r and s, 64 bytes.</param>
    /// <exception cref="ArgumentException">The signature is not 64 bytes long.</exception>
    public static bool IsLowS(ReadOnlySpan<byte> signature)
    {
        Sizes.Require(signature, SignatureSize);
        return signature[32..].SequenceCompareTo(HalfOrder) <= 0;
    }

    private static void RequirePublicKey(ReadOnlySpan<byte> publicKey)
    {
        if (publicKey.Length is not (UncompressedPublicKeySize or CompressedPublicKeySize))
        {
            throw new ArgumentException("A public key has 65 bytes (uncompressed) or 33 (compressed).", nameof(publicKey));
        }
    }

    private static bool TryParse(ReadOnlySpan<byte> encoded, byte* point)
    {
        var formed = encoded.Length switch
        {
            UncompressedPublicKeySize => encoded[0] == 4,
            CompressedPublicKeySize => encoded[0] is 2 or 3,
            _ => false,
        };
        fixed (byte* input = encoded)
        {
            return formed && LibSecp256k1.ParsePublicKey(LibSecp256k1.Context, point, input, (nuint)encoded.Length) == 1;
        }
    }

    private static bool Serialize(byte* point, Span<byte> publicKey)
    {
        fixed (byte* output = publicKey)
        {
            var length = (nuint)publicKey.Length;
            var form = publicKey.Length == CompressedPublicKeySize ? LibSecp256k1.Compressed : LibSecp256k1.Uncompressed;
            return LibSecp256k1.SerializePublicKey(LibSecp256k1.Context, output, &length, point, form) == 1 && length == (nuint)publicKey.Length;
        }
    }
}
