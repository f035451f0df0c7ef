using System.Buffers.Binary;
using Shale.Crypto.Native;

namespace Shale.Crypto;

/// <summary>
/// ChaCha20 in its original form with a 64-bit nonce and a 64-bit block counter, as chacha20-poly1305@openssh.com uses it
/// (OpenSSH's PROTOCOL.chacha20poly1305), not RFC 8439's 96/32 bit form. One instance keeps one cipher context and may be used by one thread at a time.
/// </summary>
public sealed unsafe class ChaCha20 : IDisposable
{
    /// <summary>Length in bytes of a key.</summary>
    public const int KeySize = 32;

    private readonly CipherContextHandle _context;

    /// <summary>Makes a cipher for one key; the caller keeps (and zeroes) its copy of the key.</summary>
    /// <param name="key">32 bytes.</param>
    /// <exception cref="ArgumentException">The key is not 32 bytes long.</exception>
    public ChaCha20(ReadOnlySpan<byte> key)
    {
        Sizes.Require(key, KeySize);
        _context = LibCrypto.Check(LibCrypto.NewCipherContext(), "EVP_CIPHER_CTX_new");
        fixed (byte* secret = key)
        {
            LibCrypto.Check(LibCrypto.EncryptInit(_context, LibCrypto.ChaCha20Cipher(), 0, secret, null), "EVP_EncryptInit_ex");
        }
    }

    /// <summary>XORs the input with the key stream that starts at a block; encryption and decryption are the same.</summary>
    /// <param name="nonce">The nonce, which enters the cipher as eight big-endian bytes (OpenSSH: the packet's sequence number).</param>
    /// <param name="blockCounter">The number of the first 64-byte block; it carries through all its 64 bits.</param>
    /// <param name="input">Any length.</param>
    /// <param name="output">As long as the input; it may be the same memory, but must not overlap otherwise.</param>
    /// <exception cref="ArgumentException">The output has another length than the input.</exception>
    /// <exception cref="ObjectDisposedException">The cipher was disposed.</exception>
    public void Process(ulong nonce, ulong blockCounter, ReadOnlySpan<byte> input, Span<byte> output)
    {
        if (output.Length != input.Length)
        {
            throw new ArgumentException("The output must be as long as the input.", nameof(output));
        }

        if (input.IsEmpty)
        {
            return;
        }

        var iv = stackalloc byte[16];
        BinaryPrimitives.WriteUInt64LittleEndian(new Span<byte>(iv, 8), blockCounter);
        BinaryPrimitives.WriteUInt64BigEndian(new Span<byte>(iv + 8, 8), nonce);
        LibCrypto.Check(LibCrypto.EncryptInit(_context, 0, 0, null, iv), "EVP_EncryptInit_ex");
        fixed (byte* source = input, target = output)
        {
            int written;
            LibCrypto.Check(LibCrypto.EncryptUpdate(_context, target, &written, source, input.Length), "EVP_EncryptUpdate");
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _context.Dispose();
}
