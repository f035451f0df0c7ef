using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Numerics;
using System.Text.Json;
using Shale.Bn254.Curve;
using Shale.Bn254.Fields;
using Shale.Bn254.Pairing;
using Shale.Groth16.Verifier;

namespace Shale.Groth16.Files;

/// <summary>
/// snarkjs' verification_key.json, proof.json and public.json, both ways. Numbers are decimal strings; readers refuse any that is not
/// below its prime, signs and leading zeros (one spelling a value), points off the curve and outside the subgroup, and wrong lengths.
/// </summary>
public static class SnarkJsJson
{
    /// <summary>No key or proof comes near this; it bounds what a foreign file makes the parser hold.</summary>
    public const int MaximumLength = 16 << 20;

    private const string Protocol = "groth16";
    private const string CurveName = "bn128";
    private const string DevelopmentMark = "unsafe_development_key";

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>The text of a verification_key.json.</summary>
    public static string Write(VerificationKey key)
    {
        ArgumentNullException.ThrowIfNull(key);
        var fields = new Dictionary<string, object>
        {
            ["protocol"] = Protocol,
            ["curve"] = CurveName,
            ["nPublic"] = key.PublicCount,
            ["vk_alpha_1"] = Point(key.Alpha),
            ["vk_beta_2"] = Point(key.Beta),
            ["vk_gamma_2"] = Point(key.Gamma),
            ["vk_delta_2"] = Point(key.Delta),
            ["vk_alphabeta_12"] = Element(OptimalAte.Pair(key.Alpha, key.Beta)),
            ["IC"] = key.Inputs.Select(p => Point(p)).ToArray(),
        };
        if (key.IsDevelopment)
        {
            fields[DevelopmentMark] = "made from a seed: whoever knows the seed can prove anything; not for real money";
        }

        return JsonSerializer.Serialize(fields, Indented);
    }

    /// <summary>The text of a proof.json.</summary>
    public static string Write(in Proof proof) => JsonSerializer.Serialize(
        new Dictionary<string, object>
        {
            ["pi_a"] = Point(proof.A),
            ["pi_b"] = Point(proof.B),
            ["pi_c"] = Point(proof.C),
            ["protocol"] = Protocol,
            ["curve"] = CurveName,
        },
        Indented);

    /// <summary>The text of a public.json.</summary>
    public static string Write(IEnumerable<Fr> publicInputs) => JsonSerializer.Serialize(publicInputs.Select(v => v.ToString()), Indented);

    /// <summary>Reads a verification_key.json; the fault's section is the name of the field.</summary>
    public static bool TryReadVerificationKey(string json, [NotNullWhen(true)] out VerificationKey? key, out FileFault fault)
    {
        key = null;
        if (!TryParse(json, JsonValueKind.Object, out var document, out fault))
        {
            return false;
        }

        using (document)
        {
            var root = document.RootElement;
            if (!HasProtocol(root, out fault) ||
                !TryG1(root, "vk_alpha_1", out var alpha, out fault) || !TryG2(root, "vk_beta_2", out var beta, out fault) ||
                !TryG2(root, "vk_gamma_2", out var gamma, out fault) || !TryG2(root, "vk_delta_2", out var delta, out fault))
            {
                return false;
            }

            if (!root.TryGetProperty("IC", out var list) || list.ValueKind != JsonValueKind.Array || list.GetArrayLength() == 0 ||
                !root.TryGetProperty("nPublic", out var count) || !count.TryGetInt32(out var publicCount) || publicCount != list.GetArrayLength() - 1)
            {
                fault = new FileFault("IC", "is not a list of nPublic + 1 points");
                return false;
            }

            var inputs = new G1Affine[list.GetArrayLength()];
            for (var i = 0; i < inputs.Length; i++)
            {
                if (!TryG1(list[i], out inputs[i]))
                {
                    fault = new FileFault($"IC[{i}]", "is not a point of G1");
                    return false;
                }
            }

            key = new VerificationKey(alpha, beta, gamma, delta, inputs, root.TryGetProperty(DevelopmentMark, out _));
            return true;
        }
    }

    /// <summary>Reads a proof.json; the fault's section is the name of the field.</summary>
    public static bool TryReadProof(string json, out Proof proof, out FileFault fault)
    {
        proof = default;
        if (!TryParse(json, JsonValueKind.Object, out var document, out fault))
        {
            return false;
        }

        using (document)
        {
            var root = document.RootElement;
            if (!HasProtocol(root, out fault) || !TryG1(root, "pi_a", out var a, out fault) ||
                !TryG2(root, "pi_b", out var b, out fault) || !TryG1(root, "pi_c", out var c, out fault))
            {
                return false;
            }

            proof = new Proof(a, b, c);
            return true;
        }
    }

    /// <summary>Reads a public.json.</summary>
    public static bool TryReadPublic(string json, [NotNullWhen(true)] out Fr[]? publicInputs, out FileFault fault)
    {
        publicInputs = null;
        if (!TryParse(json, JsonValueKind.Array, out var document, out fault))
        {
            return false;
        }

        using (document)
        {
            var values = new Fr[document.RootElement.GetArrayLength()];
            for (var i = 0; i < values.Length; i++)
            {
                if (!TryNumber(document.RootElement[i], Fr.Modulus, out var number))
                {
                    fault = new FileFault($"[{i}]", "is not a decimal string below r");
                    return false;
                }

                values[i] = Fr.FromBigInteger(number);
            }

            publicInputs = values;
            return true;
        }
    }

    private static string[] Point(in G1Affine p) => p.IsInfinity ? ["0", "1", "0"] : [p.X.ToString(), p.Y.ToString(), "1"];

    private static string[][] Point(in G2Affine p) => p.IsInfinity ? [["0", "0"], ["1", "0"], ["0", "0"]] : [Pair(p.X), Pair(p.Y), ["1", "0"]];

    private static string[] Pair(in Fp2 v) => [v.C0.ToString(), v.C1.ToString()];

    private static string[][][] Element(in Fp12 v) => [Element(v.C0), Element(v.C1)];

    private static string[][] Element(in Fp6 v) => [Pair(v.C0), Pair(v.C1), Pair(v.C2)];

    private static bool TryParse(string json, JsonValueKind kind, [NotNullWhen(true)] out JsonDocument? document, out FileFault fault)
    {
        document = null;
        fault = default;
        if (json is null || json.Length > MaximumLength)
        {
            fault = new FileFault("file", $"is longer than {MaximumLength} characters");
            return false;
        }

        try
        {
            document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 8 });
        }
        catch (JsonException e)
        {
            fault = new FileFault("file", "is not JSON: " + e.Message);
            return false;
        }

        if (document.RootElement.ValueKind != kind)
        {
            fault = new FileFault("file", $"is not a JSON {kind}");
            document.Dispose();
            document = null;
            return false;
        }

        return true;
    }

    private static bool HasProtocol(JsonElement root, out FileFault fault)
    {
        fault = default;
        if (!root.TryGetProperty("protocol", out var protocol) || protocol.ValueKind != JsonValueKind.String || protocol.GetString() != Protocol)
        {
            fault = new FileFault("protocol", $"is not \"{Protocol}\"");
            return false;
        }

        // Old versions of snarkjs left the curve out of proofs.
        if (root.TryGetProperty("curve", out var curve) &&
            (curve.ValueKind != JsonValueKind.String || curve.GetString() is not (CurveName or "bn254" or "BN254" or "BN128")))
        {
            fault = new FileFault("curve", $"is not \"{CurveName}\"");
            return false;
        }

        return true;
    }

    private static bool TryG1(JsonElement root, string name, out G1Affine point, out FileFault fault)
    {
        point = default;
        fault = default;
        if (!root.TryGetProperty(name, out var value) || !TryG1(value, out point))
        {
            fault = new FileFault(name, "is not a point of G1");
            return false;
        }

        return true;
    }

    private static bool TryG2(JsonElement root, string name, out G2Affine point, out FileFault fault)
    {
        point = default;
        fault = default;
        if (!root.TryGetProperty(name, out var value) || value.ValueKind != JsonValueKind.Array || value.GetArrayLength() != 3 ||
            !TryFp2(value[0], out var x) || !TryFp2(value[1], out var y) || !TryFp2(value[2], out var z) ||
            !(z == Fp2.One ? G2Affine.TryCreate(x, y, out point) && !point.IsInfinity : z.IsZero && x.IsZero && y == Fp2.One))
        {
            fault = new FileFault(name, "is not a point of G2");
            return false;
        }

        return true;
    }

    private static bool TryG1(JsonElement value, out G1Affine point)
    {
        point = default;
        return value.ValueKind == JsonValueKind.Array && value.GetArrayLength() == 3 &&
            TryFp(value[0], out var x) && TryFp(value[1], out var y) && TryFp(value[2], out var z) &&
            (z == Fp.One ? G1Affine.TryCreate(x, y, out point) && !point.IsInfinity : z.IsZero && x.IsZero && y == Fp.One);
    }

    private static bool TryFp2(JsonElement value, out Fp2 element)
    {
        element = default;
        if (value.ValueKind != JsonValueKind.Array || value.GetArrayLength() != 2 || !TryFp(value[0], out var c0) || !TryFp(value[1], out var c1))
        {
            return false;
        }

        element = new Fp2(c0, c1);
        return true;
    }

    private static bool TryFp(JsonElement value, out Fp element)
    {
        var ok = TryNumber(value, Fp.Modulus, out var number);
        element = ok ? Fp.FromBigInteger(number) : default;
        return ok;
    }

    private static bool TryNumber(JsonElement value, BigInteger modulus, out BigInteger number)
    {
        // 78 digits hold any 256-bit number; the length is checked before the quadratic parse.
        number = default;
        return value.ValueKind == JsonValueKind.String && value.GetString() is { Length: > 0 and <= 78 } text &&
            text.All(char.IsAsciiDigit) && (text.Length == 1 || text[0] != '0') &&
            BigInteger.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number) && number < modulus;
    }
}
