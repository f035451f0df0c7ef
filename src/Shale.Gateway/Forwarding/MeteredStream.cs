using Shale.Containers.Bandwidth;
using Shale.Gateway.Admin;
using Shale.Gateway.Leases;
using Shale.Ssh.Forwarding;

namespace Shale.Gateway.Forwarding;

/// <summary>A forward's far end whose bytes are counted, held to the lease's bandwidth, and held back while the lease is paused.</summary>
internal sealed class MeteredStream(ForwardedStream inner, LeaseService lease, LeaseBandwidth? bandwidth, GatewayMetrics metrics) : ForwardedStream
{
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        var count = await inner.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
        await lease.WaitWhilePausedAsync(cancellationToken).ConfigureAwait(false);
        if (bandwidth is not null && count > 0)
        {
            await bandwidth.ToClient.TakeAsync(count, cancellationToken).ConfigureAwait(false);
        }

        lease.CountOut(count);
        metrics.Transferred("out", count);
        return count;
    }

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        await lease.WaitWhilePausedAsync(cancellationToken).ConfigureAwait(false);
        if (bandwidth is not null)
        {
            await bandwidth.FromClient.TakeAsync(data.Length, cancellationToken).ConfigureAwait(false);
        }

        lease.CountIn(data.Length);
        metrics.Transferred("in", data.Length);
        await inner.WriteAsync(data, cancellationToken).ConfigureAwait(false);
    }

    public override ValueTask CompleteWritesAsync(CancellationToken cancellationToken) => inner.CompleteWritesAsync(cancellationToken);

    public override ValueTask DisposeAsync() => inner.DisposeAsync();
}
