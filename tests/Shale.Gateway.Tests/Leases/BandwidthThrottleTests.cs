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
    public void Throttle_EachWay_HasItsOwnLimit()
    {
        var throttle = new BandwidthThrottle(1 << 20, TimeProvider.System);
        Assert.False(throttle.TakeOutAsync(1 << 20, CancellationToken.None).IsCompleted);
        Assert.True(throttle.TakeInAsync(1000, CancellationToken.None).IsCompleted);
    }

    [Fact]
    public void Throttle_WithoutALimit_NeverWaits() =>
        Assert.True(new BandwidthThrottle(0, TimeProvider.System).TakeOutAsync(int.MaxValue, CancellationToken.None).IsCompleted);
}
