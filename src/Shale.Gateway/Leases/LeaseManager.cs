using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Shale.Gateway.Admin;

namespace Shale.Gateway.Leases;

/// <summary>Keeps the leases in service equal to those of the directory.</summary>
public sealed class LeaseManager
{
    private readonly ConcurrentDictionary<ulong, LeaseService> _services = new();
    private readonly Dictionary<ulong, Task> _endings = [];
    private readonly FileLeaseDirectory _directory;
    private readonly ILeaseContainers _containers;
    private readonly IServiceGate _gate;
    private readonly Func<LeaseRecord, Task> _settlements;
    private readonly GatewayMetrics _metrics;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;

    /// <summary>Knows the directory's leases, and serves none yet: see <see cref="RunAsync"/>. <paramref name="settlements"/> is shown every record, of leases that are over too.</summary>
    public LeaseManager(FileLeaseDirectory directory, ILeaseContainers containers, IServiceGate gate, Func<LeaseRecord, Task> settlements, GatewayMetrics metrics, TimeProvider time, ILogger logger)
    {
        (_directory, _containers, _gate, _settlements, _metrics, _time, _logger) = (directory, containers, gate, settlements, metrics, time, logger);
        foreach (var record in directory.All.Where(r => r.State != LeaseState.Closed))
        {
            _ = Add(record);
        }
    }

    /// <summary>The leases in service.</summary>
    public ICollection<LeaseService> Services => _services.Values;

    /// <summary>The lease with this number, if it is in service.</summary>
    public LeaseService? Find(ulong id) => _services.TryGetValue(id, out var service) ? service : null;

    /// <summary>Follows the directory until cancelled. The containers stay then: the next gateway finds them and serves them again.</summary>
    public async Task RunAsync(CancellationToken cancellation)
    {
        _ = RemoveStrayContainersAsync(cancellation);
        _ = FollowContainersAsync(cancellation);
        foreach (var service in _services.Values)
        {
            _ = service.StartAsync();
        }

        await foreach (var record in _directory.FollowAsync(cancellation).ConfigureAwait(false))
        {
            Apply(record);
            await _settlements(record).ConfigureAwait(false);
        }
    }

    /// <summary>Ends a lease and waits until its container is gone, also where somebody else ends it already. Not in service: does nothing.</summary>
    public Task EndAsync(ulong id)
    {
        lock (_endings)
        {
            if (_services.TryRemove(id, out var service))
            {
                _metrics.LeasesChanged(-1);
                GatewayLog.LeaseEnded(_logger, id);
                _endings[id] = EndAsync(service);
            }

            return _endings.GetValueOrDefault(id, Task.CompletedTask);
        }
    }

    private async Task EndAsync(LeaseService service)
    {
        // Not under the lock.
        await Task.Yield();
        try
        {
            await service.EndAsync($"{service.Record.Name} is over.").ConfigureAwait(false);
            if (service.Container is null)
            {
                // One that stopped and could not be started again is there all the same.
                await RemoveStrayContainersAsync(CancellationToken.None).ConfigureAwait(false);
            }
        }
        finally
        {
            lock (_endings)
            {
                _endings.Remove(service.Id);
            }
        }
    }

    private void Apply(LeaseRecord record)
    {
        if (record.State == LeaseState.Closed)
        {
            _ = EndAsync(record.Id);
        }
        else if (_services.TryGetValue(record.Id, out var service))
        {
            service.Update(record);
        }
        else
        {
            _ = Add(record).StartAsync();
        }
    }

    /// <summary>Takes a lease in, so that its keys are known. Who connects before it is started waits for that.</summary>
    private LeaseService Add(LeaseRecord record)
    {
        var service = new LeaseService(record, _containers, _gate, _directory.Root, _time, _logger);
        _services[record.Id] = service;
        _metrics.LeasesChanged(1);
        GatewayLog.LeaseServed(_logger, record.Id, record.Container.Image);
        _gate.OnLeaseChanged(service);
        return service;
    }

    private async Task FollowContainersAsync(CancellationToken cancellation)
    {
        try
        {
            await foreach (var happened in _containers.WatchAsync(cancellation).ConfigureAwait(false))
            {
                switch (happened.Kind)
                {
                    case ContainerEventKind.Stopped when Find(happened.Lease ?? 0) is { } service:
                        _ = service.CheckAsync();
                        break;
                    case ContainerEventKind.OutOfMemory when Find(happened.Lease ?? 0) is { } service:
                        service.OnOutOfMemory();
                        break;
                    case ContainerEventKind.EngineLost:
                        GatewayLog.EngineLost(_logger, happened.Detail ?? "");
                        break;
                    case ContainerEventKind.EngineBack:
                        // What stopped while nobody told is found now.
                        foreach (var each in _services.Values)
                        {
                            _ = each.CheckAsync();
                        }

                        break;
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The gateway stops.
        }
#pragma warning disable CA1031 // Without events a stopped container is found by the next session, as before.
        catch (Exception error)
#pragma warning restore CA1031
        {
            GatewayLog.EngineLost(_logger, error.Message);
        }
    }

    private async Task RemoveStrayContainersAsync(CancellationToken cancellation)
    {
        try
        {
            var present = _directory.All.Where(l => l.State != LeaseState.Closed).Select(l => l.Id).ToHashSet();
            await _containers.RemoveOthersAsync(present, cancellation).ConfigureAwait(false);
        }
        catch (Exception error) when (error is IOException or OperationCanceledException)
        {
            GatewayLog.StrayContainersLeft(_logger, error.Message);
        }
    }
}
