using System.Net.Sockets;
using System.Runtime.CompilerServices;

namespace Shale.Containers.Exec;

/// <summary>
/// One direction, or both, of a non-blocking descriptor. A read is one read(2) into the caller's memory when bytes are there; else it
/// waits without a thread. One read and one write may be in progress at a time. The end of a terminal (EIO) reads as the end of the stream.
/// </summary>
/// <param name="handle">The descriptor.</param>
/// <param name="canRead">Whether it is read from.</param>
/// <param name="canWrite">Whether it is written to.</param>
/// <param name="ownsHandle">Whether it is closed with the stream.</param>
/// <param name="runsInline">
/// Whether what follows a wait runs on the reactor's thread that waited: a hop to the thread pool costs more than all else that is done with an echo. Only for those who send on
/// what they read and read again. Bulk, a second read at once, the end and a write that had to wait leave the shared thread first.
/// </param>
internal sealed class DescriptorStream(PolledHandle handle, bool canRead, bool canWrite, bool ownsHandle, bool runsInline = false) : Stream
{
    /// <summary>A read of at most this many bytes is short: a screenful of text, far below what bulk is read in.</summary>
    private const int ShortRead = 4096;

    private readonly bool _isSocket = handle.Fd is SafeSocketHandle;
    private int _closed;

    public override bool CanRead => canRead && _closed == 0;

    public override bool CanWrite => canWrite && _closed == 0;

    public override bool CanSeek => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (!canRead)
        {
            throw new NotSupportedException("This stream is written to.");
        }

        if (cancellationToken.IsCancellationRequested)
        {
            return ValueTask.FromCanceled<int>(cancellationToken);
        }

        var read = TryRead(buffer.Span);
        if (read >= 0)
        {
            // More lay there already: a stream of bytes is not the reactor's to carry.
            return Reactor.TryLeave() ? new ValueTask<int>(read) : MoveAsync(read);
        }

        return ReadSlowAsync(buffer, cancellationToken);
    }

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (!canWrite)
        {
            throw new NotSupportedException("This stream is read from.");
        }

        if (cancellationToken.IsCancellationRequested)
        {
            return ValueTask.FromCanceled(cancellationToken);
        }

        if (buffer.IsEmpty)
        {
            return ValueTask.CompletedTask;
        }

        var written = TryWrite(buffer.Span);
        return written == buffer.Length ? ValueTask.CompletedTask : WriteSlowAsync(buffer[Math.Max(written, 0)..], cancellationToken);
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => ReadAsync(buffer.AsMemory(offset, count)).AsTask().GetAwaiter().GetResult();

    public override void Write(byte[] buffer, int offset, int count) => WriteAsync(buffer.AsMemory(offset, count)).AsTask().GetAwaiter().GetResult();

    public override void Flush()
    {
    }

    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (Interlocked.Exchange(ref _closed, 1) == 0 && disposing && ownsHandle)
        {
            handle.Dispose();
        }

        base.Dispose(disposing);
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<int> ReadSlowAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        while (true)
        {
            await handle.WaitReadableAsync(cancellationToken, runsInline).ConfigureAwait(false);
            var read = TryRead(buffer.Span);
            if (read >= 0)
            {
                return read is 0 or > ShortRead && !Reactor.TryLeave() ? await MoveAsync(read).ConfigureAwait(false) : read;
            }
        }
    }

    /// <summary>Goes on with a result on the thread pool.</summary>
    private static async ValueTask<int> MoveAsync(int read)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        return read;
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask WriteSlowAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken)
    {
        while (!buffer.IsEmpty)
        {
            await handle.WaitWritableAsync(cancellationToken, runsInline).ConfigureAwait(false);
            if (!Reactor.TryLeave())
            {
                await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
            }

            var written = TryWrite(buffer.Span);
            if (written > 0)
            {
                buffer = buffer[written..];
            }
        }
    }

    /// <summary>One read(2) or recv(2): how much was there, 0 at the end, -1 where nothing is.</summary>
    internal unsafe int TryRead(Span<byte> buffer)
    {
        ObjectDisposedException.ThrowIf(_closed != 0 || handle.IsClosed, this);
        fixed (byte* bytes = buffer)
        {
            while (true)
            {
                var read = _isSocket ? Native.Receive(handle.Fd, bytes, (nuint)buffer.Length, 0) : Native.Read(handle.Fd, bytes, (nuint)buffer.Length);
                if (read >= 0)
                {
                    return (int)read;
                }

                switch (Native.LastError)
                {
                    case Native.EAGAIN: return -1;
                    case Native.EIO: return 0;
                    case Native.EINTR: continue;
                    default: throw Native.Failure("read", Native.LastError);
                }
            }
        }
    }

    private unsafe int TryWrite(ReadOnlySpan<byte> buffer)
    {
        ObjectDisposedException.ThrowIf(_closed != 0 || handle.IsClosed, this);
        fixed (byte* bytes = buffer)
        {
            while (true)
            {
                var written = _isSocket ? Native.Send(handle.Fd, bytes, (nuint)buffer.Length, Native.MSG_NOSIGNAL) : Native.Write(handle.Fd, bytes, (nuint)buffer.Length);
                if (written >= 0)
                {
                    return (int)written;
                }

                switch (Native.LastError)
                {
                    case Native.EAGAIN: return -1;
                    case Native.EINTR: continue;
                    default: throw Native.Failure("write", Native.LastError);
                }
            }
        }
    }
}
