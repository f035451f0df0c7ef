using System.Buffers;
using System.IO.Pipelines;
using Shale.Ssh.Connection;
using Xunit;

namespace Shale.Ssh.Tests;

/// <summary>Where the reader of a channel's input runs.</summary>
public sealed class InputSchedulerTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Reader_ThatWaits_RunsInTheFlushThatAsksForItAndElseOnThePool(bool inline)
    {
        var scheduler = new InputScheduler();
        var pipe = new Pipe(new PipeOptions(readerScheduler: scheduler, writerScheduler: PipeScheduler.Inline, useSynchronizationContext: false));
        var reader = ReadAsync(pipe.Reader);
        var flusher = new TaskCompletionSource<(int Thread, bool Done)>(TaskCreationOptions.RunContinuationsAsynchronously);
        var thread = new Thread(() =>
        {
            pipe.Writer.Write("ls"u8.ToArray());
            _ = inline ? scheduler.Flush(pipe.Writer).AsTask() : pipe.Writer.FlushAsync().AsTask();

            // The reader's first step ends here when it ran in this call: it waits again.
            flusher.SetResult((Environment.CurrentManagedThreadId, inline && reader.IsCompleted));
        });
        thread.Start();
        var (flushedOn, done) = await flusher.Task.WaitAsync(TimeSpan.FromMinutes(1));
        Assert.Equal(inline, done);
        Assert.Equal(inline, await reader.WaitAsync(TimeSpan.FromMinutes(1)) == flushedOn);
        thread.Join();
    }

    /// <summary>A reader that runs in a flush of its own channel wakes another's reader: that one is not run in the same call.</summary>
    [Fact]
    public async Task Reader_OfAnotherChannel_IsNotRunInTheSameFlush()
    {
        InputScheduler first = new(), second = new();
        Pipe one = Create(first), two = Create(second);
        var other = ReadAsync(two.Reader);
        var flushedOn = 0;
        var chain = Task.Run(async () =>
        {
            var woken = WakeAsync();
            one.Writer.Write("x"u8.ToArray());
            flushedOn = Environment.CurrentManagedThreadId;
            _ = first.Flush(one.Writer).AsTask();
            await woken;

            // Kept busy, so that the pool can't lend this thread to the other.
            SpinWait.SpinUntil(() => other.IsCompleted, TimeSpan.FromMinutes(1));
        });
        await chain.WaitAsync(TimeSpan.FromMinutes(2));
        Assert.NotEqual(flushedOn, await other);

        async Task WakeAsync()
        {
            await one.Reader.ReadAsync();
            two.Writer.Write("y"u8.ToArray());
            _ = two.Writer.FlushAsync().AsTask();
        }

        static Pipe Create(InputScheduler scheduler) => new(new PipeOptions(readerScheduler: scheduler, writerScheduler: PipeScheduler.Inline, useSynchronizationContext: false));
    }

    private static async Task<int> ReadAsync(PipeReader reader)
    {
        await reader.ReadAsync();
        return Environment.CurrentManagedThreadId;
    }
}
