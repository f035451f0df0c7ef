using System.Buffers.Binary;
using System.Numerics;
using System.Security.Cryptography;

namespace Shale.Bn254.BabyJubjub;

/// <summary>
/// BLAKE-512, the SHA-3 finalist (Aumasson, Henzen, Meier, Phan, "SHA-3 proposal BLAKE", 2010), not its successor BLAKE2.
/// circomlib's EdDSA derives scalar and nonces with it. Inputs here are short and often secret: working memory is cleared.
/// </summary>
internal static class Blake512
{
    public const int HashSize = 64;
    private const int BlockSize = 128;
    private const int Rounds = 16;

    private static ReadOnlySpan<ulong> InitialValue =>
    [
        0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
        0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
    ];

    private static ReadOnlySpan<ulong> Pi =>
    [
        0x243f6a8885a308d3, 0x13198a2e03707344, 0xa4093822299f31d0, 0x082efa98ec4e6c89,
        0x452821e638d01377, 0xbe5466cf34e90c6c, 0xc0ac29b7c97c50dd, 0x3f84d5b5b5470917,
        0x9216d5d98979fb1b, 0xd1310ba698dfb5ac, 0x2ffd72dbd01adfb7, 0xb8e1afed6a267e96,
        0xba7c9045f12c7f99, 0x24a19947b3916cf7, 0x0801f2e2858efc16, 0x636920d871574e69,
    ];

    private static ReadOnlySpan<byte> Sigma =>
    [
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
        14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3,
        11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4,
        7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8,
        9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13,
        2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9,
        12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11,
        13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10,
        6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5,
        10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0,
    ];

    public static void Hash(ReadOnlySpan<byte> message, Span<byte> hash)
    {
        Span<ulong> h = stackalloc ulong[8];
        Span<byte> block = stackalloc byte[BlockSize];
        InitialValue.CopyTo(h);

        // The counter is the number of message bits up to the end of the block; below 2^31 bytes the upper word stays zero.
        ulong bits = 0;
        ReadOnlySpan<byte> rest = message;
        while (rest.Length >= BlockSize)
        {
            bits += BlockSize * 8;
            Compress(h, rest[..BlockSize], bits);
            rest = rest[BlockSize..];
        }

        ulong total = (ulong)message.Length * 8;
        block.Clear();
        rest.CopyTo(block);
        block[rest.Length] = 0x80;
        if (rest.Length > BlockSize - 17)
        {
            // No room for the end mark and the length; the block after that holds no message bit, and counts as zero.
            Compress(h, block, total);
            block.Clear();
            block[BlockSize - 17] = 1;
            BinaryPrimitives.WriteUInt64BigEndian(block[(BlockSize - 8)..], total);
            Compress(h, block, 0);
        }
        else
        {
            block[BlockSize - 17] |= 1;
            BinaryPrimitives.WriteUInt64BigEndian(block[(BlockSize - 8)..], total);
            Compress(h, block, rest.Length == 0 ? 0 : total);
        }

        for (int i = 0; i < 8; i++)
        {
            BinaryPrimitives.WriteUInt64BigEndian(hash[(8 * i)..], h[i]);
        }

        CryptographicOperations.ZeroMemory(block);
        h.Clear();
    }

    private static void Compress(Span<ulong> h, ReadOnlySpan<byte> block, ulong bits)
    {
        Span<ulong> m = stackalloc ulong[16], v = stackalloc ulong[16];
        for (int i = 0; i < 16; i++)
        {
            m[i] = BinaryPrimitives.ReadUInt64BigEndian(block[(8 * i)..]);
        }

        h.CopyTo(v);
        Pi[..8].CopyTo(v[8..]);
        v[12] ^= bits;
        v[13] ^= bits;
        for (int round = 0; round < Rounds; round++)
        {
            ReadOnlySpan<byte> s = Sigma.Slice(round % 10 * 16, 16);
            Mix(v, 0, 4, 8, 12, m, s[0], s[1]);
            Mix(v, 1, 5, 9, 13, m, s[2], s[3]);
            Mix(v, 2, 6, 10, 14, m, s[4], s[5]);
            Mix(v, 3, 7, 11, 15, m, s[6], s[7]);
            Mix(v, 0, 5, 10, 15, m, s[8], s[9]);
            Mix(v, 1, 6, 11, 12, m, s[10], s[11]);
            Mix(v, 2, 7, 8, 13, m, s[12], s[13]);
            Mix(v, 3, 4, 9, 14, m, s[14], s[15]);
        }

        for (int i = 0; i < 8; i++)
        {
            h[i] ^= v[i] ^ v[i + 8];
        }

        m.Clear();
        v.Clear();
    }

    private static void Mix(Span<ulong> v, int a, int b, int c, int d, ReadOnlySpan<ulong> m, int x, int y)
    {
        v[a] += v[b] + (m[x] ^ Pi[y]);
        v[d] = BitOperations.RotateRight(v[d] ^ v[a], 32);
        v[c] += v[d];
        v[b] = BitOperations.RotateRight(v[b] ^ v[c], 25);
        v[a] += v[b] + (m[y] ^ Pi[x]);
        v[d] = BitOperations.RotateRight(v[d] ^ v[a], 16);
        v[c] += v[d];
        v[b] = BitOperations.RotateRight(v[b] ^ v[c], 11);
    }
}
