using Shale.Gateway.Leases;
using Shale.Ssh.Connection;
using Shale.Ssh.Session;

namespace Shale.Gateway.Sessions;

/// <summary>
/// <c>ssh -s lease-42 ready@shaleprotocol.com</c>: ends with 0 as soon as the lease's container is there, and with a sentence where it can't be had. Nothing
/// is run, and nothing is paid for the wait.
/// </summary>
internal sealed class ReadySubsystem : ISubsystem
{
    public string Name => "ready@shaleprotocol.com";

    public async Task<int> ServeAsync(LeaseService lease, SshSession session, CancellationToken cancellation)
    {
        _ = await lease.ReadyAsync(cancellation).ConfigureAwait(false);
        return 0;
    }
}
