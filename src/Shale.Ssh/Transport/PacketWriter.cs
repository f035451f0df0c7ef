using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using System.Security.Cryptography;
using Shale.Ssh.Ciphers;

namespace Shale.Ssh.Transport;

/// <summary>
/// Seals outgoing packets and hands them to the transport (RFC 4253 section 6). Packets are sealed under one lock, by whoever sends, into a buffer that one loop takes as a whole: what is
/// sent while the transport is busy goes out in one piece. Bulk data waits for room in that buffer; other messages never wait here, so those who answer a peer's requests
/// wait with <see cref="WaitUntilDrainedAsync"/> before they read the next one.
/// </summary>
internal sealed class PacketWriter : IDisposable
{
    /// <summary>Above this, bulk data waits: some packets of 32 KiB are enough to keep the socket busy, and a keystroke's echo is behind no more than this.</summary>
    private const int BulkLimit = 128 * 1024;

    /// <summary>A packet this short is let in up to twice <see cref="BulkLimit"/>: an echo need not queue behind bulk.</summary>
    private const int ShortPacket = 1024;

    /// <summary>Above this, no further message of the peer is read: what it makes us answer stays bounded when it doesn't read (ping flood).</summary>
    private const int DrainLimit = 256 * 1024;

    /// <summary>
    /// How many bytes may be put off until a key exchange is done. A peer that was sent KEXINIT may go on for one flight; more than this is one that does not mean to answer.
    /// </summary>
    private const int DeferLimit = 256 * 1024;

    private const int MaxPayloadLength = 512 * 1024;

    /// <summary>How many buffers a sender hands over before the loop goes on elsewhere.</summary>
    private const int MaxCarried = 8;

    private readonly Lock _gate = new();
    private readonly PipeWriter _output;
    private readonly AsyncWaiter _work = new(runInline: true);
    private readonly AsyncWaiter _drained = new();
    private readonly Queue<AsyncWaiter> _waitingForRoom = new();
    private readonly byte[] _padding = new byte[256];
    private readonly Action _onRekeyDue;
    private readonly Func<bool> _tryLeaveSharedThread;
    private readonly long _rekeyAfterBytes;

    private PacketSealer _sealer = new ClearSealer();
    private byte[] _buffer = [];
    private int _length;
    private int _paddingUsed = 256;
    private uint _sequence;
    private long _bytesUnderKeys;
    private long _packetsUnderKeys;
    private long _bytesSent;
    private bool _rekeyReported;
    private bool _deferring;
    private Queue<byte[]>? _deferred;
    private int _deferredLength;
    private bool _loopIdle;
    private bool _unflushed;
    private bool _drainAwaited;
    private bool _completed;

    /// <param name="output">The transport; completed when <see cref="RunAsync"/> ends.</param>
    /// <param name="rekeyAfterBytes">After how many bytes under one set of keys <paramref name="onRekeyDue"/> is called.</param>
    /// <param name="onRekeyDue">Called once per set of keys, outside the lock, on the thread of whoever sends.</param>
    /// <param name="tryLeaveSharedThread">Makes the caller's thread one that he may keep for a while, if it can be.</param>
    public PacketWriter(PipeWriter output, long rekeyAfterBytes, Action onRekeyDue, Func<bool> tryLeaveSharedThread)
    {
        _tryLeaveSharedThread = tryLeaveSharedThread;
        _output = output;
        _rekeyAfterBytes = rekeyAfterBytes;
        _onRekeyDue = onRekeyDue;
    }

    public long BytesSent => Interlocked.Read(ref _bytesSent);

    /// <summary>Bytes sealed since the last change of keys.</summary>
    public long BytesUnderKeys => Interlocked.Read(ref _bytesUnderKeys);

    /// <summary>Whether the keys of this direction are worn out.</summary>
    public bool IsRekeyDue
    {
        get
        {
            lock (_gate)
            {
                return _bytesUnderKeys >= Math.Min(_rekeyAfterBytes, _sealer.MaxBytes) || _packetsUnderKeys >= RekeyLimits.Packets;
            }
        }
    }

    /// <summary>Whether so much is to be sent that no further message of the peer should be read.</summary>
    public bool NeedsDraining => Volatile.Read(ref _length) >= DrainLimit;

    /// <summary>Whether more was put off during a key exchange than any honest peer needs; the connection is to be closed.</summary>
    public bool Overflowed { get; private set; }

    /// <summary>Writes bytes as they are: the identification line before the first packet.</summary>
    public void WriteRaw(ReadOnlySpan<byte> bytes)
    {
        lock (_gate)
        {
            Reserve(bytes.Length);
            bytes.CopyTo(_buffer.AsSpan(_length));
            _length += bytes.Length;
            _bytesSent += bytes.Length;
            _unflushed = true;
        }
    }

    /// <summary>Sends a message, or puts it off until the key exchange that runs is done.</summary>
    /// <param name="payload">The message; copied.</param>
    /// <param name="flush">Whether to start sending now, rather than with what follows.</param>
    public void Send(ReadOnlySpan<byte> payload, bool flush = true)
    {
        bool rekeyDue;
        lock (_gate)
        {
            if (_completed)
            {
                return;
            }

            if (_deferring && !MessageRules.MayBeSentDuringExchange(payload[0]))
            {
                Defer(payload);
                return;
            }

            rekeyDue = SealCopy(payload);
            _unflushed |= !flush;
        }

        Finish(flush, rekeyDue);
    }

    /// <summary>
    /// Sends a message that its caller built with five bytes free before it and <see cref="PacketSealer.MaxPadding"/> behind it; both are overwritten. Waits for room.
    /// </summary>
    /// <param name="buffer">The memory.</param>
    /// <param name="start">Where the message begins, at least 5.</param>
    /// <param name="length">How long it is.</param>
    /// <param name="waiter">The caller's own, to wait with.</param>
    /// <param name="flush">Whether to start sending now, rather than with what follows or when room is short.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Whether it was sent: not when the wait was ended or the connection is over.</returns>
    public ValueTask<bool> SendBulkAsync(byte[] buffer, int start, int length, AsyncWaiter waiter, bool flush, CancellationToken cancellationToken)
    {
        return TrySendBulk(buffer, start, length, waiter, flush, out var sent)
            ? ValueTask.FromResult(sent)
            : WaitAndSendBulkAsync(buffer, start, length, waiter, flush, cancellationToken);
    }

    /// <summary>Waits until what is to be sent has shrunk below what an honest peer lets grow. To be awaited by one at a time.</summary>
    public ValueTask<bool> WaitUntilDrainedAsync(CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            if (_length < DrainLimit || _completed)
            {
                return ValueTask.FromResult(true);
            }

            _drained.Arm();
            _drainAwaited = true;
        }

        StartSending();
        return _drained.WaitAsync(cancellationToken);
    }

    /// <summary>Starts sending what was put into the buffer without that.</summary>
    public void Flush()
    {
        // Looked at without the lock, which is held while a packet is sealed: whoever put something there sees it.
        if (Volatile.Read(ref _unflushed))
        {
            StartSending();
        }
    }

    /// <summary>Starts sending what is in the buffer, unless that goes on already.</summary>
    private void StartSending()
    {
        lock (_gate)
        {
            if (!_loopIdle || _length == 0)
            {
                return;
            }

            _loopIdle = false;
        }

        _work.TryComplete(true);
    }

    /// <summary>Sends our KEXINIT; from here on only the exchange's messages go out.</summary>
    public void BeginExchange(ReadOnlySpan<byte> kexInit)
    {
        lock (_gate)
        {
            if (_completed)
            {
                return;
            }

            _deferring = true;
            SealCopy(kexInit);
            _unflushed = true;
        }
    }

    /// <summary>Sends NEWKEYS, seals everything after it with new keys, and lets out what was put off.</summary>
    /// <param name="sealer">Owned from here on.</param>
    /// <param name="resetSequence">Whether the sequence number starts again (strict kex).</param>
    /// <param name="first">A message to send first under the new keys; empty for none.</param>
    public void SwitchKeys(PacketSealer sealer, bool resetSequence, ReadOnlySpan<byte> first)
    {
        lock (_gate)
        {
            if (_completed)
            {
                sealer.Dispose();
                return;
            }

            SealCopy([MessageNumber.NewKeys]);
            _sealer.Dispose();
            _sealer = sealer;
            _bytesUnderKeys = 0;
            _packetsUnderKeys = 0;
            _rekeyReported = false;
            if (resetSequence)
            {
                _sequence = 0;
            }

            if (!first.IsEmpty)
            {
                SealCopy(first);
            }

            _deferring = false;
            while (_deferred is not null && _deferred.TryDequeue(out var payload))
            {
                SealCopy(payload);
            }

            _deferred = null;
            _deferredLength = 0;
            ReleaseWaiters();
        }

        StartSending();
    }

    /// <summary>Sends what is in the buffer and then nothing more. <see cref="RunAsync"/> ends when that is done.</summary>
    public void Complete()
    {
        lock (_gate)
        {
            _completed = true;
            ReleaseWaiters();
            if (!_loopIdle)
            {
                return;
            }

            _loopIdle = false;
        }

        _work.TryComplete(true);
    }

    /// <summary>Zeroes the keys, for a writer whose loop never ran; otherwise the loop does.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _completed = true;
            _sealer.Dispose();
        }
    }

    /// <summary>The loop that hands buffers to the transport, for as long as the connection lasts.</summary>
    public async Task RunAsync()
    {
        Exception? error = null;
        try
        {
            // Without a context: whoever sends runs the loop, in its own call. Only so far, that is: what others add meanwhile is not for a sender to carry for ever, and on a thread that all
            // connections share not at all.
            var carried = 0;
            var isSenders = false;
            while (true)
            {
                var work = WaitForWorkAsync();
                if (!work.IsCompleted)
                {
                    (carried, isSenders) = (0, true);
                }

                if (!await work.ConfigureAwait(false))
                {
                    break;
                }

                while (TryTake(out var buffer, out var length, out var bulk))
                {
                    if (isSenders && (carried++ == MaxCarried || (carried > 1 && !_tryLeaveSharedThread())))
                    {
                        isSenders = false;
                        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
                    }

                    FlushResult result;
                    try
                    {
                        var writing = _output.WriteAsync(buffer.AsMemory(0, length), CancellationToken.None);

                        // What wakes the loop from a wait for the system is no sender.
                        isSenders &= writing.IsCompleted;
                        result = await writing.ConfigureAwait(false);
                        ArrayPool<byte>.Shared.Return(buffer);
                    }
                    finally
                    {
                        // Fills the next buffer in this call; not before, or what is sent meanwhile would be behind that.
                        bulk?.TryComplete(true, inline: _tryLeaveSharedThread());
                    }

                    if (result.IsCompleted || result.IsCanceled)
                    {
                        // Nobody reads any more: drop what is left, so that nobody waits for room.
                        Abandon();
                        break;
                    }
                }
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or InvalidOperationException or ObjectDisposedException or System.Net.Sockets.SocketException)
        {
            error = e;
            Abandon();
        }
        finally
        {
            await _output.CompleteAsync(error);
            lock (_gate)
            {
                _sealer.Dispose();
                if (_buffer.Length > 0)
                {
                    ArrayPool<byte>.Shared.Return(_buffer);
                    _buffer = [];
                }
            }
        }
    }

    private async ValueTask<bool> WaitAndSendBulkAsync(byte[] buffer, int start, int length, AsyncWaiter waiter, bool flush, CancellationToken cancellationToken)
    {
        StartSending();
        while (true)
        {
            if (!await waiter.WaitAsync(cancellationToken))
            {
                return false;
            }

            if (TrySendBulk(buffer, start, length, waiter, flush, out var sent))
            {
                return sent;
            }
        }
    }

    private bool TrySendBulk(byte[] buffer, int start, int length, AsyncWaiter waiter, bool flush, out bool sent)
    {
        bool rekeyDue;
        lock (_gate)
        {
            // Looked at under the lock: nothing of a channel is sealed after the CLOSE that was sent once its waiter was abandoned.
            sent = !_completed && !waiter.IsAbandoned;
            if (!sent)
            {
                return true;
            }

            if (_deferring || _length >= (length <= ShortPacket ? 2 * BulkLimit : BulkLimit))
            {
                waiter.Arm();
                _waitingForRoom.Enqueue(waiter);
                return false;
            }

            var padding = _sealer.PaddingFor(length);
            var packet = buffer.AsSpan(start - 5, 5 + length + padding);
            Frame(packet, padding);
            Reserve(packet.Length + _sealer.TagSize);
            rekeyDue = Seal(packet);
            _unflushed |= !flush;
        }

        Finish(flush, rekeyDue);
        return true;
    }

    private void Finish(bool flush, bool rekeyDue)
    {
        if (flush)
        {
            StartSending();
        }

        if (rekeyDue)
        {
            _onRekeyDue();
        }
    }

    private void Defer(ReadOnlySpan<byte> payload)
    {
        _deferredLength += payload.Length + 64;
        if (_deferredLength > DeferLimit)
        {
            Overflowed = true;
            return;
        }

        (_deferred ??= new Queue<byte[]>()).Enqueue(payload.ToArray());
    }

    private bool SealCopy(ReadOnlySpan<byte> payload)
    {
        if (payload.Length > MaxPayloadLength)
        {
            throw new InvalidOperationException($"A message of {payload.Length} bytes was sent.");
        }

        var padding = _sealer.PaddingFor(payload.Length);
        var packetLength = 5 + payload.Length + padding;
        Reserve(packetLength + _sealer.TagSize);
        var packet = _buffer.AsSpan(_length, packetLength);
        payload.CopyTo(packet[5..]);
        Frame(packet, padding);
        return Seal(packet);
    }

    private void Frame(Span<byte> packet, int padding)
    {
        BinaryPrimitives.WriteUInt32BigEndian(packet, (uint)(packet.Length - sizeof(uint)));
        packet[4] = (byte)padding;
        if (_paddingUsed + padding > _padding.Length)
        {
            RandomNumberGenerator.Fill(_padding);
            _paddingUsed = 0;
        }

        _padding.AsSpan(_paddingUsed, padding).CopyTo(packet[^padding..]);
        _paddingUsed += padding;
    }

    private bool Seal(ReadOnlySpan<byte> packet)
    {
        var sealedLength = packet.Length + _sealer.TagSize;
        _sealer.Seal(_sequence, packet, _buffer.AsSpan(_length, sealedLength));
        _sequence = unchecked(_sequence + 1);
        _length += sealedLength;
        _bytesSent += sealedLength;
        _bytesUnderKeys += sealedLength;
        _packetsUnderKeys++;
        if (_rekeyReported || !IsRekeyDue)
        {
            return false;
        }

        _rekeyReported = true;
        return !_deferring;
    }

    private void Reserve(int count)
    {
        var needed = _length + count;
        if (needed <= _buffer.Length)
        {
            return;
        }

        // Small while messages are, at its full size as soon as bulk flows, so that it is not copied from size to size with each flight.
        var larger = ArrayPool<byte>.Shared.Rent(needed <= 4096 ? 4096 : Math.Max(needed, BulkLimit + (48 * 1024)));
        _buffer.AsSpan(0, _length).CopyTo(larger);
        if (_buffer.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(_buffer);
        }

        _buffer = larger;
    }

    private ValueTask<bool> WaitForWorkAsync()
    {
        lock (_gate)
        {
            if (_length > 0)
            {
                return ValueTask.FromResult(true);
            }

            if (_completed)
            {
                return ValueTask.FromResult(false);
            }

            _work.Arm();
            _loopIdle = true;
        }

        return _work.WaitAsync(CancellationToken.None);
    }

    /// <summary>Takes what is to be sent.</summary>
    /// <param name="buffer">The memory.</param>
    /// <param name="length">How much of it.</param>
    /// <param name="bulk">The only one who waited for room, to be told that there is some; several are told here.</param>
    /// <returns>Whether there is anything.</returns>
    private bool TryTake(out byte[] buffer, out int length, out AsyncWaiter? bulk)
    {
        bulk = null;
        lock (_gate)
        {
            (buffer, length) = (_buffer, _length);
            if (length == 0)
            {
                return false;
            }

            (_buffer, _length, _unflushed) = ([], 0, false);
            if (!_deferring || _completed)
            {
                bulk = _waitingForRoom.Count == 1 ? _waitingForRoom.Dequeue() : null;
                ReleaseWaiters();
            }

            if (_drainAwaited)
            {
                _drainAwaited = false;
                _drained.TryComplete(true);
            }

            return true;
        }
    }

    private void ReleaseWaiters()
    {
        // All of them: who finds no room queues again, and in what order they get it is decided by who seals first, which no channel always wins.
        while (_waitingForRoom.TryDequeue(out var waiter))
        {
            waiter.TryComplete(true);
        }

        if (_completed && _drainAwaited)
        {
            _drainAwaited = false;
            _drained.TryComplete(true);
        }
    }

    private void Abandon()
    {
        lock (_gate)
        {
            _completed = true;
            _length = 0;
            ReleaseWaiters();
        }
    }
}

/// <summary>When keys are worn out, whatever the options say.</summary>
internal static class RekeyLimits
{
    /// <summary>RFC 4344 section 3.1: before 2^32 packets; half of that leaves time to agree.</summary>
    public const long Packets = 1L << 31;
}
