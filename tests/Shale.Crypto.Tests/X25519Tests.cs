namespace Shale.Crypto.Tests;

public sealed class X25519Tests
{
    [Fact]
    public void TryAgree_Rfc7748Vectors_GivesPublishedPoints()
    {
        foreach (var record in Read("x25519-rfc7748.txt"))
        {
            var shared = new byte[32];
            Assert.True(X25519.TryAgree(Hex(record["INPUT_SCALAR"]), Hex(record["INPUT_U"]), shared));
            Assert.Equal(record["OUTPUT_U"], Hex(shared));
        }
    }

    [Theory]
    [InlineData(1, "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079")]
    [InlineData(1000, "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51")]
    public void TryAgree_Iterated_GivesRfc7748Values(int iterations, string expected)
    {
        var k = Hex("0900000000000000000000000000000000000000000000000000000000000000");
        var u = (byte[])k.Clone();
        for (var i = 0; i < iterations; i++)
        {
            var next = new byte[32];
            Assert.True(X25519.TryAgree(k, u, next));
            (k, u) = (next, k);
        }

        Assert.Equal(expected, Hex(k));
    }

    [Fact]
    public void DerivePublicKey_Rfc7748Section61_GivesPublishedKeysAndSecret()
    {
        var alice = Hex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
        var bob = Hex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
        byte[] aliceKey = new byte[32], bobKey = new byte[32], shared = new byte[32];
        X25519.DerivePublicKey(alice, aliceKey);
        X25519.DerivePublicKey(bob, bobKey);
        Assert.Equal("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a", Hex(aliceKey));
        Assert.Equal("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f", Hex(bobKey));
        Assert.True(X25519.TryAgree(alice, bobKey, shared));
        Assert.Equal("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742", Hex(shared));
    }

    // The encodings of points of order 1, 2, 4, 8 on the curve and its twist, canonical and not.
    [Theory]
    [InlineData("0000000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("0100000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800")]
    [InlineData("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157")]
    [InlineData("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")]
    [InlineData("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")]
    [InlineData("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")]
    [InlineData("0000000000000000000000000000000000000000000000000000000000000080")]
    [InlineData("0100000000000000000000000000000000000000000000000000000000000080")]
    [InlineData("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff")]
    public void TryAgree_SmallOrderPoint_IsRefusedWithZeros(string point)
    {
        var shared = new byte[32];
        shared.AsSpan().Fill(0xaa);
        Assert.False(X25519.TryAgree(Seeded(1).Bytes(32), Hex(point), shared));
        Assert.Equal(new byte[32], shared);
    }

    [Fact]
    public void TryAgree_RandomAndEdgeInputs_AgreesWithNoble()
    {
        var random = Seeded(7748);
        var pairs = Enumerable.Range(0, 100).Select(_ => (Key: random.Bytes(32), Peer: random.Bytes(32))).ToList();
        foreach (var edge in new[] { "02", "09", "f0", "ff" })
        {
            // Small u, and u near 2^255, reduced or not.
            pairs.Add((random.Bytes(32), Hex(edge.PadRight(64, '0'))));
            pairs.Add((random.Bytes(32), Hex(edge + new string('f', 60) + "7f")));
            pairs.Add((random.Bytes(32), Hex(edge + new string('f', 62))));
        }

        var answers = NodePeer.Ask<string?[]>("crypto.mjs", pairs.Select(p => new { op = "x25519", key = Hex(p.Key), peer = Hex(p.Peer) }));
        var publicKeys = NodePeer.Ask<string[]>("crypto.mjs", pairs.Select(p => new { op = "x25519PublicKey", key = Hex(p.Key) }));
        for (var i = 0; i < pairs.Count; i++)
        {
            var shared = new byte[32];
            var agreed = X25519.TryAgree(pairs[i].Key, pairs[i].Peer, shared);
            Assert.Equal(answers[i], agreed ? Hex(shared) : null);
            X25519.DerivePublicKey(pairs[i].Key, shared);
            Assert.Equal(publicKeys[i], Hex(shared));
        }
    }

    [Fact]
    public void GenerateKeyPair_Twice_GivesDifferentPairsThatAgree()
    {
        byte[] a = new byte[32], pa = new byte[32], b = new byte[32], pb = new byte[32], s = new byte[32], t = new byte[32];
        X25519.GenerateKeyPair(a, pa);
        X25519.GenerateKeyPair(b, pb);
        Assert.NotEqual(pa, pb);
        Assert.True(X25519.TryAgree(a, pb, s));
        Assert.True(X25519.TryAgree(b, pa, t));
        Assert.Equal(s, t);
    }

    [Fact]
    public void TryAgree_WrongLength_Throws() =>
        Assert.Throws<ArgumentException>(() => X25519.TryAgree(new byte[31], new byte[32], new byte[32]));
}
