using System.Globalization;
using System.Numerics;
using System.Text.Json;
using Shale.Chain.Networks;
using Shale.Chain.Contracts;

namespace Shale.Chain.Market;

/// <summary>A Groth16 verifying key for a page size, as the contract's constructor takes it.</summary>
/// <param name="Slots">The page size: 8, 64 or 256.</param>
/// <param name="Key">The key; G2 coordinates with c1 first.</param>
/// <param name="IsDevelopment">Whether somebody knows its secrets.</param>
public sealed record VerifyingKeyFile(int Slots, Groth16Verifier.VerifyingKey Key, bool IsDevelopment)
{
    private const int MaxSize = 1 << 20;

    /// <summary>C, r and d.</summary>
    private const int PublicInputs = 3;

    /// <summary>Reads a verification_key.json in iden3's format.</summary>
    /// <param name="slots">The page size that it is for: the file does not say.</param>
    /// <param name="path">The file.</param>
    /// <exception cref="NetworkException">It is no such key. Whether its points are right is checked by the contract's constructor.</exception>
    public static VerifyingKeyFile Read(int slots, string path)
    {
        try
        {
            if (new FileInfo(path).Length > MaxSize)
            {
                throw new FormatException("it is larger than any verification key");
            }

            using var document = JsonDocument.Parse(File.ReadAllBytes(path), new JsonDocumentOptions { MaxDepth = 8 });
            var root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object || Text(root, "protocol") != "groth16" || Text(root, "curve") is not ("bn128" or "bn254"))
            {
                throw new FormatException("it is no Groth16 key over BN254");
            }

            var ic = Array(root, "IC");
            if (ic.Count != PublicInputs + 1)
            {
                throw new FormatException($"it is for {ic.Count - 1} public inputs, a settlement has {PublicInputs}");
            }

            var development = root.TryGetProperty("unsafe_development_key", out var mark) && mark.ValueKind != JsonValueKind.False;
            var key = new Groth16Verifier.VerifyingKey(G1(root.GetProperty("vk_alpha_1")), G2(root, "vk_beta_2"), G2(root, "vk_gamma_2"), G2(root, "vk_delta_2"), [.. ic.Select(G1)]);
            return new VerifyingKeyFile(slots, key, development);
        }
        catch (Exception cause) when (cause is FormatException or JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new NetworkException($"{path} is not a verification key: {cause.Message}", "shale proof export-key writes one from a .zkey.", cause);
        }
    }

    /// <summary>x, y, and a third coordinate that is 1.</summary>
    private static List<BigInteger> G1(JsonElement point)
    {
        var coordinates = point.EnumerateArray().ToList();
        return coordinates.Count == 3 && Number(coordinates[2]).IsOne ? [Number(coordinates[0]), Number(coordinates[1])] : throw new FormatException("a point of G1 is not affine");
    }

    /// <summary>iden3 writes c0 first; the contract takes c1 first, as the pairing precompile does (EIP-197).</summary>
    private static List<BigInteger> G2(JsonElement root, string name)
    {
        var coordinates = Array(root, name).Select(c => c.EnumerateArray().Select(Number).ToList()).ToList();
        return coordinates.Count == 3 && coordinates.All(c => c.Count == 2) && coordinates[2][0].IsOne && coordinates[2][1].IsZero
            ? [coordinates[0][1], coordinates[0][0], coordinates[1][1], coordinates[1][0]]
            : throw new FormatException($"{name} is not affine");
    }

    private static List<JsonElement> Array(JsonElement root, string name) =>
        root.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Array ? [.. value.EnumerateArray()] : throw new FormatException($"it has no {name}");

    private static string? Text(JsonElement root, string name) => root.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static BigInteger Number(JsonElement value) =>
        value.ValueKind == JsonValueKind.String && value.GetString() is { Length: > 0 and <= 78 } text && BigInteger.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? number
            : throw new FormatException("a coordinate is not a decimal number");
}
