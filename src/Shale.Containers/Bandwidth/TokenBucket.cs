namespace Shale.Containers.Bandwidth;

/// <summary>
/// Bytes a second with a small burst. Taking may go into debt by what is taken at once, so any size can be taken; whoever comes next waits
/// until the debt is paid. Safe for many takers; they are served in turn.
/// </summary>
#pragma warning disable CA1001 // a SemaphoreSlim whose wait handle nobody asks for holds nothing to dispose
public sealed class TokenBucket
#pragma warning restore CA1001
{
    /// <summary>What may pass at once after a pause: so much time's worth, so that the rate holds over any tenth of a second.</summary>
    private static readonly TimeSpan Burst = TimeSpan.FromMilliseconds(50);

    /// <summary>A keystroke and its echo fit; see <see cref="TakeAsync"/>.</summary>
    private const int SmallTake = 1024;

    /// <summary>A changed rate is noticed by waiters within this time.</summary>
    private static readonly TimeSpan LongestWait = TimeSpan.FromMilliseconds(50);

    private readonly TimeProvider _time;
    private readonly Lock _lock = new();
    private readonly SemaphoreSlim _turn = new(1, 1);
    private double _rate;
    private double _balance;
    private long _stamp;
    private long _taken;
    private bool _waited;

    /// <summary>Makes one that is full.</summary>
    /// <param name="bytesPerSecond">The rate, positive.</param>
    /// <param name="time">The clock.</param>
    public TokenBucket(double bytesPerSecond, TimeProvider time)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(bytesPerSecond);
        ArgumentNullException.ThrowIfNull(time);
        _time = time;
        _rate = bytesPerSecond;
        _balance = BurstBytes;
        _stamp = time.GetTimestamp();
    }

    /// <summary>Bytes a second.</summary>
    public double Rate
    {
        get
        {
            lock (_lock)
            {
                return _rate;
            }
        }

        set
        {
            ArgumentOutOfRangeException.ThrowIfNegativeOrZero(value);
            lock (_lock)
            {
                Refill();
                _rate = value;
                _balance = Math.Min(_balance, BurstBytes);
            }
        }
    }

    private double BurstBytes => _rate * Burst.TotalSeconds;

    /// <summary>
    /// Takes bytes, waiting until what was taken before is paid. Takes of up to 1 KiB pass at once while the debt is small, so that a
    /// keystroke does not queue behind bulk; they are counted all the same.
    /// </summary>
    public ValueTask TakeAsync(int bytes, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        lock (_lock)
        {
            Refill();
            if ((bytes <= SmallTake && _balance > -BurstBytes) || (_balance > 0 && _turn.CurrentCount > 0))
            {
                Take(bytes);
                return ValueTask.CompletedTask;
            }

            _waited = true;
        }

        return WaitAsync(bytes, cancellationToken);
    }

    /// <summary>Bytes taken since the last call, and whether someone had to wait for them.</summary>
    internal (long Taken, bool Waited) Drain()
    {
        lock (_lock)
        {
            var result = (_taken, _waited || _turn.CurrentCount == 0);
            _taken = 0;
            _waited = false;
            return result;
        }
    }

    private async ValueTask WaitAsync(int bytes, CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            while (true)
            {
                TimeSpan wait;
                lock (_lock)
                {
                    Refill();
                    if (_balance >= 0)
                    {
                        Take(bytes);
                        return;
                    }

                    wait = TimeSpan.FromSeconds(Math.Min(-_balance / _rate, LongestWait.TotalSeconds)) + TimeSpan.FromMilliseconds(1);
                }

                await Task.Delay(wait, _time, cancellationToken).ConfigureAwait(false);
            }
        }
        finally
        {
            _turn.Release();
        }
    }

    private void Take(int bytes)
    {
        _balance -= bytes;
        _taken += bytes;
    }

    private void Refill()
    {
        var now = _time.GetTimestamp();
        _balance = Math.Min(_balance + (_time.GetElapsedTime(_stamp, now).TotalSeconds * _rate), BurstBytes);
        _stamp = now;
    }
}
