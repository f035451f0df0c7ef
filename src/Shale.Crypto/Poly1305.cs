using Shale.Crypto.Native;

namespace Shale.Crypto;

/// <summary>The one-time authenticator Poly1305 (RFC 8439 section 2.5), from libcrypto.</summary>
public static unsafe class Poly1305
{
    /// <summary>Length in bytes of a one-time key.</summary>
    public const int KeySize = 32;

    /// <summary>Length in bytes of a tag.</summary>
    public const int TagSize = 16;

    // Fetched once for the process and never freed.
    private static readonly nint Mac = Fetch();

    // A context a thread: making one costs more than a short packet's tag. The handle's finalizer frees it after its thread.
    [ThreadStatic]
    private static MacContextHandle? s_threadContext;

    /// <summary>Computes the tag of a message. Compare tags with <c>CryptographicOperations.FixedTimeEquals</c>.</summary>
    /// <param name="key">32 bytes, used for this one message only.</param>
    /// <param name="message">Any length.</param>
    /// <param name="tag">Receives 16 bytes.</param>
    /// <exception cref="ArgumentException">The key or the tag has another length.</exception>
    public static void Compute(ReadOnlySpan<byte> key, ReadOnlySpan<byte> message, Span<byte> tag)
    {
        Sizes.Require(key, KeySize);
        Sizes.Require(tag, TagSize);
        var context = s_threadContext ??= LibCrypto.Check(LibCrypto.NewMacContext(Mac), "EVP_MAC_CTX_new");
        ReadOnlySpan<byte> data = message.IsEmpty ? [0] : message;
        fixed (byte* secret = key, text = data, output = tag)
        {
            nuint written;
            LibCrypto.Check(LibCrypto.MacInit(context, secret, KeySize, 0), "EVP_MAC_init");
            LibCrypto.Check(LibCrypto.MacUpdate(context, text, (nuint)message.Length), "EVP_MAC_update");
            LibCrypto.Check(LibCrypto.MacFinal(context, output, &written, TagSize), "EVP_MAC_final");
        }
    }

    private static nint Fetch()
    {
        fixed (byte* name = "POLY1305\0"u8)
        {
            var mac = LibCrypto.FetchMac(0, name, null);
            return mac != 0 ? mac : throw LibCrypto.Failure("EVP_MAC_fetch");
        }
    }
}
