using System.Text.Json;
using System.Text.Json.Serialization;

namespace Shale.Leases;

/// <summary>The JSON of lease records and lease status: snake case, unknown members refused, so that a misspelt limit is not silently no limit.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    WriteIndented = true)]
[JsonSerializable(typeof(LeaseRecord))]
[JsonSerializable(typeof(LeaseStatus))]
internal sealed partial class LeaseJson : JsonSerializerContext;
