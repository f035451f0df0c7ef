using System.Diagnostics;
using Shale.Payments.Policy;
using Xunit;

namespace Shale.Gateway.Tests.Payments;

/// <summary>A monotonic clock with its timers, a boot clock and a wall clock that only the test moves; the wall clock may also jump.</summary>
internal sealed class ManualTime : TimeProvider, IAgentClock
{
    private readonly Lock _gate = new();
    private readonly List<ManualTimer> _timers = [];
    private readonly Guid _boot = Guid.NewGuid();
    private long _milliseconds;
    private long _wall = DateTimeOffset.Parse("2026-11-21T12:00:00Z").ToUnixTimeMilliseconds();

    public override long TimestampFrequency => 1000;

    public override long GetTimestamp() => Interlocked.Read(ref _milliseconds);

    public override DateTimeOffset GetUtcNow() => DateTimeOffset.FromUnixTimeMilliseconds(Interlocked.Read(ref _wall) + GetTimestamp());

    public ClockReading Read() => new(_boot, 1_000_000 + GetTimestamp(), GetUtcNow().ToUnixTimeMilliseconds());

    /// <summary>Whether all that is due by then has been acted on: the clock moves on only then, however busy the machine is.</summary>
    public Func<long, bool> IsSettled { get; set; } = _ => true;

    public void JumpWall(TimeSpan by) => Interlocked.Add(ref _wall, (long)by.TotalMilliseconds);

    /// <summary>Moves on in steps; after each, what it woke gets the machine's own time to act.</summary>
    /// <param name="by">How far.</param>
    /// <param name="step">In which steps.</param>
    /// <param name="pace">The machine's own time after each; answers that are to be in time need enough of it on a busy machine.</param>
    public async Task AdvanceAsync(TimeSpan by, TimeSpan? step = null, int pace = 10)
    {
        var (left, each) = ((long)by.TotalMilliseconds, (long)(step ?? TimeSpan.FromMilliseconds(250)).TotalMilliseconds);
        for (; left > 0; left -= each)
        {
            var now = Interlocked.Add(ref _milliseconds, Math.Min(each, left));
            ManualTimer[] due;
            lock (_gate)
            {
                due = [.. _timers.Where(t => t.IsDue(now))];
            }

            foreach (var timer in due)
            {
                timer.Fire(now);
            }

            await Task.Delay(pace);
            for (var start = Stopwatch.GetTimestamp(); !IsSettled(now);)
            {
                Assert.True(Stopwatch.GetElapsedTime(start) < TimeSpan.FromMinutes(2), "The gateway does not get to its ticks.");
                await Task.Delay(1);
            }
        }
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new ManualTimer(this, callback, state);
        timer.Change(dueTime, period);
        lock (_gate)
        {
            _timers.Add(timer);
        }

        return timer;
    }

    private sealed class ManualTimer(ManualTime time, TimerCallback callback, object? state) : ITimer
    {
        private long _due = long.MaxValue;
        private long _period;

        public bool IsDue(long now) => Interlocked.Read(ref _due) <= now;

        public void Fire(long now)
        {
            Interlocked.Exchange(ref _due, _period > 0 ? now + _period : long.MaxValue);
            callback(state);
        }

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            _period = period == Timeout.InfiniteTimeSpan ? 0 : (long)period.TotalMilliseconds;
            Interlocked.Exchange(ref _due, dueTime == Timeout.InfiniteTimeSpan ? long.MaxValue : time.GetTimestamp() + (long)dueTime.TotalMilliseconds);
            return true;
        }

        public void Dispose()
        {
            lock (time._gate)
            {
                time._timers.Remove(this);
            }
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
