using Shale.Crypto;

namespace Shale.Chain.Accounts;

/// <summary>EVM addresses as people write them.</summary>
public static class EvmAddresses
{
    /// <summary>Reads 0x… (a mixed case has to be EIP-55's), f410… or t410…, and f0… or t0… as the masked ID that FEVM shows.</summary>
    /// <param name="text">The text, from anywhere.</param>
    /// <param name="address">The address.</param>
    /// <returns>False for everything else: f1, f2 and f3 have an EVM form only through the chain, by their ID.</returns>
    public static bool TryParse(string? text, out Address address)
    {
        if (text is not null && text.StartsWith("0x", StringComparison.Ordinal))
        {
            return Address.TryParse(text, out address);
        }

        address = default;
        return FilecoinAddress.TryParse(text, out var filecoin, out _) && filecoin.TryToEvm(out address);
    }

    /// <summary>The address of a private key.</summary>
    /// <param name="privateKey">32 bytes.</param>
    /// <exception cref="ArgumentException">The key is not valid.</exception>
    internal static Address FromPrivateKey(ReadOnlySpan<byte> privateKey)
    {
        Span<byte> publicKey = stackalloc byte[Secp256k1.UncompressedPublicKeySize];
        return Secp256k1.TryDerivePublicKey(privateKey, publicKey) ? Address.FromPublicKey(publicKey) : throw new ArgumentException("Not a secp256k1 private key.", nameof(privateKey));
    }
}
