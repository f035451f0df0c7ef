using System.Net;
using Shale.Containers.Exec;
using Shale.Containers.Network;
using Shale.Gateway.Admin;
using Shale.Gateway.Leases;
using Shale.Ssh.Connection;
using Shale.Ssh.Forwarding;

namespace Shale.Gateway.Forwarding;

/// <summary>Forwards into the network and to the Unix sockets of the lease's container; never into the provider's own network. A lease that is not paid is not forwarded to.</summary>
internal sealed class ForwardingHandler(GatewayMetrics metrics) : IForwardingHandler
{
    public ValueTask<ForwardOpenResult> OpenTcpAsync(SshServerConnection connection, string host, int port, CancellationToken cancellationToken) =>
        OpenAsync(connection, c => c.ConnectTcpAsync(host, port, cancellationToken), cancellationToken);

    public ValueTask<ForwardOpenResult> OpenUnixAsync(SshServerConnection connection, string path, CancellationToken cancellationToken) =>
        OpenAsync(connection, c => c.ConnectUnixAsync(path, cancellationToken), cancellationToken);

    public ValueTask<ForwardListener?> ListenTcpAsync(SshServerConnection connection, string address, int port, CancellationToken cancellationToken) =>
        ListenAsync(connection, c => c.ListenTcpAsync(address, port, cancellationToken), cancellationToken);

    public ValueTask<ForwardListener?> ListenUnixAsync(SshServerConnection connection, string path, CancellationToken cancellationToken) =>
        ListenAsync(connection, c => c.ListenUnixAsync(path, cancellationToken), cancellationToken);

    private async ValueTask<ForwardOpenResult> OpenAsync(SshServerConnection connection, Func<ILeaseContainer, Task<System.Net.Sockets.Socket>> connect, CancellationToken cancellation)
    {
        try
        {
            var lease = (LeaseService)connection.User.Identity;
            var (socket, bandwidth) = await lease.UseAsync(connection, async c => (await connect(c).ConfigureAwait(false), c.Bandwidth), cancellation).ConfigureAwait(false);
            return ForwardOpenResult.Connected(new MeteredStream(new ContainerConnection(socket), lease, bandwidth, metrics));
        }
        catch (ForwardException error)
        {
            metrics.Refused("forward");
            return ForwardOpenResult.Refused(error.Failure == ForwardFailure.Prohibited ? ChannelOpenFailure.AdministrativelyProhibited : ChannelOpenFailure.ConnectFailed, error.Message);
        }
        catch (ExecException error)
        {
            metrics.Refused("forward");
            return ForwardOpenResult.Refused(ChannelOpenFailure.AdministrativelyProhibited, error.Message);
        }
        catch (IOException error)
        {
            // The engine does not answer, and the container must be asked about.
            metrics.Refused("forward");
            return ForwardOpenResult.Refused(ChannelOpenFailure.ConnectFailed, error.Message);
        }
    }

    private async ValueTask<ForwardListener?> ListenAsync(SshServerConnection connection, Func<ILeaseContainer, Task<ContainerListener>> listen, CancellationToken cancellation)
    {
        try
        {
            var lease = (LeaseService)connection.User.Identity;
            return await lease.UseAsync(connection, async c => new Listener(await listen(c).ConfigureAwait(false), lease, c, metrics), cancellation).ConfigureAwait(false);
        }
        catch (IOException)
        {
            metrics.Refused("forward");
            return null;
        }
    }

    private sealed class Listener(ContainerListener inner, LeaseService lease, ILeaseContainer container, GatewayMetrics metrics) : ForwardListener
    {
        public override int Port => inner.Port;

        public override async ValueTask<ForwardedConnection?> AcceptAsync(CancellationToken cancellationToken)
        {
            try
            {
                var socket = await inner.AcceptAsync(cancellationToken).ConfigureAwait(false);
                var remote = socket.RemoteEndPoint as IPEndPoint;
                return new ForwardedConnection(
                    new MeteredStream(new ContainerConnection(socket), lease, container.Bandwidth, metrics), remote?.Address.ToString() ?? "", remote?.Port ?? 0);
            }
            catch (System.Net.Sockets.SocketException)
            {
                // The container is gone.
                return null;
            }
        }

        public override ValueTask DisposeAsync() => inner.DisposeAsync();
    }
}
