using System.Text.Json;

namespace Shale.Chain.Generator;

/// <summary>A parameter, member or result of an ABI description.</summary>
internal sealed record AbiParameter(string Name, string Type, string InternalType, bool Indexed, IReadOnlyList<AbiParameter> Components)
{
    /// <summary>The type as signatures have it, with tuples spelled out.</summary>
    internal string CanonicalType => Type.StartsWith("tuple", StringComparison.Ordinal)
        ? "(" + string.Join(",", Components.Select(c => c.CanonicalType)) + ")" + Type["tuple".Length..]
        : Type;
}

/// <summary>A function, event, error or constructor of an ABI description.</summary>
internal sealed record AbiItem(string Kind, string Name, bool Payable, IReadOnlyList<AbiParameter> Inputs, IReadOnlyList<AbiParameter> Outputs)
{
    internal string Signature => Name + "(" + string.Join(",", Inputs.Select(i => i.CanonicalType)) + ")";
}

/// <summary>One contract's ABI, as solc writes it ("Contract ABI Specification", chapter "JSON").</summary>
internal sealed record AbiContract(string Name, IReadOnlyList<AbiItem> Items)
{
    internal static AbiContract Parse(string name, string json)
    {
        using var document = JsonDocument.Parse(json);
        var items = new List<AbiItem>();
        foreach (var element in document.RootElement.EnumerateArray())
        {
            var kind = Text(element, "type");
            if (kind is not ("function" or "event" or "error" or "constructor"))
            {
                continue;
            }

            if (element.TryGetProperty("anonymous", out var anonymous) && anonymous.GetBoolean())
            {
                throw new InvalidDataException("Anonymous events are not supported.");
            }

            items.Add(new AbiItem(kind, Text(element, "name"), Text(element, "stateMutability") == "payable", Parameters(element, "inputs"), Parameters(element, "outputs")));
        }

        return new AbiContract(name, items);
    }

    private static List<AbiParameter> Parameters(JsonElement owner, string property)
    {
        var list = new List<AbiParameter>();
        if (owner.TryGetProperty(property, out var array))
        {
            foreach (var p in array.EnumerateArray())
            {
                list.Add(new AbiParameter(
                    Text(p, "name"), Text(p, "type"), Text(p, "internalType"), p.TryGetProperty("indexed", out var i) && i.GetBoolean(), Parameters(p, "components")));
            }
        }

        return list;
    }

    private static string Text(JsonElement owner, string property) => owner.TryGetProperty(property, out var value) ? value.GetString() ?? "" : "";
}
