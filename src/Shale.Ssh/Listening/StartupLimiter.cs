namespace Shale.Ssh.Listening;

/// <summary>Counts unauthenticated connections and refuses new ones as <see cref="MaxStartups"/> says. Safe for use from several threads at once.</summary>
internal sealed class StartupLimiter(MaxStartups limits, Func<int, int> random)
{
    private readonly Lock _gate = new();
    private int _count;

    public int Count
    {
        get
        {
            lock (_gate)
            {
                return _count;
            }
        }
    }

    /// <summary>Lets a connection in, or not; whoever is let in calls <see cref="Leave"/> once, when authenticated or gone.</summary>
    public bool TryEnter()
    {
        lock (_gate)
        {
            if (_count >= limits.Full || (_count >= limits.Start && random(100) < RefusalPercent(limits, _count)))
            {
                return false;
            }

            _count++;
            return true;
        }
    }

    public void Leave()
    {
        lock (_gate)
        {
            _count--;
        }
    }

    /// <summary>OpenSSH's should_drop_connection: from the rate at start linearly to 100 at full.</summary>
    internal static int RefusalPercent(MaxStartups limits, int count)
    {
        if (count < limits.Start)
        {
            return 0;
        }

        if (count >= limits.Full || limits.RatePercent == 100)
        {
            return 100;
        }

        return limits.RatePercent + ((100 - limits.RatePercent) * (count - limits.Start) / (limits.Full - limits.Start));
    }
}
