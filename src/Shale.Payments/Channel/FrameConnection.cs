using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using Shale.Wire;

namespace Shale.Payments.Channel;

/// <summary>How a read ended.</summary>
public enum FrameStatus
{
    /// <summary>A frame.</summary>
    Frame,

    /// <summary>The peer is gone, in the middle of a frame or between two.</summary>
    Closed,

    /// <summary>A length above the bound, or of 0: the stream can't be followed any further.</summary>
    Malformed,
}

/// <summary>
/// Length-prefixed messages both ways over a byte stream: four bytes of length, most significant first, then the body. Both
/// carriers frame like this. One reader and one writer at a time.
/// </summary>
public sealed class FrameConnection : IAsyncDisposable
{
    private readonly PipeReader _reader;
    private readonly Func<ReadOnlyMemory<byte>, CancellationToken, ValueTask> _write;
    private readonly Func<ValueTask> _close;

    // Held by who reads: a pipe must not be completed under a read.
    private readonly SemaphoreSlim _reading = new(1, 1);
    private bool _completed;

    /// <summary>Over a reader and a write function, as an SSH channel has them.</summary>
    /// <param name="reader">Gives what the peer sends.</param>
    /// <param name="write">Sends all bytes it is given.</param>
    /// <param name="close">Ends the stream.</param>
    public FrameConnection(PipeReader reader, Func<ReadOnlyMemory<byte>, CancellationToken, ValueTask> write, Func<ValueTask> close)
    {
        _reader = reader;
        _write = write;
        _close = close;
    }

    /// <summary>Over a stream, which this closes.</summary>
    public static FrameConnection Over(Stream stream) =>
        new(PipeReader.Create(stream), stream.WriteAsync, stream.DisposeAsync);

    /// <summary>Over one stream to read from and one to write to (a process's standard streams), which this closes.</summary>
    public static FrameConnection Over(Stream input, Stream output) => new(
        PipeReader.Create(input),
        async (bytes, cancellation) =>
        {
            await output.WriteAsync(bytes, cancellation);
            await output.FlushAsync(cancellation);
        },
        async () =>
        {
            await output.DisposeAsync();
            await input.DisposeAsync();
        });

    /// <summary>Reads one frame; its length is checked before its body is buffered.</summary>
    public async ValueTask<(FrameStatus Status, byte[] Body)> ReadAsync(int maxSize, CancellationToken cancellation)
    {
        await _reading.WaitAsync(cancellation);
        try
        {
            return _completed ? (FrameStatus.Closed, []) : await ReadFrameAsync(maxSize, cancellation);
        }
        finally
        {
            _reading.Release();
        }
    }

    private async ValueTask<(FrameStatus Status, byte[] Body)> ReadFrameAsync(int maxSize, CancellationToken cancellation)
    {
        while (true)
        {
            ReadResult result;
            try
            {
                result = await _reader.ReadAsync(cancellation);
            }
            catch (IOException)
            {
                return (FrameStatus.Closed, []);
            }

            ReadOnlySequence<byte> buffer = result.Buffer;
            switch (WireFrame.TryRead(ref buffer, maxSize, out ReadOnlySequence<byte> frame))
            {
                case WireFrameStatus.Complete:
                    byte[] body = frame.ToArray();
                    _reader.AdvanceTo(buffer.Start);
                    return body.Length == 0 ? (FrameStatus.Malformed, []) : (FrameStatus.Frame, body);
                case WireFrameStatus.TooLong:
                    _reader.AdvanceTo(buffer.Start);
                    return (FrameStatus.Malformed, []);
                default:
                    _reader.AdvanceTo(buffer.Start, buffer.End);
                    if (result.IsCompleted || result.IsCanceled)
                    {
                        return (FrameStatus.Closed, []);
                    }

                    break;
            }
        }
    }

    /// <summary>Writes one frame.</summary>
    /// <returns>False when the peer is gone.</returns>
    public async ValueTask<bool> WriteAsync(ReadOnlyMemory<byte> body, CancellationToken cancellation)
    {
        byte[] frame = ArrayPool<byte>.Shared.Rent(sizeof(uint) + body.Length);
        try
        {
            BinaryPrimitives.WriteUInt32BigEndian(frame, (uint)body.Length);
            body.Span.CopyTo(frame.AsSpan(sizeof(uint)));
            await _write(frame.AsMemory(0, sizeof(uint) + body.Length), cancellation);
            return true;
        }
        catch (Exception cause) when (cause is IOException or ObjectDisposedException or InvalidOperationException)
        {
            return false;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(frame);
        }
    }

    /// <summary>Writes bytes without a frame around them, for tests of the other end.</summary>
    internal ValueTask WriteRawAsync(ReadOnlyMemory<byte> bytes) => _write(bytes, CancellationToken.None);

    /// <summary>Ends the stream; a read that is under way sees it closed.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!Volatile.Read(ref _completed))
        {
            _reader.CancelPendingRead();
        }

        await _reading.WaitAsync();
        try
        {
            if (!_completed)
            {
                _completed = true;
                await _reader.CompleteAsync();
            }
        }
        finally
        {
            _reading.Release();
        }

        await _close();
    }
}
