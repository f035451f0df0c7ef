using Shale.Gateway.Admin;
using Shale.Gateway.Leases;
using Shale.Gateway.Sessions;
using Shale.Ssh.Session;

namespace Shale.Gateway.Sftp;

/// <summary>The sftp subsystem: what sftp, scp, sshfs and editors use. Works with any image, since nothing of it runs there.</summary>
internal sealed class SftpSubsystem(GatewayMetrics metrics, TimeProvider time) : ISubsystem
{
    public string Name => "sftp";

    public async Task<int> ServeAsync(LeaseService lease, SshSession session, CancellationToken cancellation)
    {
        var (tree, bandwidth) = await lease.UseAsync(
            session.Connection, async c => (await c.OpenFilesAsync(cancellation).ConfigureAwait(false), c.Bandwidth), cancellation).ConfigureAwait(false);
        using var counted = metrics.CountSession(Name);

        // Who reads the connection may wait for the disk while nothing else is on it; else the tree's thread does.
        session.TakesInputInline = true;
        tree.CallerMayWait = () => session.IsOnlyChannel;
        var metered = new MeteredSession(lease, session, bandwidth, metrics);
        await using var server = new SftpServer(tree, session.Input, metered.ReceivedAsync, metered.WriteAsync, time);
        return await server.RunAsync(cancellation).ConfigureAwait(false) ? 0 : 1;
    }
}
