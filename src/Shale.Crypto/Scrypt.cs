using Shale.Crypto.Native;

namespace Shale.Crypto;

/// <summary>scrypt (RFC 7914), from libcrypto: a key from a passphrase that costs an attacker memory as well as time.</summary>
public static unsafe class Scrypt
{
    /// <summary>Derives a key.</summary>
    /// <param name="passphrase">The passphrase's bytes.</param>
    /// <param name="salt">Any length.</param>
    /// <param name="n">Cost, N: a power of two above 1 and below 2^(16·r).</param>
    /// <param name="r">Block size, r. One derivation takes about 128·N·r bytes of memory.</param>
    /// <param name="p">Parallelisation, p: p·r below 2^30.</param>
    /// <param name="maxMemory">Bytes of memory that may be taken.</param>
    /// <param name="key">Receives the key; the caller zeroes it after use.</param>
    /// <returns>False when the parameters are outside RFC 7914's bounds or need more than <paramref name="maxMemory"/>.</returns>
    /// <exception cref="ArgumentException">The key's span is empty.</exception>
    public static bool TryDeriveKey(ReadOnlySpan<byte> passphrase, ReadOnlySpan<byte> salt, ulong n, ulong r, ulong p, long maxMemory, Span<byte> key)
    {
        if (key.IsEmpty)
        {
            throw new ArgumentException("The key has no bytes.", nameof(key));
        }

        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(maxMemory);

        // A null pointer would ask libcrypto to check the parameters alone.
        byte none = 0;
        fixed (byte* secret = passphrase, grains = salt, output = key)
        {
            var derived = LibCrypto.Scrypt(
                secret is null ? &none : secret, (nuint)passphrase.Length, grains is null ? &none : grains, (nuint)salt.Length, n, r, p, (ulong)maxMemory, output, (nuint)key.Length);
            if (derived != 1)
            {
                LibCrypto.ClearErrors();
                key.Clear();
            }

            return derived == 1;
        }
    }
}
