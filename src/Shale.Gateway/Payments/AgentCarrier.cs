using System.Collections.Concurrent;
using Shale.Gateway.Leases;
using Shale.Payments.Channel;
using Shale.Ssh.Connection;

namespace Shale.Gateway.Payments;

/// <summary>Carrier A: payment on an agent channel of the user's own connection.</summary>
internal sealed class AgentCarrier(PaymentGate gate, TimeProvider time)
{
    // An agent that ended is started again by a person, or by the next command that needs it: looked for at once, then less and less often.
    private static readonly TimeSpan FirstRetry = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestRetry = TimeSpan.FromSeconds(15);

    private readonly ConcurrentDictionary<SshServerConnection, Carriage> _carriages = new();

    /// <summary>Opens the channel, once the client asked for agent forwarding; a lease that is free needs none.</summary>
    public void OnGranted(SshServerConnection connection)
    {
        var carriage = new Carriage();
        if (gate.Find(((LeaseService)connection.User.Identity).Id) is { } paid && _carriages.TryAdd(connection, carriage))
        {
            _ = CarryAsync(connection, paid, carriage);
        }
    }

    /// <summary>Whether the agent that this connection's client forwards is a payment agent, once that is known; a lease that is free asks none.</summary>
    public Task<bool> LeadsToPayerAsync(SshServerConnection connection, CancellationToken cancellation) =>
        _carriages.TryGetValue(connection, out var carriage) ? carriage.HasPayer.Task.WaitAsync(cancellation) : Task.FromResult(false);

    /// <summary>Closes the channel before the last session: ssh does not exit while one is open.</summary>
    public async ValueTask OnLastSessionEndingAsync(SshServerConnection connection)
    {
        if (_carriages.TryRemove(connection, out var carriage) && carriage.End() is { } payer)
        {
            gate.Find(((LeaseService)connection.User.Identity).Id)?.Detach(connection);
            await payer.DisposeAsync().ConfigureAwait(false);
        }
    }

    public void OnClosed(SshServerConnection connection)
    {
        if (_carriages.TryRemove(connection, out var carriage))
        {
            carriage.End();
        }
    }

    /// <summary>Has the client's agent charged for as long as the connection has sessions; an agent that paid once is looked for again when it is gone.</summary>
    private async Task CarryAsync(SshServerConnection connection, PaidLease paid, Carriage carriage)
    {
        try
        {
            var retry = FirstRetry;
            var hasPaid = false;
            do
            {
                if (await OpenAsync(connection, carriage).ConfigureAwait(false) is { } payer)
                {
                    if (await paid.AttachAsync(connection, payer).ConfigureAwait(false) is { } attached)
                    {
                        carriage.HasPayer.TrySetResult(true);
                        (hasPaid, retry) = (true, FirstRetry);
                        await attached.Gone.Task.WaitAsync(connection.Closed).ConfigureAwait(false);
                    }

                    carriage.Leave(payer);
                    await payer.DisposeAsync().ConfigureAwait(false);
                }

                if (hasPaid && !carriage.HasEnded)
                {
                    await Task.Delay(retry, time, connection.Closed).ConfigureAwait(false);
                    retry = retry * 2 < LongestRetry ? retry * 2 : LongestRetry;
                }
            }
            while (hasPaid && !carriage.HasEnded);
        }
        catch (Exception error) when (error is IOException or OperationCanceledException)
        {
            // The connection is gone, or the gateway stops.
        }
        finally
        {
            carriage.HasPayer.TrySetResult(false);
            _carriages.TryRemove(new KeyValuePair<SshServerConnection, Carriage>(connection, carriage));
        }
    }

    /// <summary>A channel to the client's agent; null where the client refuses it or the last session has ended.</summary>
    private async Task<PayerClient?> OpenAsync(SshServerConnection connection, Carriage carriage)
    {
        var opened = await connection.OpenChannelAsync("auth-agent@openssh.com", default, connection.Closed).ConfigureAwait(false);
        if (!opened.IsOpen)
        {
            return null;
        }

        var channel = opened.Channel;
        var payer = PayerClient.OverAgentChannel(new FrameConnection(channel.Input, channel.WriteAsync, channel.DisposeAsync), time);
        if (carriage.TryTake(payer))
        {
            return payer;
        }

        await payer.DisposeAsync().ConfigureAwait(false);
        return null;
    }

    /// <summary>One connection's payer, which comes and goes, until its sessions have ended.</summary>
    private sealed class Carriage
    {
        private readonly Lock _gate = new();
        private PayerClient? _payer;
        private bool _ended;

        /// <summary>Whether a payment agent answered; completed once that is known.</summary>
        public TaskCompletionSource<bool> HasPayer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public bool HasEnded
        {
            get
            {
                lock (_gate)
                {
                    return _ended;
                }
            }
        }

        /// <summary>False: the sessions ended while the channel was being opened.</summary>
        public bool TryTake(PayerClient payer)
        {
            lock (_gate)
            {
                _payer = _ended ? null : payer;
                return !_ended;
            }
        }

        public void Leave(PayerClient payer)
        {
            lock (_gate)
            {
                _payer = ReferenceEquals(_payer, payer) ? null : _payer;
            }
        }

        /// <summary>Ends it, and gives the payer that is to be closed.</summary>
        public PayerClient? End()
        {
            lock (_gate)
            {
                _ended = true;
                return _payer;
            }
        }
    }
}
