using System.Text.Json.Serialization;

namespace Shale.Leases;

/// <summary>What the gateway says of a lease it serves; the file <c>status/ID.json</c> beside the lease directory.</summary>
public sealed record LeaseStatus
{
    /// <summary>The lease.</summary>
    public required ulong Id { get; init; }

    /// <summary>What the gateway is doing with it.</summary>
    public required ServiceState Service { get; init; }

    /// <summary>The container's ID; empty while there is none.</summary>
    public string Container { get; init; } = "";

    /// <summary>Why it isn't served, for a person; empty when all is well.</summary>
    public string Message { get; init; } = "";

    /// <summary>When this was written.</summary>
    public required DateTimeOffset At { get; init; }
}

/// <summary>What the gateway is doing with a lease.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<ServiceState>))]
public enum ServiceState
{
    /// <summary>The container is being made.</summary>
    Starting,

    /// <summary>Connections are served.</summary>
    Serving,

    /// <summary>The container is frozen until the lease is paid.</summary>
    Paused,

    /// <summary>The container can't be made or kept; see the message. Tried again.</summary>
    Failed,

    /// <summary>The lease is over and its container removed.</summary>
    Ended,
}
