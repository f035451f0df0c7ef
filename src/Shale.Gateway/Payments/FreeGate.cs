using Shale.Gateway.Leases;
using Shale.Ssh.Connection;

namespace Shale.Gateway.Payments;

/// <summary>Lets every lease without a price be served, and no other: the gate of a gateway that has no voucher log.</summary>
internal sealed class FreeGate : IServiceGate
{
    public ValueTask<string?> AdmitAsync(LeaseService lease, SshServerConnection connection, CancellationToken cancellation) =>
        ValueTask.FromResult(lease.Record.Payment is null ? null : $"{lease.Record.Name} has a price, and this gateway takes no payments. Tell its provider to start it with a voucher log.");

    public void OnConnected(LeaseService lease, SshServerConnection connection)
    {
    }

    public void OnDisconnected(LeaseService lease, SshServerConnection connection)
    {
    }

    public void OnLeaseChanged(LeaseService lease)
    {
    }
}
