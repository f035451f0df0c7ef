using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Shale.Gateway.Admin;

/// <summary>What the gateway counts, as OpenTelemetry instruments of the meter <c>Shale.Gateway</c>.</summary>
public sealed class GatewayMetrics : IDisposable
{
    /// <summary>The meter's name.</summary>
    public const string MeterName = "Shale.Gateway";

    private readonly Meter _meter = new(MeterName);
    private readonly Counter<long> _connections;
    private readonly UpDownCounter<long> _openConnections;
    private readonly Counter<long> _sessions;
    private readonly UpDownCounter<long> _openSessions;
    private readonly Histogram<double> _startSeconds;
    private readonly Counter<long> _bytes;
    private readonly Counter<long> _refusals;
    private readonly UpDownCounter<long> _leases;

    /// <summary>Creates the instruments.</summary>
    public GatewayMetrics()
    {
        _connections = _meter.CreateCounter<long>("shale.gateway.connections", "{connection}", "SSH connections that authenticated.");
        _openConnections = _meter.CreateUpDownCounter<long>("shale.gateway.connections.open", "{connection}", "Authenticated SSH connections that are open.");
        _sessions = _meter.CreateCounter<long>("shale.gateway.sessions", "{session}", "Sessions by kind.");
        _openSessions = _meter.CreateUpDownCounter<long>("shale.gateway.sessions.open", "{session}", "Sessions that are open.");
        _startSeconds = _meter.CreateHistogram<double>("shale.gateway.exec.start", "s", "Time from a session's request to its process.", advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5] });
        _bytes = _meter.CreateCounter<long>("shale.gateway.bytes", "By", "Bytes of sessions, files and forwards, by direction.");
        _refusals = _meter.CreateCounter<long>("shale.gateway.refusals", "{refusal}", "Sessions and forwards turned away, by reason.");
        _leases = _meter.CreateUpDownCounter<long>("shale.gateway.leases", "{lease}", "Leases that are served.");
    }

    /// <summary>A connection authenticated.</summary>
    public void ConnectionOpened()
    {
        _connections.Add(1);
        _openConnections.Add(1);
    }

    /// <summary>An authenticated connection ended.</summary>
    public void ConnectionClosed() => _openConnections.Add(-1);

    /// <summary>A session's process started, <paramref name="seconds"/> after it was asked for.</summary>
    public void ProcessStarted(double seconds) => _startSeconds.Record(seconds);

    /// <summary>Counts a session, which is open until what is returned is disposed.</summary>
    /// <param name="kind"><c>shell</c>, <c>exec</c>, <c>sftp</c>, or <c>scp</c> where the gateway itself serves it.</param>
    public IDisposable CountSession(string kind)
    {
        _sessions.Add(1, new TagList { { "kind", kind } });
        _openSessions.Add(1);
        return new OpenSession(_openSessions);
    }

    /// <summary>Bytes went to (<c>out</c>) or came from (<c>in</c>) a client.</summary>
    public void Transferred(string direction, long bytes) => _bytes.Add(bytes, new TagList { { "direction", direction } });

    /// <summary>A session or forward was turned away.</summary>
    public void Refused(string reason) => _refusals.Add(1, new TagList { { "reason", reason } });

    /// <summary>A lease is served (1), or no longer (-1).</summary>
    public void LeasesChanged(int by) => _leases.Add(by);

    /// <inheritdoc/>
    public void Dispose() => _meter.Dispose();

    private sealed class OpenSession(UpDownCounter<long> open) : IDisposable
    {
        public void Dispose() => open.Add(-1);
    }
}
