using System.Globalization;
using System.Text;

namespace Shale.Chain.Generator;

/// <summary>C# names and types for Solidity's.</summary>
internal static class CSharpNames
{
    /// <summary><c>leaseId</c> → <c>LeaseId</c>; <c>slots_</c> → <c>Slots</c>; a parameter without a name gets one from its place.</summary>
    internal static string Property(string name, int index, int count)
    {
        var trimmed = name.Trim('_');
        return trimmed.Length == 0 ? (count == 1 ? "Value" : "Value" + (index + 1).ToString(CultureInfo.InvariantCulture)) : Pascal(trimmed);
    }

    internal static string Pascal(string name) => char.ToUpperInvariant(name[0]) + name[1..];

    /// <summary><c>leaseId</c> → <c>lease ID</c>, for sentences.</summary>
    internal static string Words(string name)
    {
        var result = new StringBuilder();
        foreach (var c in name)
        {
            result.Append(char.IsUpper(c) ? " " + char.ToLowerInvariant(c) : c.ToString());
        }

        return result.ToString().Replace("miner id", "miner ID").Replace("lease id", "lease ID").Replace("chain id", "chain ID").Trim();
    }

    /// <summary>The C# type of a parameter and the expression of its codec.</summary>
    internal static (string Type, string Codec) Map(AbiParameter parameter, SolidityNotes notes)
    {
        var type = parameter.Type;
        if (type.EndsWith(']'))
        {
            var open = type.LastIndexOf('[');
            var inner = Strip(parameter.InternalType);
            var (elementType, elementCodec) = Map(parameter with { Type = type[..open], InternalType = inner }, notes);
            var length = type[(open + 1)..^1];
            return ($"global::System.Collections.Generic.IReadOnlyList<{elementType}>", length.Length == 0 ? $"AbiTypes.Array({elementCodec})" : $"AbiTypes.FixedArray({elementCodec}, {length})");
        }

        if (type == "tuple")
        {
            var name = StructName(parameter);
            return (name, name + ".Codec");
        }

        if (parameter.InternalType.StartsWith("enum ", StringComparison.Ordinal))
        {
            var name = parameter.InternalType[5..];
            if (!notes.Enums.TryGetValue(name, out var members))
            {
                throw new InvalidDataException($"The members of enum {name} were not found in the Solidity files.");
            }

            var full = Root + name;
            return (full, $"AbiTypes.Enum<{full}>({members.Count}, static item => (byte)item, static number => ({full})number)");
        }

        return type switch
        {
            "bool" => ("bool", "AbiTypes.Bool"),
            "address" => (ChainRoot + "Address", "AbiTypes.Address"),
            "string" => ("string", "AbiTypes.String"),
            "bytes" => ("global::System.ReadOnlyMemory<byte>", "AbiTypes.Bytes"),
            "bytes32" => (ChainRoot + "Bytes32", "AbiTypes.Bytes32"),
            _ when type.StartsWith("bytes", StringComparison.Ordinal) => ("global::System.ReadOnlyMemory<byte>", $"AbiTypes.FixedBytes({type[5..]})"),
            _ when type.StartsWith("uint", StringComparison.Ordinal) => Integer("UInt", Bits(type, 4), "byte", "ushort", "uint", "ulong", "global::System.UInt128"),
            _ when type.StartsWith("int", StringComparison.Ordinal) => Integer("Int", Bits(type, 3), "sbyte", "short", "int", "long", "global::System.Int128"),
            _ => throw new InvalidDataException($"Type {type} is not supported."),
        };
    }

    /// <summary>The name of a tuple's record: a struct inside of a contract is nested there too.</summary>
    internal static string StructName(AbiParameter parameter)
    {
        var name = Strip(parameter.InternalType);
        return name.StartsWith("struct ", StringComparison.Ordinal)
            ? Root + name[7..]
            : throw new InvalidDataException($"Tuple '{parameter.Name}' has no struct's name as its internal type.");
    }

    private const string ChainRoot = "global::Shale.Chain.";

    private const string Root = ChainRoot + "Contracts.";

    private static string Strip(string internalType)
    {
        var open = internalType.IndexOf('[');
        return open < 0 ? internalType : internalType[..open];
    }

    private static int Bits(string type, int prefix) => int.Parse(type.AsSpan(prefix), CultureInfo.InvariantCulture);

    private static (string, string) Integer(string codec, int bits, params string[] names)
    {
        var name = bits switch { <= 8 => names[0], <= 16 => names[1], <= 32 => names[2], <= 64 => names[3], <= 128 => names[4], _ => "global::System.Numerics.BigInteger" };
        return (name, $"AbiTypes.{codec}<{name}>({bits.ToString(CultureInfo.InvariantCulture)})");
    }
}
