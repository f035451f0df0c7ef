using Shale.Chain.Accounts;
using Shale.Crypto;
using Xunit;

namespace Shale.Chain.Tests.Accounts;

/// <summary>Vectors of go-address (Filecoin's reference implementation) and of Trust Wallet's wallet-core.</summary>
public sealed class FilecoinAddressTests
{
    [Theory]
    [InlineData("f00", "0000")]
    [InlineData("f01", "0001")]
    [InlineData("f010", "000a")]
    [InlineData("f0150", "009601")]
    [InlineData("f0499", "00f303")]
    [InlineData("f01024", "008008")]
    [InlineData("f01729", "00c10d")]
    [InlineData("f0999999", "00bf843d")]
    [InlineData("f09223372036854775807", "00ffffffffffffffff7f")]
    [InlineData("f15ihq5ibzwki2b4ep2f46avlkrqzhpqgtga7pdrq", "01ea0f0ea039b291a0f08fd179e0556a8c3277c0d3")]
    [InlineData("f12fiakbhe2gwd5cnmrenekasyn6v5tnaxaqizq6a", "01d1500504e4d1ac3e89ac891a4502586fabd9b417")]
    [InlineData("f1wbxhu3ypkuo6eyp6hjx6davuelxaxrvwb2kuwva", "01b06e7a6f0f551de261fe3a6fe182b422ee0bc6b6")]
    [InlineData("f1xtwapqc6nh4si2hcwpr3656iotzmlwumogqbuaa", "01bcec07c05e69f92468e2b3e3bf77c874f2c5da8c")]
    [InlineData("f1xcbgdhkgkwht3hrrnui3jdopeejsoatkzmoltqy", "01b882619d46558f3d9e316d11b48dcf211327026a")]
    [InlineData("f17uoq6tp427uzv7fztkbsnn64iwotfrristwpryy", "01fd1d0f4dfcd7e99afcb99a8326b7dc459d32c628")]
    [InlineData("f24vg6ut43yw2h2jqydgbg2xq7x6f4kub3bg6as6i", "02e54dea4f9bc5b47d261819826d5e1fbf8bc5503b")]
    [InlineData("f25nml2cfbljvn4goqtclhifepvfnicv6g7mfmmvq", "02eb58bd08a15a6ade19d0989674148fa95a8157c6")]
    [InlineData("f2nuqrg7vuysaue2pistjjnt3fadsdzvyuatqtfei", "026d21137eb4c4814269e894d296cf6500e43cd714")]
    [InlineData("f24dd4ox4c2vpf5vk5wkadgyyn6qtuvgcpxxon64a", "02e0c7c75f82d55e5ed55db28033630df4274a984f")]
    [InlineData("f2gfvuyh7v2sx3patm5k23wdzmhyhtmqctasbr23y", "02316b4c1ff5d4afb7826ceab5bb0f2c3e0f364053")]
    [InlineData("f3vvmn62lofvhjd2ugzca6sof2j2ubwok6cj4xxbfzz4yuxfkgobpihhd2thlanmsh3w2ptld2gqkn2jvlss4a", "03ad58df696e2d4e91ea86c881e938ba4ea81b395e12797b84b9cf314b9546705e839c7a99d606b247ddb4f9ac7a3414dd")]
    [InlineData("f3wmuu6crofhqmm3v4enos73okk2l366ck6yc4owxwbdtkmpk42ohkqxfitcpa57pjdcftql4tojda2poeruwa", "03b3294f0a2e29e0c66ebc235d2fedca5697bf784af605c75af608e6a63d5cd38ea85ca8989e0efde9188b382f9372460d")]
    [InlineData("f3s2q2hzhkpiknjgmf4zq3ejab2rh62qbndueslmsdzervrhapxr7dftie4kpnpdiv2n6tvkr743ndhrsw6d3a", "0396a1a3e4ea7a14d49985e661b22401d44fed402d1d0925b243c923589c0fbc7e32cd04e29ed78d15d37d3aaa3fe6da33")]
    [InlineData("f3q22fijmmlckhl56rn5nkyamkph3mcfu5ed6dheq53c244hfmnq2i7efdma3cj5voxenwiummf2ajlsbxc65a", "0386b454258c589475f7d16f5aac018a79f6c1169d20fc33921dd8b5ce1cac6c348f90a3603624f6aeb91b64518c2e8095")]
    [InlineData("f3u5zgwa4ael3vuocgc5mfgygo4yuqocrntuuhcklf4xzg5tcaqwbyfabxetwtj4tsam3pbhnwghyhijr5mixa", "03a7726b038022f75a384617585360cee629070a2d9d28712965e5f26ecc40858382803724ed34f2720336f09db631f074")]
    [InlineData("f432f77777777x32lpna", "0420ffffffffff")]
    [InlineData("f410frw6wy7w6sbsguyn3yzeygg34fgf72n5ao5sxyky", "040a8dbd6c7ede90646a61bbc649831b7c298bfd37a0")]
    [InlineData("f410f2oekwcmo2pueydmaq53eic2i62crtbeyuzx2gmy", "040ad388ab098ed3e84c0d808776440b48f685198498")]
    public void Address_OfAPublishedVector_IsItsBytesAndItsText(string text, string bytes)
    {
        Assert.True(FilecoinAddress.TryParse(text, out var address, out var testnet));
        Assert.False(testnet);
        Assert.Equal(bytes, Convert.ToHexStringLower(address.ToArray()));
        Assert.Equal(text, address.ToString());

        Assert.True(FilecoinAddress.TryRead(Convert.FromHexString(bytes), out var read));
        Assert.Equal(address, read);
        Assert.Equal(address.GetHashCode(), read.GetHashCode());

        Assert.True(FilecoinAddress.TryParse("t" + text[1..], out var onTestnet, out testnet));
        Assert.True(testnet);
        Assert.Equal(address, onTestnet);
        Assert.Equal("t" + text[1..], address.ToString(testnet: true));
    }

    [Theory]
    [InlineData("")]
    [InlineData("f")]
    [InlineData("f0")]
    [InlineData("f0-1")]
    [InlineData("f007")]
    [InlineData("f0 7")]
    [InlineData("f0ba")]
    [InlineData("f0172\0")]
    [InlineData("f410\0f2oekwcmo2pueydmaq53eic2i62crtbeyuzx2gmy")]
    [InlineData("f018446744073709551616")]
    [InlineData("f09223372036854775808")]
    [InlineData("f418446744073709551615")]
    [InlineData("f4f77777777vnmsana")]
    [InlineData("f410")]
    [InlineData("f410f")]
    [InlineData("f0410f2oekwcmo2pueydmaq53eic2i62crtbeyuzx2gmy")]
    [InlineData("a15ihq5ibzwki2b4ep2f46avlkrqzhpqgtga7pdrq")]
    [InlineData("Q2gfvuyh7v2sx3patm5k23wdzmhyhtmqctasbr23y")]
    [InlineData("f95ihq5ibzwki2b4ep2f46avlkrqzhpqgtga7pdrq")]
    [InlineData("t4gfvuyh7v2sx3patm5k23wdzmhyhtmqctasbr23y")]
    [InlineData("f15ihq5ibzwki2b4ep2f46avlkrqzhpqgtga7rdrr")]
    [InlineData("f24vg6ut43yw2h2jqydgbg2xq7x6f4kub3bg6as66")]
    [InlineData("f3vvmn62lofvhjd2ugzca6sof2j2ubwok6cj4xxbfzz4yuxfkgobpihhd2thlanmsh3w2ptld2gqkn2jvlss44")]
    [InlineData("f0vvmn62lofvhjd2ugzca6sof2j2ubwok6cj4xxbfzz4yuxfkgobpihhd2thlanmsh3w2ptld2gqkn2jvlss44")]
    [InlineData("f410f2oekwcmo2pueydmaq53eic2i62crtbeyuzx2gma")]
    [InlineData("t2gfvuyh7v2sx3patm5k23wdzmhyhtmqctasbr24y")]
    [InlineData("t2gfvuyh7v2sx3patm1k23wdzmhyhtmqctasbr24y")]
    [InlineData("t2gfvuyh7v2sx3paTm1k23wdzmhyhtmqctasbr24y")]
    [InlineData("F15ihq5ibzwki2b4ep2f46avlkrqzhpqgtga7pdrq")]
    [InlineData("f15IHQ5IBZWKI2B4EP2F46AVLKRQZHPQGTGA7PDRQ")]
    [InlineData("t2")]
    [InlineData("t1234")]
    [InlineData(" f01")]
    [InlineData("f01 ")]
    [InlineData("f15ihq5ibzwki2b4ep2f46avlkrqzhpqgtga7pdrqa")]
    public void Parse_OfAnythingElse_IsRefused(string text) => Assert.False(FilecoinAddress.TryParse(text, out _, out _));

    [Theory]
    [InlineData("")]
    [InlineData("00")]
    [InlineData("00ff")]
    [InlineData("0080")]
    [InlineData("00ff00ff")]
    [InlineData("000101")]
    [InlineData("000000")]
    [InlineData("008000")] // zero in two bytes
    [InlineData("00ffffffffffffffffff80")]
    [InlineData("00ffffffffffffffffff01")] // 2^64 - 1
    [InlineData("01ea0f0ea039b291a0f08fd179e0556a8c3277c0")]
    [InlineData("02e54dea4f9bc5b47d261819826d5e1fbf8bc5503b00")]
    [InlineData("03ad58df")]
    [InlineData("04")]
    [InlineData("05aa")]
    [InlineData("040a00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000")]
    public void Read_OfAnythingElse_IsRefused(string bytes) => Assert.False(FilecoinAddress.TryRead(Convert.FromHexString(bytes), out _));

    [Theory]
    [InlineData("0494 02fac37e6432a416a3a0ca5426b5185ab3b24f6134efa25ce487c82d2e4e13bf452511e0d2245421f8613bc10d72fa216666a96c3bc13920d3ff233fd0bc05", "f15ihq5ibzwki2b4ep2f46avlkrqzhpqgtga7pdrq")]
    [InlineData("047687b910379bf28cbe3aea674b12000c6b7dba46ffc05f6c94fe2a22bbcc2602ff7f5c76f21ca55d36959152b0e1e887917c393576eef093f61ebd3ad06f7fda", "f12fiakbhe2gwd5cnmrenekasyn6v5tnaxaqizq6a")]
    public void Secp256k1Address_OfAPublishedKey_IsItsHash(string key, string expected) =>
        Assert.Equal(expected, FilecoinAddress.FromPublicKey(Convert.FromHexString(key.Replace(" ", ""))).ToString());

    [Theory]
    [InlineData("76128190cdf068d1418044acc03e0b6781970d60", "f24vg6ut43yw2h2jqydgbg2xq7x6f4kub3bg6as6i")]
    [InlineData("2cafb8e2e06bba98ea657c5cf5f42023aa23e88e", "f25nml2cfbljvn4goqtclhifepvfnicv6g7mfmmvq")]
    public void ActorAddress_OfPublishedData_IsItsHash(string data, string expected) => Assert.Equal(expected, FilecoinAddress.FromActor(Convert.FromHexString(data)).ToString());

    [Theory]
    [InlineData("0xd388ab098ed3e84c0d808776440b48f685198498", "t410f2oekwcmo2pueydmaq53eic2i62crtbeyuzx2gmy")]
    [InlineData("0x8dbD6c7Ede90646a61Bbc649831b7c298BFd37A0", "t410frw6wy7w6sbsguyn3yzeygg34fgf72n5ao5sxyky")]
    [InlineData("0xff000000000000000000000000000000000013e0", "t05088")] // Filecoin's documentation: a masked ID
    [InlineData("0xff0000000000000000000000000000000000044d", "t01101")]
    public void EvmAddress_InFilecoinsForm_GoesBothWays(string evm, string filecoin)
    {
        Assert.True(Address.TryParse(evm, out var address));
        Assert.Equal(filecoin, FilecoinAddress.FromEvm(address).ToString(testnet: true));
        Assert.True(EvmAddresses.TryParse(filecoin, out var back));
        Assert.Equal(address, back);
        Assert.True(EvmAddresses.TryParse(evm, out back));
        Assert.Equal(address, back);
    }

    [Theory]
    [InlineData("f15ihq5ibzwki2b4ep2f46avlkrqzhpqgtga7pdrq")]
    [InlineData("f24vg6ut43yw2h2jqydgbg2xq7x6f4kub3bg6as6i")]
    [InlineData("f432f77777777x32lpna")]
    [InlineData("0xd388ab098ed3e84c0d808776440b48f68519849")]
    [InlineData("0xD388ab098ed3e84c0d808776440b48f685198498")]
    [InlineData("wallet")]
    [InlineData(null)]
    public void EvmAddress_OfWhatHasNone_IsRefused(string? text) => Assert.False(EvmAddresses.TryParse(text, out _));

    [Fact]
    public void MaskedId_AsADelegatedAddress_IsNoEvmAddress()
    {
        // FIP-0055 forbids it; two texts for one actor would be an impersonation.
        byte[] bytes = [4, 10, 0xff, .. new byte[18], 7];
        Assert.True(FilecoinAddress.TryRead(bytes, out var address));
        Assert.False(address.TryToEvm(out _));
    }

    [Fact]
    public void EveryOneCharacterError_IsNoticed()
    {
        const string text = "f410f2oekwcmo2pueydmaq53eic2i62crtbeyuzx2gmy";
        var accepted = 0;
        for (var i = 0; i < text.Length; i++)
        {
            foreach (var c in "abcdefghijklmnopqrstuvwxyz234567")
            {
                var changed = text[..i] + c + text[(i + 1)..];
                if (changed != text && FilecoinAddress.TryParse(changed, out _, out var testnet) && !testnet)
                {
                    accepted++;
                }
            }
        }

        Assert.Equal(0, accepted);
    }
}
