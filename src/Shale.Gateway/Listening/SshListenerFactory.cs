using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;

namespace Shale.Gateway.Listening;

/// <summary>An address at which Kestrel takes connections by <see cref="SshListenerFactory"/> instead of its own sockets.</summary>
internal sealed class SshEndPoint(IPEndPoint address) : IPEndPoint(address.Address, address.Port);

/// <summary>
/// Kestrel's transport for SSH: sockets that are read and written where their bytes are needed, without pipes and threads between. HTTP keeps Kestrel's own transport.
/// </summary>
internal sealed class SshListenerFactory : IConnectionListenerFactory, IConnectionListenerFactorySelector
{
    private const int Backlog = 512;

    public bool CanBind(EndPoint endpoint) => endpoint is SshEndPoint;

    public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default)
    {
        var socket = new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            if (endpoint is IPEndPoint { Address: var address } && address.Equals(IPAddress.IPv6Any))
            {
                socket.DualMode = true;
            }

            socket.Bind(endpoint);
            socket.Listen(Backlog);
            return ValueTask.FromResult<IConnectionListener>(new Listener(socket));
        }
        catch (SocketException cause) when (cause.SocketErrorCode == SocketError.AddressAlreadyInUse)
        {
            socket.Dispose();
            throw new AddressInUseException(cause.Message, cause);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private sealed class Listener(Socket socket) : IConnectionListener
    {
        /// <summary>How long to wait for descriptors to become free when there are none left.</summary>
        private static readonly TimeSpan Shortage = TimeSpan.FromMilliseconds(100);

        public EndPoint EndPoint { get; } = socket.LocalEndPoint!;

        public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
        {
            while (true)
            {
                try
                {
                    var accepted = await socket.AcceptAsync(cancellationToken).ConfigureAwait(false);
                    if (SshConnection.TryOpen(accepted) is { } connection)
                    {
                        return connection;
                    }
                }
                catch (Exception ended) when (ended is ObjectDisposedException or SocketException { SocketErrorCode: SocketError.OperationAborted })
                {
                    return null;
                }
                catch (SocketException shortage) when (shortage.SocketErrorCode is SocketError.TooManyOpenSockets or SocketError.NoBufferSpaceAvailable)
                {
                    await Task.Delay(Shortage, cancellationToken).ConfigureAwait(false);
                }
                catch (SocketException)
                {
                    // Whoever connected has gone already.
                }
            }
        }

        public ValueTask UnbindAsync(CancellationToken cancellationToken = default)
        {
            socket.Dispose();
            return ValueTask.CompletedTask;
        }

        public ValueTask DisposeAsync() => UnbindAsync();
    }
}
