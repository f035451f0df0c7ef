using System.Globalization;
using System.Numerics;
using System.Text;
using System.Text.Json;
using Shale.Chain.Abi;

namespace Shale.Chain.Transactions;

/// <summary>Hashes of typed structured data (EIP-712), in the JSON form that <c>eth_signTypedData_v4</c> takes: types, primaryType, domain, message.</summary>
public static class TypedData
{
    // EIP-712, "Definition of domainSeparator": the fields that a domain may have, in order.
    private static readonly (string Name, string Type)[] DomainFields =
        [("name", "string"), ("version", "string"), ("chainId", "uint256"), ("verifyingContract", "address"), ("salt", "bytes32")];

    private const int DeepestNesting = 32;

    // Types may refer to each other in a chain that is followed by recursion.
    private const int MostTypes = 256;

    /// <summary>The hash to sign: Keccak-256 of 0x1901, domain separator and message.</summary>
    /// <param name="typedData">The JSON object.</param>
    /// <param name="hash">The hash.</param>
    /// <param name="error">What is wrong with it.</param>
    /// <returns>False when the data does not fit its types.</returns>
    public static bool TryHash(JsonElement typedData, out Bytes32 hash, out string? error)
    {
        hash = default;
        try
        {
            var hasher = new Hasher(ReadTypes(typedData));
            var domain = Field(typedData, "domain");
            if (!hasher.Types.ContainsKey("EIP712Domain"))
            {
                hasher.Types["EIP712Domain"] = [.. DomainFields.Where(f => domain.ValueKind == JsonValueKind.Object && domain.TryGetProperty(f.Name, out _))];
            }

            var separator = hasher.Struct("EIP712Domain", domain, 0);
            var primary = Field(typedData, "primaryType").GetString() ?? "";

            // A primary type of EIP712Domain has no message of its own.
            byte[] message = primary == "EIP712Domain" ? [] : hasher.Struct(primary, Field(typedData, "message"), 0);
            hash = Bytes32.Keccak([0x19, 0x01, .. separator, .. message]);
            error = null;
            return true;
        }
        catch (Exception e) when (e is FormatException or InvalidOperationException or ArgumentException or OverflowException)
        {
            error = e.Message;
            return false;
        }
    }

    private static Dictionary<string, (string Name, string Type)[]> ReadTypes(JsonElement typedData)
    {
        var types = new Dictionary<string, (string, string)[]>(StringComparer.Ordinal);
        foreach (var type in Field(typedData, "types").EnumerateObject())
        {
            if (types.Count == MostTypes)
            {
                throw new FormatException($"There are more than {MostTypes} types.");
            }

            types[type.Name] = [.. type.Value.EnumerateArray().Select(f => (Field(f, "name").GetString()!, Field(f, "type").GetString()!))];
        }

        return types;
    }

    private static JsonElement Field(JsonElement owner, string name) =>
        owner.ValueKind == JsonValueKind.Object && owner.TryGetProperty(name, out var value) ? value : throw new FormatException($"'{name}' is missing.");

    private sealed class Hasher(Dictionary<string, (string Name, string Type)[]> types)
    {
        internal Dictionary<string, (string Name, string Type)[]> Types { get; } = types;

        /// <summary>hashStruct: Keccak-256 of typeHash and encodeData.</summary>
        internal byte[] Struct(string name, JsonElement value, int depth)
        {
            if (depth > DeepestNesting)
            {
                throw new FormatException("The data is nested too deeply.");
            }

            if (!Types.TryGetValue(name, out var fields))
            {
                throw new FormatException($"Type '{name}' is not defined.");
            }

            using var encoded = new MemoryStream();
            encoded.Write(Bytes32.Keccak(Encoding.UTF8.GetBytes(EncodeType(name))).ToArray());
            foreach (var field in fields)
            {
                encoded.Write(Value(field.Type, Field(value, field.Name), depth + 1));
            }

            return Bytes32.Keccak(encoded.ToArray()).ToArray();
        }

        private byte[] Value(string type, JsonElement value, int depth)
        {
            if (type.EndsWith(']'))
            {
                var open = type.LastIndexOf('[');
                if (open < 0 || value.ValueKind != JsonValueKind.Array || depth > DeepestNesting || (type.Length - open > 2 && type[(open + 1)..^1] != value.GetArrayLength().ToString(CultureInfo.InvariantCulture)))
                {
                    throw new FormatException($"A value is not a {type}.");
                }

                using var items = new MemoryStream();
                foreach (var item in value.EnumerateArray())
                {
                    items.Write(Value(type[..open], item, depth + 1));
                }

                return Bytes32.Keccak(items.ToArray()).ToArray();
            }

            return Types.ContainsKey(type) ? Struct(type, value, depth) : type switch
            {
                "string" => Bytes32.Keccak(Encoding.UTF8.GetBytes(value.GetString() ?? throw new FormatException("A string is null."))).ToArray(),
                "bytes" => Bytes32.Keccak(Hex(value)).ToArray(),
                "bool" => AbiTypes.Bool.Encode(value.GetBoolean()),
                "address" => AbiTypes.Address.Encode(Address.Parse(value.GetString() ?? "")),
                _ when type.StartsWith("bytes", StringComparison.Ordinal) => AbiTypes.FixedBytes(Number(type[5..])).Encode(Hex(value)),
                _ when type.StartsWith("uint", StringComparison.Ordinal) => AbiTypes.UInt<BigInteger>(Number(type[4..])).Encode(Integer(value)),
                _ when type.StartsWith("int", StringComparison.Ordinal) => AbiTypes.Int<BigInteger>(Number(type[3..])).Encode(Integer(value)),
                _ => throw new FormatException($"Type '{type}' is not defined."),
            };
        }

        /// <summary>encodeType: the type, then the types that it refers to, by name.</summary>
        private string EncodeType(string primary)
        {
            var used = new SortedSet<string>(StringComparer.Ordinal);
            Collect(primary, used);
            used.Remove(primary);
            return string.Concat(used.Prepend(primary).Select(name => $"{name}({string.Join(',', Types[name].Select(f => f.Type + " " + f.Name))})"));
        }

        private void Collect(string type, SortedSet<string> used)
        {
            var open = type.IndexOf('[', StringComparison.Ordinal);
            var name = open < 0 ? type : type[..open];
            if (Types.TryGetValue(name, out var fields) && used.Add(name))
            {
                foreach (var field in fields)
                {
                    Collect(field.Type, used);
                }
            }
        }

        private static int Number(string digits) => int.Parse(digits, NumberStyles.None, CultureInfo.InvariantCulture);

        private static byte[] Hex(JsonElement value) => Rpc.Quantity.TryRead(value, out byte[] bytes) ? bytes : throw new FormatException("Bytes are not 0x and digits.");

        private static BigInteger Integer(JsonElement value)
        {
            var text = value.ValueKind == JsonValueKind.String ? value.GetString()! : value.GetRawText();
            if (text.Length is 0 or > 80 || text == "0x")
            {
                throw new FormatException("A number is empty or too long.");
            }

            return text.StartsWith("0x", StringComparison.Ordinal)
                ? BigInteger.Parse("0" + text[2..], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture)
                : BigInteger.Parse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        }
    }
}
