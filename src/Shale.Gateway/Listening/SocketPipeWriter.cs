using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.IO.Pipelines;
using Shale.Containers.Network;

namespace Shale.Gateway.Listening;

/// <summary>What goes out on a socket: written by whoever flushes, out of his own memory where he uses <see cref="WriteAsync"/>. Done when the system has taken it.</summary>
[SuppressMessage("Design", "CA1001", Justification = "The source has no timer, and its token may be looked at after the end.")]
internal sealed class SocketPipeWriter(PolledSocket socket) : PipeWriter
{
    private readonly CancellationTokenSource _cancel = new();
    private ArrayBufferWriter<byte>? _unflushed;
    private bool _completed;

    public override Memory<byte> GetMemory(int sizeHint = 0) => (_unflushed ??= new ArrayBufferWriter<byte>()).GetMemory(sizeHint);

    public override Span<byte> GetSpan(int sizeHint = 0) => (_unflushed ??= new ArrayBufferWriter<byte>()).GetSpan(sizeHint);

    public override void Advance(int bytes) => _unflushed!.Advance(bytes);

    /// <summary>Ends a write for good: a part of it may have been sent.</summary>
    public override void CancelPendingFlush() => _cancel.Cancel();

    public override void Complete(Exception? exception = null)
    {
        if (!_completed)
        {
            _completed = true;
            socket.EndWrites();
        }
    }

    public override async ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
    {
        if (_unflushed is not { WrittenCount: > 0 } unflushed)
        {
            return default;
        }

        var result = await SendAsync(unflushed.WrittenMemory, cancellationToken).ConfigureAwait(false);
        unflushed.ResetWrittenCount();
        return result;
    }

    public override ValueTask<FlushResult> WriteAsync(ReadOnlyMemory<byte> source, CancellationToken cancellationToken = default)
    {
        if (_unflushed is not { WrittenCount: > 0 } unflushed)
        {
            return SendAsync(source, cancellationToken);
        }

        unflushed.Write(source.Span);
        return FlushAsync(cancellationToken);
    }

    private ValueTask<FlushResult> SendAsync(ReadOnlyMemory<byte> source, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_completed, this);
        var sending = socket.WriteAsync(source, _cancel.Token);
        return sending.IsCompletedSuccessfully && !cancellationToken.CanBeCanceled ? default : WaitAsync(sending, cancellationToken);
    }

    private async ValueTask<FlushResult> WaitAsync(ValueTask sending, CancellationToken cancellationToken)
    {
        try
        {
            using var registration = cancellationToken.UnsafeRegister(static cancel => ((CancellationTokenSource)cancel!).Cancel(), _cancel);
            await sending.ConfigureAwait(false);
            return default;
        }
        catch (OperationCanceledException)
        {
            cancellationToken.ThrowIfCancellationRequested();
            return new FlushResult(isCanceled: true, isCompleted: false);
        }
    }
}
