using Shale.Containers.Exec;

namespace Shale.Containers.Files;

/// <summary>
/// Makes the calls of one session with the rights of one user of one container, one at a time, and waits in them as long as the disk takes. They are made on a thread of
/// the session's own, which also goes on with what a call was made for; or, where whoever asks may be kept waiting, at once on the thread that read his request
/// (<see cref="Reactor.TryLeave"/>).
/// </summary>
internal sealed class UserCalls : IDisposable
{
    [ThreadStatic]
    private static UserCalls? s_ofThisThread;

    private readonly UserRights _rights;
    private readonly WorkQueue _work = new();
    private readonly Lock _oneAtATime = new();
    private readonly string _name;
    private long _changes;
    private int _underWay;
    private bool _hasThread;

    /// <summary>Looks whether the user's rights can be had; a thread is made when it is needed.</summary>
    /// <param name="user">Whose rights the calls have.</param>
    /// <param name="name">Of the thread, for debuggers.</param>
    /// <exception cref="IOException">This process may not act for that user.</exception>
    public UserCalls(ContainerUser user, string name)
    {
        (User, _name) = (user, name);
        _rights = new UserRights(user);
        _rights.Use(static () => true);
    }

    public ContainerUser User { get; }

    /// <summary>Whether calls may keep the caller's thread, which then serves nothing else meanwhile; asked before each.</summary>
    public Func<bool> CallerMayWait { get; set; } = static () => false;

    /// <summary>Counts what this session changed in files, so that nothing read before is taken for what is there after.</summary>
    public long Changes => Interlocked.Read(ref _changes);

    public void NoteChange() => Interlocked.Increment(ref _changes);

    /// <summary>Makes a call, after those that were asked for before. What follows it has the process's rights.</summary>
    /// <param name="call">Touches files, and nothing else.</param>
    /// <param name="cancellationToken">Ends the wait for its turn.</param>
    /// <param name="isBulk">Whether it is so long that the caller's thread has better to do.</param>
    public ValueTask<T> RunAsync<T>(Func<T> call, CancellationToken cancellationToken, bool isBulk = false)
    {
        var here = s_ofThisThread == this || (!isBulk && Reactor.IsOwnThread && CallerMayWait());
        if (here && Interlocked.CompareExchange(ref _underWay, 1, 0) == 0)
        {
            if (Reactor.TryLeave())
            {
                return Here(call, cancellationToken);
            }

            Interlocked.Decrement(ref _underWay);
        }

        return Queue(call, cancellationToken);
    }

    /// <summary>Takes no more calls; those that were asked for are made.</summary>
    public void Dispose() => _work.End();

    private ValueTask<T> Here<T>(Func<T> call, CancellationToken cancellationToken)
    {
        try
        {
            ObjectDisposedException.ThrowIf(_work.HasEnded, this);
            return ValueTask.FromResult(Make(call, cancellationToken));
        }
#pragma warning disable CA1031 // whatever it is belongs to the caller
        catch (Exception e)
#pragma warning restore CA1031
        {
            return ValueTask.FromException<T>(e);
        }
        finally
        {
            Interlocked.Decrement(ref _underWay);
        }
    }

    private ValueTask<T> Queue<T>(Func<T> call, CancellationToken cancellationToken)
    {
        // What follows runs where it is completed: on the session's thread.
        var done = new TaskCompletionSource<T>();
        Interlocked.Increment(ref _underWay);
        try
        {
            _work.Add(() => Complete(call, done, cancellationToken));
        }
        catch (InvalidOperationException)
        {
            Interlocked.Decrement(ref _underWay);
            throw new ObjectDisposedException(nameof(UserCalls));
        }

        if (!Interlocked.Exchange(ref _hasThread, true))
        {
            new Thread(Run) { IsBackground = true, Name = _name }.Start();
        }

        return new ValueTask<T>(done.Task);
    }

    private void Complete<T>(Func<T> call, TaskCompletionSource<T> done, CancellationToken cancellationToken)
    {
        T result;
        try
        {
            result = Make(call, cancellationToken);
        }
#pragma warning disable CA1031 // whatever it is belongs to the caller; the thread has to go on
        catch (Exception e)
#pragma warning restore CA1031
        {
            Interlocked.Decrement(ref _underWay);
            done.TrySetException(e);
            return;
        }

        Interlocked.Decrement(ref _underWay);
        done.TrySetResult(result);
    }

    private T Make<T>(Func<T> call, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        lock (_oneAtATime)
        {
            return _rights.Use(call);
        }
    }

    private void Run()
    {
        FileMask.TakeForThisThread();
        s_ofThisThread = this;
        while (_work.TryTake(out var work))
        {
            work();
        }
    }
}
