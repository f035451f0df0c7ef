using System.Security.Cryptography;

namespace Shale.Ssh.Ciphers;

/// <summary>What one direction encrypts and authenticates with: a cipher's name and, where it is not an AEAD, a MAC's.</summary>
internal sealed class CipherSuite
{
    /// <summary>Ciphers, in the order in which we prefer them as a client and list them as a server.</summary>
    public static readonly string[] CipherNames =
    [
        "chacha20-poly1305@openssh.com",
        "aes128-gcm@openssh.com",
        "aes256-gcm@openssh.com",
        "aes128-ctr",
        "aes192-ctr",
        "aes256-ctr",
    ];

    /// <summary>MACs, in the order in which we prefer them as a client and list them as a server.</summary>
    public static readonly string[] MacNames =
    [
        "hmac-sha2-256-etm@openssh.com",
        "hmac-sha2-512-etm@openssh.com",
        "hmac-sha2-256",
        "hmac-sha2-512",
    ];

    private readonly CipherKind _kind;
    private readonly HashAlgorithmName _hash;
    private readonly bool _encryptThenMac;

    public CipherSuite(string cipher, string? mac)
    {
        Cipher = cipher;
        Mac = mac;
        (_kind, KeySize, IvSize) = cipher switch
        {
            "chacha20-poly1305@openssh.com" => (CipherKind.ChaCha, ChaCha20Poly1305Cipher.KeySize, 0),
            "aes128-gcm@openssh.com" => (CipherKind.Gcm, 16, GcmNonce.Size),
            "aes256-gcm@openssh.com" => (CipherKind.Gcm, 32, GcmNonce.Size),
            "aes128-ctr" => (CipherKind.Ctr, 16, 16),
            "aes192-ctr" => (CipherKind.Ctr, 24, 16),
            "aes256-ctr" => (CipherKind.Ctr, 32, 16),
            _ => throw new ArgumentException($"There is no cipher {cipher}.", nameof(cipher)),
        };
        if (_kind == CipherKind.Ctr)
        {
            (_hash, MacKeySize, _encryptThenMac) = mac switch
            {
                "hmac-sha2-256-etm@openssh.com" => (HashAlgorithmName.SHA256, 32, true),
                "hmac-sha2-512-etm@openssh.com" => (HashAlgorithmName.SHA512, 64, true),
                "hmac-sha2-256" => (HashAlgorithmName.SHA256, 32, false),
                "hmac-sha2-512" => (HashAlgorithmName.SHA512, 64, false),
                _ => throw new ArgumentException($"There is no MAC {mac}.", nameof(mac)),
            };
        }
    }

    private enum CipherKind
    {
        ChaCha,
        Gcm,
        Ctr,
    }

    public string Cipher { get; }

    public string? Mac { get; }

    public int KeySize { get; }

    public int IvSize { get; }

    public int MacKeySize { get; }

    /// <summary>Whether a cipher authenticates by itself, so that no MAC is negotiated with it.</summary>
    public static bool IsAead(string cipher) => cipher.EndsWith("@openssh.com", StringComparison.Ordinal);

    public PacketSealer CreateSealer(DirectionKeys keys) => _kind switch
    {
        CipherKind.ChaCha => new ChaCha20Poly1305Sealer(keys.EncryptionKey),
        CipherKind.Gcm => new AesGcmSealer(keys.EncryptionKey, keys.InitialVector),
        _ => new AesCtrSealer(keys.EncryptionKey, keys.InitialVector, _hash, keys.IntegrityKey, _encryptThenMac),
    };

    public PacketOpener CreateOpener(DirectionKeys keys) => _kind switch
    {
        CipherKind.ChaCha => new ChaCha20Poly1305Opener(keys.EncryptionKey),
        CipherKind.Gcm => new AesGcmOpener(keys.EncryptionKey, keys.InitialVector),
        _ => new AesCtrOpener(keys.EncryptionKey, keys.InitialVector, _hash, keys.IntegrityKey, _encryptThenMac),
    };
}
