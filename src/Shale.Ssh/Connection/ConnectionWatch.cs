using Shale.Ssh.Listening;
using Shale.Ssh.Transport;

namespace Shale.Ssh.Connection;

/// <summary>
/// Watches a connection by the clock: asks a silent client for a sign of life, exchanges keys when their time is over, and ends the connection when an exchange hangs or the user's right has run out.
/// </summary>
internal sealed class ConnectionWatch(SshTransport transport, SshServerOptions options, GlobalRequests requests, DateTimeOffset? validUntil) : IDisposable
{
    /// <summary>How many signs of life may be missed, as OpenSSH's ClientAliveCountMax.</summary>
    private const int MaxMissed = 3;

    /// <summary>How long a peer may take to answer our KEXINIT. Data in flight comes first, over the slowest of links.</summary>
    private static readonly TimeSpan ExchangeTimeout = TimeSpan.FromMinutes(2);

    /// <summary>Keys that carried less than this have nothing to be worn out by: an idle connection is left alone.</summary>
    private const long MinBytesForTimedRekey = 4096;

    private ITimer? _timer;
    private long _askedAt;
    private int _missed;

    public void Start()
    {
        var finest = new[] { options.KeepAliveInterval, options.RekeyAfter, ExchangeTimeout }.Min() / 4;
        var period = TimeSpan.FromMilliseconds(Math.Clamp(finest.TotalMilliseconds, 100, 15_000));
        _askedAt = options.TimeProvider.GetTimestamp();
        _timer = options.TimeProvider.CreateTimer(static watch => ((ConnectionWatch)watch!).Tick(), this, period, period);
    }

    public void Dispose() => _timer?.Dispose();

    private void Tick()
    {
        if (transport.IsClosing)
        {
            return;
        }

        var time = options.TimeProvider;
        if (validUntil is { } end && time.GetUtcNow() >= end)
        {
            transport.Fail(DisconnectReason.ByApplication, "Your right to be here has ended.");
            return;
        }

        var exchanger = transport.Exchanger;
        if (exchanger.StartedAt is var started and not 0)
        {
            if (time.GetElapsedTime(started) > ExchangeTimeout)
            {
                transport.Fail(DisconnectReason.ConnectionLost, "The key exchange took too long.");
            }

            return;
        }

        if (time.GetElapsedTime(exchanger.CompletedAt) >= options.RekeyAfter
            && transport.Writer.BytesUnderKeys + transport.BytesReceivedUnderKeys >= MinBytesForTimedRekey)
        {
            exchanger.Start();
            return;
        }

        CheckAlive(time);
    }

    private void CheckAlive(TimeProvider time)
    {
        if (transport.LastReceived > _askedAt)
        {
            _missed = 0;
        }

        var silence = time.GetElapsedTime(Math.Max(transport.LastReceived, _askedAt));
        if (silence < options.KeepAliveInterval)
        {
            return;
        }

        if (_missed >= MaxMissed)
        {
            transport.Fail(DisconnectReason.ConnectionLost, "The client gave no sign of life.");
            return;
        }

        _missed++;
        _askedAt = time.GetTimestamp();
        requests.AskForSignOfLife();
    }
}
