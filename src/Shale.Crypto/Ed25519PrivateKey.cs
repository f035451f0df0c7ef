using Shale.Crypto.Native;

namespace Shale.Crypto;

/// <summary>An Ed25519 key pair that libcrypto has parsed once. Its methods may be called from several threads at once; disposing cleanses the key.</summary>
public sealed class Ed25519PrivateKey : IDisposable
{
    private readonly EvpKeyHandle _handle;
    private readonly byte[] _publicKey = new byte[Ed25519.PublicKeySize];

    /// <summary>Takes in a seed; the caller keeps (and zeroes) its copy.</summary>
    /// <param name="seed">32 bytes, RFC 8032's private key.</param>
    /// <exception cref="ArgumentException">The seed is not 32 bytes long.</exception>
    public Ed25519PrivateKey(ReadOnlySpan<byte> seed)
    {
        Sizes.Require(seed, Ed25519.SeedSize);
        _handle = Ed25519.ImportSeed(seed);
        Ed25519.ExportPublicKey(_handle, _publicKey);
    }

    /// <summary>The 32 bytes of the public key.</summary>
    public ReadOnlySpan<byte> PublicKey => _publicKey;

    /// <summary>Signs a message; deterministic.</summary>
    /// <param name="message">The message itself.</param>
    /// <param name="signature">Receives 64 bytes.</param>
    /// <exception cref="ArgumentException">The signature's span is not 64 bytes long.</exception>
    /// <exception cref="ObjectDisposedException">The key was disposed.</exception>
    public void Sign(ReadOnlySpan<byte> message, Span<byte> signature)
    {
        Sizes.Require(signature, Ed25519.SignatureSize);
        Ed25519.Sign(_handle, message, signature);
    }

    /// <inheritdoc/>
    public void Dispose() => _handle.Dispose();
}
