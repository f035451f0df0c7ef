using System.Collections.Concurrent;
using Shale.Gateway.Leases;
using Shale.Gateway.Sessions;
using Shale.Payments.Channel;
using Shale.Ssh.Connection;
using Shale.Ssh.Session;

namespace Shale.Gateway.Payments;

/// <summary>Carrier A: payment on an agent channel of the user's own connection.</summary>
internal sealed class AgentCarrier(PaymentGate gate, TimeProvider time)
{
    private readonly ConcurrentDictionary<SshServerConnection, IPayer> _open = new();

    /// <summary>Opens the channel, once the client asked for agent forwarding; a lease that is free needs none.</summary>
    public void OnGranted(SshServerConnection connection)
    {
        if (gate.Find(((LeaseService)connection.User.Identity).Id) is { } paid && _open.TryAdd(connection, Opening.Instance))
        {
            _ = OpenAsync(connection, paid);
        }
    }

    /// <summary>Closes the channel before the last session: ssh does not exit while one is open.</summary>
    public async ValueTask OnLastSessionEndingAsync(SshServerConnection connection)
    {
        if (_open.TryRemove(connection, out var payer))
        {
            gate.Find(((LeaseService)connection.User.Identity).Id)?.Detach(connection);
            await payer.DisposeAsync().ConfigureAwait(false);
        }
    }

    public void OnClosed(SshServerConnection connection) => _open.TryRemove(connection, out _);

    private async Task OpenAsync(SshServerConnection connection, PaidLease paid)
    {
        try
        {
            var opened = await connection.OpenChannelAsync("auth-agent@openssh.com", default, connection.Closed).ConfigureAwait(false);
            if (!opened.IsOpen)
            {
                _open.TryRemove(connection, out _);
                return;
            }

            var channel = opened.Channel;
            var payer = PayerClient.OverAgentChannel(new FrameConnection(channel.Input, channel.WriteAsync, channel.DisposeAsync), time);
            if (!_open.TryUpdate(connection, payer, Opening.Instance) || await paid.AttachAsync(connection, payer).ConfigureAwait(false) is null)
            {
                _open.TryRemove(connection, out _);
                await payer.DisposeAsync().ConfigureAwait(false);
            }
        }
        catch (Exception error) when (error is IOException or OperationCanceledException)
        {
            _open.TryRemove(connection, out _);
        }
    }

    /// <summary>Stands for a channel that is being opened.</summary>
    private sealed class Opening : IPayer
    {
        public static readonly Opening Instance = new();

        public bool IsBroken => true;

        public ValueTask<PayerAnswer<WelcomeMessage>> HelloAsync(HelloMessage hello, CancellationToken cancellation) => throw new InvalidOperationException();

        public ValueTask<PayerAnswer<PaymentMessage>> ChargeAsync(ChargeMessage charge, CancellationToken cancellation) => throw new InvalidOperationException();

        public ValueTask<PayerAnswer<NoticeMessage>> NotifyAsync(NoticeMessage notice, CancellationToken cancellation) => throw new InvalidOperationException();

        public ValueTask<PayerAnswer<VerdictMessage>> ProbeAsync(ProbeMessage probe, CancellationToken cancellation) => throw new InvalidOperationException();

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}

/// <summary>Carrier B: payment as a subsystem (<c>ssh -s lease-42 pay@shaleprotocol.com</c>) or as a channel of that type.</summary>
internal sealed class SubsystemCarrier(PaymentGate gate, TimeProvider time) : ISubsystem, IChannelTypeHandler
{
    private const int NotPaidFor = 1;

    public string Name => PaymentProtocol.Name;

    public bool NeedsService => false;

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
