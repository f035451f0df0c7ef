using System.Net.Sockets;

namespace Shale.Interop.Tests;

/// <summary>Waits for conditions: three minutes, so that a slow machine is no failure.</summary>
internal static class Wait
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(180);

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

    /// <summary>Waits until somebody accepts connections on a Unix socket: its file is there a moment before that.</summary>
    public static Task ForSocketAsync(string path) => UntilAsync(
        () =>
        {
            try
            {
                using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                socket.Connect(new UnixDomainSocketEndPoint(path));
                return true;
            }
            catch (SocketException)
            {
                return false;
            }
        },
        path);
}
