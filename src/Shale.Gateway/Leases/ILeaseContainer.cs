using System.Net.Sockets;
using Shale.Containers.Bandwidth;
using Shale.Containers.Exec;
using Shale.Containers.Files;
using Shale.Containers.Network;
using Shale.Containers.Probes;

namespace Shale.Gateway.Leases;

/// <summary>A lease's container, as the gateway uses it. Calls on one that is gone fail with <see cref="ExecException"/>.</summary>
public interface ILeaseContainer
{
    /// <summary>The engine's ID.</summary>
    string Id { get; }

    /// <summary>Whether it runs, frozen or not.</summary>
    /// <exception cref="IOException">The engine does not answer.</exception>
    Task<bool> IsRunningAsync(CancellationToken cancellation);

    /// <summary>Starts a process.</summary>
    /// <exception cref="ExecException">It was not started; the message is for the user.</exception>
    Task<ContainerProcess> StartAsync(ExecRequest request, CancellationToken cancellation);

    /// <summary>What its streams and network may carry together; null: as much as they can.</summary>
    LeaseBandwidth? Bandwidth { get; }

    /// <summary>Its file tree with the rights of the lease's user.</summary>
    /// <exception cref="ExecException">It can't be had; the message is for the user.</exception>
    Task<IContainerFileTree> OpenFilesAsync(CancellationToken cancellation);

    /// <summary>Connects to a TCP port as a process of the container would.</summary>
    /// <exception cref="ForwardException">Nobody answers there.</exception>
    Task<Socket> ConnectTcpAsync(string host, int port, CancellationToken cancellation);

    /// <summary>Connects to a Unix socket in the container.</summary>
    /// <exception cref="ForwardException">Nobody answers there.</exception>
    Task<Socket> ConnectUnixAsync(string path, CancellationToken cancellation);

    /// <summary>Listens on a TCP port in the container.</summary>
    /// <exception cref="ForwardException">It can't be had.</exception>
    Task<ContainerListener> ListenTcpAsync(string address, int port, CancellationToken cancellation);

    /// <summary>Listens on a Unix socket in the container.</summary>
    /// <exception cref="ForwardException">It can't be had.</exception>
    Task<ContainerListener> ListenUnixAsync(string path, CancellationToken cancellation);

    /// <summary>What it uses at this moment.</summary>
    /// <exception cref="IOException">The engine doesn't say.</exception>
    Task<ContainerStats> GetStatsAsync(CancellationToken cancellation);

    /// <summary>Freezes every process. Done already: does nothing.</summary>
    Task PauseAsync(CancellationToken cancellation);

    /// <summary>Lets them go on. Done already: does nothing.</summary>
    Task ResumeAsync(CancellationToken cancellation);

    /// <summary>Ends every process and removes the container.</summary>
    Task RemoveAsync(CancellationToken cancellation);
}

/// <summary>Makes and finds the containers of leases.</summary>
public interface ILeaseContainers
{
    /// <summary>Finds the lease's container, or makes it.</summary>
    /// <param name="lease">The lease.</param>
    /// <param name="progress">Is told what goes on, in words for a person.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <exception cref="IOException">It can't be made; the message says why and what to do.</exception>
    Task<ILeaseContainer> EnsureAsync(LeaseRecord lease, IProgress<string> progress, CancellationToken cancellation);

    /// <summary>What happens to the containers of leases, until cancelled; an engine that goes away is waited for.</summary>
    IAsyncEnumerable<ContainerEvent> WatchAsync(CancellationToken cancellation);

    /// <summary>Removes what is left of leases that are not among <paramref name="present"/>.</summary>
    Task RemoveOthersAsync(IReadOnlySet<ulong> present, CancellationToken cancellation);
}

/// <summary>What happened to a lease's container.</summary>
/// <param name="Kind">What.</param>
/// <param name="Lease">To which lease's; null: to all of them.</param>
/// <param name="Detail">More for the operator; null: nothing.</param>
public readonly record struct ContainerEvent(ContainerEventKind Kind, ulong? Lease, string? Detail);

/// <summary>Kinds of <see cref="ContainerEvent"/>.</summary>
public enum ContainerEventKind
{
    /// <summary>It stopped.</summary>
    Stopped,

    /// <summary>The kernel killed a process of it because its memory was used up.</summary>
    OutOfMemory,

    /// <summary>The engine does not answer.</summary>
    EngineLost,

    /// <summary>The engine answers, for the first time or again.</summary>
    EngineBack,
}
