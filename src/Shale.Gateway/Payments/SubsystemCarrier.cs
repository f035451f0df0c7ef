using Shale.Gateway.Leases;
using Shale.Gateway.Sessions;
using Shale.Payments.Channel;
using Shale.Ssh.Connection;
using Shale.Ssh.Session;

namespace Shale.Gateway.Payments;

/// <summary>Carrier B: payment as a subsystem (<c>ssh -s lease-42 pay@shaleprotocol.com</c>) or as a channel of that type.</summary>
internal sealed class SubsystemCarrier(PaymentGate gate, TimeProvider time) : ISubsystem, IChannelTypeHandler
{
    private const int NotPaidFor = 1;

    public string Name => PaymentProtocol.Name;

    public string ChannelType => PaymentProtocol.Name;

    public async Task<int> ServeAsync(LeaseService lease, SshSession session, CancellationToken cancellation)
    {
        if (gate.Find(lease.Id) is not { } paid)
        {
            return NotPaidFor;
        }

        await ServeAsync(paid, session.Connection, new FrameConnection(session.Input, session.WriteOutputAsync, () => session.SendEofAsync(CancellationToken.None)), cancellation).ConfigureAwait(false);
        return 0;
    }

    public ChannelOpenFailure Accept(SshServerConnection connection, ReadOnlySpan<byte> payload) =>
        gate.Find(((LeaseService)connection.User.Identity).Id) is null ? ChannelOpenFailure.AdministrativelyProhibited : ChannelOpenFailure.None;

    public async ValueTask HandleChannelAsync(SshServerConnection connection, SshChannel channel, CancellationToken cancellationToken)
    {
        if (gate.Find(((LeaseService)connection.User.Identity).Id) is { } paid)
        {
            await ServeAsync(paid, connection, new FrameConnection(channel.Input, channel.WriteAsync, () => channel.SendEofAsync(CancellationToken.None)), cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task ServeAsync(PaidLease paid, SshServerConnection connection, FrameConnection frames, CancellationToken cancellation)
    {
        await using var payer = PayerClient.OverSubsystem(frames, new Signer(connection), time);
        if (await paid.AttachAsync(connection, payer).ConfigureAwait(false) is { } attached)
        {
            // The gateway drives the protocol: here is only waited until the carrier is gone.
            await attached.Gone.Task.WaitAsync(cancellation).ConfigureAwait(false);
        }
    }

    private sealed class Signer(SshServerConnection connection) : IHostKeySigner
    {
        public ReadOnlyMemory<byte> HostKey => connection.Info.HostKey.Blob;

        public byte[] Sign(ReadOnlySpan<byte> data) => connection.SignWithHostKey(data);
    }
}
