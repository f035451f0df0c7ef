using System.Diagnostics;
using System.Net.Sockets;

namespace Shale.Testing;

/// <summary>Waits for conditions: three minutes, which is for what never comes; a slow machine is no failure.</summary>
internal static class Wait
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(3);

    public static Task UntilAsync(Func<bool> condition, string what, Func<string>? explain = null) => UntilAsync(() => Task.FromResult(condition()), what, explain);

    /// <param name="condition">Is asked until it holds.</param>
    /// <param name="what">What is waited for.</param>
    /// <param name="explain">What to say besides, should it not come.</param>
    /// <param name="milliseconds">Between two questions: more where each starts a program.</param>
    public static async Task UntilAsync(Func<Task<bool>> condition, string what, Func<string>? explain = null, int milliseconds = 50)
    {
        var started = Stopwatch.GetTimestamp();
        while (!await condition())
        {
            if (Stopwatch.GetElapsedTime(started) > Limit)
            {
                throw new TimeoutException($"Waited {Limit.TotalSeconds} s for {what}. {explain?.Invoke()}");
            }

            await Task.Delay(milliseconds);
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
