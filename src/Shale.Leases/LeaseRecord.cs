using System.Globalization;
using System.Text.Json.Serialization;

namespace Shale.Leases;

/// <summary>One lease as its provider's side knows it: who may come in, what runs, what it costs. The format of a file in the lease directory (docs/LEASES.md).</summary>
public sealed record LeaseRecord
{
    /// <summary>The version of the format that this gateway reads and writes.</summary>
    public const int CurrentVersion = 1;

    /// <summary>Format version.</summary>
    public int Version { get; init; } = CurrentVersion;

    /// <summary>The lease's number: the market contract's, or one the provider chose for a lease without a chain. Never reused.</summary>
    public required ulong Id { get; init; }

    /// <summary>The provider's miner ID, for example <c>f01946720</c>; empty for a lease without a chain.</summary>
    public string Provider { get; init; } = "";

    /// <summary>Whether the lease is served.</summary>
    public LeaseState State { get; init; } = LeaseState.Active;

    /// <summary>Who may connect: lines as in OpenSSH's authorized_keys (options <c>cert-authority</c> and <c>principals</c> included).</summary>
    public required IReadOnlyList<string> AuthorizedKeys { get; init; }

    /// <summary>What runs.</summary>
    public required ContainerTerms Container { get; init; }

    /// <summary>What it costs; null for a lease that is free.</summary>
    public PaymentTerms? Payment { get; init; }

    /// <summary>Whether the provider lets a user's own ssh-agent be reached from inside the container (the user must ask for it too).</summary>
    public bool AllowAgentForwarding { get; init; }

    /// <summary>Whether the lease's terms allow its terminal sessions to be recorded.</summary>
    public bool AllowRecording { get; init; }

    /// <summary>How many bytes the lease's packed results may take on the provider's disk, together; 0: none can be packed.</summary>
    public long MaxResultBytes { get; init; } = 64L << 30;

    /// <summary>When the record was made.</summary>
    public DateTimeOffset CreatedAt { get; init; }

    /// <summary>When the lease ends by its terms; null: open-ended.</summary>
    public DateTimeOffset? EndsAt { get; init; }

    /// <summary>Settlements of this lease that are final on chain and not yet known to be in the voucher log, in their order.</summary>
    public IReadOnlyList<SettlementNote> Settlements { get; init; } = [];

    /// <summary>The lease's name where a person reads it, and its SSH host alias.</summary>
    [JsonIgnore]
    public string Name => "lease-" + Id.ToString(CultureInfo.InvariantCulture);
}

/// <summary>Whether a lease is served.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<LeaseState>))]
public enum LeaseState
{
    /// <summary>Served.</summary>
    Active,

    /// <summary>Still served, and ending: no later than its last settlement.</summary>
    Closing,

    /// <summary>Over: its container is removed.</summary>
    Closed,
}

/// <summary>What a lease's container is made of.</summary>
public sealed record ContainerTerms
{
    /// <summary>Image name, tag or digest, as the engine knows it.</summary>
    public required string Image { get; init; }

    /// <summary>CPUs, in cores; 0: no limit.</summary>
    public double Cpus { get; init; }

    /// <summary>Memory, in bytes; 0: no limit.</summary>
    public long MemoryBytes { get; init; }

    /// <summary>GPUs: a count, <c>all</c>, or a comma-separated list of device ids; empty: none.</summary>
    public string Gpus { get; init; } = "";

    /// <summary>One limit each way over container network and SSH streams together, in bytes a second; 0: none.</summary>
    public long BandwidthBytesPerSecond { get; init; }

    /// <summary>Read-only mounts.</summary>
    public IReadOnlyList<MountTerms> Mounts { get; init; } = [];

    /// <summary>Published ports: <c>hostPort:containerPort</c>.</summary>
    public IReadOnlyList<string> Ports { get; init; } = [];

    /// <summary>The command that keeps the lease's service up (for example Jupyter); empty: none.</summary>
    public IReadOnlyList<string> Service { get; init; } = [];
}

/// <summary>A read-only mount.</summary>
public sealed record MountTerms
{
    /// <summary>What is mounted: a data set's CID with an optional path in it, or, for people and the audit, what is at <see cref="HostPath"/>.</summary>
    public string Source { get; init; } = "";

    /// <summary>
    /// The absolute host path to bind as it is; empty: <see cref="Source"/> is a CID, which the gateway finds in its own store and verifies before
    /// every start of the container. What a client asks for never comes in here.
    /// </summary>
    public string HostPath { get; init; } = "";

    /// <summary>The absolute path in the container.</summary>
    public required string Target { get; init; }
}

/// <summary>What a lease costs and who pays: chain facts, as far as the gateway needs them.</summary>
public sealed record PaymentTerms
{
    /// <summary>EIP-155 chain ID.</summary>
    public required ulong ChainId { get; init; }

    /// <summary>The market contract, 20 bytes in hex with <c>0x</c>.</summary>
    public required string Contract { get; init; }

    /// <summary>The payment key that signs vouchers: compressed BabyJubjub point, 32 bytes in hex.</summary>
    public required string PayerKey { get; init; }

    /// <summary>Price in attoFIL per second, a decimal number.</summary>
    public required string PricePerSecond { get; init; }

    /// <summary>The deposit that is final on chain, in attoFIL, a decimal number.</summary>
    public required string Deposit { get; init; }

    /// <summary>Seconds between charges. Default 5, from 1 to 60.</summary>
    public int IntervalSeconds { get; init; } = 5;

    /// <summary>Seconds that are paid ahead. Default 15, at least the interval.</summary>
    public int WindowSeconds { get; init; } = 15;

    /// <summary>Seconds of unpaid service before the container is paused. Default 10.</summary>
    public int GraceSeconds { get; init; } = 10;
}

/// <summary>A settlement with this lease's share, final on chain: the gateway writes it into the voucher log and tells the client's agent.</summary>
public sealed record SettlementNote
{
    /// <summary>Counts the lease's settlements, from 1.</summary>
    public required int Number { get; init; }

    /// <summary>The transaction's hash, 32 bytes in hex with <c>0x</c>.</summary>
    public required string Transaction { get; init; }

    /// <summary>The provider's page.</summary>
    public required uint Page { get; init; }

    /// <summary>The lease's slot in it.</summary>
    public required uint Slot { get; init; }

    /// <summary>Everything claimed on the lease so far, in attoFIL, a decimal number.</summary>
    public required string Claimed { get; init; }

    /// <summary>The page's root after it, 32 bytes in hex with <c>0x</c>.</summary>
    public required string NewRoot { get; init; }

    /// <summary>The lease's new leaf: leaseId, Ax, Ay, deposit, claimed; 32 bytes each in hex with <c>0x</c>.</summary>
    public required IReadOnlyList<string> Leaf { get; init; }

    /// <summary>The leaf's siblings under the root, its own first, 32 bytes each in hex with <c>0x</c>: with the leaf, what the client's exit needs.</summary>
    public required IReadOnlyList<string> Siblings { get; init; }
}
