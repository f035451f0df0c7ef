namespace Shale.Ssh.Connection;

/// <summary>How much the peer lets us send on a channel (RFC 4254 section 5.2). Safe for use from several threads at once.</summary>
internal sealed class SendWindow(uint initial)
{
    private readonly Lock _gate = new();
    private uint _available = initial;

    public uint Available
    {
        get
        {
            lock (_gate)
            {
                return _available;
            }
        }
    }

    /// <summary>Takes as much as there is.</summary>
    /// <param name="wanted">At most this, in bytes; not negative.</param>
    /// <returns>How much was taken; 0 while the window is closed.</returns>
    public int Take(int wanted)
    {
        lock (_gate)
        {
            var taken = (int)Math.Min((uint)wanted, _available);
            _available -= (uint)taken;
            return taken;
        }
    }

    /// <summary>Opens the window by what SSH_MSG_CHANNEL_WINDOW_ADJUST says.</summary>
    /// <returns>Whether that is allowed: the sum must stay below 2^32.</returns>
    public bool TryGrow(uint count)
    {
        lock (_gate)
        {
            if (count > uint.MaxValue - _available)
            {
                return false;
            }

            _available += count;
            return true;
        }
    }
}

/// <summary>How much we let the peer send on a channel (RFC 4254 section 5.2). Safe for use from several threads at once.</summary>
internal sealed class ReceiveWindow
{
    /// <summary>OpenSSH's window; it bounds what one channel makes us hold.</summary>
    public const int DefaultSize = 2 * 1024 * 1024;

    /// <summary>OpenSSH's packet size.</summary>
    public const int MaxPacket = 32 * 1024;

    /// <summary>The window is opened again by no less than this, so that one message goes back for four packets, not one for each.</summary>
    public const int AdjustBatch = 128 * 1024;

    private readonly Lock _gate = new();
    private readonly int _batch;
    private int _available;
    private int _credit;

    public ReceiveWindow(int size = DefaultSize)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(size);
        _available = size;
        _batch = Math.Min(AdjustBatch, (size + 1) / 2);
    }

    /// <summary>Takes note of data that came.</summary>
    /// <returns>Whether the peer was allowed to send that much.</returns>
    public bool TryConsume(int count)
    {
        lock (_gate)
        {
            if (count > _available)
            {
                return false;
            }

            _available -= count;
            return true;
        }
    }

    /// <summary>Takes note of data that was read by whom it was for.</summary>
    /// <returns>By how much to open the window now; 0 for not yet.</returns>
    public int Credit(int count)
    {
        lock (_gate)
        {
            _credit += count;
            if (_credit < _batch)
            {
                return 0;
            }

            var adjust = _credit;
            _credit = 0;
            _available += adjust;
            return adjust;
        }
    }
}
