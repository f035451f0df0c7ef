using System.IO.Pipelines;
using Shale.Payments.Channel;
using Xunit;

namespace Shale.Payments.Tests.Channel;

public sealed class FrameConnectionTests
{
    /// <summary>A session that ends while its agent is asked: the channel must be closed all the same, or ssh does not exit.</summary>
    [Fact]
    public async Task Connection_EndedWhileItIsRead_IsClosedAndTheReadSeesThat()
    {
        for (int i = 0; i < 200; i++)
        {
            var pipe = new Pipe();
            int closed = 0;
            var connection = new FrameConnection(pipe.Reader, (_, _) => ValueTask.CompletedTask, () =>
            {
                closed++;
                return ValueTask.CompletedTask;
            });
            Task<(FrameStatus Status, byte[] Body)> reading = Task.Run(() => connection.ReadAsync(64, CancellationToken.None).AsTask());
            Task writing = Task.Run(async () => await pipe.Writer.WriteAsync(new byte[] { 0, 0, 0, 2, 1 }));
            if (i % 2 == 0)
            {
                await writing;
            }

            await connection.DisposeAsync();
            Assert.Equal(FrameStatus.Closed, (await reading.WaitAsync(TimeSpan.FromSeconds(120))).Status);
            await writing;
            Assert.Equal(FrameStatus.Closed, (await connection.ReadAsync(64, CancellationToken.None)).Status);
            await connection.DisposeAsync();
            Assert.Equal(2, closed);
        }
    }
}
