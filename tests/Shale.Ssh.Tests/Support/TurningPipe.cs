using System.IO.Pipelines;

namespace Shale.Ssh.Tests.Support;

/// <summary>Turns one bit near the end of the next write, as somebody on the way might.</summary>
internal sealed class TurningPipe(IDuplexPipe inner) : IDuplexPipe
{
    [ThreadStatic]
    private static bool s_turnNext;

    public static bool TurnNext
    {
        get => s_turnNext;
        set => s_turnNext = value;
    }

    public PipeReader Input => inner.Input;

    public PipeWriter Output { get; } = new TurningWriter(inner.Output);

    private sealed class TurningWriter(PipeWriter inner) : PipeWriter
    {
        private Memory<byte> _memory;

        public override void Advance(int bytes)
        {
            if (TurnNext)
            {
                TurnNext = false;
                _memory.Span[bytes - 5] ^= 0x10;
            }

            inner.Advance(bytes);
        }

        public override void CancelPendingFlush() => inner.CancelPendingFlush();

        public override void Complete(Exception? exception = null) => inner.Complete(exception);

        public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default) => inner.FlushAsync(cancellationToken);

        public override Memory<byte> GetMemory(int sizeHint = 0) => _memory = inner.GetMemory(sizeHint);

        public override Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;
    }
}
