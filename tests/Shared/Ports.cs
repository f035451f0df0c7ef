using System.Net;
using System.Net.Sockets;

namespace Shale.Testing;

/// <summary>
/// Ports for programs that must be told theirs before they bind it. They lie below the range that the kernel gives out by itself (net.ipv4.ip_local_port_range starts at 32768), and none
/// is given twice: between here and the bind nobody else's connection can take it, however long that lasts, nor while a program is restarted on it.
/// </summary>
internal static class Ports
{
    private const int First = 12_000;
    private const int Count = 20_000;

    // Another test process is most likely elsewhere.
    private static int s_next = Random.Shared.Next(Count);

    public static int Free()
    {
        for (var tried = 0; tried < Count; tried++)
        {
            var port = First + (int)((uint)Interlocked.Increment(ref s_next) % Count);
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                socket.Bind(new IPEndPoint(IPAddress.Any, port));
                return port;
            }
            catch (SocketException)
            {
                // Somebody listens on it.
            }
        }

        throw new InvalidOperationException("No port is free.");
    }
}
