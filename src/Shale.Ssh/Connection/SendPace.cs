namespace Shale.Ssh.Connection;

/// <summary>
/// How much of a channel's data may be on its way while other channels share the connection: what the peer takes in two of its shortest round trips. More would wait in the peer's socket,
/// before what the other channels send; a window of OpenSSH's 2 MiB is several milliseconds of that. A round trip is from sending a byte to SSH_MSG_CHANNEL_WINDOW_ADJUST for it.
/// Safe for use from several threads at once.
/// </summary>
internal sealed class SendPace(TimeProvider time)
{
    /// <summary>What may always be on its way: more than a reader and a sender that take turns on few cores need.</summary>
    private const int Floor = 512 * 1024;

    /// <summary>What may be on its way while the shortest round trip is measured, so that it is not that of a queue of ours.</summary>
    private const int DrainedFloor = 192 * 1024;

    /// <summary>Less room than this is waited for until it is more: no small packets for the sake of it.</summary>
    private const int LeastPiece = 32 * 1024;

    private static readonly TimeSpan MeasureEvery = TimeSpan.FromSeconds(10);

    private readonly Lock _gate = new();
    private long _sent;
    private long _credited;
    private long _smallestCredit = long.MaxValue;
    private long _mark;
    private long _markedAt;
    private long _creditedAtMark;
    private long _measuredAt;
    private double _shortest;
    private double _rate;
    private bool _isMeasuring = true;
    private bool _isOff;

    private bool HasCredit => _smallestCredit != long.MaxValue;

    /// <summary>Bytes that may be on their way now.</summary>
    private long Limit => _isMeasuring
        ? Math.Max(DrainedFloor, 2 * _smallestCredit)
        : Math.Max(Math.Max(Floor, 4 * _smallestCredit), (long)(2 * _rate * _shortest));

    /// <summary>How much of what is wanted may be sent now.</summary>
    public int Allow(int wanted)
    {
        lock (_gate)
        {
            // Before the first credit it is not known how much a peer wants to have before it gives any; some wait for half of their window. No credit is smaller than that.
            if (_isOff || !HasCredit)
            {
                return wanted;
            }

            var room = Limit - (_sent - _credited);
            return room >= wanted ? wanted : room >= LeastPiece ? (int)room : 0;
        }
    }

    /// <summary>Takes note of what is sent.</summary>
    public void OnSent(int count)
    {
        lock (_gate)
        {
            _sent += count;
            if (_mark == 0 && HasCredit && (!_isMeasuring || _sent - _credited <= Limit))
            {
                (_mark, _markedAt, _creditedAtMark) = (_sent, time.GetTimestamp(), _credited);
            }
        }
    }

    /// <summary>Takes back what was noted and not sent after all.</summary>
    public void OnNotSent(int count)
    {
        lock (_gate)
        {
            _sent -= count;
        }
    }

    /// <summary>The peer opened its window by this.</summary>
    public void OnCredit(long count)
    {
        lock (_gate)
        {
            _credited += count;
            _smallestCredit = Math.Min(_smallestCredit, count);
            if (_mark == 0 || _credited < _mark)
            {
                return;
            }

            var taken = time.GetElapsedTime(_markedAt).TotalSeconds;
            _mark = 0;
            if (_isMeasuring)
            {
                (_shortest, _isMeasuring, _measuredAt) = (taken, false, time.GetTimestamp());
                return;
            }

            _shortest = Math.Min(_shortest, taken);
            _rate = Math.Max((_credited - _creditedAtMark) / Math.Max(taken, 1e-6), 0.9 * _rate);

            // The way may have become a longer one.
            _isMeasuring = time.GetElapsedTime(_measuredAt) > MeasureEvery;
        }
    }

    /// <summary>No credit has come for long although so much is on its way: whatever this peer does, it is not to wait for us.</summary>
    public void GiveUp()
    {
        lock (_gate)
        {
            _isOff = true;
        }
    }
}
