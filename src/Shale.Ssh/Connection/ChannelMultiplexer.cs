using Shale.Ssh.Transport;

namespace Shale.Ssh.Connection;

/// <summary>Answers what concerns the connection as a whole. Called by the connection's reader.</summary>
internal interface IConnectionRequestHandler
{
    /// <summary>The peer wants to open a channel: answer it now or later with <see cref="ChannelMultiplexer.Accept"/> or <see cref="ChannelMultiplexer.Refuse"/>.</summary>
    void OnChannelOpen(in ChannelOpenMessage open);

    /// <summary>A global request: answer it, if an answer is wanted, with <see cref="ChannelMultiplexer.Send"/>, in the order of the requests. The next message waits for the result.</summary>
    Task OnGlobalRequestAsync(GlobalRequestMessage request);

    /// <summary>A global request of ours was answered.</summary>
    /// <returns>Whether there was one.</returns>
    bool OnGlobalReply(bool success, ReadOnlySpan<byte> fields);
}

/// <summary>
/// The connection protocol (RFC 4254) of either side: the table of channels, and what each message does to it. One reader runs it; channels are opened and closed from any thread.
/// </summary>
internal sealed class ChannelMultiplexer(SshTransport transport, IConnectionRequestHandler handler, int maxChannels)
{
    /// <summary>How much of what came may lie there before it is handed over, while more is there to be read: some packets, in one piece for whoever writes them on.</summary>
    internal const int MaxUnflushed = 128 * 1024;

    private const string AgentChannel = "auth-agent@openssh.com";

    private readonly Lock _gate = new();
    private readonly List<Channel> _fed = [];
    private int _unflushed;
    private readonly Dictionary<uint, Channel> _channels = [];
    private uint _nextId;
    private bool _ended;

    /// <summary>How many channels there are, opening ones included.</summary>
    public int Count
    {
        get
        {
            lock (_gate)
            {
                return _channels.Count;
            }
        }
    }

    /// <summary>Whether somebody may wait for what other channels than this bring: a program that asks an agent, who is asked now and then, waits for that and not for milliseconds.</summary>
    public bool HasOthers(Channel channel)
    {
        lock (_gate)
        {
            // Most often there is one channel, or two.
            foreach (var other in _channels.Values)
            {
                if (other != channel && other.ChannelType != AgentChannel)
                {
                    return true;
                }
            }

            return false;
        }
    }

    /// <summary>Serves messages until the connection is over.</summary>
    public async ValueTask RunAsync()
    {
        try
        {
            while (true)
            {
                // A keystroke is on its way before anything is done about the next one; of bulk, first all is taken that is there.
                if (transport.IsSharedThread())
                {
                    FlushInputs();
                }

                var receiving = transport.ReceiveAsync();
                if (!receiving.IsCompleted || _unflushed >= MaxUnflushed)
                {
                    FlushInputs();
                }

                if (!await receiving)
                {
                    break;
                }

                var (fault, pending) = Dispatch();
                if (fault is not null)
                {
                    transport.Fail(DisconnectReason.ProtocolError, fault);
                    return;
                }

                if (!pending.IsCompletedSuccessfully)
                {
                    FlushInputs();
                    transport.Writer.Flush();
                    await pending;
                }
            }
        }
        finally
        {
            EndAll();
        }
    }

    public void Send<T>(in T message)
        where T : IMessage => transport.Send(message);

    public bool IsSharedThread => transport.IsSharedThread();

    public bool TryLeaveSharedThread() => transport.TryLeaveSharedThread();

    public void Flush() => transport.Writer.Flush();

    public ValueTask<bool> SendBulkAsync(byte[] buffer, int start, int length, AsyncWaiter waiter, bool flush, CancellationToken cancellationToken) =>
        transport.Writer.SendBulkAsync(buffer, start, length, waiter, flush, cancellationToken);

    /// <summary>Takes a place in the table for a channel that the peer opens, before it is known whether it is accepted.</summary>
    /// <returns>The channel, or <see langword="null"/> when the table is full.</returns>
    public Channel? Reserve(string channelType) => Add(id => new Channel(this, channelType, id, separateError: false));

    /// <summary>Confirms a channel that the peer opens.</summary>
    public void Accept(Channel channel, in ChannelOpenMessage open)
    {
        channel.Open(open.Sender, open.Window, open.MaxPacket);
        Send(new ChannelOpenConfirmationMessage(open.Sender, channel.LocalId, ReceiveWindow.DefaultSize, ReceiveWindow.MaxPacket));
    }

    /// <summary>Refuses a channel that the peer opens.</summary>
    public void Refuse(Channel? reserved, uint sender, ChannelOpenFailure failure, string description)
    {
        if (reserved is not null)
        {
            Remove(reserved);
        }

        Send(new ChannelOpenFailureMessage(sender, (uint)failure, description));
    }

    /// <summary>Opens a channel to the peer.</summary>
    public async ValueTask<ChannelOpenResult> OpenAsync(
        string channelType, ReadOnlyMemory<byte> fields, bool separateError, CancellationToken cancellationToken)
    {
        var opening = new TaskCompletionSource<ChannelOpenResult>(TaskCreationOptions.RunContinuationsAsynchronously);
        var channel = Add(id => new Channel(this, channelType, id, separateError) { Opening = opening });
        if (channel is null)
        {
            return new ChannelOpenResult(null, ChannelOpenFailure.ResourceShortage, "This connection has as many channels as it may have.");
        }

        Send(new ChannelOpenMessage(channelType, channel.LocalId, ReceiveWindow.DefaultSize, ReceiveWindow.MaxPacket, fields));
        try
        {
            return await opening.Task.WaitAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            // The answer may still come. If it came at this very moment, the channel is open and nobody's.
            if (!opening.TrySetCanceled(cancellationToken) && opening.Task.IsCompletedSuccessfully)
            {
                ((await opening.Task).Channel as Channel)?.SendClose();
            }

            throw;
        }
    }

    public void Remove(Channel channel)
    {
        lock (_gate)
        {
            _channels.Remove(channel.LocalId);
        }
    }

    private Channel? Add(Func<uint, Channel> create)
    {
        lock (_gate)
        {
            if (_ended || _channels.Count >= maxChannels)
            {
                return null;
            }

            // Numbers are not used again soon: a message that is late finds no other channel in its place.
            while (_channels.ContainsKey(_nextId))
            {
                _nextId = unchecked(_nextId + 1);
            }

            var channel = create(_nextId);
            _channels.Add(_nextId, channel);
            _nextId = unchecked(_nextId + 1);
            return channel;
        }
    }

    private Channel? Find(uint id)
    {
        lock (_gate)
        {
            return _channels.TryGetValue(id, out var channel) && channel.IsOpen ? channel : null;
        }
    }

    private void EndAll()
    {
        Channel[] channels;
        lock (_gate)
        {
            _ended = true;
            channels = [.. _channels.Values];
            _channels.Clear();
        }

        foreach (var channel in channels)
        {
            channel.Abandon();
        }
    }

    private (string? Fault, Task Pending) Dispatch()
    {
        var payload = transport.Payload;
        switch (transport.MessageNumber)
        {
            case MessageNumber.ChannelData or MessageNumber.ChannelExtendedData:
                return (OnData(payload.Span), Task.CompletedTask);
            case MessageNumber.ChannelWindowAdjust:
                return (OnWindowAdjust(payload.Span), Task.CompletedTask);
            case MessageNumber.ChannelRequest:
                return (OnChannelRequest(payload), Task.CompletedTask);
            case MessageNumber.ChannelEof or MessageNumber.ChannelClose or MessageNumber.ChannelSuccess or MessageNumber.ChannelFailure:
                return (OnSignal(payload.Span), Task.CompletedTask);
            case MessageNumber.ChannelOpen:
                return (OnOpen(payload), Task.CompletedTask);
            case MessageNumber.ChannelOpenConfirmation:
                return (OnConfirmation(payload.Span), Task.CompletedTask);
            case MessageNumber.ChannelOpenFailure:
                return (OnOpenFailure(payload.Span), Task.CompletedTask);
            case MessageNumber.GlobalRequest:
                return GlobalRequestMessage.TryRead(payload, out var request)
                    ? (null, handler.OnGlobalRequestAsync(request))
                    : (Malformed(), Task.CompletedTask);
            case MessageNumber.RequestSuccess or MessageNumber.RequestFailure:
                return (OnGlobalReply(payload.Span), Task.CompletedTask);
            default:
                // USERAUTH_REQUEST after success is to be ignored (RFC 4252 section 5.3).
                return (null, Task.CompletedTask);
        }
    }

    private string? OnData(ReadOnlySpan<byte> payload)
    {
        if (!ChannelDataMessage.TryRead(payload, out var message))
        {
            return Malformed();
        }

        if (Find(message.Recipient) is not { } channel)
        {
            return NoChannel();
        }

        var wasFed = channel.HasUnflushedInput;
        var fault = channel.OnData(message.DataType, message.Data);
        _unflushed += message.Data.Length;
        if (!wasFed && channel.HasUnflushedInput)
        {
            _fed.Add(channel);
        }

        return fault;
    }

    /// <summary>Reader: hands over what came on all channels.</summary>
    private void FlushInputs()
    {
        foreach (var channel in _fed)
        {
            channel.FlushInput();
        }

        _fed.Clear();
        _unflushed = 0;
    }

    private string? OnWindowAdjust(ReadOnlySpan<byte> payload)
    {
        if (!ChannelWindowAdjustMessage.TryRead(payload, out var message))
        {
            return Malformed();
        }

        return Find(message.Recipient) is not { } channel ? NoChannel()
            : channel.OnWindowAdjust(message.Count) ? null
            : "The window is above 2^32 - 1.";
    }

    private string? OnChannelRequest(ReadOnlyMemory<byte> payload)
    {
        if (!ChannelRequestMessage.TryRead(payload, out var request))
        {
            return Malformed();
        }

        if (Find(request.Recipient) is not { } channel)
        {
            return NoChannel();
        }

        var granted = channel.Requests is null ? false : channel.Requests.OnRequest(request);
        if (request.WantReply && granted is not null)
        {
            Send(new ChannelSignalMessage(granted.Value ? MessageNumber.ChannelSuccess : MessageNumber.ChannelFailure, channel.RemoteId));
        }

        return null;
    }

    private string? OnSignal(ReadOnlySpan<byte> payload)
    {
        if (!ChannelSignalMessage.TryRead(payload, out var message))
        {
            return Malformed();
        }

        if (Find(message.Recipient) is not { } channel)
        {
            return NoChannel();
        }

        switch (message.Number)
        {
            case MessageNumber.ChannelEof:
                channel.OnEof();
                return null;
            case MessageNumber.ChannelClose:
                channel.OnClose();
                return null;
            default:
                return channel.OnReply(message.Number == MessageNumber.ChannelSuccess) ? null : "A channel request was answered that was not made.";
        }
    }

    private string? OnOpen(ReadOnlyMemory<byte> payload)
    {
        if (!ChannelOpenMessage.TryRead(payload, out var open) || open.MaxPacket == 0)
        {
            return Malformed();
        }

        handler.OnChannelOpen(open);
        return null;
    }

    private string? OnConfirmation(ReadOnlySpan<byte> payload)
    {
        if (!ChannelOpenConfirmationMessage.TryRead(payload, out var message) || message.MaxPacket == 0)
        {
            return Malformed();
        }

        if (FindOpening(message.Recipient) is not { Opening: { } opening } channel)
        {
            return NoChannel();
        }

        channel.Open(message.Sender, message.Window, message.MaxPacket);
        if (!opening.TrySetResult(new ChannelOpenResult(channel, ChannelOpenFailure.None, "")))
        {
            // Whoever opened it no longer waits.
            channel.SendClose();
        }

        return null;
    }

    private string? OnOpenFailure(ReadOnlySpan<byte> payload)
    {
        if (!ChannelOpenFailureMessage.TryRead(payload, out var message))
        {
            return Malformed();
        }

        if (FindOpening(message.Recipient) is not { Opening: { } opening } channel)
        {
            return NoChannel();
        }

        Remove(channel);
        var failure = message.Reason is >= 1 and <= 4 ? (ChannelOpenFailure)message.Reason : ChannelOpenFailure.ConnectFailed;
        opening.TrySetResult(new ChannelOpenResult(null, failure, PeerText.Clean(message.Description)));
        return null;
    }

    private string? OnGlobalReply(ReadOnlySpan<byte> payload) =>
        handler.OnGlobalReply(payload[0] == MessageNumber.RequestSuccess, payload[1..]) ? null : "A global request was answered that was not made.";

    private Channel? FindOpening(uint id)
    {
        lock (_gate)
        {
            return _channels.TryGetValue(id, out var channel) && !channel.IsOpen && channel.Opening is not null ? channel : null;
        }
    }

    private string Malformed() => $"Message {transport.MessageNumber} is malformed.";

    private string NoChannel() => $"Message {transport.MessageNumber} names a channel that is not open.";
}
