using Shale.Containers.Engine;
using Shale.Containers.Exec;

namespace Shale.Containers.Bandwidth;

/// <summary>
/// The bandwidth of a lease: one limit each way over its container's network and its SSH streams together. The kernel holds the network to its
/// share (a token bucket filter on each end of the container's veth pair), the two buckets hold the streams to theirs, and ten times a
/// second the shares follow what is used. docs/decisions/0065-bandwidth.md
/// </summary>
public sealed class LeaseBandwidth : IDisposable
{
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(100);

    private readonly Lock _lock = new();
    private readonly TimeProvider _time;
    private readonly BandwidthShare _out;
    private readonly BandwidthShare _in;
    private ITimer? _timer;
    private Shaped? _shaped;
    private long _stamp;
    private bool _disposed;

    internal LeaseBandwidth(long bytesPerSecond, TimeProvider time)
    {
        BytesPerSecond = bytesPerSecond;
        _time = time;
        _out = new BandwidthShare(bytesPerSecond);
        _in = new BandwidthShare(bytesPerSecond);

        // Until the network is shaped, there is nobody to share with.
        ToClient = new TokenBucket(bytesPerSecond, time);
        FromClient = new TokenBucket(bytesPerSecond, time);
    }

    /// <summary>The limit each way.</summary>
    public long BytesPerSecond { get; }

    /// <summary>What SSH sends to the client of the container's bytes has to be taken here first.</summary>
    public TokenBucket ToClient { get; }

    /// <summary>What SSH received for the container has to be taken here before the next is read.</summary>
    public TokenBucket FromClient { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_lock)
        {
            _disposed = true;
            _shaped?.Dispose();
            _shaped = null;
        }

        _timer?.Dispose();
    }

    /// <summary>Sets the limit on a running container's interfaces; again after it restarted, when they are new ones.</summary>
    /// <exception cref="EngineException">This kernel has no token bucket filter, or this process may not set one.</exception>
    internal void Shape(ContainerRoot root)
    {
        lock (_lock)
        {
            if (_disposed || _shaped?.Pid == root.Pid)
            {
                return;
            }

            _shaped?.Dispose();
            _shaped = null;
            var made = new Shaped(root.Pid, BytesPerSecond, RouteSocket.Open(root.Network), RouteSocket.Open(null));
            try
            {
                made.SetRates(_out.Network, _in.Network);
                made.Measure();
                _shaped = made;
                _stamp = _time.GetTimestamp();
                _timer ??= _time.CreateTimer(_ => Balance(), null, Tick, Tick);
            }
            catch (IOException e)
            {
                made.Dispose();
                throw new EngineException(EngineFailure.Failed, $"The container's network can't be held to its bandwidth ({e.Message}). It needs the kernel's token bucket filter (modprobe sch_tbf) and CAP_NET_ADMIN.", e);
            }
        }
    }

    private void Balance()
    {
        lock (_lock)
        {
            var now = _time.GetTimestamp();
            var seconds = _time.GetElapsedTime(_stamp, now).TotalSeconds;
            if (_disposed || seconds < Tick.TotalSeconds / 2)
            {
                return;
            }

            _stamp = now;
            var (toClient, waitedOut) = ToClient.Drain();
            var (fromClient, waitedIn) = FromClient.Drain();
            try
            {
                var (sent, received) = _shaped?.Measure() ?? default;
                _out.Update(sent / seconds, toClient / seconds, waitedOut);
                _in.Update(received / seconds, fromClient / seconds, waitedIn);
                _shaped?.SetRates(_out.Network, _in.Network);
            }
            catch (IOException)
            {
                // The container ended and its interfaces with it; the next start shapes the new ones.
                _shaped?.Dispose();
                _shaped = null;
            }

            ToClient.Rate = _out.Streams;
            FromClient.Rate = _in.Streams;
        }
    }

    /// <summary>The interfaces of one container from its start to its end.</summary>
    private sealed class Shaped(int pid, double limit, RouteSocket inside, RouteSocket outside) : IDisposable
    {
        private (double Out, double In) _set;
        private (ulong Sent, ulong Received) _seen;

        public int Pid => pid;

        /// <summary>Bytes that went out and came in since the last call.</summary>
        public (ulong Sent, ulong Received) Measure()
        {
            var (sent, received) = (0UL, 0UL);
            foreach (var link in inside.Links())
            {
                sent += link.Sent;
                received += link.Received;
            }

            var result = (sent - Math.Min(_seen.Sent, sent), received - Math.Min(_seen.Received, received));
            _seen = (sent, received);
            return result;
        }

        public void SetRates(double outRate, double inRate)
        {
            if (Math.Abs(outRate - _set.Out) > outRate * 0.02)
            {
                foreach (var link in inside.Links())
                {
                    Set(inside, link.Index, outRate);
                }

                _set.Out = outRate;
            }

            if (Math.Abs(inRate - _set.In) > inRate * 0.02)
            {
                foreach (var link in inside.Links().Where(l => l.Peer > 0))
                {
                    Set(outside, link.Peer, inRate);
                }

                _set.In = inRate;
            }
        }

        public void Dispose()
        {
            inside.Dispose();
            outside.Dispose();
        }

        private void Set(RouteSocket socket, int link, double rate)
        {
            // A burst of 20 ms and at least ten full packets; a queue of 200 ms more, and room for a train of 64 KiB (GSO) at low rates: with
            // less, TCP loses packets in trains and falls far below the rate. Both by the whole limit, not by the share of the moment: a
            // queued packet that is longer than a burst made smaller since would never pass.
            var burst = (uint)Math.Clamp(limit * 0.02, 16 * 1024, 4 << 20);
            var queue = (uint)Math.Clamp(limit * 0.2, 128 * 1024, 64 << 20);
            socket.SetRate(link, (ulong)rate, burst, burst + queue);
        }
    }
}
