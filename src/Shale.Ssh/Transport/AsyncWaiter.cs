using System.Threading.Tasks.Sources;

namespace Shale.Ssh.Transport;

/// <summary>
/// A wait that is used over and over without allocating: arm it, make sure that what is waited for did not happen meanwhile, then await. One waits at a time; anyone may complete it.
/// </summary>
internal sealed class AsyncWaiter : IValueTaskSource<bool>
{
    private readonly bool _runInline;
    private ManualResetValueTaskSourceCore<bool> _core;
    private CancellationTokenRegistration _registration;
    private int _armed;
    private volatile bool _abandoned;

    /// <param name="runInline">Whether the one who completes the wait runs what follows it, rather than the thread pool.</param>
    public AsyncWaiter(bool runInline = false) => _runInline = runInline;

    /// <summary>Whether whoever waits with this wants nothing more, for good.</summary>
    public bool IsAbandoned => _abandoned;

    /// <summary>Whether a wait has begun, or is about to, that nobody has ended.</summary>
    public bool IsArmed => Volatile.Read(ref _armed) != 0;

    /// <summary>Ends the wait, if there is one, and every later attempt at what was waited for.</summary>
    public void Abandon()
    {
        _abandoned = true;
        TryComplete(false);
    }

    /// <summary>Gets ready. From here on <see cref="TryComplete"/> counts.</summary>
    public void Arm()
    {
        _core.Reset();
        Volatile.Write(ref _armed, 1);
    }

    /// <summary>Waits for <see cref="TryComplete"/>.</summary>
    /// <param name="cancellationToken">Completes the wait with <see langword="false"/>.</param>
    /// <returns>What it was completed with.</returns>
    public ValueTask<bool> WaitAsync(CancellationToken cancellationToken)
    {
        if (cancellationToken.CanBeCanceled)
        {
            _registration = cancellationToken.UnsafeRegister(static waiter => ((AsyncWaiter)waiter!).TryComplete(false), this);
        }

        return new ValueTask<bool>(this, _core.Version);
    }

    /// <summary>Ends the wait.</summary>
    /// <param name="result">What the wait is told.</param>
    /// <param name="inline">Whether what follows it runs in this call.</param>
    /// <returns>Whether there was one that nobody else had ended.</returns>
    public bool TryComplete(bool result, bool inline = false)
    {
        if (Interlocked.Exchange(ref _armed, 0) == 0)
        {
            return false;
        }

        _core.RunContinuationsAsynchronously = !(inline || _runInline);
        _core.SetResult(result);
        return true;
    }

    bool IValueTaskSource<bool>.GetResult(short token)
    {
        _registration.Dispose();
        _registration = default;
        return _core.GetResult(token);
    }

    ValueTaskSourceStatus IValueTaskSource<bool>.GetStatus(short token) => _core.GetStatus(token);

    void IValueTaskSource<bool>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags);
}
