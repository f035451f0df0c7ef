using Shale.Bn254.Curve;
using Shale.Bn254.Fields;
using Shale.Bn254.Pairing;
using Xunit;

namespace Shale.Bn254.Tests.Pairing;

/// <summary>The published vectors of the precompiled contracts, by the names under which Ethereum's clients carry them.</summary>
public sealed class PublishedVectorTests
{
    private const string Generator2 =
        "198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c21800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed" +
        "090689d0585ff075ec9e99ad690c3395bc4b313370b38ef355acdadcd122975b12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c43d37b4ce6cc0166fa7daa";

    private const string Jeff =
        "1c76476f4def4bb94541d57ebba1193381ffa7aa76ada664dd31c16024c43f593034dd2920f673e204fee2811c678745fc819b55d3e9d294e45c9b03a76aef41" +
        "209dd15ebff5d46c4bd888e51a93cf99a7329636c63514396b4a452003a35bf704bf11ca01483bfa8b34b43561848d28905960114c8ac04049af4b6315a41678" +
        "2bb8324af6cfc93537a2ad1a445cfd0ca2a71acd7ac41fadbf933c2a51be344d120a2a4cf30c1bf9845f20c6fe39e07ea2cce61f0c9bb048165fe5e4de877550" +
        "111e129f1cf1097710d41c4ac70fcdfa5ba2023c6ff1cbeac322de49d1b6df7c";

    public static TheoryData<string, string, bool> Pairings => new()
    {
        { "jeff1", Jeff + "2032c61a830e3c17286de9462bf242fca2883585b93870a73853face6a6bf411" + Generator2, true },
        { "jeff6", Jeff + "103188585e2364128fe25c70558f1560f4f9350baf3959e603cc91486e110936" + Generator2, false },
        { "empty_data", "", true },
        { "one_point", Word(1) + Word(2) + Generator2, false },
        {
            "two_point_match_2",
            Word(1) + Word(2) + Generator2 + Word(1) + Word(2) +
            "198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c21800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed" +
            "275dc4a288d1afb3cbb1ac09187524c7db36395df7be3b99e673b13a075a65ec1d9befcd05a5323e6da4d435f3b617cdb3af83285c2df711ef39c01571827f9d",
            true
        },
        {
            "two_point_match_3",
            Word(1) + Word(2) +
            "203e205db4f19b37b60121b83a7333706db86431c6d835849957ed8c3928ad7927dc7234fd11d3e8c36c59277c3e6f149d5cd3cfa9a62aee49f8130962b4b3b9" +
            "195e8aa5b7827463722b8c153931579d3505566b4edf48d498e185f0509de15204bb53b8977e5f92a0bc372742c4830944a59b4fe6b1c0466e2a6dad122b5d2e" +
            "030644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd31a76dae6d3272396d0cbe61fced2bc532edac647851e3ac53ce1cc9c7e645a83" +
            Generator2,
            true
        },
    };

    [Theory]
    [MemberData(nameof(Pairings))]
    public void ProductIsOne_PublishedVectors_Agree(string name, string input, bool expected)
    {
        var bytes = Convert.FromHexString(input);
        var (g1, g2) = (new G1Affine[bytes.Length / 192], new G2Affine[bytes.Length / 192]);
        for (var i = 0; i < g1.Length; i++)
        {
            Assert.True(G1Affine.TryFromBytesBigEndian(bytes.AsSpan(192 * i, 64), out g1[i]), name);
            Assert.True(G2Affine.TryFromBytesBigEndian(bytes.AsSpan((192 * i) + 64, 128), out g2[i]), name);
        }

        Assert.Equal(expected, OptimalAte.ProductIsOne(g1, g2));
    }

    [Fact]
    public void AddAndMultiply_PublishedVectors_Agree()
    {
        // bn256Add and bn256ScalarMul, "chfast1".
        Assert.Equal(
            Point("2243525c5efd4b9c3d3c45ac0ca3fe4dd85e830a4ce6b65fa1eeaee202839703301d1d33be6da8e509df21cc35964723180eed7532537db9ae5e7d48f195c915"),
            Point("18b18acfb4c2c30276db5411368e7185b311dd124691610c5d3b74034e093dc9063c909c4720840cb5134cb9f59fa749755796819658d32efc0d288198f37266") +
            Point("07c2b7f58a84bd6145f00c9c2bc0bb1a187f20ff2c92963a88019e7c6a014eed06614e20c147e940f2d70da3f74c9a17df361706a4485c742bd6788478fa17d7"));
        Assert.Equal(
            Point("070a8d6a982153cae4be29d434e8faef8a47b274a053f5a4ee2a6c9c13c31e5c031b8ce914eba3a9ffb989f9cdd5b0f01943074bf4f0f315690ec3cec6981afc"),
            Point("2bd3e6d0f3b142924f5ca7b49ce5b9d54c4703d7ae5648e61d02268b1a0a9fb721611ce0a6af85915e2f1d70300909ce2e49dfad4a4619c8390cae66cefdb204") *
            Fr.FromUInt64(0x11138ce750fa15c2));
    }

    private static G1Affine Point(string hex)
    {
        Assert.True(G1Affine.TryFromBytesBigEndian(Convert.FromHexString(hex), out var point));
        return point;
    }

    private static string Word(int value) => value.ToString("x64", System.Globalization.CultureInfo.InvariantCulture);
}
