using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Shale.Crypto.PostQuantum;

namespace Shale.Crypto;

/// <summary>
/// The key encapsulation Streamlined NTRU Prime sntrup761 (round 3 of NIST's process; draft-josefsson-ntruprime-streamlined), in C#, because no library at hand has it.
/// OpenSSH's sntrup761x25519-sha512 stands on it. No branch and no memory address depends on a secret; how long the machine's multiplication and what the
/// just-in-time compiler makes of it take is outside our hands.
/// </summary>
public static class Sntrup761
{
    /// <summary>Length in bytes of a public key.</summary>
    public const int PublicKeySize = Sntrup761Encoding.RqSize;

    /// <summary>Length in bytes of a private key, which contains the public one.</summary>
    public const int PrivateKeySize = 1763;

    /// <summary>Length in bytes of a ciphertext.</summary>
    public const int CiphertextSize = Sntrup761Encoding.RoundedSize + ConfirmSize;

    /// <summary>Length in bytes of a shared secret.</summary>
    public const int SharedSecretSize = 32;

    private const int P = Sntrup761Ring.P;
    private const int SmallSize = Sntrup761Encoding.SmallSize;
    private const int ConfirmSize = 32;
    private const int RhoOffset = (2 * SmallSize) + PublicKeySize;
    private const int CacheOffset = RhoOffset + SmallSize;

    /// <summary>Where the bytes come from: the system, or a test's known stream. One call is one request.</summary>
    internal delegate void RandomSource(Span<byte> bytes);

    /// <summary>Makes a key pair with the system's random generator.</summary>
    /// <param name="publicKey">Receives 1158 bytes.</param>
    /// <param name="privateKey">Receives 1763 bytes; the caller zeroes them after use.</param>
    /// <exception cref="ArgumentException">A span has another length.</exception>
    public static void GenerateKeyPair(Span<byte> publicKey, Span<byte> privateKey) => GenerateKeyPair(RandomNumberGenerator.Fill, publicKey, privateKey);

    /// <summary>Makes a shared secret and its ciphertext.</summary>
    /// <param name="publicKey">The peer's key, from anywhere. Every string of the right length is accepted, as the submission has it.</param>
    /// <param name="ciphertext">Receives 1039 bytes.</param>
    /// <param name="sharedSecret">Receives 32 bytes; the caller zeroes them after use.</param>
    /// <returns>False when the key has another length.</returns>
    /// <exception cref="ArgumentException">A receiving span has another length.</exception>
    public static bool TryEncapsulate(ReadOnlySpan<byte> publicKey, Span<byte> ciphertext, Span<byte> sharedSecret) =>
        TryEncapsulate(RandomNumberGenerator.Fill, publicKey, ciphertext, sharedSecret);

    /// <summary>Takes the shared secret out of a ciphertext. A ciphertext that was not made for this key gives a secret that nobody else knows (implicit rejection), not an error.</summary>
    /// <param name="privateKey">1763 bytes, as made by <see cref="GenerateKeyPair(Span{byte}, Span{byte})"/>.</param>
    /// <param name="ciphertext">From anywhere.</param>
    /// <param name="sharedSecret">Receives 32 bytes; the caller zeroes them after use.</param>
    /// <returns>False when a length is wrong.</returns>
    /// <exception cref="ArgumentException">The receiving span has another length.</exception>
    public static bool TryDecapsulate(ReadOnlySpan<byte> privateKey, ReadOnlySpan<byte> ciphertext, Span<byte> sharedSecret)
    {
        Sizes.Require(sharedSecret, SharedSecretSize);
        sharedSecret.Clear();
        if (privateKey.Length != PrivateKeySize || ciphertext.Length != CiphertextSize)
        {
            return false;
        }

        Span<short> r = stackalloc short[P];
        Span<byte> encoded = stackalloc byte[SmallSize], again = stackalloc byte[CiphertextSize];
        Decrypt(privateKey, ciphertext, r);
        Hide(r, privateKey.Slice(2 * SmallSize, PublicKeySize), privateKey[CacheOffset..], encoded, again);
        var mask = CryptographicOperations.FixedTimeEquals(ciphertext, again) ? 0 : -1;
        var rho = privateKey.Slice(RhoOffset, SmallSize);
        for (var i = 0; i < SmallSize; i++)
        {
            encoded[i] ^= (byte)(mask & (encoded[i] ^ rho[i]));
        }

        HashSession((byte)(1 + mask), encoded, ciphertext, sharedSecret);
        r.Clear();
        CryptographicOperations.ZeroMemory(encoded);
        CryptographicOperations.ZeroMemory(again);
        return true;
    }

    internal static void GenerateKeyPair(RandomSource random, Span<byte> publicKey, Span<byte> privateKey)
    {
        Sizes.Require(publicKey, PublicKeySize);
        Sizes.Require(privateKey, PrivateKeySize);
        Span<short> f = stackalloc short[P], g = stackalloc short[P], inverse = stackalloc short[P], h = stackalloc short[P];
        do
        {
            SampleSmall(random, g);
        }
        while (!Sntrup761Ring.TryReciprocalMod3(g, inverse)); // how often it fails says nothing about the g that is kept

        SampleShort(random, f);
        Sntrup761Encoding.EncodeSmall(f, privateKey);
        Sntrup761Encoding.EncodeSmall(inverse, privateKey[SmallSize..]);

        // h = g / (3 f)
        Sntrup761Ring.Reciprocal3(f, inverse);
        MultiplyModQ(inverse, g, h);
        Sntrup761Encoding.EncodeRq(h, publicKey);
        publicKey.CopyTo(privateKey[(2 * SmallSize)..]);
        random(privateKey.Slice(RhoOffset, SmallSize));
        Hash(4, publicKey, [], privateKey[CacheOffset..]);
        f.Clear();
        g.Clear();
        inverse.Clear();
    }

    internal static bool TryEncapsulate(RandomSource random, ReadOnlySpan<byte> publicKey, Span<byte> ciphertext, Span<byte> sharedSecret)
    {
        Sizes.Require(ciphertext, CiphertextSize);
        Sizes.Require(sharedSecret, SharedSecretSize);
        sharedSecret.Clear();
        if (publicKey.Length != PublicKeySize)
        {
            return false;
        }

        Span<short> r = stackalloc short[P];
        Span<byte> cache = stackalloc byte[32], encoded = stackalloc byte[SmallSize];
        Hash(4, publicKey, [], cache);
        SampleShort(random, r);
        Hide(r, publicKey, cache, encoded, ciphertext);
        HashSession(1, encoded, ciphertext, sharedSecret);
        r.Clear();
        CryptographicOperations.ZeroMemory(encoded);
        return true;
    }

    // The ciphertext of r: the rounded product with the public key, and a confirmation.
    private static void Hide(ReadOnlySpan<short> r, ReadOnlySpan<byte> publicKey, ReadOnlySpan<byte> cache, Span<byte> encoded, Span<byte> ciphertext)
    {
        Span<short> h = stackalloc short[P];
        Span<byte> inner = stackalloc byte[32];
        Sntrup761Encoding.EncodeSmall(r, encoded);
        Sntrup761Encoding.DecodeRq(publicKey, h);
        MultiplyModQ(h, r, h);
        for (var i = 0; i < P; i++)
        {
            h[i] = (short)(h[i] - Sntrup761Ring.Freeze3(h[i]));
        }

        Sntrup761Encoding.EncodeRounded(h, ciphertext);
        Hash(3, encoded, [], inner);
        Hash(2, inner, cache, ciphertext[Sntrup761Encoding.RoundedSize..]);
        h.Clear();
        CryptographicOperations.ZeroMemory(inner);
    }

    private static void Decrypt(ReadOnlySpan<byte> privateKey, ReadOnlySpan<byte> ciphertext, Span<short> r)
    {
        Span<short> c = stackalloc short[P], small = stackalloc short[P], e = stackalloc short[P];
        Span<int> product = stackalloc int[P];
        Sntrup761Encoding.DecodeRounded(ciphertext, c);
        Sntrup761Encoding.DecodeSmall(privateKey, small);
        MultiplyModQ(c, small, e);
        for (var i = 0; i < P; i++)
        {
            e[i] = (short)Sntrup761Ring.Freeze3(Sntrup761Ring.Freeze(3 * e[i]));
        }

        Sntrup761Encoding.DecodeSmall(privateKey[SmallSize..], small);
        Sntrup761Ring.MultiplySmall(e, small, product);
        var weight = 0;
        for (var i = 0; i < P; i++)
        {
            var v = Sntrup761Ring.Freeze3(product[i]);
            r[i] = (short)v;
            weight += v & 1;
        }

        // Any other weight than w ends in the fixed word 1…1 0…0.
        var wrong = weight - Sntrup761Ring.W;
        var mask = (wrong | -wrong) >> 31;
        for (var i = 0; i < P; i++)
        {
            r[i] = (short)((r[i] & ~mask) | (mask & (i < Sntrup761Ring.W ? 1 : 0)));
        }

        c.Clear();
        small.Clear();
        e.Clear();
        product.Clear();
    }

    private static void MultiplyModQ(ReadOnlySpan<short> a, ReadOnlySpan<short> small, Span<short> result)
    {
        Span<int> product = stackalloc int[P];
        Sntrup761Ring.MultiplySmall(a, small, product);
        for (var i = 0; i < P; i++)
        {
            result[i] = (short)Sntrup761Ring.Freeze(product[i]);
        }

        product.Clear();
    }

    // Uniform in {-1, 0, 1}, up to the submission's own tiny bias.
    private static void SampleSmall(RandomSource random, Span<short> f)
    {
        Span<uint> words = stackalloc uint[P];
        random(MemoryMarshal.AsBytes(words));
        for (var i = 0; i < P; i++)
        {
            f[i] = (short)((int)(((Word(words[i]) & 0x3fffffff) * 3) >> 30) - 1);
        }

        words.Clear();
    }

    // Exactly w coefficients of -1 or 1, at random places: random keys are sorted with their values in the two lowest bits.
    private static void SampleShort(RandomSource random, Span<short> f)
    {
        Span<uint> words = stackalloc uint[P];
        random(MemoryMarshal.AsBytes(words));
        for (var i = 0; i < P; i++)
        {
            var word = Word(words[i]);
            words[i] = i < Sntrup761Ring.W ? word & ~1u : (word & ~3u) | 1;
        }

        ConstantTimeSort.Sort(words);
        for (var i = 0; i < P; i++)
        {
            f[i] = (short)((int)(words[i] & 3) - 1);
        }

        words.Clear();
    }

    private static uint Word(uint littleEndian) => BitConverter.IsLittleEndian ? littleEndian : System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(littleEndian);

    private static void HashSession(byte prefix, ReadOnlySpan<byte> encoded, ReadOnlySpan<byte> ciphertext, Span<byte> sharedSecret)
    {
        Span<byte> inner = stackalloc byte[32];
        Hash(3, encoded, [], inner);
        Hash(prefix, inner, ciphertext, sharedSecret);
        CryptographicOperations.ZeroMemory(inner);
    }

    // The first half of SHA-512 over a byte that separates the uses, and the input.
    private static void Hash(byte prefix, ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, Span<byte> output)
    {
        Span<byte> input = stackalloc byte[1 + first.Length + second.Length], digest = stackalloc byte[SHA512.HashSizeInBytes];
        input[0] = prefix;
        first.CopyTo(input[1..]);
        second.CopyTo(input[(1 + first.Length)..]);
        SHA512.HashData(input, digest);
        digest[..32].CopyTo(output);
        CryptographicOperations.ZeroMemory(input);
        CryptographicOperations.ZeroMemory(digest);
    }
}
