using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using Shale.Ssh.Ciphers;
using Shale.Ssh.Transport;

namespace Shale.Ssh.Connection;

/// <summary>Answers the requests that come on a channel. Called by the connection's reader, so it returns at once.</summary>
internal interface IChannelRequestHandler
{
    /// <summary>Deals with a request.</summary>
    /// <returns>Whether it was granted, or <see langword="null"/> if the handler has sent the reply itself.</returns>
    bool? OnRequest(in ChannelRequestMessage request);

    /// <summary>The channel was closed by the peer, or the connection is over.</summary>
    void OnClosed();
}

/// <summary>
/// One channel of either side (RFC 4254 section 5). The connection's reader feeds it; its own users read <see cref="Input"/> and write. Whoever writes takes its window first, then waits for room in
/// the transport.
/// </summary>
internal sealed class Channel : SshChannel
{
    /// <summary>Room before the data for length, padding length, message number, recipient, data type and data length.</summary>
    internal const int HeadRoom = 5 + 1 + 4 + 4 + 4;

    /// <summary>Room behind the data for the padding.</summary>
    internal const int TailRoom = PacketSealer.MaxPadding;

    /// <summary>What a packet of keystrokes, a pasted line or a small request has at most.</summary>
    private const int ShortInput = 16 * 1024;

    /// <summary>How long a peer may give no credit for what is on its way before its pace is no longer followed.</summary>
    private static readonly TimeSpan PacePatience = TimeSpan.FromSeconds(2);

    private readonly ChannelMultiplexer _multiplexer;
    private readonly Lock _gate = new();
    private readonly InputScheduler _scheduler = new();
    private readonly Pipe _input;
    private readonly Pipe? _error;
    private readonly ReceiveWindow _receiveWindow = new();
    private readonly SemaphoreSlim _sendLock = new(1, 1);
    private readonly AsyncWaiter _waiter = new();
    private readonly CancellationTokenSource _closed = new();
    private readonly Queue<TaskCompletionSource<bool>> _replies = new();
    private SendWindow _sendWindow = new(0);
    private readonly SendPace _pace = new(TimeProvider.System);
    private bool _outputEnded;
    private bool _eofReceived;
    private bool _closeSent;
    private bool _closeReceived;
    private byte[]? _tail;
    private int _unflushedInput;
    private int _unflushedError;

    public Channel(ChannelMultiplexer multiplexer, string channelType, uint localId, bool separateError)
    {
        _multiplexer = multiplexer;
        ChannelType = channelType;
        LocalId = localId;
        _input = new Pipe(InputOptions(_scheduler));
        Input = new CreditingPipeReader(_input.Reader, this);
        if (separateError)
        {
            _error = new Pipe(InputOptions(PipeScheduler.ThreadPool));
            Error = new CreditingPipeReader(_error.Reader, this);
        }
    }

    public override string ChannelType { get; }

    public uint LocalId { get; }

    public uint RemoteId { get; private set; }

    public override PipeReader Input { get; }

    /// <summary>Client: the data of type SSH_EXTENDED_DATA_STDERR.</summary>
    public PipeReader? Error { get; }

    public override CancellationToken Closed => _closed.Token;

    /// <summary>Whether the peer has closed it or the connection is gone; true from before the first write fails for it, which <see cref="Closed"/> is not.</summary>
    public bool IsClosedByPeer
    {
        get
        {
            lock (_gate)
            {
                return _closeReceived;
            }
        }
    }

    /// <summary>Answers requests; without one all are refused.</summary>
    public IChannelRequestHandler? Requests { get; set; }

    /// <summary>Whether both sides know each other's numbers, so that messages may be exchanged.</summary>
    public bool IsOpen { get; private set; }

    /// <summary>Completes when a channel that we opened was answered.</summary>
    public TaskCompletionSource<ChannelOpenResult>? Opening { get; init; }

    /// <summary>How many bytes of data one packet carries at most.</summary>
    public int MaxData { get; private set; } = ReceiveWindow.MaxPacket;

    /// <summary>
    /// Whether whoever awaits <see cref="Input"/> never blocks, so that bytes are handed over on the connection's reader: a hop to the thread pool costs more than all else that is done with
    /// a keystroke, and as much as what is done with bulk. Only on a thread that connections share does bulk go over the thread pool.
    /// </summary>
    public bool TakesInputInline { get; set; }

    /// <summary>Whether the connection has no other channel now.</summary>
    public bool IsOnlyOne => _multiplexer.Count == 1;

    public void Open(uint remoteId, uint window, uint maxPacket)
    {
        RemoteId = remoteId;
        _sendWindow = new SendWindow(window);
        MaxData = (int)Math.Min(maxPacket, ReceiveWindow.MaxPacket);
        IsOpen = true;
    }

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken) => WriteAsync(data, dataType: 0, cancellationToken);

    public async ValueTask WriteAsync(ReadOnlyMemory<byte> data, uint dataType, CancellationToken cancellationToken)
    {
        using var buffer = new ChannelOutputBuffer(this);
        while (!data.IsEmpty)
        {
            var count = Math.Min(data.Length, buffer.Memory.Length);
            data[..count].CopyTo(buffer.Memory);
            data = data[count..];
            await SendAsync(buffer.Array, count, dataType, flush: data.IsEmpty, cancellationToken);
        }
    }

    public override OutputBuffer RentOutputBuffer() => new ChannelOutputBuffer(this);

    public override ValueTask SendEofAsync(CancellationToken cancellationToken)
    {
        SendEof();
        return ValueTask.CompletedTask;
    }

    public void SendEof()
    {
        lock (_gate)
        {
            if (!_outputEnded && !_closeSent)
            {
                _outputEnded = true;
                _multiplexer.Send(new ChannelSignalMessage(MessageNumber.ChannelEof, RemoteId));
            }
        }
    }

    public override ValueTask DisposeAsync()
    {
        SendClose();
        return ValueTask.CompletedTask;
    }

    /// <summary>Sends CLOSE, once. The number is free when the peer's has come too.</summary>
    public void SendClose()
    {
        lock (_gate)
        {
            if (_closeSent)
            {
                return;
            }

            _closeSent = true;
            _outputEnded = true;
        }

        _waiter.Abandon();
        _multiplexer.Send(new ChannelSignalMessage(MessageNumber.ChannelClose, RemoteId));
        Finish();
    }

    /// <summary>Stops output for good without telling the peer, who knows (eow@openssh.com): writing fails from here on.</summary>
    public void RefuseOutput()
    {
        lock (_gate)
        {
            _outputEnded = true;
        }

        _waiter.TryComplete(false);
    }

    /// <summary>Sends a request, unless the channel is closed: PuTTY ends the connection over a message for a channel that is not there any more.</summary>
    public void SendRequest(string type, ReadOnlyMemory<byte> fields)
    {
        lock (_gate)
        {
            if (!_closeSent)
            {
                _multiplexer.Send(new ChannelRequestMessage(RemoteId, type, WantReply: false, fields));
            }
        }
    }

    /// <summary>Sends a request and awaits the reply.</summary>
    public async ValueTask<bool> RequestAsync(string type, ReadOnlyMemory<byte> fields, CancellationToken cancellationToken)
    {
        var reply = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate)
        {
            if (_closeSent || _closeReceived)
            {
                return false;
            }

            // Queued and sent under one lock: replies come in the order of requests.
            _replies.Enqueue(reply);
            _multiplexer.Send(new ChannelRequestMessage(RemoteId, type, WantReply: true, fields));
        }

        return await reply.Task.WaitAsync(cancellationToken);
    }

    /// <summary>Reader: takes in data.</summary>
    /// <returns>Why the connection must end, or <see langword="null"/>.</returns>
    public string? OnData(uint dataType, ReadOnlySpan<byte> data)
    {
        if (data.Length > ReceiveWindow.MaxPacket || !_receiveWindow.TryConsume(data.Length))
        {
            return "Data came over the window.";
        }

        if (_eofReceived)
        {
            return "Data came after EOF.";
        }

        var pipe = dataType == 0 ? _input : dataType == ChannelDataMessage.StandardError ? _error : null;
        if (_closeSent || pipe is null || data.IsEmpty)
        {
            // Nobody will read it, but the peer's other data must not starve for it.
            Credit(data.Length);
            return null;
        }

        data.CopyTo(pipe.Writer.GetSpan(data.Length));
        pipe.Writer.Advance(data.Length);
        if (dataType == 0)
        {
            _unflushedInput += data.Length;
        }
        else
        {
            _unflushedError += data.Length;
        }

        return null;
    }

    /// <summary>Reader: whether something came that was not handed over.</summary>
    public bool HasUnflushedInput => _unflushedInput + _unflushedError > 0;

    /// <summary>Reader: hands over what came since it was last called, in one piece.</summary>
    public void FlushInput()
    {
        // Completes at once: the pipes have no threshold.
        if (_unflushedInput > 0)
        {
            var inline = TakesInputInline && (_unflushedInput <= ShortInput || !_multiplexer.IsSharedThread);
            HandOver(inline ? _scheduler.Flush(_input.Writer) : _input.Writer.FlushAsync(CancellationToken.None), ref _unflushedInput);
        }

        if (_unflushedError > 0)
        {
            HandOver(_error!.Writer.FlushAsync(CancellationToken.None), ref _unflushedError);
        }
    }

    /// <summary>Reader: the peer's window grew.</summary>
    public bool OnWindowAdjust(uint count)
    {
        if (!_sendWindow.TryGrow(count))
        {
            return false;
        }

        _pace.OnCredit(count);
        if (_waiter.IsArmed)
        {
            // Who waits to send goes on in this call where no other channel's messages would wait for him.
            _waiter.TryComplete(true, inline: IsOnlyOne && _multiplexer.TryLeaveSharedThread());
        }

        return true;
    }

    /// <summary>Reader: the peer will send no more.</summary>
    public void OnEof()
    {
        // Once: the end of a channel may be told by another thread than its reader.
        if (!Interlocked.Exchange(ref _eofReceived, true))
        {
            FlushInput();
            _input.Writer.Complete();
            _error?.Writer.Complete();
        }
    }

    /// <summary>Reader: a request was answered.</summary>
    /// <returns>Whether there was one.</returns>
    public bool OnReply(bool success)
    {
        TaskCompletionSource<bool>? reply;
        lock (_gate)
        {
            _replies.TryDequeue(out reply);
        }

        reply?.TrySetResult(success);
        return reply is not null;
    }

    /// <summary>Reader: the peer closed the channel. Ours follows at once: nothing that we could still send would be read.</summary>
    public void OnClose()
    {
        bool sendClose;
        lock (_gate)
        {
            _closeReceived = true;
            sendClose = !_closeSent;
            _closeSent = true;
            _outputEnded = true;
        }

        _waiter.Abandon();
        if (sendClose)
        {
            _multiplexer.Send(new ChannelSignalMessage(MessageNumber.ChannelClose, RemoteId));
        }

        _multiplexer.Remove(this);
        Finish();
    }

    /// <summary>The connection is over.</summary>
    public void Abandon()
    {
        lock (_gate)
        {
            _closeSent = true;
            _closeReceived = true;
            _outputEnded = true;
        }

        Opening?.TrySetResult(new ChannelOpenResult(null, ChannelOpenFailure.ConnectFailed, "The connection is over."));
        Finish();
    }

    /// <summary>Gives the peer back what was consumed of its window.</summary>
    internal void Credit(long count)
    {
        while (count > 0)
        {
            var part = (int)Math.Min(count, int.MaxValue);
            count -= part;
            var adjust = _receiveWindow.Credit(part);
            if (adjust == 0)
            {
                continue;
            }

            lock (_gate)
            {
                if (!_closeSent)
                {
                    _multiplexer.Send(new ChannelWindowAdjustMessage(RemoteId, (uint)adjust));
                }
            }
        }
    }

    /// <summary>Sends data that lies in <paramref name="array"/> behind <see cref="HeadRoom"/>: now, or with what follows.</summary>
    internal async ValueTask SendAsync(byte[] array, int count, uint dataType, bool flush, CancellationToken cancellationToken)
    {
        await _sendLock.WaitAsync(cancellationToken);
        try
        {
            for (var sent = 0; sent < count;)
            {
                var taken = await TakeWindowAsync(Math.Min(count - sent, MaxData), cancellationToken);
                var hasMore = sent + taken < count;
                if (!await SealAsync(array, HeadRoom + sent, taken, dataType, hasMore, flush && !hasMore, cancellationToken))
                {
                    // The peer didn't get it, so its window is as it was.
                    _sendWindow.TryGrow((uint)taken);
                    _pace.OnNotSent(taken);
                    cancellationToken.ThrowIfCancellationRequested();
                    throw ClosedException();
                }

                sent += taken;
            }
        }
        finally
        {
            _sendLock.Release();
        }
    }

    private async ValueTask<int> TakeWindowAsync(int wanted, CancellationToken cancellationToken)
    {
        while (true)
        {
            if (_outputEnded)
            {
                throw ClosedException();
            }

            var allowed = Allow(wanted);
            var taken = _sendWindow.Take(allowed);
            if (taken > 0)
            {
                _pace.OnSent(taken);
                return taken;
            }

            _waiter.Arm();
            if ((_sendWindow.Available > 0 && Allow(wanted) > 0) || _outputEnded)
            {
                _waiter.TryComplete(true);
            }

            _multiplexer.Flush();
            using var patience = allowed == 0 ? new Timer(OnNoCredit, null, PacePatience, Timeout.InfiniteTimeSpan) : null;
            if (!await _waiter.WaitAsync(cancellationToken))
            {
                cancellationToken.ThrowIfCancellationRequested();
            }
        }
    }

    /// <summary>What may be sent now without making other channels wait for it.</summary>
    private int Allow(int wanted) => _multiplexer.HasOthers(this) ? _pace.Allow(wanted) : wanted;

    private void OnNoCredit(object? state)
    {
        _pace.GiveUp();
        _waiter.TryComplete(true);
    }

    private async ValueTask<bool> SealAsync(byte[] array, int offset, int count, uint dataType, bool hasMore, bool flush, CancellationToken cancellationToken)
    {
        var start = WriteHeader(array, offset, count, dataType);
        var length = offset + count - start;
        if (!hasMore)
        {
            return await _multiplexer.SendBulkAsync(array, start, length, _waiter, flush, cancellationToken);
        }

        // The padding is written over what comes next.
        var next = _tail ??= new byte[TailRoom];
        array.AsSpan(offset + count, TailRoom).CopyTo(next);
        var sent = await _multiplexer.SendBulkAsync(array, start, length, _waiter, flush, cancellationToken);
        next.CopyTo(array.AsSpan(offset + count));
        return sent;
    }

    private int WriteHeader(byte[] array, int offset, int count, uint dataType)
    {
        var start = offset - (dataType == 0 ? 9 : 13);
        array[start] = dataType == 0 ? MessageNumber.ChannelData : MessageNumber.ChannelExtendedData;
        BinaryPrimitives.WriteUInt32BigEndian(array.AsSpan(start + 1), RemoteId);
        if (dataType != 0)
        {
            BinaryPrimitives.WriteUInt32BigEndian(array.AsSpan(start + 5), dataType);
        }

        BinaryPrimitives.WriteUInt32BigEndian(array.AsSpan(offset - 4), (uint)count);
        return start;
    }

    private void HandOver(ValueTask<FlushResult> flush, ref int count)
    {
        var handed = count;
        count = 0;
        if (flush.IsCompletedSuccessfully && flush.Result.IsCompleted)
        {
            // Nobody reads it any more.
            Credit(handed);
        }
    }

    private void Finish()
    {
        if (_closeReceived && !_eofReceived)
        {
            OnEof();
        }

        _waiter.TryComplete(false);
        lock (_gate)
        {
            while (_replies.TryDequeue(out var reply))
            {
                reply.TrySetResult(false);
            }
        }

        _ = _closed.CancelAsync();
        Requests?.OnClosed();
    }

    /// <summary>The pipes are bounded by the window that the channel gives the peer, not by thresholds of their own.</summary>
    private static PipeOptions InputOptions(PipeScheduler reader) => new(
        readerScheduler: reader,
        writerScheduler: PipeScheduler.Inline,
        pauseWriterThreshold: 0,
        resumeWriterThreshold: 0,
        minimumSegmentSize: ChannelMultiplexer.MaxUnflushed,
        useSynchronizationContext: false);

    private IOException ClosedException() => new($"Channel {LocalId} takes no more output.");
}

/// <summary>
/// An <see cref="OutputBuffer"/> of a channel: of one packet's size, and of several while it is filled each time, so that bulk takes fewer calls of the system and wakes its reader less often.
/// </summary>
internal sealed class ChannelOutputBuffer : OutputBuffer
{
    private const int BulkPackets = 2;

    private readonly Channel _channel;
    private byte[] _array;
    private int _size;

    public ChannelOutputBuffer(Channel channel)
    {
        _channel = channel;
        _size = channel.MaxData;
        _array = ArrayPool<byte>.Shared.Rent(Channel.HeadRoom + _size + Channel.TailRoom);
    }

    public byte[] Array => _array;

    public override Memory<byte> Memory => _array.AsMemory(Channel.HeadRoom, _array.Length == 0 ? 0 : _size);

    public override ValueTask SendAsync(int count, CancellationToken cancellationToken) => SendAsync(count, 0, cancellationToken);

    public override ValueTask SendErrorAsync(int count, CancellationToken cancellationToken) =>
        SendAsync(count, ChannelDataMessage.StandardError, cancellationToken);

    protected override void Dispose(bool disposing) => Replace([]);

    private async ValueTask SendAsync(int count, uint dataType, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, _size);
        ObjectDisposedException.ThrowIf(_array.Length == 0, this);
        await _channel.SendAsync(_array, count, dataType, flush: true, cancellationToken);
        var wanted = count == _size ? BulkPackets * _channel.MaxData : count < _channel.MaxData ? _channel.MaxData : _size;
        if (wanted != _size)
        {
            _size = wanted;
            Replace(ArrayPool<byte>.Shared.Rent(Channel.HeadRoom + _size + Channel.TailRoom));
        }
    }

    private void Replace(byte[] array)
    {
        if (_array.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(_array);
        }

        _array = array;
    }
}
