using System.Security.Cryptography;
using Shale.Crypto;

namespace Shale.Chain.Accounts;

/// <summary>An account whose private key is in this process. The key is pinned while it lives and erased by <see cref="Dispose"/>; nothing prints it.</summary>
public sealed class KeyAccount : IAccount, IDisposable
{
    private readonly byte[] _privateKey;
    private bool _disposed;

    /// <summary>Takes a copy of a private key.</summary>
    /// <param name="privateKey">32 bytes, valid; the caller zeroes its own.</param>
    /// <exception cref="ArgumentException">No private key.</exception>
    public KeyAccount(ReadOnlySpan<byte> privateKey)
    {
        if (!Secp256k1.IsValidPrivateKey(privateKey))
        {
            throw new ArgumentException("Not a secp256k1 private key.", nameof(privateKey));
        }

        // Pinned, so that the collector leaves no copies behind.
        _privateKey = GC.AllocateUninitializedArray<byte>(Secp256k1.PrivateKeySize, pinned: true);
        privateKey.CopyTo(_privateKey);
        Address = EvmAddresses.FromPrivateKey(_privateKey);
    }

    /// <inheritdoc/>
    public Address Address { get; }

    /// <summary>Makes a new key with the system's random generator.</summary>
    public static KeyAccount Generate()
    {
        Span<byte> key = stackalloc byte[Secp256k1.PrivateKeySize];
        try
        {
            Secp256k1.GeneratePrivateKey(key);
            return new KeyAccount(key);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(key);
        }
    }

    /// <summary>Reads a private key as other wallets export it: 64 hexadecimal digits, with or without 0x.</summary>
    /// <param name="text">The text, from anywhere; blanks around it are left out.</param>
    /// <returns>The account; null when it is no private key.</returns>
    public static KeyAccount? FromHex(ReadOnlySpan<char> text)
    {
        text = text.Trim();
        text = text.StartsWith("0x", StringComparison.OrdinalIgnoreCase) ? text[2..] : text;
        Span<byte> key = stackalloc byte[Secp256k1.PrivateKeySize];
        try
        {
            return text.Length == 2 * key.Length && Convert.FromHexString(text, key, out _, out var written) == System.Buffers.OperationStatus.Done && written == key.Length
                && Secp256k1.IsValidPrivateKey(key) ? new KeyAccount(key) : null;
        }
        finally
        {
            CryptographicOperations.ZeroMemory(key);
        }
    }

    /// <inheritdoc/>
    public byte[] SignHash(ReadOnlySpan<byte> hash)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        var signature = new byte[Secp256k1.SignatureSize + 1];
        Secp256k1.SignRecoverable(_privateKey, hash, signature.AsSpan(0, Secp256k1.SignatureSize), out var recoveryId);
        signature[^1] = (byte)recoveryId;
        return signature;
    }

    /// <summary>Encrypts the key for a file.</summary>
    /// <param name="passphrase">The passphrase.</param>
    /// <param name="cost">What the passphrase costs to try.</param>
    public byte[] ToKeystore(ReadOnlySpan<char> passphrase, KeystoreCost cost)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        return Keystore.Encrypt(_privateKey, passphrase, cost);
    }

    /// <summary>The key in hexadecimal: for an export that its owner asked for, and nothing else.</summary>
    public char[] ExportHex()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        var text = new char[2 * _privateKey.Length];
        _ = Convert.TryToHexStringLower(_privateKey, text, out _);
        return text;
    }

    /// <summary>The f1 address of the same key: where a Filecoin wallet would hold it. FEVM sends from the f410 address.</summary>
    public FilecoinAddress ToSecp256k1Address()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        Span<byte> publicKey = stackalloc byte[Secp256k1.UncompressedPublicKeySize];
        _ = Secp256k1.TryDerivePublicKey(_privateKey, publicKey);
        return FilecoinAddress.FromPublicKey(publicKey);
    }

    /// <summary>Erases the key.</summary>
    public void Dispose()
    {
        _disposed = true;
        CryptographicOperations.ZeroMemory(_privateKey);
    }

    /// <summary>The address, never the key.</summary>
    public override string ToString() => Address.ToString();
}
