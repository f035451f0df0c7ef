using System.Buffers;
using System.IO.Pipelines;

namespace Shale.Ssh.Connection;

/// <summary>A channel's input: what is consumed of it is credited to the peer's window.</summary>
internal sealed class CreditingPipeReader(PipeReader inner, Channel channel) : PipeReader
{
    private ReadOnlySequence<byte> _buffer;
    private bool _reading;
    private int _completed;

    public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
    {
        var count = _buffer.Slice(_buffer.Start, consumed).Length;
        _buffer = default;
        _reading = false;
        inner.AdvanceTo(consumed, examined);
        if (count > 0)
        {
            channel.Credit(count);
        }
    }

    public override void CancelPendingRead() => inner.CancelPendingRead();

    public override void Complete(Exception? exception = null)
    {
        if (Interlocked.Exchange(ref _completed, 1) != 0)
        {
            // Its user has completed it, and the channel does so once more at its end.
            return;
        }

        if (_reading)
        {
            // Its reader gave up in the middle, as on an error of where it wrote to.
            AdvanceTo(_buffer.End);
        }

        // What lies unread is given back too, so that a peer whose input nobody wants can go on to its EOF.
        if (inner.TryRead(out var rest))
        {
            var count = rest.Buffer.Length;
            inner.AdvanceTo(rest.Buffer.End);
            channel.Credit(count);
        }

        inner.Complete(exception);
    }

    public override async ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
    {
        var result = await inner.ReadAsync(cancellationToken);
        _buffer = result.Buffer;
        _reading = true;
        return result;
    }

    public override bool TryRead(out ReadResult result)
    {
        var read = inner.TryRead(out result);
        if (read)
        {
            _buffer = result.Buffer;
            _reading = true;
        }

        return read;
    }
}
