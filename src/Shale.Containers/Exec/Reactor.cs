using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Threading.Tasks.Sources;
using Microsoft.Win32.SafeHandles;

namespace Shale.Containers.Exec;

/// <summary>
/// One thread that waits in epoll for all pipes, terminals and control sockets of this process, edge-triggered. The base class
/// library does this for sockets only; a FileStream over a pipe or a terminal would hold a thread for every waiting read.
/// </summary>
internal sealed unsafe class Reactor
{
    private const int EventsPerWait = 128;

    private static readonly Lazy<Reactor> LazyShared = new(() => new Reactor());

    [ThreadStatic]
    private static bool s_isThisThread;

    private readonly SafeFileHandle _epoll = Native.CreateEpoll();
    private readonly ConcurrentDictionary<long, PolledHandle> _handles = new();
    private long _nextKey;

    private Reactor() => new Thread(Run) { IsBackground = true, Name = "shale-epoll" }.Start();

    public static Reactor Shared => LazyShared.Value;

    /// <summary>Whether the caller runs on the reactor's thread, which all descriptors share and nobody may keep.</summary>
    public static bool IsCurrent => s_isThisThread;

    public long Add(PolledHandle handle)
    {
        var key = Interlocked.Increment(ref _nextKey);
        _handles[key] = handle;
        var change = stackalloc byte[EpollEvents.Size];
        new EpollEvents(new Span<byte>(change, EpollEvents.Size))[0] = (Native.EPOLLIN | Native.EPOLLOUT | Native.EPOLLRDHUP | Native.EPOLLET, key);
        if (Native.EpollControl(_epoll, Native.EPOLL_CTL_ADD, handle.Fd, change) < 0)
        {
            var error = Native.LastError;
            _handles.TryRemove(key, out _);
            throw Native.Failure("epoll_ctl", error);
        }

        return key;
    }

    public void Remove(long key, SafeHandle fd)
    {
        if (_handles.TryRemove(key, out _))
        {
            Native.EpollControl(_epoll, Native.EPOLL_CTL_DEL, fd, null);
        }
    }

    private void Run()
    {
        s_isThisThread = true;
        var memory = stackalloc byte[EventsPerWait * EpollEvents.Size];
        var events = new EpollEvents(new Span<byte>(memory, EventsPerWait * EpollEvents.Size));
        while (true)
        {
            var count = Native.EpollWait(_epoll, memory, EventsPerWait, -1);
            for (var i = 0; i < count; i++)
            {
                var (what, key) = events[i];
                if (!_handles.TryGetValue(key, out var handle))
                {
                    continue;
                }

                var ended = (what & (Native.EPOLLHUP | Native.EPOLLERR)) != 0;
                if (ended || (what & (Native.EPOLLIN | Native.EPOLLRDHUP)) != 0)
                {
                    handle.Readable.Set();
                }

                if (ended || (what & Native.EPOLLOUT) != 0)
                {
                    handle.Writable.Set();
                }
            }
        }
    }
}

/// <summary>A non-blocking descriptor with the two things one can wait for.</summary>
internal sealed class PolledHandle : IDisposable
{
    private readonly IDisposable _owner;
    private readonly long _key;
    private int _disposed;

    /// <summary>Takes the descriptor over.</summary>
    /// <param name="fd">The descriptor; it must be non-blocking.</param>
    /// <param name="owner">What closes it, where it is not closed by itself.</param>
    public PolledHandle(SafeHandle fd, IDisposable? owner = null)
    {
        Fd = fd;
        _owner = owner ?? fd;
        _key = Reactor.Shared.Add(this);
    }

    public SafeHandle Fd { get; }

    public ReadinessSignal Readable { get; } = new();

    public ReadinessSignal Writable { get; } = new();

    public bool IsClosed => Volatile.Read(ref _disposed) != 0;

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
        {
            // First out of the reactor, then closed: its number may be another's at once.
            Reactor.Shared.Remove(_key, Fd);
            _owner.Dispose();
            Readable.Set();
            Writable.Set();
        }
    }
}

/// <summary>An edge that one waiter at a time consumes; an edge that nobody waits for is kept, once.</summary>
internal sealed class ReadinessSignal : IValueTaskSource
{
    private readonly Lock _lock = new();
    private ManualResetValueTaskSourceCore<bool> _core;
    private CancellationTokenRegistration _registration;
    private bool _signaled;
    private bool _waiting;
    private bool _inline;

    /// <param name="cancellationToken">Ends the wait.</param>
    /// <param name="inline">Whether what follows may run on the reactor's thread: it returns at once, and says so by looking at <see cref="Reactor.IsCurrent"/>.</param>
    public ValueTask WaitAsync(CancellationToken cancellationToken, bool inline = false)
    {
        short version;
        lock (_lock)
        {
            if (_signaled)
            {
                _signaled = false;
                return ValueTask.CompletedTask;
            }

            if (_waiting)
            {
                throw new InvalidOperationException("Only one read and one write may wait at a time.");
            }

            _waiting = true;
            _inline = inline;
            _core.Reset();
            version = _core.Version;
        }

        if (cancellationToken.CanBeCanceled)
        {
            _registration = cancellationToken.UnsafeRegister(static (state, token) => ((ReadinessSignal)state!).Cancel(token), this);
        }

        return new ValueTask(this, version);
    }

    public void Set()
    {
        lock (_lock)
        {
            if (!_waiting)
            {
                _signaled = true;
                return;
            }

            _waiting = false;
            _core.RunContinuationsAsynchronously = !(_inline && Reactor.IsCurrent);
        }

        _core.SetResult(true);
    }

    void IValueTaskSource.GetResult(short token)
    {
        // Dispose waits for a callback that runs now, so that it can't cancel the next wait.
        _registration.Dispose();
        _registration = default;
        _core.GetResult(token);
    }

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _core.GetStatus(token);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags);

    private void Cancel(CancellationToken token)
    {
        lock (_lock)
        {
            if (!_waiting)
            {
                return;
            }

            _waiting = false;
            _core.RunContinuationsAsynchronously = true;
        }

        _core.SetException(new OperationCanceledException(token));
    }
}
