using System.Security.Cryptography;
using System.Text;

namespace Shale.Crypto.Tests;

/// <summary>
/// The AES-256 CTR_DRBG of NIST's known-answer generator (SP 800-90A without derivation function), from which the response files of the post-quantum
/// submissions take their randomness. A request for n bytes is one call, so that splitting requests changes the stream, as there.
/// </summary>
internal sealed class NistDrbg
{
    private readonly byte[] key = new byte[32];
    private readonly byte[] counter = new byte[16];

    internal NistDrbg(byte[] seed) => Update(seed);

    internal delegate (byte[] PublicKey, byte[] PrivateKey, byte[] Ciphertext, byte[] Shared) Answer(NistDrbg drbg);

    /// <summary>SHA-256 of the response file: for each count a seed, from which a fresh generator is made, and what came out.</summary>
    internal static string HashOfResponses(int count, Answer answer)
    {
        var master = new NistDrbg(Enumerable.Range(0, 48).Select(i => (byte)i).ToArray());
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        for (var i = 0; i < count; i++)
        {
            var seed = new byte[48];
            master.Fill(seed);
            var (pk, sk, ct, ss) = answer(new NistDrbg(seed));
            hash.AppendData(Encoding.ASCII.GetBytes(
                $"count = {i}\nseed = {Convert.ToHexString(seed)}\npk = {Convert.ToHexString(pk)}\nsk = {Convert.ToHexString(sk)}\nct = {Convert.ToHexString(ct)}\nss = {Convert.ToHexString(ss)}\n" + (i == count - 1 ? "" : "\n")));
        }

        return Hex(hash.GetHashAndReset());
    }

    internal void Fill(Span<byte> output)
    {
        for (var at = 0; at < output.Length; at += 16)
        {
            var block = Next();
            block.AsSpan(0, Math.Min(16, output.Length - at)).CopyTo(output[at..]);
        }

        Update(new byte[48]);
    }

    private byte[] Next()
    {
        for (var i = 15; i >= 0 && ++counter[i] == 0; i--)
        {
        }

        using var aes = Aes.Create();
        aes.Key = key;
        return aes.EncryptEcb(counter, PaddingMode.None);
    }

    private void Update(byte[] provided)
    {
        byte[] next = [.. Next(), .. Next(), .. Next()];
        for (var i = 0; i < 48; i++)
        {
            next[i] ^= provided[i];
        }

        next.AsSpan(0, 32).CopyTo(key);
        next.AsSpan(32).CopyTo(counter);
    }
}
