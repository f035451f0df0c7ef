using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Threading.Tasks.Sources;
using Microsoft.Win32.SafeHandles;

namespace Shale.Containers.Exec;

/// <summary>
/// One thread that waits in epoll for all pipes, terminals and control sockets of this process, for each only while somebody waits: a stream that is never waited for costs
/// no wake-up. The base class library does this for sockets only; a FileStream over a pipe or a terminal would hold a thread for every waiting read.
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
        if (Control(Native.EPOLL_CTL_ADD, handle.Fd, 0, key) < 0)
        {
            var error = Native.LastError;
            _handles.TryRemove(key, out _);
            throw Native.Failure("epoll_ctl", error);
        }

        return key;
    }

    /// <summary>Reports the next of these events, once; at once where it is there already.</summary>
    public void Arm(long key, SafeHandle fd, int events)
    {
        if (Control(Native.EPOLL_CTL_MOD, fd, events, key) < 0)
        {
            throw Native.Failure("epoll_ctl", Native.LastError);
        }
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

                handle.OnEvents(what);
            }
        }
    }

    private int Control(int operation, SafeHandle fd, int events, long key)
    {
        var change = stackalloc byte[EpollEvents.Size];
        new EpollEvents(new Span<byte>(change, EpollEvents.Size))[0] = (events | Native.EPOLLONESHOT, key);
        return Native.EpollControl(_epoll, operation, fd, change);
    }
}

/// <summary>A non-blocking descriptor with the two things one can wait for. A wait may end without a reason: who waits tries, and waits again.</summary>
internal sealed class PolledHandle : IDisposable
{
    private const int ReadEvents = Native.EPOLLIN | Native.EPOLLRDHUP, WriteEvents = Native.EPOLLOUT, EndEvents = Native.EPOLLHUP | Native.EPOLLERR;

    private readonly Lock _gate = new();
    private readonly IDisposable _owner;
    private readonly Wait _readable;
    private readonly Wait _writable;
    private readonly long _key;
    private bool _closed;

    /// <summary>Takes the descriptor over.</summary>
    /// <param name="fd">The descriptor; it must be non-blocking.</param>
    /// <param name="owner">What closes it, where it is not closed by itself.</param>
    public PolledHandle(SafeHandle fd, IDisposable? owner = null)
    {
        Fd = fd;
        _owner = owner ?? fd;
        _readable = new Wait(this);
        _writable = new Wait(this);
        _key = Reactor.Shared.Add(this);
    }

    public SafeHandle Fd { get; }

    public bool IsClosed
    {
        get
        {
            lock (_gate)
            {
                return _closed;
            }
        }
    }

    /// <summary>Waits until there may be something to read, or the end; at once where the handle is closed.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <param name="inline">Whether what follows may run on the reactor's thread: it returns at once, and knows by <see cref="Reactor.IsCurrent"/>.</param>
    public ValueTask WaitReadableAsync(CancellationToken cancellationToken, bool inline = false) => _readable.BeginAsync(inline, cancellationToken);

    /// <summary>Waits until there may be room to write, or nobody reads any more; at once where the handle is closed.</summary>
    public ValueTask WaitWritableAsync(CancellationToken cancellationToken) => _writable.BeginAsync(inline: false, cancellationToken);

    public void Dispose()
    {
        bool read, write;
        lock (_gate)
        {
            if (_closed)
            {
                return;
            }

            _closed = true;
            (read, write) = (_readable.TryEnd(), _writable.TryEnd());
        }

        // First out of the reactor, then closed: its number may be another's at once.
        Reactor.Shared.Remove(_key, Fd);
        _owner.Dispose();
        _readable.Complete(read, inline: false);
        _writable.Complete(write, inline: false);
    }

    /// <summary>Reactor: something happened, and nothing more is reported until it is armed again.</summary>
    internal void OnEvents(int what)
    {
        bool read, write;

        // A terminal without processes has hung up and takes nothing more, for ever: a wait for room would end at once, again and again.
        var hungUp = (what & (Native.EPOLLHUP | Native.EPOLLERR | WriteEvents)) == Native.EPOLLHUP;
        lock (_gate)
        {
            read = (what & (ReadEvents | EndEvents)) != 0 && _readable.TryEnd();
            write = (what & (WriteEvents | EndEvents)) != 0 && _writable.TryEnd();
            Arm();
        }

        _writable.Complete(write, inline: false, hungUp ? Native.Failure("write", Native.EPIPE) : null);
        _readable.Complete(read, inline: true);
    }

    private void Arm()
    {
        var events = (_readable.IsPending ? ReadEvents : 0) | (_writable.IsPending ? WriteEvents : 0);
        if (events != 0 && !_closed)
        {
            Reactor.Shared.Arm(_key, Fd, events);
        }
    }

    /// <summary>One direction's wait, of one at a time; all but <see cref="Complete"/> and the source's own calls under the handle's lock.</summary>
    private sealed class Wait(PolledHandle handle) : IValueTaskSource
    {
        private ManualResetValueTaskSourceCore<bool> _core;
        private CancellationTokenRegistration _registration;
        private bool _inline;

        public bool IsPending { get; private set; }

        public ValueTask BeginAsync(bool inline, CancellationToken cancellationToken)
        {
            short version;
            lock (handle._gate)
            {
                if (handle._closed)
                {
                    return ValueTask.CompletedTask;
                }

                if (IsPending)
                {
                    throw new InvalidOperationException("Only one read and one write may wait at a time.");
                }

                IsPending = true;
                _inline = inline;
                _core.Reset();
                version = _core.Version;
                handle.Arm();
            }

            if (cancellationToken.CanBeCanceled)
            {
                _registration = cancellationToken.UnsafeRegister(static (state, token) => ((Wait)state!).Cancel(token), this);
            }

            return new ValueTask(this, version);
        }

        /// <summary>Whether it was pending; whoever is told so completes it, outside the lock.</summary>
        public bool TryEnd()
        {
            var pending = IsPending;
            IsPending = false;
            return pending;
        }

        public void Complete(bool ended, bool inline, Exception? error = null)
        {
            if (!ended)
            {
                return;
            }

            _core.RunContinuationsAsynchronously = !(inline && _inline);
            if (error is null)
            {
                _core.SetResult(true);
            }
            else
            {
                _core.SetException(error);
            }
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
            bool ended;
            lock (handle._gate)
            {
                ended = TryEnd();
            }

            Complete(ended, inline: false, new OperationCanceledException(token));
        }
    }
}
