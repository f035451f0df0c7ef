using System.Text.Json;
using System.Text.Json.Serialization;

namespace Shale.Agent.Control;

/// <summary>How a lease stands with its agent.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<LeaseState>))]
public enum LeaseState
{
    /// <summary>Costs nothing.</summary>
    Free,

    /// <summary>Nobody asks for payment at the moment.</summary>
    Idle,

    /// <summary>Paid as it is asked.</summary>
    Paying,

    /// <summary>The last charge was refused.</summary>
    Refused,

    /// <summary>Frozen by its gateway.</summary>
    Paused,

    /// <summary>The user stopped paying.</summary>
    Stopped,

    /// <summary>The gateway said that it ends.</summary>
    Closing,

    /// <summary>The final statement was signed.</summary>
    Closed,
}

/// <summary>What a container uses, as its gateway tells.</summary>
/// <param name="CpuPercent">100 is one core.</param>
/// <param name="MemoryBytes">Memory in use.</param>
/// <param name="MemoryLimitBytes">What it may use.</param>
public sealed record UsageView(double? CpuPercent, long? MemoryBytes, long? MemoryLimitBytes);

/// <summary>A lease as its user sees it. Amounts are attoFIL in decimal.</summary>
public sealed record LeaseView
{
    /// <summary>The lease.</summary>
    public required ulong Lease { get; init; }

    /// <summary>Its SSH host: <c>lease-42</c>.</summary>
    public required string Name { get; init; }

    /// <summary>How it stands.</summary>
    public required LeaseState State { get; init; }

    /// <summary>Why, in a sentence; null where there is nothing to say.</summary>
    public string? Message { get; init; }

    /// <summary>The provider's miner ID.</summary>
    public string Provider { get; init; } = "";

    /// <summary>The gateway's address.</summary>
    public string Host { get; init; } = "";

    /// <summary>Its port.</summary>
    public int Port { get; init; }

    /// <summary>Price per second; null for a free lease.</summary>
    public string? PricePerSecond { get; init; }

    /// <summary>The deposit.</summary>
    public string? Deposit { get; init; }

    /// <summary>The newest voucher's amount: everything that was signed away so far, the window ahead included.</summary>
    public string? Authorised { get; init; }

    /// <summary>What of it was signed today (UTC).</summary>
    public string? Today { get; init; }

    /// <summary>Milliseconds served, by the newest statement that was signed.</summary>
    public ulong ActiveMilliseconds { get; init; }

    /// <summary>Milliseconds paused, by the same.</summary>
    public ulong PausedMilliseconds { get; init; }

    /// <summary>CIDs (version 1, base32) of the results that the newest signed statement names, oldest first: on a closed lease its final one.</summary>
    public IReadOnlyList<string> Results { get; init; } = [];

    /// <summary>Milliseconds since the newest voucher, where this agent process signed it.</summary>
    public long? SincePaidMilliseconds { get; init; }

    /// <summary>Connections to the lease's pay socket.</summary>
    public int Connections { get; init; }

    /// <summary>How the agent's own connection does; null where it keeps none.</summary>
    public string? Keep { get; init; }

    /// <summary>What the container uses; null where the gateway doesn't tell.</summary>
    public UsageView? Usage { get; init; }

    /// <summary>One line of JSON, names in snake_case.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, AgentLineJson.Default.LeaseView);
}

/// <summary>The agent as its user sees it.</summary>
public sealed record AgentStatus
{
    /// <summary>The agent's process.</summary>
    public required int Pid { get; init; }

    /// <summary>Its folder.</summary>
    public required string Folder { get; init; }

    /// <summary>The payment key in hexadecimal.</summary>
    public required string PaymentKey { get; init; }

    /// <summary>When it started.</summary>
    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>Whether identity requests reach an ssh-agent of the user's.</summary>
    public required bool HasIdentityAgent { get; init; }

    /// <summary>The leases.</summary>
    public required IReadOnlyList<LeaseView> Leases { get; init; }

    /// <summary>What is wrong with files, a sentence each.</summary>
    public required IReadOnlyList<string> Problems { get; init; }

    /// <summary>One line of JSON, names in snake_case.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, AgentLineJson.Default.AgentStatus);
}

/// <summary>A request on the control socket: one line of JSON.</summary>
/// <param name="Command"><c>status</c>, <c>watch</c> (status of one lease, whose usage is asked for from now on), <c>reload</c>, <c>identity</c> (another ssh-agent of the user's) or <c>quit</c>.</param>
/// <param name="Lease">For <c>watch</c>.</param>
/// <param name="Path">For <c>identity</c>.</param>
internal sealed record ControlRequest(string Command, ulong? Lease = null, string? Path = null);

/// <summary>The answer: one line of JSON.</summary>
/// <param name="Error">Why not; null where it was done.</param>
/// <param name="Status">For <c>status</c> and <c>watch</c>.</param>
internal sealed record ControlReply(string? Error = null, AgentStatus? Status = null);
