using System.Numerics;
using System.Security.Cryptography;

namespace Shale.Crypto.Tests;

public sealed class Ed25519Tests
{
    private static readonly BigInteger Order = BigInteger.Parse("7237005577332262213973186563042994240857116359379907606001950938285454250989", null);

    [Fact]
    public void SignAndVerify_PublishedVectors_GiveTheSameKeysAndSignatures()
    {
        var count = 0;
        foreach (var line in File.ReadLines(PathOf("ed25519-sign.input")))
        {
            // secret ‖ public : public : message : signature ‖ message
            var fields = line.Split(':');
            var seed = Hex(fields[0])[..32];
            var message = Hex(fields[2]);
            var expected = Hex(fields[3])[..64];
            byte[] publicKey = new byte[32], signature = new byte[64];
            Ed25519.DerivePublicKey(seed, publicKey);
            Assert.Equal(fields[1], Hex(publicKey));
            Ed25519.Sign(seed, message, signature);
            Assert.Equal(expected, signature);
            Assert.True(Ed25519.Verify(publicKey, message, signature));
            signature[count % 64] ^= 1;
            Assert.False(Ed25519.Verify(publicKey, message, signature));
            count++;
        }

        Assert.Equal(129, count);
    }

    [Fact]
    public void Verify_SPlusOrder_IsRefused()
    {
        var (publicKey, message, signature) = Signed(1);
        var s = new BigInteger(signature.AsSpan(32), isUnsigned: true) + Order;
        Assert.True(s.TryWriteBytes(signature.AsSpan(32), out _, isUnsigned: true));
        Assert.False(Ed25519.Verify(publicKey, message, signature));
    }

    [Fact]
    public void Verify_SmallOrderPublicKey_IsRefused()
    {
        var torsion = NodePeer.Ask<string[][]>("crypto.mjs", new[] { new { op = "ed25519Torsion" } })[0];
        Assert.Equal(8, torsion.Distinct().Count());
        foreach (var point in torsion)
        {
            var key = Hex(point);
            Assert.False(Ed25519.IsAcceptablePublicKey(key));

            // R = A = the point, S = 0 fits one message in eight under a verifier that does not look.
            for (var i = 0; i < 32; i++)
            {
                Assert.False(Ed25519.Verify(key, [(byte)i], [.. key, .. new byte[32]]));
            }

            key[31] ^= 0x80;
            Assert.False(Ed25519.IsAcceptablePublicKey(key));
        }
    }

    [Fact]
    public void Verify_NonCanonicalPublicKey_IsRefused()
    {
        // Every encoding with y >= p: p + 0 … p + 18, with either sign.
        for (var low = 0xed; low <= 0xff; low++)
        {
            foreach (var high in new byte[] { 0x7f, 0xff })
            {
                var key = new byte[32];
                key.AsSpan().Fill(0xff);
                key[0] = (byte)low;
                key[31] = high;
                Assert.False(Ed25519.IsAcceptablePublicKey(key));
                Assert.False(Ed25519.Verify(key, [], new byte[64]));
            }
        }
    }

    [Fact]
    public void Verify_WrongLengths_AreRefused()
    {
        var (publicKey, message, signature) = Signed(2);
        Assert.True(Ed25519.Verify(publicKey, message, signature));
        Assert.False(Ed25519.Verify(publicKey.AsSpan(0, 31), message, signature));
        Assert.False(Ed25519.Verify([.. publicKey, 0], message, signature));
        Assert.False(Ed25519.Verify(publicKey, message, signature.AsSpan(0, 63)));
        Assert.False(Ed25519.Verify(publicKey, message, [.. signature, 0]));
    }

    [Fact]
    public void SignAndVerify_RandomAndMutilated_AgreeWithNoble()
    {
        var random = Seeded(8032);
        var questions = new List<object>();
        var ours = new List<(byte[] Key, byte[] Message, byte[] Signature)>();
        for (var i = 0; i < 60; i++)
        {
            byte[] seed = random.Bytes(32), message = random.Bytes(i * 7), key = new byte[32], signature = new byte[64];
            Ed25519.DerivePublicKey(seed, key);
            Ed25519.Sign(seed, message, signature);
            questions.Add(new { op = "ed25519Sign", seed = Hex(seed), message = Hex(message) });
            ours.Add((key, message, signature));
        }

        var answers = NodePeer.Ask("crypto.mjs", questions).EnumerateArray().ToList();
        for (var i = 0; i < ours.Count; i++)
        {
            Assert.Equal(answers[i].GetProperty("publicKey").GetString(), Hex(ours[i].Key));
            Assert.Equal(answers[i].GetProperty("signature").GetString(), Hex(ours[i].Signature));
        }

        // One bit turned anywhere in key, message or signature; random bytes as key; a high S.
        var cases = ours.Concat(ours.Select((o, i) => (i % 3) switch
        {
            0 => (Turn(o.Key, i), o.Message, o.Signature),
            1 => (o.Key, o.Message, Turn(o.Signature, i)),
            _ => (random.Bytes(32), o.Message, o.Signature),
        })).ToList();
        var verdicts = NodePeer.Ask<bool[]>("crypto.mjs", cases.Select(c => new { op = "ed25519Verify", publicKey = Hex(c.Item1), message = Hex(c.Item2), signature = Hex(c.Item3) }));
        Assert.Equal(verdicts, cases.Select(c => Ed25519.Verify(c.Item1, c.Item2, c.Item3)));
        Assert.Equal(60, verdicts.Count(v => v));
    }

    [Fact]
    public async Task PrivateKey_UsedByManyThreads_SignsAsTheSeedDoes()
    {
        var seed = Seeded(3).Bytes(32);
        using var key = new Ed25519PrivateKey(seed);
        var publicKey = key.PublicKey.ToArray();
        await Task.WhenAll(Enumerable.Range(0, 8).Select(n => Task.Run(() =>
        {
            for (var i = 0; i < 50; i++)
            {
                byte[] message = [(byte)n, (byte)i], signature = new byte[64], expected = new byte[64];
                key.Sign(message, signature);
                Ed25519.Sign(seed, message, expected);
                Assert.Equal(expected, signature);
                Assert.True(Ed25519.Verify(publicKey, message, signature));
            }
        })));
    }

    [Fact]
    public void PrivateKey_Disposed_Throws()
    {
        var key = new Ed25519PrivateKey(new byte[32]);
        key.Dispose();
        Assert.Throws<ObjectDisposedException>(() => key.Sign([], new byte[64]));
    }

    // A refused signature must leave nothing behind in OpenSSL's error queue, which the BCL reads too.
    [Fact]
    public void Verify_Refused_LeavesTheBclWorking()
    {
        var (publicKey, message, signature) = Signed(4);
        signature[0] ^= 1;
        Assert.False(Ed25519.Verify(publicKey, message, signature));
        Assert.False(X25519.TryAgree(publicKey, new byte[32], new byte[32]));
        using var rsa = RSA.Create(2048);
        Assert.False(rsa.VerifyData(message, new byte[256], HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1));
        Assert.True(rsa.VerifyData(message, rsa.SignData(message, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1), HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1));
    }

    private static (byte[] PublicKey, byte[] Message, byte[] Signature) Signed(int seed)
    {
        var random = Seeded(seed);
        byte[] secret = random.Bytes(32), message = random.Bytes(100), publicKey = new byte[32], signature = new byte[64];
        Ed25519.DerivePublicKey(secret, publicKey);
        Ed25519.Sign(secret, message, signature);
        return (publicKey, message, signature);
    }

    private static byte[] Turn(byte[] value, int bit)
    {
        var copy = (byte[])value.Clone();
        copy[bit * 5 % copy.Length] ^= (byte)(1 << (bit % 8));
        return copy;
    }
}
