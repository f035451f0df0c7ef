using System.Diagnostics;

namespace Shale.Agent.Tests.Support;

internal static class Wait
{
    /// <summary>Waits for something that happens by itself; generous, since the machine may be busy.</summary>
    public static async Task UntilAsync(Func<bool> happened, string what, double seconds = 30)
    {
        var watch = Stopwatch.StartNew();
        while (!happened())
        {
            Assert.True(watch.Elapsed.TotalSeconds < seconds, $"{what}: not within {seconds} s");
            await Task.Delay(20);
        }
    }
}
