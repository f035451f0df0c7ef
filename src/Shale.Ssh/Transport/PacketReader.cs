using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using Shale.Ssh.Ciphers;

namespace Shale.Ssh.Transport;

/// <summary>What reading a packet gave.</summary>
internal enum PacketStatus
{
    /// <summary>There is one.</summary>
    Packet,

    /// <summary>The stream ended.</summary>
    End,

    /// <summary>Its length or padding cannot be.</summary>
    Malformed,

    /// <summary>It is not authentic.</summary>
    Forged,

    /// <summary><see cref="PacketReader.Cancel"/> was called.</summary>
    Canceled,
}

/// <summary>
/// Takes packets off the incoming stream (RFC 4253 section 6). A packet is decrypted out of the pipe's own memory when it lies there in one piece; its length is bounded before anything waits for
/// its bytes. Used by one reader at a time.
/// </summary>
internal sealed class PacketReader(PipeReader input) : IDisposable
{
    /// <summary>The bound until the user is authenticated: what RFC 4253 section 6.1 makes everybody support.</summary>
    public const int MaxLengthBeforeAuthentication = 35_000;

    /// <summary>The bound afterwards, as OpenSSH's: room for a command line of 256 KiB less its frame.</summary>
    public const int MaxLengthAfterAuthentication = 256 * 1024;

    private PacketOpener _opener = new ClearOpener();
    private ReadOnlySequence<byte> _buffer;
    private bool _hasBuffer;
    private bool _ended;
    private uint _pendingLength;
    private byte[] _packet = [];
    private int _payloadLength;
    private long _bytesUnderKeys;
    private long _bytesReceived;
    private long _packetsUnderKeys;

    /// <summary>The longest packet to accept, in bytes, without its length and tag.</summary>
    public int MaxLength { get; set; } = MaxLengthBeforeAuthentication;

    /// <summary>The number of the packet last read.</summary>
    public uint Sequence { get; private set; } = uint.MaxValue;

    /// <summary>The last packet's payload, never empty; valid until the next read.</summary>
    public ReadOnlyMemory<byte> Payload => _packet.AsMemory(5, _payloadLength);

    public long BytesReceived => Interlocked.Read(ref _bytesReceived);

    /// <summary>Bytes opened since the last change of keys.</summary>
    public long BytesUnderKeys => Interlocked.Read(ref _bytesUnderKeys);

    /// <summary>Whether the keys of this direction are worn out.</summary>
    public bool IsRekeyDue(long rekeyAfterBytes) =>
        _bytesUnderKeys >= Math.Min(rekeyAfterBytes, _opener.MaxBytes) || _packetsUnderKeys >= RekeyLimits.Packets;

    /// <summary>Whether <see cref="Sequence"/> has come around before the first keys, which strict kex does not allow.</summary>
    public bool SequenceWrapped { get; private set; }

    /// <summary>Opens everything after this with other keys.</summary>
    public void SwitchKeys(PacketOpener opener, bool resetSequence)
    {
        _opener.Dispose();
        _opener = opener;
        _bytesUnderKeys = 0;
        _packetsUnderKeys = 0;
        if (resetSequence)
        {
            Sequence = uint.MaxValue;
        }
    }

    /// <summary>Makes the read that waits, or the next one, return <see cref="PacketStatus.Canceled"/>.</summary>
    public void Cancel() => input.CancelPendingRead();

    /// <summary>Reads the next packet; its payload is then in <see cref="Payload"/>.</summary>
    public ValueTask<PacketStatus> ReadAsync() =>
        _hasBuffer && TryRead(out var status) ? ValueTask.FromResult(status) : WaitAndReadAsync();

    /// <summary>Reads the peer's identification line and leaves what follows it.</summary>
    /// <param name="maxLength">The longest line, with its end.</param>
    /// <returns>The line without its end, or the status that kept it from coming (<see cref="PacketStatus.Malformed"/>: too long).</returns>
    public async ValueTask<(PacketStatus Status, byte[] Line)> ReadLineAsync(int maxLength)
    {
        while (true)
        {
            if (_hasBuffer)
            {
                var window = _buffer.Length > maxLength ? _buffer.Slice(0, maxLength) : _buffer;
                if (window.PositionOf((byte)'\n') is { } end)
                {
                    var line = window.Slice(0, end).ToArray();
                    _buffer = _buffer.Slice(_buffer.GetPosition(1, end));
                    _bytesReceived += line.Length + 1;
                    return (PacketStatus.Packet, line.AsSpan().EndsWith("\r"u8) ? line[..^1] : line);
                }

                if (window.Length >= maxLength)
                {
                    return (PacketStatus.Malformed, []);
                }
            }

            var status = await FillAsync();
            if (status != PacketStatus.Packet)
            {
                return (status, []);
            }
        }
    }

    /// <summary>Returns the memory. The pipe stays the caller's.</summary>
    public void Dispose()
    {
        _opener.Dispose();
        ReturnPacket();
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<PacketStatus> WaitAndReadAsync()
    {
        while (true)
        {
            var filled = await FillAsync();
            if (filled != PacketStatus.Packet)
            {
                return filled;
            }

            if (TryRead(out var status))
            {
                return status;
            }
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<PacketStatus> FillAsync()
    {
        if (_hasBuffer)
        {
            _hasBuffer = false;
            if (_buffer.IsEmpty)
            {
                // Nothing is on its way: an idle connection holds no memory for packets.
                ReturnPacket();
            }

            input.AdvanceTo(_buffer.Start, _buffer.End);
        }

        if (_ended)
        {
            return PacketStatus.End;
        }

        ReadResult result;
        try
        {
            result = await input.ReadAsync(CancellationToken.None);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or InvalidOperationException or System.Net.Sockets.SocketException)
        {
            _ended = true;
            return PacketStatus.End;
        }

        _buffer = result.Buffer;
        _hasBuffer = true;
        _ended = result.IsCompleted;
        if (result.IsCanceled)
        {
            return PacketStatus.Canceled;
        }

        return _ended && _buffer.IsEmpty ? PacketStatus.End : PacketStatus.Packet;
    }

    private bool TryRead(out PacketStatus status)
    {
        var next = unchecked(Sequence + 1);
        if (_pendingLength == 0)
        {
            if (_buffer.Length < _opener.HeadSize)
            {
                status = PacketStatus.End;
                return false;
            }

            uint length;
            if (_buffer.FirstSpan.Length >= _opener.HeadSize)
            {
                length = _opener.ReadLength(next, _buffer.FirstSpan);
            }
            else
            {
                Span<byte> head = stackalloc byte[_opener.HeadSize];
                _buffer.Slice(0, head.Length).CopyTo(head);
                length = _opener.ReadLength(next, head);
            }

            // The least: padding length, one byte of payload, four of padding.
            var aligned = (length + (_opener.AlignsLength ? sizeof(uint) : 0u)) % (uint)_opener.Alignment == 0;
            if (length < 6 || length > (uint)MaxLength || !aligned)
            {
                status = PacketStatus.Malformed;
                return true;
            }

            _pendingLength = length;
        }

        var total = sizeof(uint) + (int)_pendingLength + _opener.TagSize;
        if (_buffer.Length < total)
        {
            status = PacketStatus.End;
            return false;
        }

        status = Open(next, total);
        return true;
    }

    private PacketStatus Open(uint sequence, int total)
    {
        if (_packet.Length < total)
        {
            ReturnPacket();
            _packet = ArrayPool<byte>.Shared.Rent(total);
        }

        var length = (int)_pendingLength;
        var body = _packet.AsSpan(sizeof(uint), length);
        bool authentic;
        if (_buffer.FirstSpan.Length >= total)
        {
            authentic = _opener.TryOpen(sequence, _buffer.FirstSpan[..total], body);
        }
        else
        {
            var wire = _packet.AsSpan(0, total);
            _buffer.Slice(0, total).CopyTo(wire);
            authentic = _opener.TryOpen(sequence, wire, body);
        }

        _pendingLength = 0;
        if (!authentic)
        {
            return PacketStatus.Forged;
        }

        _buffer = _buffer.Slice(total);
        _bytesUnderKeys += total;
        _bytesReceived += total;
        _packetsUnderKeys++;
        SequenceWrapped |= sequence == 0 && Sequence == uint.MaxValue && _packetsUnderKeys > 1;
        Sequence = sequence;

        int padding = body[0];
        _payloadLength = length - 1 - padding;
        return padding < PacketSealer.MinPadding || _payloadLength < 1 ? PacketStatus.Malformed : PacketStatus.Packet;
    }

    private void ReturnPacket()
    {
        if (_packet.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(_packet);
            _packet = [];
        }
    }
}
