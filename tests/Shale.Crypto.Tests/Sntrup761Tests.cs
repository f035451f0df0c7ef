using Shale.Crypto.PostQuantum;

namespace Shale.Crypto.Tests;

public sealed class Sntrup761Tests
{
    // The SHA-256 of NIST's response file, its first case and all its 100, which liboqs publishes (tests/KATs/kem/kats.json, "sntrup761").
    [Theory]
    [InlineData(1, "afc42c3a5b10f4ef69654250097ebda9b9564570f4086744b24a6daf2bd1f89a")]
    [InlineData(100, "36e1e53d4e6e295e8fb804449958ad9a3719aa350e91933c65791b9117382d57")]
    public void AllOperations_NistResponseFile_HashesToThePublishedValue(int count, string expected) =>
        Assert.Equal(
            expected,
            NistDrbg.HashOfResponses(count, drbg =>
            {
                byte[] pk = new byte[1158], sk = new byte[1763], ct = new byte[1039], ss = new byte[32], other = new byte[32];
                Sntrup761.GenerateKeyPair(drbg.Fill, pk, sk);
                Assert.True(Sntrup761.TryEncapsulate(drbg.Fill, pk, ct, ss));
                Assert.True(Sntrup761.TryDecapsulate(sk, ct, other));
                Assert.Equal(ss, other);
                return (pk, sk, ct, ss);
            }));

    [Fact]
    public void TryDecapsulate_CiphertextsOfLiboqs_GivesItsSecret()
    {
        byte[] pk = new byte[1158], sk = new byte[1763], ss = new byte[32];
        Sntrup761.GenerateKeyPair(pk, sk);
        foreach (var answer in NodePeer.Ask("kem.mjs", Enumerable.Range(0, 20).Select(_ => new { kem = "sntrup761", op = "encapsulate", publicKey = Hex(pk) })).EnumerateArray())
        {
            Assert.True(Sntrup761.TryDecapsulate(sk, Hex(answer.GetProperty("ciphertext").GetString()!), ss));
            Assert.Equal(answer.GetProperty("shared").GetString(), Hex(ss));
        }
    }

    // liboqs makes the keys; we encapsulate; it decapsulates, also what was mutilated on the way (implicit rejection) and what never was a ciphertext.
    [Fact]
    public void TryEncapsulate_ToKeysOfLiboqs_AgreesWithItsDecapsulation()
    {
        var random = Seeded(761);
        var keys = NodePeer.Ask("kem.mjs", Enumerable.Range(0, 10).Select(_ => new { kem = "sntrup761", op = "keyGen" }));
        var questions = new List<object>();
        var shared = new List<string>();
        foreach (var key in keys.EnumerateArray())
        {
            var sk = Hex(key.GetProperty("secretKey").GetString()!);
            byte[] ct = new byte[1039], ss = new byte[32], other = new byte[32];
            Assert.True(Sntrup761.TryEncapsulate(Hex(key.GetProperty("publicKey").GetString()!), ct, ss));
            for (var i = 0; i < 6; i++)
            {
                Assert.True(Sntrup761.TryDecapsulate(sk, ct, other));
                Assert.Equal(i == 0, ss.AsSpan().SequenceEqual(other));
                questions.Add(new { kem = "sntrup761", op = "decapsulate", ciphertext = Hex(ct), secretKey = Hex(sk) });
                shared.Add(Hex(other));
                ct[random.Next(ct.Length)] ^= (byte)(1 << random.Next(8));
                ct = i == 4 ? random.Bytes(1039) : ct;
            }
        }

        Assert.Equal(shared, NodePeer.Ask("kem.mjs", questions).EnumerateArray().Select(a => a.GetString()));
    }

    [Fact]
    public void TryDecapsulate_OurKeysInLiboqs_GiveTheSameSecrets()
    {
        var questions = new List<object>();
        var shared = new List<string>();
        for (var i = 0; i < 20; i++)
        {
            byte[] pk = new byte[1158], sk = new byte[1763], ct = new byte[1039], ss = new byte[32];
            Sntrup761.GenerateKeyPair(pk, sk);
            Assert.True(Sntrup761.TryEncapsulate(pk, ct, ss));
            questions.Add(new { kem = "sntrup761", op = "decapsulate", ciphertext = Hex(ct), secretKey = Hex(sk) });
            shared.Add(Hex(ss));
        }

        Assert.Equal(shared, NodePeer.Ask("kem.mjs", questions).EnumerateArray().Select(a => a.GetString()));
    }

    // Any 1158 bytes are a public key: encapsulation to hostile ones must end, and end well-formed.
    [Fact]
    public void TryEncapsulate_HostilePublicKeys_Ends()
    {
        byte[] ct = new byte[1039], ss = new byte[32];
        foreach (var pk in new[] { new byte[1158], Enumerable.Repeat((byte)0xff, 1158).ToArray(), Seeded(1).Bytes(1158), Seeded(2).Bytes(1158) })
        {
            Assert.True(Sntrup761.TryEncapsulate(pk, ct, ss));
            Assert.NotEqual(new byte[32], ss);
        }

        Assert.False(Sntrup761.TryEncapsulate(new byte[1157], ct, ss));
        Assert.False(Sntrup761.TryDecapsulate(new byte[1763], new byte[1038], ss));
        Assert.False(Sntrup761.TryDecapsulate(new byte[1762], new byte[1039], ss));
    }

    [Fact]
    public void MultiplySmall_RandomAndExtreme_EqualsTheSchoolbookProduct()
    {
        var random = Seeded(5);
        for (var round = 0; round < 12; round++)
        {
            var extreme = round < 4;
            var a = Enumerable.Range(0, 761).Select(_ => (short)(extreme ? (round % 2 == 0 ? 2295 : -2295) : random.Next(-2295, 2296))).ToArray();
            var b = Enumerable.Range(0, 761).Select(_ => (short)(extreme ? (round < 2 ? 1 : -1) : random.Next(-1, 2))).ToArray();
            var full = new int[1521];
            for (var i = 0; i < 761; i++)
            {
                for (var j = 0; j < 761; j++)
                {
                    full[i + j] += a[i] * b[j];
                }
            }

            for (var i = 1520; i >= 761; i--)
            {
                full[i - 761] += full[i];
                full[i - 760] += full[i];
            }

            var product = new int[761];
            Sntrup761Ring.MultiplySmall(a, b, product);
            Assert.Equal(full[..761], product);
        }
    }

    [Fact]
    public void Freeze_AllOfItsRange_IsTheCentredResidue()
    {
        for (var x = -(1 << 26) + 1; x < 1 << 26; x += 997)
        {
            var r = Sntrup761Ring.Freeze(x);
            Assert.InRange(r, -2295, 2295);
            Assert.Equal(0, (x - r) % 4591);
        }

        for (var x = -20000; x <= 20000; x++)
        {
            var r = Sntrup761Ring.Freeze(x);
            Assert.True(r is >= -2295 and <= 2295 && (x - r) % 4591 == 0);
            var r3 = Sntrup761Ring.Freeze3(x);
            Assert.True(r3 is >= -1 and <= 1 && (x - r3) % 3 == 0);
        }
    }

    [Fact]
    public void Sort_EveryLengthUpTo800_SortsAsTheBclDoes()
    {
        var random = Seeded(6);
        for (var n = 0; n <= 800; n++)
        {
            var values = Enumerable.Range(0, n).Select(_ => (uint)random.NextInt64(1L << 32) & (n % 3 == 0 ? 7u : uint.MaxValue)).ToArray();
            var expected = values.Order().ToArray();
            ConstantTimeSort.Sort(values);
            Assert.Equal(expected, values);
        }
    }
}
