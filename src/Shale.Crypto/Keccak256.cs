using Shale.Crypto.Keccak;

namespace Shale.Crypto;

/// <summary>Keccak-256 as Ethereum uses it: the original padding (0x01), not FIPS 202's SHA3-256 (0x06).</summary>
public static class Keccak256
{
    /// <summary>Length in bytes of a digest.</summary>
    public const int HashSize = 32;

    private const int Rate = 136;

    /// <summary>Computes the digest of a message.</summary>
    /// <param name="message">Any length.</param>
    /// <param name="digest">Receives 32 bytes.</param>
    /// <exception cref="ArgumentException">The digest's span is not 32 bytes long.</exception>
    public static void Hash(ReadOnlySpan<byte> message, Span<byte> digest)
    {
        Sizes.Require(digest, HashSize);
        var sponge = new KeccakSponge(Rate, 0x01);
        sponge.Absorb(message);
        sponge.Squeeze(digest);
    }

    /// <summary>Computes the digest of a message.</summary>
    /// <param name="message">Any length.</param>
    /// <returns>32 bytes.</returns>
    public static byte[] Hash(ReadOnlySpan<byte> message)
    {
        var digest = new byte[HashSize];
        Hash(message, digest);
        return digest;
    }
}
