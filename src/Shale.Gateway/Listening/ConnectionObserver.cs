using Microsoft.Extensions.Logging;
using Shale.Gateway.Admin;
using Shale.Gateway.Leases;
using Shale.Ssh.Connection;

namespace Shale.Gateway.Listening;

/// <summary>Ties connections to their leases.</summary>
internal sealed class ConnectionObserver(GatewayMetrics metrics, ILogger logger) : IConnectionObserver
{
    public ValueTask OnOpenedAsync(SshServerConnection connection, CancellationToken cancellationToken)
    {
        var lease = (LeaseService)connection.User.Identity;
        metrics.ConnectionOpened();
        GatewayLog.Connected(logger, connection.Info.Id, lease.Id, connection.Info.RemoteEndPoint?.ToString() ?? "?", connection.Key.Fingerprint);
        lease.Add(connection);
        return ValueTask.CompletedTask;
    }

    public void OnClosed(SshServerConnection connection, ConnectionClosed closed)
    {
        metrics.ConnectionClosed();
        GatewayLog.Disconnected(logger, connection.Info.Id, closed.Description);
        ((LeaseService)connection.User.Identity).Remove(connection);
    }
}
