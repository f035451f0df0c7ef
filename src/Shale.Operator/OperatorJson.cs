using System.Text.Json;
using System.Text.Json.Serialization;
using Shale.Operator.Orders;
using Shale.Operator.Settling;

namespace Shale.Operator;

/// <summary>The operator's files: snake case, unknown members refused.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow, WriteIndented = true)]
[JsonSerializable(typeof(OperatorLease))]
[JsonSerializable(typeof(PageFile))]
[JsonSerializable(typeof(PendingSettlement))]
[JsonSerializable(typeof(OperatorStatus))]
[JsonSerializable(typeof(Dictionary<string, string>))]
internal sealed partial class OperatorJson : JsonSerializerContext;
