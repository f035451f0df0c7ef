namespace Shale.Chain;

/// <summary>Who signs: an address and its key, wherever the key is kept.</summary>
public interface IAccount
{
    /// <summary>The address that the signatures recover to.</summary>
    Address Address { get; }

    /// <summary>Signs a hash with ECDSA over secp256k1, s in the lower half (EIP-2).</summary>
    /// <param name="hash">32 bytes.</param>
    /// <returns>65 bytes: r, s, and the recovery ID (0 or 1).</returns>
    byte[] SignHash(ReadOnlySpan<byte> hash);
}
