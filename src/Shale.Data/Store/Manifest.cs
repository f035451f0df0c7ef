using System.Text.Json;
using System.Text.Json.Serialization;
using Shale.Data.Cids;
using Shale.Data.UnixFs;

namespace Shale.Data.Store;

/// <summary>How a data set's bytes came to be where they are.</summary>
public enum Placement
{
    /// <summary>Blocks shared with the source by the file system; later changes of either do not touch the other.</summary>
    Reflink,

    /// <summary>The source's file under a second name; a change of the source is noticed before it is served.</summary>
    HardLink,

    /// <summary>A copy.</summary>
    Copy,

    /// <summary>The source itself, where it is; a change is noticed before it is served.</summary>
    InPlace,

    /// <summary>Extracted from a CAR.</summary>
    Extracted,
}

/// <summary>Which piece and deal a data set belongs to.</summary>
/// <param name="CidV1">The piece CID of version 1; null where it is not known.</param>
/// <param name="CidV2">The piece CID of version 2; null where it is not known.</param>
/// <param name="Size">The piece's size on chain in bytes; 0 where it is not known.</param>
/// <param name="Deal">The deal, as the provider names it; null for none.</param>
public sealed record PieceRecord(string? CidV1, string? CidV2, long Size, string? Deal);

/// <summary>What a data set is; <c>manifest.json</c> beside its content.</summary>
public sealed record DatasetManifest
{
    /// <summary>The version of this format: 1.</summary>
    public required int Version { get; init; }

    /// <summary>The data set's CID.</summary>
    public required string Cid { get; init; }

    /// <summary>What people call it: the source's file name unless another was given.</summary>
    public required string Name { get; init; }

    /// <summary><c>file</c> or <c>directory</c>.</summary>
    public required string Kind { get; init; }

    /// <summary>The preset that its CID was computed with; null where it came as a CAR.</summary>
    public string? Preset { get; init; }

    /// <summary>Where it came from, for people.</summary>
    public required string Source { get; init; }

    /// <summary>How its bytes came to be where they are.</summary>
    public required Placement Placement { get; init; }

    /// <summary>Where its content is; null for <c>content</c> beside the manifest.</summary>
    public string? ContentPath { get; init; }

    /// <summary>Bytes of its files.</summary>
    public required long FileBytes { get; init; }

    /// <summary>Files, directories and links, the root included.</summary>
    public required long Entries { get; init; }

    /// <summary>When it was added.</summary>
    public required DateTimeOffset AddedAt { get; init; }

    /// <summary>Its piece and deal; null for none.</summary>
    public PieceRecord? Piece { get; init; }
}

/// <summary>One entry of a data set; a line of <c>files.jsonl</c>.</summary>
/// <param name="Path">Relative to the root, with '/'; empty for the root.</param>
/// <param name="Kind">What it is.</param>
/// <param name="Cid">Its CID in the data set's tree.</param>
/// <param name="Length">A file's length in bytes.</param>
/// <param name="Check">The CID that the file's bytes, or the link's target, have under the default preset: what they are verified against where they stand.</param>
public sealed record DatasetEntry(string Path, EntryKind Kind, string Cid, long Length, string? Check);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, UseStringEnumConverter = true)]
[JsonSerializable(typeof(DatasetManifest))]
[JsonSerializable(typeof(DatasetEntry))]
[JsonSerializable(typeof(ResultManifest))]
[JsonSerializable(typeof(Dictionary<string, FileIdentity>))]
internal sealed partial class StoreJson : JsonSerializerContext
{
    /// <summary>The same, for files that people read.</summary>
    public static StoreJson ForPeople { get; } = new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        WriteIndented = true,
        Converters = { new JsonStringEnumConverter<Placement>() },
    });
}

/// <summary>A data set of a store.</summary>
/// <param name="Cid">Its CID.</param>
/// <param name="Manifest">What it is.</param>
/// <param name="Folder">Its folder in the store.</param>
public sealed record Dataset(Cid Cid, DatasetManifest Manifest, string Folder)
{
    /// <summary>Where its content is: a file or a directory.</summary>
    public string Content => Manifest.ContentPath ?? Path.Combine(Folder, "content");

    /// <summary>Reads the list of its entries; children stand before their directory.</summary>
    /// <returns>The entries.</returns>
    public IEnumerable<DatasetEntry> Entries() =>
        File.ReadLines(Path.Combine(Folder, "files.jsonl")).Select(line => JsonSerializer.Deserialize(line, StoreJson.Default.DatasetEntry)
            ?? throw new InvalidDataException($"{Folder} has an empty entry"));
}
