using System.IO.Pipelines;

namespace Shale.Ssh.Connection;

/// <summary>Where whoever awaits a channel's input runs: on the thread pool, but for a flush that is made with <see cref="Flush"/>.</summary>
internal sealed class InputScheduler : PipeScheduler
{
    [ThreadStatic]
    private static InputScheduler? s_flushing;

    /// <summary>Flushes, and runs the waiting reader in this call.</summary>
    public ValueTask<FlushResult> Flush(PipeWriter writer)
    {
        s_flushing = this;
        try
        {
            return writer.FlushAsync(CancellationToken.None);
        }
        finally
        {
            s_flushing = null;
        }
    }

    /// <inheritdoc/>
    public override void Schedule(Action<object?> action, object? state)
    {
        if (s_flushing != this)
        {
            ThreadPool.Schedule(action, state);
            return;
        }

        // Once: what the reader itself wakes on its way is not ours to run.
        s_flushing = null;
        action(state);
    }
}
