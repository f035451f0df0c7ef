using Shale.Containers.Bandwidth;
using Shale.Gateway.Admin;
using Shale.Gateway.Leases;
using Shale.Ssh.Session;

namespace Shale.Gateway.Sessions;

/// <summary>A session that the gateway itself serves from the lease's files: its bytes are counted, held to the lease's bandwidth, and held back while the lease is paused.</summary>
internal sealed class MeteredSession(LeaseService lease, SshSession session, LeaseBandwidth? bandwidth, GatewayMetrics metrics)
{
    /// <summary>To be called with what came before anything is done with it.</summary>
    public async ValueTask ReceivedAsync(int bytes, CancellationToken cancellation)
    {
        await lease.WaitWhilePausedAsync(cancellation).ConfigureAwait(false);
        if (bandwidth is not null)
        {
            await bandwidth.FromClient.TakeAsync(bytes, cancellation).ConfigureAwait(false);
        }

        lease.CountIn(bytes);
        metrics.Transferred("in", bytes);
    }

    /// <summary>Sends to the client.</summary>
    public async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellation)
    {
        if (bandwidth is not null)
        {
            await bandwidth.ToClient.TakeAsync(bytes.Length, cancellation).ConfigureAwait(false);
        }

        lease.CountOut(bytes.Length);
        metrics.Transferred("out", bytes.Length);
        await session.WriteOutputAsync(bytes, cancellation).ConfigureAwait(false);
    }
}
