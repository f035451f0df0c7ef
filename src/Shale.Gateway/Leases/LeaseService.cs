using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Logging;
using Shale.Containers.Exec;
using Shale.Ssh.Connection;

namespace Shale.Gateway.Leases;

/// <summary>One lease in service: its record, its container, its connections, and whether it may run.</summary>
[SuppressMessage("Design", "CA1001", Justification = "Neither has a timer or a handle, and sessions look at both after the lease has ended.")]
public sealed class LeaseService
{
    // A container is made in seconds; a user who waits longer is told to come back.
    private static readonly TimeSpan StartPatience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan FirstRetry = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestRetry = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan ProgressInterval = TimeSpan.FromSeconds(1);

    // A container that stops again and again is started no more often than this.
    private static readonly TimeSpan RestartInterval = TimeSpan.FromSeconds(5);

    private readonly ILeaseContainers _containers;
    private readonly IServiceGate _gate;
    private readonly string _root;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly ConcurrentDictionary<SshServerConnection, bool> _connections = new();
    private readonly CancellationTokenSource _ended = new();
    private readonly SemaphoreSlim _ensuring = new(1, 1);
    private readonly Lock _statusGate = new();
    private TaskCompletionSource<ILeaseContainer> _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private LeaseRecord _record;
    private ServiceState _state = ServiceState.Starting;
    private string _message = "";
    private string _pauseReason = "";
    private TaskCompletionSource? _paused;
    private TaskCompletionSource _outOfMemory = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TaskCompletionSource _failed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TaskCompletionSource _retry = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _restartedAt;
    private long _bytesIn;
    private long _bytesOut;
    private int _ending;

    internal LeaseService(LeaseRecord record, ILeaseContainers containers, IServiceGate gate, string root, TimeProvider time, ILogger logger)
    {
        (_record, _containers, _gate, _root, _time, _logger) = (record, containers, gate, root, time, logger);
    }

    /// <summary>The lease's number.</summary>
    public ulong Id => _record.Id;

    /// <summary>The record as it stands now.</summary>
    public LeaseRecord Record => Volatile.Read(ref _record);

    /// <summary>What the gateway is doing with it.</summary>
    public ServiceState State
    {
        get
        {
            lock (_statusGate)
            {
                return _state;
            }
        }
    }

    /// <summary>Why it is not served, for a person; empty when all is well.</summary>
    public string Message
    {
        get
        {
            lock (_statusGate)
            {
                return _message;
            }
        }
    }

    /// <summary>The connections that are open.</summary>
    public ICollection<SshServerConnection> Connections => _connections.Keys;

    /// <summary>Set when the lease is over.</summary>
    public CancellationToken Ended => _ended.Token;

    /// <summary>Bytes from clients since the gateway started.</summary>
    public ulong BytesIn => (ulong)Interlocked.Read(ref _bytesIn);

    /// <summary>Bytes to clients since the gateway started.</summary>
    public ulong BytesOut => (ulong)Interlocked.Read(ref _bytesOut);

    /// <summary>The container, once it is there; null before.</summary>
    public ILeaseContainer? Container => _ready.Task.IsCompletedSuccessfully ? _ready.Task.Result : null;

    internal void CountIn(int bytes) => Interlocked.Add(ref _bytesIn, bytes);

    internal void CountOut(int bytes) => Interlocked.Add(ref _bytesOut, bytes);

    internal void Update(LeaseRecord record)
    {
        Volatile.Write(ref _record, record);
        _gate.OnLeaseChanged(this);
    }

    internal void Add(SshServerConnection connection)
    {
        _connections[connection] = true;
        _gate.OnConnected(this, connection);
    }

    internal void Remove(SshServerConnection connection)
    {
        _connections.TryRemove(connection, out _);
        _gate.OnDisconnected(this, connection);
    }

    /// <summary>Makes the container and keeps trying until it is there or the lease is over.</summary>
    internal async Task StartAsync()
    {
        var delay = FirstRetry;
        while (!_ended.IsCancellationRequested)
        {
            try
            {
                await EnsureAsync(_ended.Token).ConfigureAwait(false);
                return;
            }
            catch (IOException error)
            {
                GatewayLog.ContainerFailed(_logger, Id, error.Message, delay.TotalSeconds);
                Fail(error.Message);
            }
            catch (OperationCanceledException)
            {
                return;
            }

            await Task.WhenAny(Volatile.Read(ref _retry).Task, Task.Delay(delay, _time, _ended.Token)).ConfigureAwait(false);
            delay = delay * 2 < LongestRetry ? delay * 2 : LongestRetry;
        }
    }

    /// <summary>Starts a process for a session, as soon as the lease may be served.</summary>
    /// <exception cref="ExecException">It was not started; the message is for the user and says what to do.</exception>
    public Task<ContainerProcess> RunAsync(SshServerConnection connection, ExecRequest request, CancellationToken cancellation) =>
        UseAsync(connection, container => container.StartAsync(request, cancellation), cancellation);

    /// <summary>
    /// Has something done with the container, as soon as the lease may be served on this connection. A container that stopped (killed for memory, or by a restart of the engine) is
    /// started again.
    /// </summary>
    /// <exception cref="ExecException">It can't be done; the message is for the user and says what to do.</exception>
    internal async Task<T> UseAsync<T>(SshServerConnection connection, Func<ILeaseContainer, Task<T>> action, CancellationToken cancellation)
    {
        await AdmitAsync(connection, cancellation).ConfigureAwait(false);
        var container = await ReadyAsync(cancellation).ConfigureAwait(false);
        try
        {
            return await action(container).ConfigureAwait(false);
        }
        catch (IOException error) when (error is ExecException { Failure: ExecFailure.NotRunning } or { InnerException: ExecException { Failure: ExecFailure.NotRunning } })
        {
            GatewayLog.ContainerStopped(_logger, Id);
            container = await RecoverAsync(container, cancellation).ConfigureAwait(false);
            return await action(container).ConfigureAwait(false);
        }
    }

    /// <summary>Completes at once while the lease is served, else when it is again: what the gateway itself does for a lease stands still with its container.</summary>
    internal ValueTask WaitWhilePausedAsync(CancellationToken cancellation) =>
        Volatile.Read(ref _paused) is { } paused ? new ValueTask(paused.Task.WaitAsync(cancellation)) : ValueTask.CompletedTask;

    /// <summary>Completes when the kernel next kills a process of the container because its memory is used up.</summary>
    internal Task OutOfMemory => Volatile.Read(ref _outOfMemory).Task;

    /// <summary>The kernel killed a process of the container for memory.</summary>
    internal void OnOutOfMemory()
    {
        GatewayLog.OutOfMemory(_logger, Id, Record.Container.MemoryBytes);
        Interlocked.Exchange(ref _outOfMemory, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
    }

    /// <summary>The container may have stopped (its end was told, or the engine was away): if so it is started again, services and published ports included, before anybody asks.</summary>
    internal async Task CheckAsync()
    {
        // Who waits for an engine that was away need not wait longer.
        Interlocked.Exchange(ref _retry, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
        if (Container is not { } container)
        {
            return;
        }

        try
        {
            if (!await container.IsRunningAsync(_ended.Token).ConfigureAwait(false) && !_ended.IsCancellationRequested)
            {
                GatewayLog.ContainerStopped(_logger, Id);
                var before = Interlocked.Exchange(ref _restartedAt, _time.GetTimestamp());
                if (before != 0 && _time.GetElapsedTime(before) < RestartInterval)
                {
                    await Task.Delay(RestartInterval, _time, _ended.Token).ConfigureAwait(false);
                }

                await RecoverAsync(container, _ended.Token).ConfigureAwait(false);
            }
        }
        catch (IOException)
        {
            // Logged where it was tried, and tried again there; or the engine does not answer, and is asked again when it is back.
        }
        catch (OperationCanceledException)
        {
            // The lease ended meanwhile.
        }
    }

    /// <summary>Waits until the lease may be served on this connection.</summary>
    /// <exception cref="ExecException">It may not; the message says why and what to run.</exception>
    public async Task AdmitAsync(SshServerConnection connection, CancellationToken cancellation)
    {
        if (_ended.IsCancellationRequested)
        {
            throw new ExecException(ExecFailure.NotRunning, $"{Record.Name} is over.");
        }

        if (await _gate.AdmitAsync(this, connection, cancellation).ConfigureAwait(false) is { } refusal)
        {
            throw new ExecException(ExecFailure.Paused, refusal);
        }
    }

    /// <summary>The container, waiting for it while it is being made.</summary>
    /// <exception cref="ExecException">It can't be had; the message is for the user.</exception>
    public async Task<ILeaseContainer> ReadyAsync(CancellationToken cancellation)
    {
        // Whoever comes while it can't be had has it tried once more at once, and is told what came of it.
        var (ready, failed) = (_ready.Task, Volatile.Read(ref _failed).Task);
        if (State == ServiceState.Failed)
        {
            Interlocked.Exchange(ref _retry, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
        }

        await Task.WhenAny(ready, failed, Task.Delay(StartPatience, _time, cancellation)).ConfigureAwait(false);
        cancellation.ThrowIfCancellationRequested();
        if (ready.IsCompleted)
        {
            return await ready.ConfigureAwait(false);
        }

        var message = Message;
        throw new ExecException(
            ExecFailure.Unavailable,
            $"{Record.Name}: the container is not ready{(message.Length > 0 ? ": " + message : ".")} It is tried again by itself; come back in a minute.");
    }

    /// <summary>Freezes the container until <see cref="ResumeAsync"/>; connections stay.</summary>
    /// <param name="reason">Why, for a person.</param>
    /// <param name="cancellation">Ends the wait for the engine.</param>
    public async Task PauseAsync(string reason, CancellationToken cancellation)
    {
        _pauseReason = reason;
        Interlocked.CompareExchange(ref _paused, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), null);
        if (Container is { } container)
        {
            await container.PauseAsync(cancellation).ConfigureAwait(false);
        }

        SetState(ServiceState.Paused, reason);
    }

    /// <summary>Lets a frozen container go on.</summary>
    public async Task ResumeAsync(CancellationToken cancellation)
    {
        _pauseReason = "";
        if (Container is { } container)
        {
            await container.ResumeAsync(cancellation).ConfigureAwait(false);
            SetState(ServiceState.Serving, "");
        }

        Interlocked.Exchange(ref _paused, null)?.TrySetResult();
    }

    /// <summary>Ends the lease: its connections are closed and its container removed.</summary>
    /// <param name="reason">Why, for its users.</param>
    internal async Task EndAsync(string reason)
    {
        if (Interlocked.Exchange(ref _ending, 1) != 0)
        {
            return;
        }

        await _gate.OnEndingAsync(this, reason).ConfigureAwait(false);

        // The reason goes out before sessions end for it: a client whose last session has ended leaves without reading on.
        await DisconnectAllAsync(reason).ConfigureAwait(false);
        await _ended.CancelAsync().ConfigureAwait(false);

        // Those that came meanwhile; a connection takes the first reason only.
        await DisconnectAllAsync(reason).ConfigureAwait(false);
        await _ensuring.WaitAsync().ConfigureAwait(false);
        try
        {
            if (Container is { } container)
            {
                using var limit = new CancellationTokenSource(StartPatience, _time);
                await container.RemoveAsync(limit.Token).ConfigureAwait(false);
            }

            SetState(ServiceState.Ended, reason);
        }
        catch (Exception error) when (error is IOException or OperationCanceledException)
        {
            // Found by its label and removed when the gateway starts next.
            GatewayLog.RemovalFailed(_logger, Id, error.Message);
            SetState(ServiceState.Ended, reason);
        }
        finally
        {
            _ensuring.Release();
        }
    }

    private async Task DisconnectAllAsync(string reason)
    {
        foreach (var connection in _connections.Keys)
        {
            await connection.DisconnectAsync(DisconnectReason.ByApplication, reason).ConfigureAwait(false);
        }
    }

    private async Task<ILeaseContainer> EnsureAsync(CancellationToken cancellation)
    {
        await _ensuring.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            if (Container is { } present)
            {
                return present;
            }

            var progress = new StartProgress(this);
            var container = await _containers.EnsureAsync(Record, progress, cancellation).ConfigureAwait(false);
            if (_pauseReason.Length > 0)
            {
                await container.PauseAsync(cancellation).ConfigureAwait(false);
            }

            _ready.TrySetResult(container);
            SetState(_pauseReason.Length > 0 ? ServiceState.Paused : ServiceState.Serving, _pauseReason);
            return container;
        }
        finally
        {
            _ensuring.Release();
        }
    }

    private async Task<ILeaseContainer> RecoverAsync(ILeaseContainer stopped, CancellationToken cancellation)
    {
        await _ensuring.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            // Another session may have recovered it meanwhile.
            if (ReferenceEquals(Container, stopped))
            {
                _ready = new TaskCompletionSource<ILeaseContainer>(TaskCreationOptions.RunContinuationsAsynchronously);
                SetState(ServiceState.Starting, "the container stopped and is started again");
            }
        }
        finally
        {
            _ensuring.Release();
        }

        try
        {
            return await EnsureAsync(cancellation).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // The session is gone that waited for it; the next one must find it started.
            _ = StartAsync();
            throw;
        }
        catch (IOException error) when (error is not ExecException)
        {
            Fail(error.Message);
            _ = StartAsync();
            throw new ExecException(ExecFailure.Unavailable, $"{Record.Name}: the container stopped and can't be started again: {error.Message}", error);
        }
    }

    private void Fail(string message)
    {
        SetState(ServiceState.Failed, message);
        Interlocked.Exchange(ref _failed, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
    }

    private void SetState(ServiceState state, string message)
    {
        lock (_statusGate)
        {
            // Progress reports arrive late: only what is being started takes them.
            if (state == ServiceState.Starting && _state is ServiceState.Serving or ServiceState.Ended && _ready.Task.IsCompletedSuccessfully)
            {
                return;
            }

            (_state, _message) = (state, message);
            try
            {
                FileLeaseDirectory.WriteStatus(_root, new LeaseStatus
                {
                    Id = Id,
                    Service = state,
                    Container = Container?.Id ?? "",
                    Message = message,
                    At = _time.GetUtcNow(),
                });
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                // The lease is served all the same: status is for people and scripts.
                GatewayLog.StatusNotWritten(_logger, Id, error.Message);
            }
        }
    }

    /// <summary>Shows what goes on while the container is made; in order, and at most once a second, because every status is written to disk.</summary>
    private sealed class StartProgress(LeaseService lease) : IProgress<string>
    {
        private long _last;

        public void Report(string value)
        {
            if (_last == 0 || lease._time.GetElapsedTime(_last) >= ProgressInterval)
            {
                _last = lease._time.GetTimestamp();
                lease.SetState(ServiceState.Starting, value);
            }
        }
    }
}

/// <summary>Decides whether a lease may be served: payment, on a lease that is paid for.</summary>
public interface IServiceGate
{
    /// <summary>Waits until the lease may be served on this connection.</summary>
    /// <returns>Null: it may; else why not and what to run, in one line for the user.</returns>
    ValueTask<string?> AdmitAsync(LeaseService lease, SshServerConnection connection, CancellationToken cancellation);

    /// <summary>A connection to the lease was authenticated.</summary>
    void OnConnected(LeaseService lease, SshServerConnection connection);

    /// <summary>A connection to the lease is over.</summary>
    void OnDisconnected(LeaseService lease, SshServerConnection connection);

    /// <summary>The lease's record changed.</summary>
    void OnLeaseChanged(LeaseService lease);

    /// <summary>The lease is about to end; its connections are still open.</summary>
    ValueTask OnEndingAsync(LeaseService lease, string reason);
}
