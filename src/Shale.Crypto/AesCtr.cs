using Shale.Crypto.Native;

namespace Shale.Crypto;

/// <summary>
/// AES in counter mode (NIST SP 800-38A section 6.5, RFC 4344 section 4) as a stream: the 128-bit big-endian counter is kept between calls,
/// also in the middle of a block. One instance may be used by one thread at a time.
/// </summary>
public sealed unsafe class AesCtr : IDisposable
{
    /// <summary>Length in bytes of a block and of the first counter value.</summary>
    public const int BlockSize = 16;

    private readonly CipherContextHandle _context;

    /// <summary>Starts a stream; the caller keeps (and zeroes) its copy of the key.</summary>
    /// <param name="key">16, 24 or 32 bytes.</param>
    /// <param name="iv">16 bytes, the first counter value.</param>
    /// <exception cref="ArgumentException">The key or the iv has another length.</exception>
    public AesCtr(ReadOnlySpan<byte> key, ReadOnlySpan<byte> iv)
    {
        Sizes.Require(iv, BlockSize);
        var cipher = key.Length switch
        {
            16 => LibCrypto.Aes128Ctr(),
            24 => LibCrypto.Aes192Ctr(),
            32 => LibCrypto.Aes256Ctr(),
            _ => throw new ArgumentException("An AES key has 16, 24 or 32 bytes.", nameof(key)),
        };
        _context = LibCrypto.Check(LibCrypto.NewCipherContext(), "EVP_CIPHER_CTX_new");
        fixed (byte* secret = key, counter = iv)
        {
            LibCrypto.Check(LibCrypto.EncryptInit(_context, cipher, 0, secret, counter), "EVP_EncryptInit_ex");
        }
    }

    /// <summary>XORs the input with the next bytes of the key stream; encryption and decryption are the same.</summary>
    /// <param name="input">Any length.</param>
    /// <param name="output">As long as the input; it may be the same memory, but must not overlap otherwise.</param>
    /// <exception cref="ArgumentException">The output has another length than the input.</exception>
    /// <exception cref="ObjectDisposedException">The cipher was disposed.</exception>
    public void Process(ReadOnlySpan<byte> input, Span<byte> output)
    {
        if (output.Length != input.Length)
        {
            throw new ArgumentException("The output must be as long as the input.", nameof(output));
        }

        if (input.IsEmpty)
        {
            return;
        }

        fixed (byte* source = input, target = output)
        {
            int written;
            LibCrypto.Check(LibCrypto.EncryptUpdate(_context, target, &written, source, input.Length), "EVP_EncryptUpdate");
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _context.Dispose();
}
