using System.Text.Json;
using System.Text.Json.Serialization;
using Shale.Agent.Control;
using Shale.Agent.Files;

namespace Shale.Agent;

/// <summary>The JSON of the agent's files and of its control socket: snake case, unknown members refused, so that a misspelt limit is not silently no limit.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    WriteIndented = true)]
[JsonSerializable(typeof(LeaseFile))]
[JsonSerializable(typeof(PolicyFile))]
[JsonSerializable(typeof(SettlementFile))]
internal sealed partial class AgentJson : JsonSerializerContext;

/// <summary>One line a message.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ControlRequest))]
[JsonSerializable(typeof(ControlReply))]
[JsonSerializable(typeof(AgentStatus))]
[JsonSerializable(typeof(LeaseView))]
internal sealed partial class AgentLineJson : JsonSerializerContext;
