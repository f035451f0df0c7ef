namespace Shale.Interop.Tests;

/// <summary>Waits for conditions: a minute and a half, so that a slow machine is no failure.</summary>
internal static class Wait
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(90);

    public static Task UntilAsync(Func<bool> condition, string what, Func<string>? explain = null) => UntilAsync(() => Task.FromResult(condition()), what, explain);

    public static async Task UntilAsync(Func<Task<bool>> condition, string what, Func<string>? explain = null)
    {
        var started = System.Diagnostics.Stopwatch.GetTimestamp();
        while (!await condition())
        {
            if (System.Diagnostics.Stopwatch.GetElapsedTime(started) > Limit)
            {
                throw new TimeoutException($"Waited {Limit.TotalSeconds} s for {what}. {explain?.Invoke()}");
            }

            await Task.Delay(50);
        }
    }
}
