using Microsoft.Extensions.Logging;
using Shale.Gateway.Admin;
using Shale.Gateway.Leases;
using Shale.Gateway.Payments;
using Shale.Ssh.Connection;
using Shale.Ssh.Session;

namespace Shale.Gateway.Listening;

/// <summary>Ties connections to their leases.</summary>
internal sealed class ConnectionObserver(AgentCarrier agents, GatewayMetrics metrics, ILogger logger) : IConnectionObserver
{
    public ValueTask OnOpenedAsync(SshServerConnection connection, CancellationToken cancellationToken)
    {
        var lease = (LeaseService)connection.User.Identity;
        metrics.ConnectionOpened();
        GatewayLog.Connected(logger, connection.Info.Id, lease.Id, connection.Info.RemoteEndPoint?.ToString() ?? "?", connection.Key.Fingerprint);
        lease.Add(connection);
        return ValueTask.CompletedTask;
    }

    public void OnAgentForwardingGranted(SshServerConnection connection) => agents.OnGranted(connection);

    public ValueTask OnSessionEndingAsync(SshSession session, int remainingSessions, CancellationToken cancellationToken) =>
        remainingSessions == 0 ? agents.OnLastSessionEndingAsync(session.Connection) : ValueTask.CompletedTask;

    public void OnClosed(SshServerConnection connection, ConnectionClosed closed)
    {
        agents.OnClosed(connection);
        metrics.ConnectionClosed();
        GatewayLog.Disconnected(logger, connection.Info.Id, closed.Description);
        ((LeaseService)connection.User.Identity).Remove(connection);
    }
}
