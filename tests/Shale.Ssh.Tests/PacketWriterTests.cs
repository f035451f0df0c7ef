using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using Shale.Ssh.Ciphers;
using Shale.Ssh.Transport;
using Xunit;

namespace Shale.Ssh.Tests;

/// <summary>What is sent while the system takes no more, and in what order it goes out.</summary>
public sealed class PacketWriterTests
{
    private const int BulkSize = 32 * 1024;

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    /// <summary>A keystroke's echo is behind what was sealed before it, not behind bulk that still waits for room.</summary>
    [Fact]
    public async Task ShortMessage_WhileBulkWaitsForRoom_GoesOutFirst()
    {
        // Each buffer that is handed over waits until it is read.
        var pipe = new Pipe(new PipeOptions(pauseWriterThreshold: 1, resumeWriterThreshold: 1, useSynchronizationContext: false));
        using var writer = new PacketWriter(pipe.Writer, long.MaxValue, () => { }, () => true);
        var loop = writer.RunAsync();
        var waiter = new AsyncWaiter();
        byte next = 0;
        Task<bool> sending;
        do
        {
            Assert.True(next < 100, "Bulk never waits.");
            sending = SendBulkAsync(writer, waiter, next++);
        }
        while (sending.IsCompletedSuccessfully && await sending);

        // The last one waits. What is under way is taken, then the rest is, and nothing more until that has been.
        var sent = new List<byte>();
        await ReadAsync(pipe.Reader, sent);
        writer.Send([MessageNumber.ChannelData, 200]);
        while (sent.Count < next + 1)
        {
            await ReadAsync(pipe.Reader, sent);
        }

        Assert.True(await sending.WaitAsync(Patience));
        Assert.Equal([.. Enumerable.Range(0, next - 1).Select(i => (byte)i), 200, (byte)(next - 1)], sent);
        writer.Complete();
        await loop.WaitAsync(Patience);
    }

    private static Task<bool> SendBulkAsync(PacketWriter writer, AsyncWaiter waiter, byte mark)
    {
        var buffer = new byte[5 + BulkSize + PacketSealer.MaxPadding];
        (buffer[5], buffer[6]) = (MessageNumber.ChannelData, mark);
        return writer.SendBulkAsync(buffer, 5, BulkSize, waiter, flush: true, CancellationToken.None).AsTask();
    }

    /// <summary>Reads one piece of whole packets, and notes their marks.</summary>
    private static async Task ReadAsync(PipeReader reader, List<byte> marks)
    {
        var read = await reader.ReadAsync().AsTask().WaitAsync(Patience);
        var bytes = read.Buffer.ToArray();
        reader.AdvanceTo(read.Buffer.End);
        for (var at = 0; at < bytes.Length; at += 4 + BinaryPrimitives.ReadInt32BigEndian(bytes.AsSpan(at)))
        {
            marks.Add(bytes[at + 6]);
        }
    }
}
