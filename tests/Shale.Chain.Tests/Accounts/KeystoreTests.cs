using System.Text;
using System.Text.Json.Nodes;
using Shale.Chain.Accounts;
using Shale.Crypto;
using Shale.TestPeers;
using Xunit;

namespace Shale.Chain.Tests.Accounts;

public sealed class KeystoreTests
{
    private const string Secret = "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d";

    /// <summary>
    /// The PBKDF2 vector of the Web3 Secret Storage Definition. (The definition's scrypt vector contradicts itself: the derived key that it states is
    /// not scrypt's of its salt and parameters. ethers gives the second opinion on scrypt.)
    /// </summary>
    public static TheoryData<string> Vectors { get; } = new()
    {
        """
        {"crypto":{"cipher":"aes-128-ctr","cipherparams":{"iv":"6087dab2f9fdbbfaddc31a909735c1e6"},
        "ciphertext":"5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46","kdf":"pbkdf2",
        "kdfparams":{"c":262144,"dklen":32,"prf":"hmac-sha256","salt":"ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd"},
        "mac":"517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2"},"id":"3198bc9c-6672-5ab3-d995-4942343ae5b6","version":3}
        """,
    };

    // "python_generated_test_with_odd_iv" of ethereum/tests' KeyStoreTests: a salt of 16 bytes, members in another order, an older member.
    [Fact]
    public void Keystore_OfEthereumsTests_GivesItsKey()
    {
        var json = """
            {"version":3,"crypto":{"ciphertext":"ee75456c006b1e468133c5d2a916bacd3cf515ced4d9b021b5c59978007d1e87","version":1,"kdf":"pbkdf2",
            "kdfparams":{"dklen":32,"c":262144,"prf":"hmac-sha256","salt":"504490577620f64f43d73f29479c2cf0"},"mac":"196815708465de9af7504144a1360d08874fc3c30bb0e648ce88fbc36830d35d",
            "cipherparams":{"iv":"514ccc8c4fb3e60e5538e0cf1e27c233"},"cipher":"aes-128-ctr"},"id":"98d193c7-5174-4c7c-5345-c1daf95477b5"}
            """u8;
        Assert.Equal(KeystoreFault.None, Keystore.TryDecrypt(json, "foo", out var key));
        Assert.Equal(Enumerable.Repeat((byte)1, 32), key);
    }

    private static byte[] Key => Convert.FromHexString(Secret);

    [Theory]
    [MemberData(nameof(Vectors))]
    public void Keystore_OfTheDefinitionsVectors_GivesItsKey(string json)
    {
        Assert.Equal(KeystoreFault.None, Keystore.TryDecrypt(Encoding.UTF8.GetBytes(json), "testpassword", out var key));
        Assert.Equal(Secret, Convert.ToHexStringLower(key));
        using var account = new KeyAccount(key);
        Assert.Equal("0x008AeEda4D805471dF9b2A5B0f38A0C3bCBA786b", account.Address.ToString());
    }

    [Theory]
    [MemberData(nameof(Vectors))]
    public void Keystore_WithAnotherPassphrase_SaysSoAndGivesNothing(string json)
    {
        Assert.Equal(KeystoreFault.Passphrase, Keystore.TryDecrypt(Encoding.UTF8.GetBytes(json), "testpassworD", out var key));
        Assert.Empty(key);
    }

    // An older edition of the definition's: N is not below 2^(16·r), which RFC 7914 forbids and libcrypto refuses.
    [Fact]
    public void Keystore_WithScryptParametersThatTheRfcForbids_SaysSo() => Assert.Equal(
        KeystoreFault.Cost,
        Keystore.TryDecrypt(
            """
            {"crypto":{"cipher":"aes-128-ctr","cipherparams":{"iv":"83dbcc02d8ccb40e466191a123791e0e"},
            "ciphertext":"d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c","kdf":"scrypt",
            "kdfparams":{"dklen":32,"n":262144,"p":8,"r":1,"salt":"ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19"},
            "mac":"2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097"},"id":"3198bc9c-6672-5ab3-d995-4942343ae5b6","version":3}
            """u8,
            "testpassword",
            out _));

    [Fact]
    public void Keystore_OfOurs_IsReadByEthersAndEthersIsReadByUs()
    {
        const string passphrase = "näh, ein Satz · 句";
        var answer = NodePeer.Ask("keystore.mjs", new { ours = Encoding.UTF8.GetString(Keystore.Encrypt(Key, passphrase, KeystoreCost.Standard)), passphrase, key = "0x" + Secret });
        Assert.Equal("0x" + Secret, answer.GetProperty("key").GetString());
        Assert.Equal("0x008AeEda4D805471dF9b2A5B0f38A0C3bCBA786b", answer.GetProperty("address").GetString());

        var theirs = Encoding.UTF8.GetBytes(answer.GetProperty("theirs").GetString()!);
        Assert.True(Keystore.TryReadAddress(theirs, out var address));
        Assert.Equal("0x008AeEda4D805471dF9b2A5B0f38A0C3bCBA786b", address.ToString());
        Assert.Equal(KeystoreFault.None, Keystore.TryDecrypt(theirs, passphrase, out var key));
        Assert.Equal(Secret, Convert.ToHexStringLower(key));
    }

    [Theory]
    [InlineData("version", "4", KeystoreFault.Version)]
    [InlineData("version", "\"3\"", KeystoreFault.Version)]
    [InlineData("crypto.cipher", "\"aes-128-cbc\"", KeystoreFault.Cipher)]
    [InlineData("crypto.kdf", "\"argon2\"", KeystoreFault.Derivation)]
    [InlineData("crypto.kdfparams.dklen", "16", KeystoreFault.Derivation)]
    [InlineData("crypto.kdfparams.dklen", "2000000000", KeystoreFault.Derivation)]
    [InlineData("crypto.kdfparams.n", "1000", KeystoreFault.Cost)] // no power of two
    [InlineData("crypto.kdfparams.n", "1073741824", KeystoreFault.Cost)] // a terabyte
    [InlineData("crypto.kdfparams.n", "-4096", KeystoreFault.Cost)]
    [InlineData("crypto.kdfparams.n", "1e99", KeystoreFault.Malformed)]
    [InlineData("crypto.kdfparams.p", "1000000000", KeystoreFault.Cost)]
    [InlineData("crypto.kdfparams.r", "0", KeystoreFault.Cost)]
    [InlineData("crypto.kdfparams.salt", "\"zz\"", KeystoreFault.Malformed)]
    [InlineData("crypto.cipherparams.iv", "\"00\"", KeystoreFault.Malformed)]
    [InlineData("crypto.ciphertext", "\"00\"", KeystoreFault.Malformed)]
    [InlineData("crypto.mac", "\"00\"", KeystoreFault.Malformed)]
    [InlineData("crypto.mac", "null", KeystoreFault.Malformed)]
    [InlineData("crypto", "[]", KeystoreFault.Malformed)]
    [InlineData("address", "\"0011\"", KeystoreFault.Malformed)]
    [InlineData("address", "\"0000000000000000000000000000000000000001\"", KeystoreFault.Key)]
    public void Keystore_WithOneFieldChanged_NamesTheFault(string path, string value, KeystoreFault expected)
    {
        var root = JsonNode.Parse(Keystore.Encrypt(Key, "x", KeystoreCost.Light))!;
        var parts = path.Split('.');
        var at = root;
        foreach (var part in parts[..^1])
        {
            at = at[part]!;
        }

        at[parts[^1]] = JsonNode.Parse(value);
        Assert.Equal(expected, Keystore.TryDecrypt(Encoding.UTF8.GetBytes(root.ToJsonString()), "x", out var key));
        Assert.Empty(key);
    }

    [Fact]
    public void Keystore_WithAnyBitOfItsSecretsChanged_IsRefused()
    {
        var root = JsonNode.Parse(Keystore.Encrypt(Key, "x", new KeystoreCost(16, 1, 1)))!;
        foreach (var (parent, name) in new[] { ("", "ciphertext"), ("", "mac"), ("kdfparams", "salt") })
        {
            var holder = parent.Length == 0 ? root["crypto"]! : root["crypto"]![parent]!;
            var good = (string)holder[name]!;
            for (var bit = 0; bit < good.Length * 4; bit += 5)
            {
                var bytes = Convert.FromHexString(good);
                bytes[bit / 8] ^= (byte)(1 << (bit % 8));
                holder[name] = Convert.ToHexStringLower(bytes);
                Assert.Equal(KeystoreFault.Passphrase, Keystore.TryDecrypt(Encoding.UTF8.GetBytes(root.ToJsonString()), "x", out _));
            }

            holder[name] = good;
        }

        // The IV is not in the MAC: the address beside it notices.
        root["crypto"]!["cipherparams"]!["iv"] = new string('0', 32);
        Assert.Equal(KeystoreFault.Key, Keystore.TryDecrypt(Encoding.UTF8.GetBytes(root.ToJsonString()), "x", out _));
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("{\"version\":3")]
    [InlineData("{\"version\":3}x")]
    [InlineData("{\"version\":3,\"crypto\":{}}")]
    public void Keystore_ThatIsNone_IsMalformed(string json) => Assert.Equal(KeystoreFault.Malformed, Keystore.TryDecrypt(Encoding.UTF8.GetBytes(json), "x", out _));

    [Fact]
    public void Keystore_CutOrGarbled_NeverThrows()
    {
        var good = Keystore.Encrypt(Key, "x", new KeystoreCost(16, 1, 1));
        var random = new Random(6);
        for (var i = 0; i < 4000; i++)
        {
            var bad = good[..random.Next(good.Length + 1)].ToArray();
            for (var change = random.Next(4); change > 0 && bad.Length > 0; change--)
            {
                bad[random.Next(bad.Length)] = (byte)random.Next(256);
            }

            // A changed parameter may cost much; what the passphrase opens must be the key.
            if (Keystore.TryReadAddress(bad, out _) && bad.AsSpan().IndexOf("\"n\": 16,"u8) > 0 && bad.AsSpan().IndexOf("\"r\": 1,"u8) > 0 && bad.AsSpan().IndexOf("\"p\": 1,"u8) > 0
                && Keystore.TryDecrypt(bad, "x", out var key) == KeystoreFault.None)
            {
                Assert.Equal(Key, key);
            }
        }
    }

    [Fact]
    public void Account_Printed_ShowsNoKey()
    {
        using var account = new KeyAccount(Key);
        Assert.Equal(account.Address.ToString(), account.ToString());
        Assert.Equal(account.Address.ToString(), $"{account}");
    }

    [Fact]
    public void Account_Disposed_SignsNoMore()
    {
        var account = new KeyAccount(Key);
        account.Dispose();
        Assert.Throws<ObjectDisposedException>(() => account.SignHash(new byte[32]));
        Assert.Throws<ObjectDisposedException>(() => account.ExportHex());
    }

    [Theory]
    [InlineData(Secret)]
    [InlineData("0x" + Secret)]
    [InlineData(" 0X7A28B5BA57C53603B0B07B56BBA752F7784BF506FA95EDC395F5CF6C7514FE9D\n")]
    public void Account_OfAHexKey_IsItsAddress(string text)
    {
        using var account = KeyAccount.FromHex(text)!;
        Assert.Equal("0x008AeEda4D805471dF9b2A5B0f38A0C3bCBA786b", account.Address.ToString());
        Assert.Equal(Secret, new string(account.ExportHex()));
    }

    [Theory]
    [InlineData("")]
    [InlineData("0x")]
    [InlineData("7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9")]
    [InlineData("7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9dd0")]
    [InlineData("7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9g")]
    [InlineData("0000000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141")]
    public void Account_OfNoKey_IsNull(string text) => Assert.Null(KeyAccount.FromHex(text));

    [Fact]
    public void Signature_OfAHash_RecoversToTheAddress()
    {
        using var account = new KeyAccount(Key);
        var hash = Keccak256.Hash("hello"u8);
        var signature = account.SignHash(hash);
        Assert.Equal(65, signature.Length);
        var publicKey = new byte[65];
        Assert.True(Secp256k1.TryRecover(hash, signature.AsSpan(0, 64), signature[64] % 27, publicKey));
        Assert.Equal(account.Address, Address.FromPublicKey(publicKey));
    }
}
