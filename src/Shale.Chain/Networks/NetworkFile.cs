using System.Globalization;
using System.Text.Json;
using Shale.Chain.Accounts;

namespace Shale.Chain.Networks;

/// <summary>A network as JSON. docs/CHAIN.md describes it. Paths are relative to the file; a member that is not known is an error, because a mistyped one would be left out silently.</summary>
public static class NetworkFile
{
    /// <summary>The name that <c>shale devnet</c> gives it.</summary>
    public const string FileName = "network.json";

    private const int MaxSize = 64 * 1024;
    private const int MaxEndpoints = 16;

    private static readonly JsonWriterOptions Layout = new() { Indented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Reads a network.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="NetworkException">It is not what it must be; the message names the member.</exception>
    public static Network Read(string path)
    {
        if (new FileInfo(path).Length > MaxSize)
        {
            throw new NetworkException($"{path} is larger than any network file.");
        }

        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(path), new JsonDocumentOptions { MaxDepth = 8, CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true });
            return Read(document.RootElement, Path.GetDirectoryName(Path.GetFullPath(path))!);
        }
        catch (JsonException cause)
        {
            throw new NetworkException($"{path} is not JSON: line {cause.LineNumber + 1}.", null, cause);
        }
        catch (FormatException cause)
        {
            throw new NetworkException($"{path}: {cause.Message}", "docs/CHAIN.md describes the file.", cause);
        }
    }

    /// <summary>Writes a network, whole or not at all, mode 0600: an endpoint may carry a token.</summary>
    /// <param name="path">The file.</param>
    /// <param name="network">The network; its paths are written relative to the file where they lie below it.</param>
    public static void Write(string path, Network network)
    {
        var folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, Layout))
        {
            json.WriteStartObject();
            json.WriteString("name", network.Name);
            json.WriteNumber("chainId", network.ChainId);
            json.WriteStartArray("endpoints");
            foreach (var endpoint in network.Endpoints)
            {
                json.WriteStringValue(endpoint.OriginalString);
            }

            json.WriteEndArray();
            if (network.Registry is { } registry)
            {
                json.WriteString("registry", registry.ToString());
            }

            if (network.Market is { } market)
            {
                json.WriteString("market", market.ToString());
            }

            json.WriteNumber("deployedAt", network.DeployedAt);
            json.WriteNumber("epochSeconds", network.EpochSeconds);
            json.WriteNumber("finalityDepth", network.FinalityDepth);
            if (network.WalletFolder is { } wallet)
            {
                json.WriteString("wallet", Relative(folder, wallet));
            }

            if (network.PassphraseFile is { } passphrase)
            {
                json.WriteString("passphraseFile", Relative(folder, passphrase));
            }

            if (network.ProvingKeys.Count > 0)
            {
                json.WriteStartObject("provingKeys");
                foreach (var (size, key) in network.ProvingKeys.OrderBy(k => k.Key))
                {
                    json.WriteString(size.ToString(CultureInfo.InvariantCulture), Relative(folder, key));
                }

                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        var temporary = $"{path}.{Guid.NewGuid():N}.tmp";
        using (var file = new FileStream(temporary, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite }))
        {
            file.Write(buffer.ToArray());
            file.Flush(flushToDisk: true);
        }

        File.Move(temporary, path, overwrite: true);
    }

    private static string Relative(string folder, string path)
    {
        var relative = Path.GetRelativePath(folder, Path.GetFullPath(path));
        return relative.StartsWith("..", StringComparison.Ordinal) ? Path.GetFullPath(path) : relative;
    }

    private static Network Read(JsonElement root, string folder)
    {
        if (root.ValueKind != JsonValueKind.Object)
        {
            throw new FormatException("a network is an object.");
        }

        string? name = null;
        ulong? chainId = null;
        List<Uri>? endpoints = null;
        var network = new Network { Name = "", ChainId = 0, Endpoints = [] };
        foreach (var member in root.EnumerateObject())
        {
            var value = member.Value;
            switch (member.Name)
            {
                case "name":
                    name = Text(member);
                    break;
                case "chainId":
                    chainId = Number(member, 1, long.MaxValue);
                    break;
                case "endpoints":
                    endpoints = [.. Endpoints(value)];
                    break;
                case "registry":
                    network = network with { Registry = Contract(member) };
                    break;
                case "market":
                    network = network with { Market = Contract(member) };
                    break;
                case "deployedAt":
                    network = network with { DeployedAt = Number(member, 0, long.MaxValue) };
                    break;
                case "epochSeconds":
                    network = network with { EpochSeconds = (int)Number(member, 1, 3600) };
                    break;
                case "finalityDepth":
                    network = network with { FinalityDepth = Number(member, 1, 100_000) };
                    break;
                case "wallet":
                    network = network with { WalletFolder = Path.Combine(folder, Text(member)) };
                    break;
                case "passphraseFile":
                    network = network with { PassphraseFile = Path.Combine(folder, Text(member)) };
                    break;
                case "provingKeys":
                    network = network with { ProvingKeys = Keys(member, folder) };
                    break;
                default:
                    throw new FormatException($"a network has no member {member.Name}.");
            }
        }

        if (network.Registry is null != network.Market is null)
        {
            throw new FormatException("registry and market belong together.");
        }

        return network with
        {
            Name = name ?? throw new FormatException("name is missing."),
            ChainId = chainId ?? throw new FormatException("chainId is missing."),
            Endpoints = endpoints is { Count: > 0 } ? endpoints : throw new FormatException("endpoints is missing, or empty."),
        };
    }

    private static IEnumerable<Uri> Endpoints(JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.Array || value.GetArrayLength() > MaxEndpoints)
        {
            throw new FormatException($"endpoints is not an array of at most {MaxEndpoints} addresses.");
        }

        var number = 0;
        foreach (var item in value.EnumerateArray())
        {
            // Not quoted: it may carry a token.
            number++;
            yield return item.ValueKind == JsonValueKind.String && Uri.TryCreate(item.GetString(), UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https"
                ? new Uri(item.GetString()!)
                : throw new FormatException($"endpoint {number} is not an http or https address.");
        }
    }

    private static Dictionary<int, string> Keys(JsonProperty member, string folder)
    {
        if (member.Value.ValueKind != JsonValueKind.Object)
        {
            throw new FormatException("provingKeys is not an object of files by page size.");
        }

        return member.Value.EnumerateObject().ToDictionary(
            k => k.Name is "8" or "64" or "256" ? int.Parse(k.Name, CultureInfo.InvariantCulture) : throw new FormatException($"provingKeys has no page size {k.Name}: 8, 64, 256."),
            k => Path.Combine(folder, Text(k)));
    }

    private static Address Contract(JsonProperty member) =>
        EvmAddresses.TryParse(Text(member), out var address) ? address : throw new FormatException($"{member.Name} is not an address (0x… with EIP-55's checksum, or f410…).");

    private static string Text(JsonProperty member) =>
        member.Value.ValueKind == JsonValueKind.String && member.Value.GetString() is { Length: > 0 } text ? text : throw new FormatException($"{member.Name} is not a text.");

    private static ulong Number(JsonProperty member, ulong least, ulong most) =>
        member.Value.ValueKind == JsonValueKind.Number && member.Value.TryGetUInt64(out var number) && number >= least && number <= most
            ? number
            : throw new FormatException($"{member.Name} is not a number from {least} to {most}.");
}
