using Shale.Containers.Files;
using Shale.Gateway.Admin;
using Shale.Gateway.Leases;
using Shale.Gateway.Sessions;
using Shale.Ssh.Session;

namespace Shale.Gateway.Scp;

/// <summary>
/// The old scp protocol where the image has no scp: clients that don't speak SFTP (scp -O, pscp -scp, dropbear's scp) then copy files with any image too. An image's own scp goes first.
/// </summary>
internal static class ScpServer
{
    private static readonly string[] Programs = ["/usr/local/bin/scp", "/usr/bin/scp", "/bin/scp"];

    /// <summary>Serves the session if it is such a command.</summary>
    /// <returns>The exit status; null where the command is for the container.</returns>
    /// <exception cref="Containers.Exec.ExecException">The lease is not served; the message is for the user.</exception>
    public static async Task<int?> TryServeAsync(LeaseService lease, SshSession session, GatewayMetrics metrics, CancellationToken cancellation)
    {
        if (session.Kind != SessionKind.Exec || session.Terminal is not null || session.OriginalCommand is not null || !ScpCommand.TryParse(session.Command.Span, out var command))
        {
            return null;
        }

        var (tree, bandwidth) = await lease.UseAsync(
            session.Connection, async c => (await c.OpenFilesAsync(cancellation).ConfigureAwait(false), c.Bandwidth), cancellation).ConfigureAwait(false);
        await using (tree)
        {
            if (await HasProgramAsync(tree, cancellation).ConfigureAwait(false))
            {
                return null;
            }

            using var counted = metrics.CountSession("scp");
            var metered = new MeteredSession(lease, session, bandwidth, metrics);
            return command.IsSink
                ? await new ScpSink(tree, command, session.Input, metered.ReceivedAsync, metered.WriteAsync).RunAsync(cancellation).ConfigureAwait(false)
                : await new ScpSource(tree, command, session.Input, metered.ReceivedAsync, metered.WriteAsync).RunAsync(cancellation).ConfigureAwait(false);
        }
    }

    private static async ValueTask<bool> HasProgramAsync(IContainerFileTree tree, CancellationToken cancellation)
    {
        foreach (var program in Programs)
        {
            if (await tree.GetStatusAsync(System.Text.Encoding.ASCII.GetBytes(program), followLink: true, cancellation).ConfigureAwait(false) is { Ok: true, Value.IsRegular: true })
            {
                return true;
            }
        }

        return false;
    }
}
