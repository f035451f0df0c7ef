using System.Globalization;
using System.Text.Json;

namespace Shale.Chain.Market;

/// <summary>How far the final events of a market were read: everything in epochs before <see cref="Next"/> was handed out.</summary>
/// <param name="ChainId">The chain.</param>
/// <param name="Market">The market's address: a cursor of another market is refused.</param>
/// <param name="Next">The first epoch that was not read.</param>
/// <param name="LastBlock">The newest final block when it was read; with its hash it shows whether this is still the same chain. Null before the first reading.</param>
/// <param name="LastHash">That block's hash.</param>
public sealed record EventCursor(ulong ChainId, Address Market, ulong Next, ulong? LastBlock, Bytes32 LastHash)
{
    private const int Version = 1;

    /// <summary>The cursor as JSON: for a file of its own, or a part of the reader's own state.</summary>
    public string ToJson() => JsonSerializer.Serialize(
        new { version = Version, chainId = ChainId, market = Market.ToString(), next = Next, lastBlock = LastBlock, lastHash = LastHash.ToString() }, JsonSerializerOptions.Web);

    /// <summary>Reads what <see cref="ToJson"/> wrote.</summary>
    /// <param name="json">The text.</param>
    /// <exception cref="FormatException">It is no cursor.</exception>
    public static EventCursor Parse(string json)
    {
        try
        {
            using var document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 4 });
            var root = document.RootElement;
            return root.GetProperty("version").GetInt32() == Version
                ? new EventCursor(
                    root.GetProperty("chainId").GetUInt64(),
                    Address.Parse(root.GetProperty("market").GetString() ?? ""),
                    root.GetProperty("next").GetUInt64(),
                    root.GetProperty("lastBlock") is { ValueKind: JsonValueKind.Number } last ? last.GetUInt64() : null,
                    Bytes32.Parse(root.GetProperty("lastHash").GetString() ?? ""))
                : throw new FormatException("The cursor is of another version.");
        }
        catch (Exception cause) when (cause is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new FormatException("That is no cursor of events.", cause);
        }
    }

    /// <summary>Writes the cursor to a file, whole or not at all.</summary>
    /// <param name="path">The file.</param>
    public void Save(string path)
    {
        var temporary = string.Create(CultureInfo.InvariantCulture, $"{path}.{Environment.ProcessId}.tmp");
        using (var file = new FileStream(temporary, FileMode.Create, FileAccess.Write))
        {
            file.Write(System.Text.Encoding.UTF8.GetBytes(ToJson()));
            file.Flush(flushToDisk: true);
        }

        File.Move(temporary, path, overwrite: true);
    }

    /// <summary>Reads a cursor from a file; null where there is none.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="FormatException">The file holds no cursor.</exception>
    public static EventCursor? Load(string path) => File.Exists(path) ? Parse(File.ReadAllText(path)) : null;
}
