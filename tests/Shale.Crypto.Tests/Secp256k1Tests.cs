using System.Numerics;
using System.Security.Cryptography;
using System.Text;

namespace Shale.Crypto.Tests;

public sealed class Secp256k1Tests
{
    private static readonly BigInteger Order = BigInteger.Parse("0fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", System.Globalization.NumberStyles.HexNumber, null);

    // RFC 6979 nonces over secp256k1: the published values that Bitcoin libraries share (SHA-256 of the text, low s).
    [Theory]
    [InlineData("0000000000000000000000000000000000000000000000000000000000000001", "Satoshi Nakamoto", "934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d82442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5")]
    [InlineData("0000000000000000000000000000000000000000000000000000000000000001", "All those moments will be lost in time, like tears in rain. Time to die...", "8600dbd41e348fe5c9465ab92d23e3db8b98b873beecd930736488696438cb6b547fe64427496db33bf66019dacbf0039c04199abb0122918601db38a72cfc21")]
    [InlineData("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140", "Satoshi Nakamoto", "fd567d121db66e382991534ada77a6bd3106f0a1098c231e47993447cd6af2d06b39cd0eb1bc8603e159ef5c20a5c8ad685a45b06ce9bebed3f153d10d93bed5")]
    [InlineData("f8b8af8ce3c7cca5e300d33939540c10d45ce001b8f252bfbc57ba0342904181", "Alan Turing", "7063ae83e7f62bbb171798131b4a0564b956930092b33b07b395615d9ec7e15c58dfcc1e00a35e1572f366ffe34ba0fc47db1e7189759b9fb233c5b05ab388ea")]
    public void SignRecoverable_KnownKeysAndTexts_GivePublishedSignatures(string key, string text, string expected)
    {
        var signature = new byte[64];
        Secp256k1.SignRecoverable(Hex(key), SHA256.HashData(Encoding.ASCII.GetBytes(text)), signature, out var recoveryId);
        Assert.Equal(expected, Hex(signature));
        Assert.InRange(recoveryId, 0, 1);
    }

    [Fact]
    public void Verify_PublishedSignatures_AreAcceptedInTheirLowForm()
    {
        foreach (var record in Read("secp256k1-siggen-sha256.txt"))
        {
            byte[] publicKey = [4, .. Hex(record["Qx"].PadLeft(64, '0')), .. Hex(record["Qy"].PadLeft(64, '0'))];
            var derived = new byte[65];
            Assert.True(Secp256k1.TryDerivePublicKey(Hex(record["d"].PadLeft(64, '0')), derived));
            Assert.Equal(publicKey, derived);
            var hash = SHA256.HashData(Hex(record["Msg"]));
            byte[] signature = [.. Hex(record["R"].PadLeft(64, '0')), .. Hex(record["S"].PadLeft(64, '0'))];
            var low = Secp256k1.IsLowS(signature) ? signature : Negated(signature);
            Assert.True(Secp256k1.IsLowS(low));
            Assert.True(Secp256k1.Verify(publicKey, hash, low));
            Assert.False(Secp256k1.Verify(publicKey, hash, Negated(low)));
            hash[5] ^= 1;
            Assert.False(Secp256k1.Verify(publicKey, hash, low));
        }
    }

    // The example of EIP-155: the signing hash, the key 0x4646…46, and the signature with v = 37 (y parity 0).
    [Fact]
    public void SignRecoverable_Eip155Example_GivesItsSignature()
    {
        var hash = Hex("daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53");
        var key = Hex(string.Concat(Enumerable.Repeat("46", 32)));
        var signature = new byte[64];
        Secp256k1.SignRecoverable(key, hash, signature, out var recoveryId);
        Assert.Equal("28ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276" + "67cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83", Hex(signature));
        Assert.Equal(0, recoveryId);
        var publicKey = new byte[65];
        Assert.True(Secp256k1.TryRecover(hash, signature, recoveryId, publicKey));
        Assert.Equal("9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f", Hex(Keccak256.Hash(publicKey.AsSpan(1)).AsSpan(12)));
    }

    [Fact]
    public void SignAndRecover_RandomInputs_AgreesWithNoble()
    {
        var random = Seeded(256);
        var cases = Enumerable.Range(0, 60).Select(_ => (Key: random.Bytes(32), Hash: random.Bytes(32))).ToList();
        cases.Add((Hex("1".PadLeft(64, '0')), new byte[32]));
        cases.Add((Hex("1".PadLeft(64, '0')), Enumerable.Repeat((byte)0xff, 32).ToArray()));
        var signed = NodePeer.Ask<string[]>("crypto.mjs", cases.Select(c => new { op = "secp256k1Sign", key = Hex(c.Key), hash = Hex(c.Hash) }));
        var keys = NodePeer.Ask<string[]>("crypto.mjs", cases.Select(c => new { op = "secp256k1PublicKey", key = Hex(c.Key) }));
        for (var i = 0; i < cases.Count; i++)
        {
            byte[] signature = new byte[64], publicKey = new byte[65], compressed = new byte[33];
            Secp256k1.SignRecoverable(cases[i].Key, cases[i].Hash, signature, out var id);
            Assert.Equal(signed[i], $"{id:x2}{Hex(signature)}");
            Assert.True(Secp256k1.TryRecover(cases[i].Hash, signature, id, publicKey));
            Assert.Equal(keys[i], Hex(publicKey));
            Assert.True(Secp256k1.TryRecover(cases[i].Hash, signature, id ^ 1, compressed));
            Assert.NotEqual(publicKey, Uncompressed(compressed));
            Assert.True(Secp256k1.TryConvertPublicKey(publicKey, compressed));
            Assert.True(Secp256k1.Verify(compressed, cases[i].Hash, signature));
            Assert.True(Secp256k1.TryConvertPublicKey(compressed, publicKey));
            Assert.Equal(keys[i], Hex(publicKey));
        }
    }

    // Wycheproof's kinds of bad signature: r or s zero, at or above the order, s high, swapped; each also asked of noble.
    [Fact]
    public void Verify_EdgeSignatures_AreRefusedAsNobleRefusesThem()
    {
        byte[] key = Seeded(9).Bytes(32), hash = Seeded(10).Bytes(32), publicKey = new byte[65], good = new byte[64];
        Assert.True(Secp256k1.TryDerivePublicKey(key, publicKey));
        Secp256k1.SignRecoverable(key, hash, good, out _);
        byte[] r = good[..32], s = good[32..], zero = new byte[32], one = Hex("1".PadLeft(64, '0')), n = Bytes(Order), max = Enumerable.Repeat((byte)0xff, 32).ToArray();
        byte[][] bad =
        [
            [.. zero, .. s], [.. r, .. zero], [.. zero, .. zero], [.. n, .. s], [.. r, .. n], [.. max, .. max], [.. one, .. one],
            [.. s, .. r], Negated(good), [.. r, .. Bytes((Order / 2) + 1)], [.. Bytes(new BigInteger(r, true, true) + 1), .. s],
        ];
        var verdicts = NodePeer.Ask<bool[]>("crypto.mjs", bad.Append(good).Select(b => new { op = "secp256k1Verify", signature = Hex(b), hash = Hex(hash), publicKey = Hex(publicKey) }));
        Assert.Equal(verdicts, bad.Append(good).Select(b => Secp256k1.Verify(publicKey, hash, b)));
        Assert.Equal(1, verdicts.Count(v => v));
        Assert.False(Secp256k1.TryRecover(hash, Negated(good), 0, new byte[65]));
        foreach (var id in new[] { -1, 4, int.MaxValue })
        {
            Assert.False(Secp256k1.TryRecover(hash, good, id, new byte[65]));
        }

        Assert.False(Secp256k1.TryRecover(hash, [.. zero, .. s], 0, new byte[65]));
        Assert.False(Secp256k1.TryRecover(hash, good, 2, new byte[65])); // r + order is above the field's prime
        Assert.False(Secp256k1.Verify(publicKey, hash, good.AsSpan(0, 63)));
    }

    [Fact]
    public void PublicKey_NotOnTheCurveOrHybrid_IsRefused()
    {
        var publicKey = new byte[65];
        Assert.True(Secp256k1.TryDerivePublicKey(Seeded(11).Bytes(32), publicKey));
        Assert.False(Secp256k1.TryConvertPublicKey([(byte)(6 + (publicKey[64] & 1)), .. publicKey[1..]], new byte[33]));
        Assert.False(Secp256k1.TryConvertPublicKey(publicKey.AsSpan(0, 64), new byte[33]));
        Assert.False(Secp256k1.TryConvertPublicKey([], new byte[33]));
        publicKey[64] ^= 1;
        Assert.False(Secp256k1.TryConvertPublicKey(publicKey, new byte[33]));
        Assert.False(Secp256k1.Verify(publicKey, new byte[32], new byte[64]));
        Assert.False(Secp256k1.TryConvertPublicKey([2, .. Enumerable.Repeat((byte)0xff, 32)], new byte[65]));
    }

    [Fact]
    public void PrivateKey_OutsideTheGroup_IsRefused()
    {
        foreach (var key in new[] { new byte[32], Bytes(Order), Bytes(Order + 1), Enumerable.Repeat((byte)0xff, 32).ToArray(), new byte[31] })
        {
            Assert.False(Secp256k1.IsValidPrivateKey(key));
            Assert.False(Secp256k1.TryDerivePublicKey(key, new byte[65]));
            Assert.Throws<ArgumentException>(() => Secp256k1.SignRecoverable(key, new byte[32], new byte[64], out _));
        }

        Assert.True(Secp256k1.IsValidPrivateKey(Bytes(Order - 1)));
        var made = new byte[32];
        Secp256k1.GeneratePrivateKey(made);
        Assert.True(Secp256k1.IsValidPrivateKey(made));
    }

    private static byte[] Uncompressed(byte[] compressed)
    {
        var publicKey = new byte[65];
        Assert.True(Secp256k1.TryConvertPublicKey(compressed, publicKey));
        return publicKey;
    }

    private static byte[] Bytes(BigInteger value)
    {
        var bytes = value.ToByteArray(isUnsigned: true, isBigEndian: true);
        return [.. new byte[32 - bytes.Length], .. bytes];
    }

    private static byte[] Negated(byte[] signature) => [.. signature[..32], .. Bytes(Order - new BigInteger(signature.AsSpan(32), true, true))];
}
