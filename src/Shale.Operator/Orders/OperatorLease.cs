using System.Text.Json;
using System.Text.Json.Serialization;
using Shale.Leases;

namespace Shale.Operator.Orders;

/// <summary>Where an order or lease stands for its operator.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<LeaseStage>))]
public enum LeaseStage
{
    /// <summary>Not accepted; see the reason. The order expires by itself.</summary>
    Declined,

    /// <summary>Decided to accept; the transaction may be on its way.</summary>
    Accepting,

    /// <summary>Accepted on chain; waits for the client's deposit to be final.</summary>
    Accepted,

    /// <summary>Served by the gateway.</summary>
    Serving,

    /// <summary>No longer served, or about to be; waits for its last settlement.</summary>
    Ending,

    /// <summary>Over, on chain too.</summary>
    Closed,
}

/// <summary>What the operator keeps of an order or lease: the file <c>operator/leases/ID.json</c> (docs/OPERATIONS.md). Amounts are attoFIL in decimal text.</summary>
public sealed record OperatorLease
{
    /// <summary>The version of the format.</summary>
    public const int CurrentVersion = 1;

    /// <summary>Format version.</summary>
    public int Version { get; init; } = CurrentVersion;

    /// <summary>The lease's number.</summary>
    public required ulong Id { get; init; }

    /// <summary>Where it stands.</summary>
    public required LeaseStage Stage { get; init; }

    /// <summary>Why it was declined, or ends; for a person.</summary>
    public string Reason { get; init; } = "";

    /// <summary>Who ordered it, 0x….</summary>
    public required string Client { get; init; }

    /// <summary>CPU cores that it is promised.</summary>
    public required uint Cpus { get; init; }

    /// <summary>Bytes of memory that it is promised.</summary>
    public required ulong MemoryBytes { get; init; }

    /// <summary>GPUs that it is promised.</summary>
    public required uint Gpus { get; init; }

    /// <summary>Bytes a second each way; 0: no limit.</summary>
    public required long Bandwidth { get; init; }

    /// <summary>The image, NAME@sha256:DIGEST.</summary>
    public required string Image { get; init; }

    /// <summary>Lines as in authorized_keys.</summary>
    public required IReadOnlyList<string> SshKeys { get; init; }

    /// <summary>Data sets to mount.</summary>
    public required IReadOnlyList<MountTerms> Mounts { get; init; }

    /// <summary>The payment key, compressed, hex.</summary>
    public required string PayerKey { get; init; }

    /// <summary>Price per second.</summary>
    public required string Price { get; init; }

    /// <summary>Seconds that the client asked for; 0: as long as the deposit lasts.</summary>
    public required ulong Duration { get; init; }

    /// <summary>The provider's page that it lies in.</summary>
    public uint Page { get; init; }

    /// <summary>Its slot there.</summary>
    public byte Slot { get; init; }

    /// <summary>The deposit that is final.</summary>
    public string Deposit { get; init; } = "0";

    /// <summary>What was settled so far, and is final.</summary>
    public string Claimed { get; init; } = "0";

    /// <summary>How often it was settled.</summary>
    public int SettlementCount { get; init; }

    /// <summary>Settlements that the gateway has not recorded yet.</summary>
    public IReadOnlyList<SettlementNote> Settlements { get; init; } = [];

    /// <summary>When the gateway was told to serve it.</summary>
    public DateTimeOffset? ServedFrom { get; init; }

    /// <summary>The transaction of the last settlement that is final, 0x…; empty before the first.</summary>
    public string SettledBy { get; init; } = "";

    /// <summary>When a settlement of it was last final.</summary>
    public DateTimeOffset? SettledAt { get; init; }

    /// <summary>Whether it takes up room on the machine and in a page.</summary>
    [JsonIgnore]
    public bool IsOpen => Stage is LeaseStage.Accepting or LeaseStage.Accepted or LeaseStage.Serving or LeaseStage.Ending;
}
