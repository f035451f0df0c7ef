using Shale.Gateway.Sessions;

namespace Shale.Gateway.Leases;

/// <summary>A token bucket each way. The bucket holds a quarter of a second, so that a keystroke doesn't wait and a burst is short.</summary>
internal sealed class BandwidthThrottle(long bytesPerSecond, TimeProvider time) : IThrottle
{
    private readonly Bucket? _out = bytesPerSecond > 0 ? new Bucket(bytesPerSecond, time) : null;
    private readonly Bucket? _in = bytesPerSecond > 0 ? new Bucket(bytesPerSecond, time) : null;

    public ValueTask TakeOutAsync(int bytes, CancellationToken cancellation) => _out is null ? ValueTask.CompletedTask : _out.TakeAsync(bytes, cancellation);

    public ValueTask TakeInAsync(int bytes, CancellationToken cancellation) => _in is null ? ValueTask.CompletedTask : _in.TakeAsync(bytes, cancellation);

    /// <summary>Counts in debt: a piece larger than the bucket is let through and paid for by waiting, so that no piece has to be split.</summary>
    private sealed class Bucket(long rate, TimeProvider time)
    {
        private readonly Lock _gate = new();
        private double _tokens = rate / 4.0;
        private long _at = time.GetTimestamp();

        public async ValueTask TakeAsync(int bytes, CancellationToken cancellation)
        {
            double debt;
            lock (_gate)
            {
                var now = time.GetTimestamp();
                _tokens = Math.Min(rate / 4.0, _tokens + (time.GetElapsedTime(_at, now).TotalSeconds * rate)) - bytes;
                _at = now;
                debt = -_tokens;
            }

            if (debt > 0)
            {
                await Task.Delay(TimeSpan.FromSeconds(debt / rate), time, cancellation).ConfigureAwait(false);
            }
        }
    }
}
