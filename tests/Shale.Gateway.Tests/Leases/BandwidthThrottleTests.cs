using System.Diagnostics;
using Shale.Gateway.Leases;
using Xunit;

namespace Shale.Gateway.Tests.Leases;

public sealed class BandwidthThrottleTests
{
    [Fact]
    public async Task Throttle_MoreThanItsRate_TakesAsLongAsTheRateSays()
    {
        var throttle = new BandwidthThrottle(1 << 20, TimeProvider.System);
        var started = Stopwatch.GetTimestamp();
        for (var i = 0; i < 48; i++)
        {
            await throttle.TakeOutAsync(32 * 1024, CancellationToken.None);
        }

        // 1.5 MiB at 1 MiB/s, less the quarter of a second that the bucket held.
        Assert.InRange(Stopwatch.GetElapsedTime(started).TotalSeconds, 1.2, 5);
    }

    [Fact]
    public async Task Throttle_EachWay_HasItsOwnLimit()
    {
        var throttle = new BandwidthThrottle(1 << 20, TimeProvider.System);
        var slow = throttle.TakeOutAsync(1 << 20, CancellationToken.None).AsTask();
        await throttle.TakeInAsync(1000, CancellationToken.None);
        Assert.False(slow.IsCompleted);
        await slow;
    }

    [Fact]
    public void Throttle_WithoutALimit_NeverWaits()
    {
        var throttle = new BandwidthThrottle(0, TimeProvider.System);
        for (var i = 0; i < 1000; i++)
        {
            Assert.True(throttle.TakeOutAsync(int.MaxValue, CancellationToken.None).AsTask().IsCompleted);
        }
    }
}
