using Shale.Gateway.Leases;
using Shale.Gateway.Sessions;
using Shale.Ssh.Session;

namespace Shale.Gateway.Sftp;

/// <summary>The sftp subsystem: what sftp, scp, sshfs and editors use. Works with any image, since nothing of it runs there.</summary>
internal sealed class SftpSubsystem(TimeProvider time) : ISubsystem
{
    public string Name => "sftp";

    public bool NeedsService => true;

    public async Task<int> ServeAsync(LeaseService lease, SshSession session, CancellationToken cancellation)
    {
        var container = await lease.ReadyAsync(cancellation).ConfigureAwait(false);
        var tree = await container.OpenFilesAsync(cancellation).ConfigureAwait(false);
        var bandwidth = container.Bandwidth;
        await using var server = new SftpServer(tree, session.Input, ReceivedAsync, WriteAsync, time);
        return await server.RunAsync(cancellation).ConfigureAwait(false) ? 0 : 1;

        async ValueTask ReceivedAsync(int bytes, CancellationToken token)
        {
            if (bandwidth is not null)
            {
                await bandwidth.FromClient.TakeAsync(bytes, token).ConfigureAwait(false);
            }

            lease.CountIn(bytes);
        }

        async ValueTask WriteAsync(ReadOnlyMemory<byte> packet, CancellationToken token)
        {
            if (bandwidth is not null)
            {
                await bandwidth.ToClient.TakeAsync(packet.Length, token).ConfigureAwait(false);
            }

            lease.CountOut(packet.Length);
            await session.WriteOutputAsync(packet, token).ConfigureAwait(false);
        }
    }
}
