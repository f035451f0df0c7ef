using System.Text.Json.Nodes;
using Shale.Bn254.Curve;
using Shale.Bn254.Fields;
using Shale.Groth16.Files;
using Shale.Groth16.Verifier;
using Xunit;

namespace Shale.Groth16.Tests.Files;

public sealed class SnarkJsJsonTests
{
    private static readonly VerificationKey Key = new(
        G1Affine.Generator * Fr.FromUInt64(3), G2Affine.Generator * Fr.FromUInt64(5), G2Affine.Generator, G2Affine.Generator * Fr.FromUInt64(7),
        [G1Affine.Generator, G1Affine.Infinity, G1Affine.Generator * Fr.FromUInt64(11)], development: false);

    private static readonly Proof Example = new(G1Affine.Generator, G2Affine.Generator * Fr.FromUInt64(2), -G1Affine.Generator);

    [Fact]
    public void VerificationKey_RoundTrip_KeepsEverything()
    {
        Assert.True(SnarkJsJson.TryReadVerificationKey(SnarkJsJson.Write(Key), out var read, out var fault), fault.ToString());
        Assert.Equal((Key.Alpha, Key.Beta, Key.Gamma, Key.Delta), (read.Alpha, read.Beta, read.Gamma, read.Delta));
        Assert.Equal(Key.Inputs, read.Inputs);
        Assert.False(read.IsDevelopment);
        var development = new VerificationKey(Key.Alpha, Key.Beta, Key.Gamma, Key.Delta, Key.Inputs, development: true);
        Assert.True(SnarkJsJson.TryReadVerificationKey(SnarkJsJson.Write(development), out read, out _));
        Assert.True(read.IsDevelopment);
    }

    [Fact]
    public void ProofAndPublic_RoundTrip_KeepTheValues()
    {
        Assert.True(SnarkJsJson.TryReadProof(SnarkJsJson.Write(Example), out var proof, out var fault), fault.ToString());
        Assert.Equal(Example, proof);
        Assert.True(SnarkJsJson.TryReadPublic(SnarkJsJson.Write([Fr.Zero, -Fr.One]), out var inputs, out _));
        Assert.Equal([Fr.Zero, -Fr.One], inputs);
    }

    public static TheoryData<string, string> BadNumbers => new()
    {
        { "r itself", Fr.Modulus.ToString() },
        { "r + 1", (Fr.Modulus + 1).ToString() },
        { "negative", "-1" },
        { "plus", "+1" },
        { "leading zero", "01" },
        { "hexadecimal", "0x1" },
        { "space", " 1" },
        { "empty", "" },
        { "exponent", "1e3" },
        { "other digits", "\u0661" },
        { "endless", new string('9', 100_000) },
    };

    [Theory]
    [MemberData(nameof(BadNumbers))]
    public void TryReadPublic_SecondSpellingOrNoNumber_IsRefused(string what, string number)
    {
        Assert.False(SnarkJsJson.TryReadPublic(new JsonArray("1", number).ToJsonString(), out _, out var fault), what);
        Assert.Equal("[1]", fault.Section);
    }

    [Theory]
    [InlineData("[1]")]
    [InlineData("[null]")]
    [InlineData("[[\"1\"]]")]
    [InlineData("{}")]
    [InlineData("")]
    [InlineData("[\"1\"")]
    [InlineData("[\"1\"] x")]
    public void TryReadPublic_OtherShapes_AreRefused(string json) => Assert.False(SnarkJsJson.TryReadPublic(json, out _, out _));

    [Theory]
    [InlineData("pi_a")]
    [InlineData("pi_b")]
    [InlineData("pi_c")]
    [InlineData("protocol")]
    public void TryReadProof_FieldMissingOrWrong_IsNamed(string field)
    {
        foreach (var value in new Func<JsonNode?>[] { () => null, () => 1, () => "x", () => new JsonArray(), () => new JsonArray("1", "1", "1"), () => new JsonArray("0", "0", "1") })
        {
            var json = JsonNode.Parse(SnarkJsJson.Write(Example))!.AsObject();
            json[field] = value();
            Assert.False(SnarkJsJson.TryReadProof(json.ToJsonString(), out _, out var fault));
            Assert.Equal(field, fault.Section);
        }

        var without = JsonNode.Parse(SnarkJsJson.Write(Example))!.AsObject();
        without.Remove(field);
        Assert.False(SnarkJsJson.TryReadProof(without.ToJsonString(), out _, out _));
    }

    [Fact]
    public void TryReadProof_CoordinateAboveP_IsRefused()
    {
        // (1 + p, 2) is the generator again in a lax reader.
        var json = JsonNode.Parse(SnarkJsJson.Write(Example))!.AsObject();
        json["pi_a"] = new JsonArray((Fp.Modulus + 1).ToString(), "2", "1");
        Assert.False(SnarkJsJson.TryReadProof(json.ToJsonString(), out _, out _));
        json["pi_a"] = new JsonArray("1", "2", "1");
        Assert.True(SnarkJsJson.TryReadProof(json.ToJsonString(), out _, out _));
    }

    [Fact]
    public void TryReadProof_OtherProtocolOrCurve_IsRefused()
    {
        var json = JsonNode.Parse(SnarkJsJson.Write(Example))!.AsObject();
        json["curve"] = "bls12381";
        Assert.False(SnarkJsJson.TryReadProof(json.ToJsonString(), out _, out var fault));
        Assert.Equal("curve", fault.Section);
        json["curve"] = "bn128";
        json["protocol"] = "plonk";
        Assert.False(SnarkJsJson.TryReadProof(json.ToJsonString(), out _, out fault));
        Assert.Equal("protocol", fault.Section);
    }

    [Fact]
    public void TryReadVerificationKey_CountThatDoesNotMatch_IsRefused()
    {
        var json = JsonNode.Parse(SnarkJsJson.Write(Key))!.AsObject();
        json["nPublic"] = 3;
        Assert.False(SnarkJsJson.TryReadVerificationKey(json.ToJsonString(), out _, out var fault));
        Assert.Equal("IC", fault.Section);
        json["nPublic"] = 2;
        json["IC"]!.AsArray()[2] = new JsonArray("1", "3", "1");
        Assert.False(SnarkJsJson.TryReadVerificationKey(json.ToJsonString(), out _, out fault));
        Assert.Equal("IC[2]", fault.Section);
    }
}
