namespace Shale.Containers.Leases;

/// <summary>What the container of a lease is doing.</summary>
public enum LeaseContainerStatus
{
    /// <summary>Made, not started.</summary>
    Created,

    /// <summary>It runs.</summary>
    Running,

    /// <summary>Frozen: nothing is lost, nothing runs.</summary>
    Paused,

    /// <summary>Its first process ended, for example because the machine was restarted.</summary>
    Stopped,

    /// <summary>The engine has no such container.</summary>
    Removed,
}

/// <summary>The state of a lease's container.</summary>
/// <param name="Status">What it does.</param>
/// <param name="ExitCode">Where it stopped: the exit code of its first process.</param>
/// <param name="OutOfMemory">Where it stopped: whether the kernel ended it for memory.</param>
/// <param name="StartedAt">When it last started.</param>
/// <param name="Ports">Published ports as they really are: container port (for example "8888/tcp") and the address on this machine.</param>
/// <param name="Address">Its IPv4 address; null without a network.</param>
public sealed record LeaseContainerState(LeaseContainerStatus Status, int ExitCode, bool OutOfMemory, DateTimeOffset? StartedAt, IReadOnlyList<(string ContainerPort, string HostAddress, int HostPort)> Ports, string? Address)
{
    /// <summary>What of this machine it was made with; a stopped container sees it again when it starts.</summary>
    public IReadOnlyList<ReadOnlyMount> Mounts { get; init; } = [];
}

/// <summary>What happened to a lease's container.</summary>
public enum LeaseEventKind
{
    /// <summary>It started.</summary>
    Started,

    /// <summary>Its first process ended.</summary>
    Stopped,

    /// <summary>It was frozen.</summary>
    Paused,

    /// <summary>It runs again.</summary>
    Resumed,

    /// <summary>The kernel killed a process of it because the lease's memory was used up.</summary>
    OutOfMemory,

    /// <summary>It was removed.</summary>
    Removed,

    /// <summary>The engine can't be reached; events come again by themselves after <see cref="EngineBack"/>.</summary>
    EngineLost,

    /// <summary>The engine answers (also the first time); what it does not remember may be missing, so list the leases again.</summary>
    EngineBack,
}

/// <summary>An event.</summary>
/// <param name="Kind">What.</param>
/// <param name="LeaseId">Whose; empty for events of the engine.</param>
/// <param name="Time">When, by the engine's clock.</param>
/// <param name="Detail">The exit code, or what is wrong with the engine; else null.</param>
public sealed record LeaseEvent(LeaseEventKind Kind, string LeaseId, DateTimeOffset Time, string? Detail = null);

/// <summary>How far a pull is.</summary>
/// <param name="Status">What the engine says, for example "Downloading".</param>
/// <param name="Layer">Of which layer; null for the whole.</param>
/// <param name="Current">Bytes done; null where not known.</param>
/// <param name="Total">Bytes in all; null where not known.</param>
public readonly record struct PullProgress(string Status, string? Layer, long? Current, long? Total);
