using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Connections;
using Shale.Containers.Network;

namespace Shale.Gateway.Listening;

/// <summary>
/// What comes in on a socket, read by the one who wants it and when he wants it. What is unread lies in one piece of memory, which is small while messages are and goes back to its pool when nothing
/// is on its way. Used by one reader at a time; only <see cref="CancelPendingRead"/> may come from elsewhere.
/// </summary>
[SuppressMessage("Design", "CA1001", Justification = "The source has no timer, and its token may be looked at after the end.")]
internal sealed class SocketPipeReader(PolledSocket socket) : PipeReader
{
    /// <summary>A read below this is a keystroke or a small request; more is bulk, and not handed over on the shared thread.</summary>
    private const int ShortSize = 16 * 1024;

    /// <summary>Room for some packets of bulk data in one read.</summary>
    private const int BulkSize = 128 * 1024;

    private byte[] _buffer = [];
    private int _start;
    private int _end;
    private bool _isBulk;
    private bool _hasUnexamined;
    private bool _ended;
    private CancellationTokenSource _cancel = new();

    /// <summary>Whether a short read may go on on the thread that all sockets share.</summary>
    public bool HandsOverShortReads { get; set; }

    public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
    {
        if (_cancel.IsCancellationRequested)
        {
            return new ValueTask<ReadResult>(Canceled());
        }

        // Nothing is tried on the shared thread: what has come meanwhile is reported after everybody else had a turn.
        return _hasUnexamined || _ended || (!PolledSocket.IsSharedThread && TryFill())
            ? new ValueTask<ReadResult>(Result())
            : WaitAndReadAsync(cancellationToken);
    }

    public override bool TryRead(out ReadResult result)
    {
        if (_hasUnexamined || _ended || TryFill())
        {
            result = Result();
            return true;
        }

        result = default;
        return false;
    }

    public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
    {
        var unread = Unread;
        _hasUnexamined = unread.Slice(examined).Length > 0;
        _start += (int)unread.Slice(unread.Start, consumed).Length;
    }

    public override void CancelPendingRead() => Volatile.Read(ref _cancel).Cancel();

    public override void Complete(Exception? exception = null)
    {
        _ended = true;
        _start = _end = 0;
        ReturnBuffer();
    }

    /// <summary>Takes what lies in the socket and forgets it.</summary>
    public void Drop(int maxBytes)
    {
        try
        {
            while (maxBytes > 0)
            {
                _start = _end = 0;
                if (_ended || !TryFill())
                {
                    return;
                }

                maxBytes -= _end;
            }
        }
        catch (Exception gone) when (gone is IOException or ConnectionAbortedException)
        {
            // So has its content.
        }
    }

    private ReadOnlySequence<byte> Unread => new(_buffer, _start, _end - _start);

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<ReadResult> WaitAndReadAsync(CancellationToken cancellationToken)
    {
        using var both = cancellationToken.CanBeCanceled ? CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _cancel.Token) : null;
        do
        {
            if (_start == _end)
            {
                ReturnBuffer();
            }

            try
            {
                await socket.WaitReadableAsync(HandsOverShortReads, both?.Token ?? _cancel.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                return Canceled();
            }
        }
        while (!TryFill());

        if ((_isBulk || _ended) && !PolledSocket.TryLeaveSharedThread())
        {
            await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        }

        return Result();
    }

    /// <summary>Reads once.</summary>
    /// <returns>Whether something came, or the end.</returns>
    /// <exception cref="ConnectionAbortedException">The server has let go of the connection.</exception>
    private bool TryFill()
    {
        MakeRoom();
        int count;
        try
        {
            count = socket.TryRead(_buffer.AsSpan(_end));
        }
        catch (ObjectDisposedException)
        {
            throw new ConnectionAbortedException();
        }

        if (count < 0)
        {
            return false;
        }

        _ended = count == 0;
        _isBulk = count >= ShortSize;
        _end += count;
        return true;
    }

    private void MakeRoom()
    {
        var size = _isBulk ? BulkSize : ShortSize;
        if (_start == _end)
        {
            _start = _end = 0;
        }

        if (_buffer.Length >= size && _buffer.Length - _end >= size / 4)
        {
            return;
        }

        var unread = _end - _start;
        if (_buffer.Length >= size && _buffer.Length - unread >= size / 4)
        {
            _buffer.AsSpan(_start, unread).CopyTo(_buffer);
        }
        else
        {
            var larger = ArrayPool<byte>.Shared.Rent(Math.Max(size, 2 * unread));
            _buffer.AsSpan(_start, unread).CopyTo(larger);
            ReturnBuffer();
            _buffer = larger;
        }

        (_start, _end) = (0, unread);
    }

    private void ReturnBuffer()
    {
        if (_buffer.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = [];
        }
    }

    private ReadResult Result() => new(Unread, isCanceled: false, isCompleted: _ended);

    private ReadResult Canceled()
    {
        Volatile.Write(ref _cancel, new CancellationTokenSource());
        return new ReadResult(Unread, isCanceled: true, isCompleted: _ended);
    }
}
