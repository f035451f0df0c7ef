using System.Diagnostics;
using System.Net.Sockets;

namespace Shale.Agent.Tests.Support;

internal static class Wait
{
    /// <summary>Waits for something that happens by itself; generous, since the machine may be busy.</summary>
    public static async Task UntilAsync(Func<bool> happened, string what, double seconds = 120)
    {
        var watch = Stopwatch.StartNew();
        while (!happened())
        {
            Assert.True(watch.Elapsed.TotalSeconds < seconds, $"{what}: not within {seconds} s");
            await Task.Delay(20);
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
