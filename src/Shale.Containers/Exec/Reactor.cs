using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Threading.Tasks.Sources;
using Microsoft.Win32.SafeHandles;

namespace Shale.Containers.Exec;

/// <summary>
/// A few threads that wait in epoll for all pipes, terminals and sockets of this process, for each only while somebody waits: a stream that is never waited for costs
/// no wake-up. The base class library does this for sockets only; a FileStream over a pipe or a terminal would hold a thread for every waiting read.
/// </summary>
/// <remarks>
/// What follows a wait may run on the thread that waited, without a hop to another one. While it returns soon, the thread stays one that all descriptors share. What takes
/// longer leaves first (<see cref="TryLeave"/>): the thread is then its own until it comes back, and another waits in its place.
/// </remarks>
internal sealed unsafe class Reactor
{
    /// <summary>Threads that wait at the same time: bulk of one connection, and an event of another.</summary>
    private static readonly int Waiting = Math.Max(2, Environment.ProcessorCount);

    /// <summary>Threads in all. Most may have left for as long as a disk takes; who finds none to take his place goes on in the thread pool.</summary>
    private static readonly int MaxThreads = 5 * Waiting;

    private static readonly Lazy<Reactor> LazyShared = new(() => new Reactor());

    [ThreadStatic]
    private static Role s_role;

    private readonly object _gate = new();
    private readonly SafeFileHandle _epoll = Native.CreateEpoll();
    private readonly ConcurrentDictionary<long, PolledHandle> _handles = new();
    private long _nextKey;
    private int _threads;
    private int _sharing;
    private int _parked;
    private int _called;

    private Reactor()
    {
        while (_sharing < Waiting)
        {
            Start();
        }
    }

    private enum Role
    {
        /// <summary>No thread of the reactor.</summary>
        None,

        /// <summary>All descriptors share it.</summary>
        Sharing,

        /// <summary>Others wait in its place.</summary>
        Left,
    }

    public static Reactor Shared => LazyShared.Value;

    /// <summary>Whether the caller runs on a thread that all descriptors share, which nobody may keep.</summary>
    public static bool IsSharedThread => s_role == Role.Sharing;

    /// <summary>Whether the caller runs on a thread of the reactor's, shared or not.</summary>
    public static bool IsOwnThread => s_role != Role.None;

    /// <summary>Lets another thread wait for descriptors in place of this one, until what runs here returns.</summary>
    /// <returns>Whether the caller may take his time. If not, he is to go on in the thread pool.</returns>
    public static bool TryLeave() => s_role != Role.Sharing || Shared.TryReplaceThis();

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

    /// <summary>Under the gate, but for the first ones.</summary>
    private void Start()
    {
        _threads++;
        _sharing++;
        new Thread(Run) { IsBackground = true, Name = "shale-epoll" }.Start();
    }

    private void Run()
    {
        FileMask.TakeForThisThread();
        s_role = Role.Sharing;
        var memory = stackalloc byte[EpollEvents.Size];
        var events = new EpollEvents(new Span<byte>(memory, EpollEvents.Size));
        while (true)
        {
            // One at a time: what follows may keep this thread from those behind it.
            if (Native.EpollWait(_epoll, memory, 1, -1) != 1)
            {
                continue;
            }

            var (what, key) = events[0];
            if (_handles.TryGetValue(key, out var handle))
            {
                handle.OnEvents(what);
            }

            if (s_role == Role.Left)
            {
                ComeBack();
            }
        }
    }

    private bool TryReplaceThis()
    {
        lock (_gate)
        {
            if (_sharing == 1 && _parked > 0)
            {
                _parked--;
                _called++;
                _sharing++;
                Monitor.Pulse(_gate);
            }
            else if (_sharing == 1 && _threads < MaxThreads)
            {
                Start();
            }

            if (_sharing == 1)
            {
                return false;
            }

            _sharing--;
            s_role = Role.Left;
            return true;
        }
    }

    private void ComeBack()
    {
        lock (_gate)
        {
            if (_sharing < Waiting)
            {
                _sharing++;
            }
            else
            {
                _parked++;
                while (_called == 0)
                {
                    Monitor.Wait(_gate);
                }

                _called--;
            }
        }

        s_role = Role.Sharing;
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
    /// <param name="inline">Whether what follows may run on the thread that waits: it returns soon or leaves it, and knows by <see cref="Reactor.IsSharedThread"/>.</param>
    public ValueTask WaitReadableAsync(CancellationToken cancellationToken, bool inline = false) => _readable.BeginAsync(inline, cancellationToken);

    /// <summary>Waits until there may be room to write, or nobody reads any more; at once where the handle is closed.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <param name="inline">As for <see cref="WaitReadableAsync"/>.</param>
    public ValueTask WaitWritableAsync(CancellationToken cancellationToken, bool inline = false) => _writable.BeginAsync(inline, cancellationToken);

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

        // Of two, one at a time: the reader is not to wait for what the writer does.
        _writable.Complete(write, inline: !read, hungUp ? Native.Failure("write", Native.EPIPE) : null);
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
