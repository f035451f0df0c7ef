using System.Globalization;
using System.Numerics;
using System.Text.Json;

namespace Shale.Chain.Rpc;

/// <summary>Numbers and bytes as Ethereum's JSON-RPC writes them ("Hex encoding": quantities, unformatted data).</summary>
internal static class Quantity
{
    internal static string Of(ulong value) => "0x" + value.ToString("x", CultureInfo.InvariantCulture);

    internal static string Of(UInt128 value) => "0x" + value.ToString("x", CultureInfo.InvariantCulture);

    internal static string Of(ReadOnlySpan<byte> data) => "0x" + Convert.ToHexStringLower(data);

    /// <summary>Reads a quantity; leading zeros, which some nodes write, are taken.</summary>
    internal static bool TryRead(JsonElement element, out UInt128 value)
    {
        value = default;
        return element.ValueKind == JsonValueKind.String && element.GetString() is { Length: >= 3 and <= 66 } text && text.StartsWith("0x", StringComparison.Ordinal)
            && UInt128.TryParse(text.AsSpan(2).TrimStart('0') is { Length: > 0 } digits ? digits : "0", NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value);
    }

    internal static bool TryRead(JsonElement element, out ulong value)
    {
        var read = TryRead(element, out UInt128 wide) && wide <= ulong.MaxValue;
        value = read ? (ulong)wide : 0;
        return read;
    }

    internal static bool TryRead(JsonElement element, out byte[] data)
    {
        data = [];
        if (element.ValueKind != JsonValueKind.String || element.GetString() is not { } text || !text.StartsWith("0x", StringComparison.Ordinal) || text.Length % 2 != 0)
        {
            return false;
        }

        data = new byte[(text.Length - 2) / 2];
        return Convert.FromHexString(text.AsSpan(2), data, out _, out var written) == System.Buffers.OperationStatus.Done && written == data.Length;
    }

    internal static bool TryRead(JsonElement element, out Bytes32 value)
    {
        value = default;
        return element.ValueKind == JsonValueKind.String && Bytes32.TryParse(element.GetString(), out value);
    }

    internal static bool TryRead(JsonElement element, out Address value)
    {
        // Nodes write addresses in lower case or with the checksum; the checksum is for people, so a wrong one is not refused here.
        value = default;
        return element.ValueKind == JsonValueKind.String && Address.TryParse(element.GetString()?.ToLowerInvariant(), out value);
    }

    internal static bool Field(JsonElement owner, string name, out ulong value)
    {
        value = 0;
        return owner.TryGetProperty(name, out var field) && TryRead(field, out value);
    }

    internal static bool Field(JsonElement owner, string name, out UInt128 value)
    {
        value = default;
        return owner.TryGetProperty(name, out var field) && TryRead(field, out value);
    }

    internal static bool Field(JsonElement owner, string name, out Bytes32 value)
    {
        value = default;
        return owner.TryGetProperty(name, out var field) && TryRead(field, out value);
    }

    internal static bool Field(JsonElement owner, string name, out Address value)
    {
        value = default;
        return owner.TryGetProperty(name, out var field) && TryRead(field, out value);
    }

    internal static bool Field(JsonElement owner, string name, out byte[] value)
    {
        value = [];
        return owner.TryGetProperty(name, out var field) && TryRead(field, out value);
    }

    /// <summary>Whether a field is there and not null.</summary>
    internal static bool Has(JsonElement owner, string name) => owner.TryGetProperty(name, out var field) && field.ValueKind is not (JsonValueKind.Null or JsonValueKind.Undefined);
}
