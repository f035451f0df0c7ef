using System.Security.Cryptography;
using Shale.Crypto.Keccak;
using Shale.Crypto.PostQuantum;

namespace Shale.Crypto;

/// <summary>
/// ML-KEM-768 (FIPS 203), in C#, because OpenSSL has it only from 3.5 on. No branch and no memory address depends on a secret; how long the machine's multiplication
/// and what the just-in-time compiler makes of it take is outside our hands.
/// </summary>
public static class MlKem768
{
    /// <summary>Length in bytes of an encapsulation (public) key.</summary>
    public const int PublicKeySize = 1184;

    /// <summary>Length in bytes of a decapsulation (private) key in its expanded form.</summary>
    public const int PrivateKeySize = 2400;

    /// <summary>Length in bytes of a ciphertext.</summary>
    public const int CiphertextSize = 1088;

    /// <summary>Length in bytes of a shared secret.</summary>
    public const int SharedSecretSize = 32;

    private const int K = 3;
    private const int N = MlKemPolynomial.N;
    private const int PolynomialSize = 384; // 256 coefficients of 12 bits
    private const int VectorSize = K * PolynomialSize;
    private const int CompressedVectorSize = K * 320; // d_u = 10

    /// <summary>Makes a key pair with the system's random generator (ML-KEM.KeyGen, algorithm 19).</summary>
    /// <param name="publicKey">Receives 1184 bytes.</param>
    /// <param name="privateKey">Receives 2400 bytes; the caller zeroes them after use.</param>
    /// <exception cref="ArgumentException">A span has another length.</exception>
    public static void GenerateKeyPair(Span<byte> publicKey, Span<byte> privateKey)
    {
        Span<byte> seed = stackalloc byte[64];
        RandomNumberGenerator.Fill(seed);
        GenerateKeyPair(seed[..32], seed[32..], publicKey, privateKey);
        CryptographicOperations.ZeroMemory(seed);
    }

    /// <summary>Makes a shared secret and its ciphertext (ML-KEM.Encaps, algorithm 20).</summary>
    /// <param name="publicKey">The peer's key, from anywhere.</param>
    /// <param name="ciphertext">Receives 1088 bytes.</param>
    /// <param name="sharedSecret">Receives 32 bytes; the caller zeroes them after use.</param>
    /// <returns>False when the key has another length or fails the modulus check of section 7.2.</returns>
    /// <exception cref="ArgumentException">A receiving span has another length.</exception>
    public static bool TryEncapsulate(ReadOnlySpan<byte> publicKey, Span<byte> ciphertext, Span<byte> sharedSecret)
    {
        Span<byte> message = stackalloc byte[32];
        RandomNumberGenerator.Fill(message);
        var valid = TryEncapsulate(message, publicKey, ciphertext, sharedSecret);
        CryptographicOperations.ZeroMemory(message);
        return valid;
    }

    /// <summary>
    /// Takes the shared secret out of a ciphertext (ML-KEM.Decaps, algorithm 21). A ciphertext that was not made for this key gives a secret that nobody else knows (implicit rejection), not an error.
    /// </summary>
    /// <param name="privateKey">2400 bytes, as made by <see cref="GenerateKeyPair(Span{byte}, Span{byte})"/>.</param>
    /// <param name="ciphertext">From anywhere.</param>
    /// <param name="sharedSecret">Receives 32 bytes; the caller zeroes them after use.</param>
    /// <returns>False when a length is wrong or the private key fails the hash check of section 7.3.</returns>
    /// <exception cref="ArgumentException">The receiving span has another length.</exception>
    public static bool TryDecapsulate(ReadOnlySpan<byte> privateKey, ReadOnlySpan<byte> ciphertext, Span<byte> sharedSecret)
    {
        Sizes.Require(sharedSecret, SharedSecretSize);
        sharedSecret.Clear();
        if (privateKey.Length != PrivateKeySize || ciphertext.Length != CiphertextSize)
        {
            return false;
        }

        var encryptionKey = privateKey.Slice(VectorSize, PublicKeySize);
        var storedHash = privateKey.Slice(VectorSize + PublicKeySize, 32);
        Span<byte> hash = stackalloc byte[32];
        KeccakSponge.Sha3_256(encryptionKey, hash);
        if (!CryptographicOperations.FixedTimeEquals(hash, storedHash))
        {
            return false;
        }

        Span<byte> message = stackalloc byte[32], keyAndCoins = stackalloc byte[64], rejected = stackalloc byte[32], again = stackalloc byte[CiphertextSize];
        Decrypt(privateKey[..VectorSize], ciphertext, message);
        KeccakSponge.Sha3_512(message, storedHash, keyAndCoins);
        KeccakSponge.Shake256(privateKey[^32..], ciphertext, rejected);
        var valid = TryEncrypt(encryptionKey, message, keyAndCoins[32..], again);
        var mask = (byte)-(CryptographicOperations.FixedTimeEquals(ciphertext, again) ? 1 : 0);
        for (var i = 0; i < SharedSecretSize; i++)
        {
            sharedSecret[i] = (byte)((keyAndCoins[i] & mask) | (rejected[i] & ~mask));
        }

        CryptographicOperations.ZeroMemory(message);
        CryptographicOperations.ZeroMemory(keyAndCoins);
        CryptographicOperations.ZeroMemory(rejected);
        CryptographicOperations.ZeroMemory(again);
        return valid;
    }

    /// <summary>ML-KEM.KeyGen_internal, algorithm 16.</summary>
    internal static void GenerateKeyPair(ReadOnlySpan<byte> d, ReadOnlySpan<byte> z, Span<byte> publicKey, Span<byte> privateKey)
    {
        Sizes.Require(publicKey, PublicKeySize);
        Sizes.Require(privateKey, PrivateKeySize);
        Span<byte> seeds = stackalloc byte[64];
        KeccakSponge.Sha3_512(d, [K], seeds);
        ReadOnlySpan<byte> rho = seeds[..32], sigma = seeds[32..];
        Span<int> secret = stackalloc int[K * N], row = stackalloc int[K * N], noise = stackalloc int[N], t = stackalloc int[N];
        SampleVector(sigma, 0, secret);
        for (var i = 0; i < K; i++)
        {
            MlKemPolynomial.Ntt(secret.Slice(i * N, N));
        }

        for (var i = 0; i < K; i++)
        {
            SampleRow(rho, i, transposed: false, row);
            MlKemPolynomial.MultiplyAdd(row, secret, K, t);
            MlKemPolynomial.ToMontgomery(t);
            SampleNoise(sigma, K + i, noise);
            MlKemPolynomial.Ntt(noise);
            MlKemPolynomial.Add(t, noise);
            MlKemPolynomial.Normalize(t);
            MlKemEncoding.Encode12(t, publicKey[(i * PolynomialSize)..]);
        }

        for (var i = 0; i < K; i++)
        {
            var s = secret.Slice(i * N, N);
            MlKemPolynomial.Normalize(s);
            MlKemEncoding.Encode12(s, privateKey[(i * PolynomialSize)..]);
        }

        rho.CopyTo(publicKey[VectorSize..]);
        publicKey.CopyTo(privateKey[VectorSize..]);
        KeccakSponge.Sha3_256(publicKey, privateKey.Slice(VectorSize + PublicKeySize, 32));
        z.CopyTo(privateKey[^32..]);
        CryptographicOperations.ZeroMemory(seeds);
        secret.Clear();
        noise.Clear();
    }

    /// <summary>ML-KEM.Encaps_internal, algorithm 17.</summary>
    internal static bool TryEncapsulate(ReadOnlySpan<byte> message, ReadOnlySpan<byte> publicKey, Span<byte> ciphertext, Span<byte> sharedSecret)
    {
        Sizes.Require(ciphertext, CiphertextSize);
        Sizes.Require(sharedSecret, SharedSecretSize);
        sharedSecret.Clear();
        if (publicKey.Length != PublicKeySize)
        {
            return false;
        }

        Span<byte> hash = stackalloc byte[32], keyAndCoins = stackalloc byte[64];
        KeccakSponge.Sha3_256(publicKey, hash);
        KeccakSponge.Sha3_512(message, hash, keyAndCoins);
        var valid = TryEncrypt(publicKey, message, keyAndCoins[32..], ciphertext);
        if (valid)
        {
            keyAndCoins[..32].CopyTo(sharedSecret);
        }

        CryptographicOperations.ZeroMemory(keyAndCoins);
        return valid;
    }

    // K-PKE.Encrypt, algorithm 14.
    private static bool TryEncrypt(ReadOnlySpan<byte> publicKey, ReadOnlySpan<byte> message, ReadOnlySpan<byte> coins, Span<byte> ciphertext)
    {
        Span<int> t = stackalloc int[K * N];
        var valid = true;
        for (var i = 0; i < K; i++)
        {
            valid &= MlKemEncoding.TryDecode12(publicKey.Slice(i * PolynomialSize, PolynomialSize), t.Slice(i * N, N));
        }

        if (!valid)
        {
            return false;
        }

        Span<int> r = stackalloc int[K * N], column = stackalloc int[K * N], noise = stackalloc int[N], result = stackalloc int[N];
        SampleVector(coins, 0, r);
        for (var i = 0; i < K; i++)
        {
            MlKemPolynomial.Ntt(r.Slice(i * N, N));
        }

        for (var i = 0; i < K; i++)
        {
            SampleRow(publicKey[VectorSize..], i, transposed: true, column);
            MlKemPolynomial.MultiplyAdd(column, r, K, result);
            MlKemPolynomial.InverseNtt(result);
            SampleNoise(coins, K + i, noise);
            MlKemPolynomial.Add(result, noise);
            MlKemPolynomial.Normalize(result);
            MlKemEncoding.EncodeCompressed10(result, ciphertext[(i * 320)..]);
        }

        MlKemPolynomial.MultiplyAdd(t, r, K, result);
        MlKemPolynomial.InverseNtt(result);
        SampleNoise(coins, 2 * K, noise);
        MlKemPolynomial.Add(result, noise);
        MlKemEncoding.DecodeMessage(message, noise);
        MlKemPolynomial.Add(result, noise);
        MlKemPolynomial.Normalize(result);
        MlKemEncoding.EncodeCompressed4(result, ciphertext[CompressedVectorSize..]);
        r.Clear();
        noise.Clear();
        result.Clear();
        return true;
    }

    // K-PKE.Decrypt, algorithm 15.
    private static void Decrypt(ReadOnlySpan<byte> privateKey, ReadOnlySpan<byte> ciphertext, Span<byte> message)
    {
        Span<int> u = stackalloc int[K * N], s = stackalloc int[K * N], v = stackalloc int[N], w = stackalloc int[N];
        for (var i = 0; i < K; i++)
        {
            MlKemEncoding.DecodeCompressed10(ciphertext.Slice(i * 320, 320), u.Slice(i * N, N));
            MlKemPolynomial.Ntt(u.Slice(i * N, N));
            _ = MlKemEncoding.TryDecode12(privateKey.Slice(i * PolynomialSize, PolynomialSize), s.Slice(i * N, N));
        }

        MlKemEncoding.DecodeCompressed4(ciphertext[CompressedVectorSize..], v);
        MlKemPolynomial.MultiplyAdd(s, u, K, w);
        MlKemPolynomial.InverseNtt(w);
        MlKemPolynomial.SubtractFrom(w, v);
        MlKemPolynomial.Normalize(w);
        MlKemEncoding.EncodeMessage(w, message);
        s.Clear();
        w.Clear();
    }

    // Row i of the matrix A, or of its transpose: A[i, j] comes from rho, j, i.
    private static void SampleRow(ReadOnlySpan<byte> rho, int i, bool transposed, Span<int> row)
    {
        for (var j = 0; j < K; j++)
        {
            var xof = new KeccakSponge(KeccakSponge.Shake128Rate, KeccakSponge.ShakeSuffix);
            xof.Absorb(rho[..32]);
            xof.Absorb(transposed ? [(byte)i, (byte)j] : [(byte)j, (byte)i]);
            MlKemPolynomial.SampleNtt(ref xof, row.Slice(j * N, N));
        }
    }

    private static void SampleVector(ReadOnlySpan<byte> seed, int counter, Span<int> vector)
    {
        for (var i = 0; i < K; i++)
        {
            SampleNoise(seed, counter + i, vector.Slice(i * N, N));
        }
    }

    private static void SampleNoise(ReadOnlySpan<byte> seed, int counter, Span<int> polynomial)
    {
        Span<byte> bytes = stackalloc byte[128];
        KeccakSponge.Shake256(seed, [(byte)counter], bytes);
        MlKemPolynomial.SampleCbd2(bytes, polynomial);
        CryptographicOperations.ZeroMemory(bytes);
    }
}
