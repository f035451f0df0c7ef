using System.Net;
using System.Net.Sockets;
using Shale.Containers.Exec;

namespace Shale.Containers.Network;

/// <summary>
/// A connected stream socket that waits in the reactor, where a few bytes that come in are handed over without a hop to the thread pool. Nothing may have been awaited on the
/// <see cref="Socket"/> before: the base class library would watch it for ever, and wake a thread of its own with every byte.
/// </summary>
public sealed class PolledSocket : IDisposable
{
    private readonly Socket _socket;
    private readonly PolledHandle _handle;
    private readonly DescriptorStream _stream;

    /// <summary>Takes a socket over.</summary>
    public PolledSocket(Socket socket)
    {
        ArgumentNullException.ThrowIfNull(socket);
        _socket = socket;
        _socket.Blocking = false;
        _handle = new PolledHandle(socket.SafeHandle, socket);
        _stream = new DescriptorStream(_handle, true, true, ownsHandle: true, runsInline: true);
    }

    /// <summary>Whether the caller runs on a thread that all sockets share, which nobody may keep.</summary>
    public static bool IsSharedThread => Reactor.IsSharedThread;

    /// <summary>Lets another thread wait for sockets in place of this one, until what runs here returns.</summary>
    /// <returns>Whether the caller may take his time. If not, he is to go on in the thread pool.</returns>
    public static bool TryLeaveSharedThread() => Reactor.TryLeave();

    /// <summary>Reads what has come, 0 bytes at the end. They may be handed over on a thread that waits for descriptors: the caller sends them on and reads again, and never blocks.</summary>
    public ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken) => _stream.ReadAsync(buffer, cancellationToken);

    /// <summary>Reads what is there now.</summary>
    /// <returns>How much that was, 0 at the end, and -1 where nothing has come.</returns>
    /// <exception cref="IOException">The connection was reset.</exception>
    public int TryRead(Span<byte> buffer) => _stream.TryRead(buffer);

    /// <summary>Waits, without memory, until there may be something to read. It may end without a reason.</summary>
    /// <param name="inline">Whether what follows may run on a thread that waits for all sockets; it returns soon then, or leaves it.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public ValueTask WaitReadableAsync(bool inline, CancellationToken cancellationToken) => _handle.WaitReadableAsync(cancellationToken, inline);

    /// <summary>Writes all of it.</summary>
    public ValueTask WriteAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken) => _stream.WriteAsync(data, cancellationToken);

    /// <summary>Tells the far end that nothing more follows; reading goes on.</summary>
    public void EndWrites()
    {
        try
        {
            _socket.Shutdown(SocketShutdown.Send);
        }
        catch (Exception gone) when (gone is SocketException or ObjectDisposedException)
        {
            // The far end has reset the connection: reading will say so.
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _stream.Dispose();

    /// <summary>Connects to an address in a container's network.</summary>
    /// <exception cref="SocketException">Nobody answers there.</exception>
    internal static async Task<Socket> ConnectAsync(ContainerRoot root, IPEndPoint address, CancellationToken cancellationToken)
    {
        SafeSocketHandle handle = ContainerNetwork.BeginConnect(root, address, out var error);
        try
        {
            if (error == Native.EINPROGRESS)
            {
                using (var polled = new PolledHandle(handle, new Nobody()))
                {
                    await polled.WaitWritableAsync(cancellationToken).ConfigureAwait(false);
                }

                error = Native.SocketError(handle);
            }

            return error == 0 ? new Socket(handle) : throw new SocketException(error);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>Closes nothing: the descriptor is used on.</summary>
    private sealed class Nobody : IDisposable
    {
        public void Dispose()
        {
        }
    }
}
