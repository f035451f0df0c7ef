using System.Text.Json;
using Shale.Chain.Tests.Doubles;
using Shale.Chain.Transactions;
using Xunit;

namespace Shale.Chain.Tests.Transactions;

public sealed class TypedDataTests
{
    // The example of EIP-712 (assets/eip-712/Example.js), with its hashes, key and signature.
    private const string Example = """
        {"types":{"EIP712Domain":[{"name":"name","type":"string"},{"name":"version","type":"string"},{"name":"chainId","type":"uint256"},{"name":"verifyingContract","type":"address"}],
        "Person":[{"name":"name","type":"string"},{"name":"wallet","type":"address"}],
        "Mail":[{"name":"from","type":"Person"},{"name":"to","type":"Person"},{"name":"contents","type":"string"}]},
        "primaryType":"Mail",
        "domain":{"name":"Ether Mail","version":"1","chainId":1,"verifyingContract":"0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC"},
        "message":{"from":{"name":"Cow","wallet":"0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826"},"to":{"name":"Bob","wallet":"0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB"},"contents":"Hello, Bob!"}}
        """;

    [Fact]
    public void Hash_OfTheEipsExample_IsAsGivenAndSignsAsGiven()
    {
        Assert.True(Try(Example, out var hash));
        Assert.Equal("0xbe609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2", hash.ToString());

        // The example's key is the hash of "cow".
        var account = new KeyAccount(Bytes32.Keccak("cow"u8).ToString()[2..]);
        Assert.Equal("0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826", account.Address.ToString());
        var signature = account.SignHash(hash.ToArray());
        Assert.Equal("4355c47d63924e8a72e509b65029052eb6c299d53a04e167c5775fd466751c9d", Convert.ToHexStringLower(signature[..32]));
        Assert.Equal("07299936d304c153f6443dfa05f40ff007d72911b6f72307f996231605b91562", Convert.ToHexStringLower(signature[32..64]));
        Assert.Equal(28, signature[64] + 27);
    }

    [Theory]
    [InlineData("\"primaryType\":\"Mail\"", "\"primaryType\":\"Male\"")]
    [InlineData("\"contents\":\"Hello, Bob!\"", "\"content\":\"Hello, Bob!\"")]
    [InlineData("\"contents\":\"Hello, Bob!\"", "\"contents\":5")]
    [InlineData("\"contents\":\"Hello, Bob!\"", "\"contents\":null")]
    [InlineData("0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826", "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD827")]
    [InlineData("\"chainId\":1", "\"chainId\":-1")]
    [InlineData("\"chainId\":1", "\"chainId\":1.5")]
    [InlineData("\"type\":\"string\"}]}", "\"type\":\"uint7\"}]}")]
    [InlineData("\"type\":\"string\"}]}", "\"type\":\"string[\"}]}")]
    [InlineData("\"type\":\"string\"}]}", "\"type\":\"]\"}]}")]
    [InlineData("\"type\":\"string\"}]}", "\"type\":\"Mail\"}]}")]
    [InlineData("{\"types\"", "{\"type\"")]
    public void Hash_OfDataThatDoesNotFitItsTypes_IsRefusedWithAReason(string found, string instead)
    {
        Assert.Contains(found, Example, StringComparison.Ordinal);
        Assert.False(Try(Example.Replace(found, instead, StringComparison.Ordinal), out _));
    }

    private static bool Try(string json, out Bytes32 hash)
    {
        using var document = JsonDocument.Parse(json);
        var done = TypedData.TryHash(document.RootElement, out hash, out var error);
        Assert.Equal(done, error is null);
        return done;
    }
}
