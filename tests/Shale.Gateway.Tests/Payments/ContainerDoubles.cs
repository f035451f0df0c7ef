using System.Collections.Concurrent;
using System.Net.Sockets;
using Shale.Containers.Bandwidth;
using Shale.Containers.Exec;
using Shale.Containers.Files;
using Shale.Containers.Network;
using Shale.Containers.Probes;
using Shale.Gateway.Leases;
using Shale.Leases;

namespace Shale.Gateway.Tests.Payments;

/// <summary>Containers that run nothing and count for how long they would have; the engine's own where <paramref name="isReal"/> says so.</summary>
internal sealed class ContainerDoubles(ILeaseContainers engine, TimeProvider time, Func<ulong, bool> isReal) : ILeaseContainers
{
    private readonly ConcurrentDictionary<ulong, ContainerDouble> _doubles = new();

    public ContainerDouble this[ulong lease] => _doubles[lease];

    public IEnumerable<ContainerDouble> All => _doubles.Values;

    public async Task<ILeaseContainer> EnsureAsync(LeaseRecord lease, IProgress<string> progress, CancellationToken cancellation) =>
        isReal(lease.Id) ? await engine.EnsureAsync(lease, progress, cancellation) : _doubles.GetOrAdd(lease.Id, _ => new ContainerDouble(time));

    public IAsyncEnumerable<ContainerEvent> WatchAsync(CancellationToken cancellation) => engine.WatchAsync(cancellation);

    public Task RemoveOthersAsync(IReadOnlySet<ulong> present, CancellationToken cancellation) => engine.RemoveOthersAsync(present, cancellation);
}

/// <summary>Runs nothing; knows how long it was not frozen.</summary>
internal sealed class ContainerDouble(TimeProvider time) : ILeaseContainer
{
    private readonly Lock _gate = new();
    private TimeSpan _served;
    private long? _since = time.GetTimestamp();
    private int _pauses;

    public string Id => "double";

    public LeaseBandwidth? Bandwidth => null;

    public bool IsRemoved { get; private set; }

    /// <summary>How often it was frozen.</summary>
    public int Pauses => Volatile.Read(ref _pauses);

    public bool IsFrozen
    {
        get
        {
            lock (_gate)
            {
                return _since is null;
            }
        }
    }

    /// <summary>For how long it was not frozen.</summary>
    public TimeSpan Served
    {
        get
        {
            lock (_gate)
            {
                return _served + (_since is { } since ? time.GetElapsedTime(since) : TimeSpan.Zero);
            }
        }
    }

    public Task<bool> IsRunningAsync(CancellationToken cancellation) => Task.FromResult(!IsRemoved);

    public Task PauseAsync(CancellationToken cancellation)
    {
        lock (_gate)
        {
            if (_since is { } since)
            {
                _pauses++;
                _served += time.GetElapsedTime(since);
                _since = null;
            }
        }

        return Task.CompletedTask;
    }

    public Task ResumeAsync(CancellationToken cancellation)
    {
        lock (_gate)
        {
            _since ??= time.GetTimestamp();
        }

        return Task.CompletedTask;
    }

    public Task RemoveAsync(CancellationToken cancellation)
    {
        IsRemoved = true;
        return PauseAsync(cancellation);
    }

    public Task<ContainerStats> GetStatsAsync(CancellationToken cancellation) => throw new IOException("A double uses nothing.");

    public Task<ContainerProcess> StartAsync(ExecRequest request, CancellationToken cancellation) => throw new ExecException(ExecFailure.Unavailable, "A double runs nothing.");

    public Task<IContainerFileTree> OpenFilesAsync(CancellationToken cancellation) => throw new ExecException(ExecFailure.Unavailable, "A double has no files.");

    public Task<Socket> ConnectTcpAsync(string host, int port, CancellationToken cancellation) => throw new NotSupportedException();

    public Task<Socket> ConnectUnixAsync(string path, CancellationToken cancellation) => throw new NotSupportedException();

    public Task<ContainerListener> ListenTcpAsync(string address, int port, CancellationToken cancellation) => throw new NotSupportedException();

    public Task<ContainerListener> ListenUnixAsync(string path, CancellationToken cancellation) => throw new NotSupportedException();
}
