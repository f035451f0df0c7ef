using Shale.Containers.Exec;

namespace Shale.Gateway.Leases;

/// <summary>A lease's container, as the gateway uses it. Calls on one that is gone fail with <see cref="ExecException"/>.</summary>
public interface ILeaseContainer
{
    /// <summary>The engine's ID.</summary>
    string Id { get; }

    /// <summary>Starts a process.</summary>
    /// <exception cref="ExecException">It was not started; the message is for the user.</exception>
    Task<ContainerProcess> StartAsync(ExecRequest request, CancellationToken cancellation);

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

    /// <summary>Removes what is left of leases that are not among <paramref name="present"/>.</summary>
    Task RemoveOthersAsync(IReadOnlySet<ulong> present, CancellationToken cancellation);
}
