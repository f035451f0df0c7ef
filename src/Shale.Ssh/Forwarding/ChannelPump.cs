using Microsoft.Extensions.Logging;
using Shale.Ssh.Connection;

namespace Shale.Ssh.Forwarding;

/// <summary>Carries bytes between a channel and a stream, each direction until its own end, and closes both.</summary>
internal static class ChannelPump
{
    public static async Task RunAsync(Channel channel, ForwardedStream stream, ILogger logger, string connectionId, CancellationToken connectionClosed)
    {
        // Neither direction blocks: both wait for descriptors.
        channel.TakesInputInline = true;
        try
        {
            var inward = GuardAsync(InwardAsync(channel, stream, connectionClosed), () => channel.Input.CompleteAsync(), logger, connectionId);
            var outward = GuardAsync(OutwardAsync(channel, stream), channel.DisposeAsync, logger, connectionId);
            await Task.WhenAll(inward, outward);
        }
        finally
        {
            channel.SendClose();
            await channel.Input.CompleteAsync();
            await stream.DisposeAsync();
        }
    }

    /// <summary>
    /// Runs a direction to its end. A far end that takes nothing more may still have something to say, so that what comes for it is dropped and the channel stays; one that
    /// cannot be read any more is gone, and the channel closes.
    /// </summary>
    private static async Task GuardAsync(Task direction, Func<ValueTask> onBroken, ILogger logger, string connectionId)
    {
        try
        {
            await direction;
            return;
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or ObjectDisposedException or System.Net.Sockets.SocketException)
        {
            // A far end that resets is everyday.
        }
#pragma warning disable CA1031 // A stream's bug ends its forward, not the server.
        catch (Exception e)
#pragma warning restore CA1031
        {
            SshLog.ForwardFailed(logger, e, connectionId);
        }

        await onBroken();
    }

    /// <summary>Runs to the end of what the peer sent, even when it has closed the channel meanwhile: data, EOF and CLOSE may come in one go.</summary>
    private static async Task InwardAsync(Channel channel, ForwardedStream stream, CancellationToken connectionClosed)
    {
        while (true)
        {
            var result = await channel.Input.ReadAsync(connectionClosed);
            foreach (var segment in result.Buffer)
            {
                await stream.WriteAsync(segment, connectionClosed);
            }

            channel.Input.AdvanceTo(result.Buffer.End);
            if (result.IsCompleted)
            {
                await stream.CompleteWritesAsync(connectionClosed);
                return;
            }
        }
    }

    private static async Task OutwardAsync(Channel channel, ForwardedStream stream)
    {
        using var buffer = channel.RentOutputBuffer();
        while (true)
        {
            var count = await stream.ReadAsync(buffer.Memory, channel.Closed);
            if (count == 0)
            {
                await channel.SendEofAsync(channel.Closed);
                return;
            }

            await buffer.SendAsync(count, channel.Closed);
        }
    }
}
