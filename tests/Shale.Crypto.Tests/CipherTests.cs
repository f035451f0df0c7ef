using System.Buffers.Binary;
using System.Numerics;

namespace Shale.Crypto.Tests;

public sealed class CipherTests
{
    [Fact]
    public void ChaCha20_Rfc8439Vectors_GivePublishedCiphertext()
    {
        foreach (var record in Read("chacha20-rfc7539.txt"))
        {
            // RFC 8439's 32-bit counter and 96-bit nonce are the same sixteen bytes of state as our 64-bit counter and 64-bit nonce.
            var nonce = Hex(record["NONCE"]);
            var counter = uint.Parse(record["INITIAL_BLOCK_COUNTER"], null) | ((ulong)BinaryPrimitives.ReadUInt32LittleEndian(nonce) << 32);
            using var cipher = new ChaCha20(Hex(record["KEY"]));
            var plaintext = Hex(record["PLAINTEXT"]);
            var output = new byte[plaintext.Length];
            cipher.Process(BinaryPrimitives.ReadUInt64BigEndian(nonce.AsSpan(4)), counter, plaintext, output);
            Assert.Equal(record["CIPHERTEXT"], Hex(output), ignoreCase: true);
            cipher.Process(BinaryPrimitives.ReadUInt64BigEndian(nonce.AsSpan(4)), counter, output, output);
            Assert.Equal(plaintext, output);
        }
    }

    [Theory]
    [InlineData(0UL, 0UL)]
    [InlineData(7UL, 1UL)]
    [InlineData(0xffffffffUL, 0xfffffffeUL)]
    [InlineData(0x0123456789abcdefUL, 0x1ffffffffUL)]
    [InlineData(ulong.MaxValue, ulong.MaxValue - 1)]
    public void ChaCha20_AnyCounter_AgreesWithTheNaiveForm(ulong nonce, ulong counter)
    {
        var random = Seeded(20);
        var key = random.Bytes(32);
        var input = random.Bytes(2000);
        using var cipher = new ChaCha20(key);
        var output = new byte[input.Length];
        cipher.Process(nonce, counter, input, output);
        Assert.Equal(NaiveChaCha20(key, nonce, counter, input), output);
    }

    [Fact]
    public void ChaCha20_RandomLengths_AgreesWithNoble()
    {
        var random = Seeded(21);
        var cases = Enumerable.Range(0, 40).Select(i => (Key: random.Bytes(32), Nonce: random.Bytes(8), Counter: random.Next(), Input: random.Bytes(1 + (i * 53)))).ToList();
        var answers = NodePeer.Ask<string[]>("crypto.mjs", cases.Select(c => new { op = "chacha20", key = Hex(c.Key), nonce = Hex(c.Nonce), counter = c.Counter, input = Hex(c.Input) }));
        for (var i = 0; i < cases.Count; i++)
        {
            using var cipher = new ChaCha20(cases[i].Key);
            var output = new byte[cases[i].Input.Length];
            cipher.Process(BinaryPrimitives.ReadUInt64BigEndian(cases[i].Nonce), (ulong)cases[i].Counter, cases[i].Input, output);
            Assert.Equal(answers[i], Hex(output));
        }
    }

    [Fact]
    public void ChaCha20_Disposed_Throws()
    {
        var cipher = new ChaCha20(new byte[32]);
        cipher.Dispose();
        Assert.Throws<ObjectDisposedException>(() => cipher.Process(0, 0, new byte[1], new byte[1]));
    }

    [Fact]
    public void Poly1305_Rfc8439Vectors_GivePublishedTags()
    {
        foreach (var record in Read("poly1305-rfc7539.txt"))
        {
            var tag = new byte[16];
            Poly1305.Compute(Hex(record["KEY"]), Hex(record["MSG"]), tag);
            Assert.Equal(record["TAG"], Hex(tag), ignoreCase: true);
        }
    }

    [Fact]
    public void Poly1305_EveryLengthUpTo300_AgreesWithNobleAndTheDefinition()
    {
        var random = Seeded(22);
        var cases = Enumerable.Range(0, 300).Select(n => (Key: random.Bytes(32), Message: random.Bytes(n))).ToList();
        var answers = NodePeer.Ask<string[]>("crypto.mjs", cases.Select(c => new { op = "poly1305", key = Hex(c.Key), message = Hex(c.Message) }));
        for (var i = 0; i < cases.Count; i++)
        {
            var tag = new byte[16];
            Poly1305.Compute(cases[i].Key, cases[i].Message, tag);
            Assert.Equal(answers[i], Hex(tag));
            Assert.Equal(NaivePoly1305(cases[i].Key, cases[i].Message), tag);
        }
    }

    [Fact]
    public async Task Poly1305_ManyThreads_KeepTheirKeysApart()
    {
        await Task.WhenAll(Enumerable.Range(0, 16).Select(n => Task.Run(() =>
        {
            var random = Seeded(n);
            for (var i = 0; i < 100; i++)
            {
                byte[] key = random.Bytes(32), message = random.Bytes(i), tag = new byte[16];
                Poly1305.Compute(key, message, tag);
                Assert.Equal(NaivePoly1305(key, message), tag);
            }
        })));
    }

    [Theory]
    [InlineData("aes-128-ctr.txt")]
    [InlineData("aes-192-ctr.txt")]
    [InlineData("aes-256-ctr.txt")]
    public void AesCtr_Rfc3686Vectors_GivePublishedCiphertext(string file)
    {
        foreach (var record in Read(file))
        {
            using var cipher = new AesCtr(Hex(record["KEY"]), Hex(record["IV"]));
            var output = Hex(record["PLAINTEXT"]);
            cipher.Process(output, output);
            Assert.Equal(record["CIPHERTEXT"], Hex(output), ignoreCase: true);
        }
    }

    // NIST SP 800-38A sections F.5.1, F.5.3, F.5.5.
    [Theory]
    [InlineData("2b7e151628aed2a6abf7158809cf4f3c", "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee")]
    [InlineData("8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b", "1abc932417521ca24f2b0459fe7e6e0b090339ec0aa6faefd5ccc2c6f4ce8e941e36b26bd1ebc670d1bd1d665620abf74f78a7f6d29809585a97daec58c6b050")]
    [InlineData("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4", "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c52b0930daa23de94ce87017ba2d84988ddfc9c58db67aada613c2dd08457941a6")]
    public void AesCtr_Sp80038aVectors_GivePublishedCiphertextInAnyPieces(string key, string expected)
    {
        var plaintext = Hex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710");
        for (var piece = 1; piece <= plaintext.Length; piece++)
        {
            using var cipher = new AesCtr(Hex(key), Hex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"));
            var output = new byte[plaintext.Length];
            for (var at = 0; at < plaintext.Length; at += piece)
            {
                var take = Math.Min(piece, plaintext.Length - at);
                cipher.Process(plaintext.AsSpan(at, take), output.AsSpan(at, take));
            }

            Assert.Equal(expected, Hex(output));
        }
    }

    [Fact]
    public void AesCtr_CounterThatOverflows_AgreesWithNoble()
    {
        var random = Seeded(23);
        var cases = new[] { 16, 24, 32 }.SelectMany(size => new[] { "ffffffffffffffffffffffffffffffff", "00000000fffffffffffffffffffffffe", "fffffffffffffffeffffffffffffffff" }
            .Select(iv => (Key: random.Bytes(size), Iv: iv, Input: random.Bytes(333)))).ToList();
        var answers = NodePeer.Ask<string[]>("crypto.mjs", cases.Select(c => new { op = "aesCtr", key = Hex(c.Key), iv = c.Iv, input = Hex(c.Input) }));
        for (var i = 0; i < cases.Count; i++)
        {
            using var cipher = new AesCtr(cases[i].Key, Hex(cases[i].Iv));
            cipher.Process(cases[i].Input, cases[i].Input);
            Assert.Equal(answers[i], Hex(cases[i].Input));
        }
    }

    [Fact]
    public void AesCtr_WrongSizes_Throw()
    {
        Assert.Throws<ArgumentException>(() => new AesCtr(new byte[20], new byte[16]));
        Assert.Throws<ArgumentException>(() => new AesCtr(new byte[16], new byte[12]));
        using var cipher = new AesCtr(new byte[16], new byte[16]);
        Assert.Throws<ArgumentException>(() => cipher.Process(new byte[2], new byte[1]));
    }

    [Fact]
    public void Processing_Packets_AllocatesNothing()
    {
        using var chacha = new ChaCha20(new byte[32]);
        using var aes = new AesCtr(new byte[16], new byte[16]);
        byte[] packet = new byte[32768], tag = new byte[16], key = new byte[32];
        void Round()
        {
            chacha.Process(1, 1, packet, packet);
            aes.Process(packet, packet);
            Poly1305.Compute(key, packet, tag);
        }

        Round();
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 50; i++)
        {
            Round();
        }

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    private static byte[] NaiveChaCha20(byte[] key, ulong nonce, ulong counter, byte[] input)
    {
        var output = new byte[input.Length];
        for (var at = 0; at < input.Length; at += 64, counter++)
        {
            var start = new uint[16];
            "expand 32-byte k"u8.ToArray().Chunk(4).Select(c => BinaryPrimitives.ReadUInt32LittleEndian(c)).ToArray().CopyTo(start, 0);
            key.Chunk(4).Select(c => BinaryPrimitives.ReadUInt32LittleEndian(c)).ToArray().CopyTo(start, 4);
            start[12] = (uint)counter;
            start[13] = (uint)(counter >> 32);
            start[14] = BinaryPrimitives.ReverseEndianness((uint)(nonce >> 32));
            start[15] = BinaryPrimitives.ReverseEndianness((uint)nonce);
            var s = (uint[])start.Clone();
            for (var round = 0; round < 10; round++)
            {
                for (var i = 0; i < 4; i++)
                {
                    Quarter(s, i, i + 4, i + 8, i + 12);
                }

                for (var i = 0; i < 4; i++)
                {
                    Quarter(s, i, 4 + ((i + 1) & 3), 8 + ((i + 2) & 3), 12 + ((i + 3) & 3));
                }
            }

            for (var i = 0; i < 64 && at + i < input.Length; i++)
            {
                output[at + i] = (byte)(input[at + i] ^ ((s[i / 4] + start[i / 4]) >> (8 * (i % 4))));
            }
        }

        return output;
    }

    private static void Quarter(uint[] s, int a, int b, int c, int d)
    {
        s[a] += s[b];
        s[d] = BitOperations.RotateLeft(s[d] ^ s[a], 16);
        s[c] += s[d];
        s[b] = BitOperations.RotateLeft(s[b] ^ s[c], 12);
        s[a] += s[b];
        s[d] = BitOperations.RotateLeft(s[d] ^ s[a], 8);
        s[c] += s[d];
        s[b] = BitOperations.RotateLeft(s[b] ^ s[c], 7);
    }

    private static byte[] NaivePoly1305(byte[] key, byte[] message)
    {
        var p = (BigInteger.One << 130) - 5;
        var r = new BigInteger(key.AsSpan(0, 16), isUnsigned: true) & BigInteger.Parse("0ffffffc0ffffffc0ffffffc0fffffff", System.Globalization.NumberStyles.HexNumber, null);
        var accumulator = message.Chunk(16).Aggregate(BigInteger.Zero, (a, block) => (a + new BigInteger([.. block, 1], isUnsigned: true)) * r % p);
        var tag = (accumulator + new BigInteger(key.AsSpan(16), isUnsigned: true)) & ((BigInteger.One << 128) - 1);
        var bytes = new byte[16];
        tag.TryWriteBytes(bytes, out _, isUnsigned: true);
        return bytes;
    }
}
