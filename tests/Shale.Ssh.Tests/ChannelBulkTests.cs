using System.Buffers;
using System.Security.Cryptography;
using Shale.Ssh.Connection;
using Shale.Ssh.Session;
using Shale.Ssh.Tests.Support;
using Shale.Ssh.Transport;
using Shale.Wire;
using Xunit;

namespace Shale.Ssh.Tests;

/// <summary>How bulk passes a channel: several packets for one call of the system, each way.</summary>
public sealed class ChannelBulkTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    /// <summary>An output buffer is of a packet's size until it is filled, of two while it is, and every byte arrives in its place: packets are framed where the bytes lie.</summary>
    [Fact]
    public async Task OutputBuffer_ThatIsFilledEachTime_GrowsShrinksAndLosesNothing()
    {
        const int Packet = 32 * 1024;
        int[] counts = [10, Packet, 2 * Packet, 2 * Packet, (2 * Packet) - 1, Packet + 7, Packet - 1, 1, Packet, 3];
        var sent = RandomNumberGenerator.GetBytes(counts.Sum());
        var sizes = new List<int>();
        var server = new MemoryServer();
        server.Sessions.Custom = async (session, cancellation) =>
        {
            using var buffer = session.RentOutputBuffer();
            var at = 0;
            foreach (var count in counts)
            {
                sizes.Add(buffer.Memory.Length);
                sent.AsMemory(at, count).CopyTo(buffer.Memory);
                await buffer.SendAsync(count, cancellation);
                at += count;
            }

            await session.ExitAsync(0, cancellation);
        };
        await using var pair = await ClientPair.CreateAsync(server);
        await using var client = await pair.Client.OpenSessionAsync(CancellationToken.None) ?? throw new InvalidOperationException("No session.");
        Assert.True(await client.ExecAsync("x", CancellationToken.None));
        var got = new ArrayBufferWriter<byte>();
        while (await client.Output.ReadAsync().AsTask().WaitAsync(Patience) is var read)
        {
            foreach (var segment in read.Buffer)
            {
                got.Write(segment.Span);
            }

            client.Output.AdvanceTo(read.Buffer.End);
            if (read.IsCompleted)
            {
                break;
            }
        }

        Assert.Equal(sent, got.WrittenSpan.ToArray());
        Assert.Equal([Packet, Packet, 2 * Packet, 2 * Packet, 2 * Packet, 2 * Packet, 2 * Packet, Packet, Packet, 2 * Packet], sizes);
    }

    /// <summary>What the peer sent at once is handed over at once, however many packets it took, and what follows it on the wire comes after.</summary>
    [Fact]
    public async Task Input_OfSeveralPacketsThatCameTogether_IsReadInOnePiece()
    {
        const int Packet = 1000, Packets = 50;
        var reads = new List<long>();
        var ended = new TaskCompletionSource();
        var server = new MemoryServer();
        server.Sessions.Custom = async (session, cancellation) =>
        {
            while (await session.Input.ReadAsync(cancellation) is var read)
            {
                reads.Add(read.Buffer.Length);
                session.Input.AdvanceTo(read.Buffer.End);
                if (read.IsCompleted)
                {
                    break;
                }
            }

            ended.SetResult();
        };
        await using var peer = await RawPeer.AuthenticateAsync(server);
        var channel = await peer.OpenSessionAsync();
        await peer.ExecAsync(channel, "x");
        var message = new ArrayBufferWriter<byte>();
        for (var i = 0; i < Packets; i++)
        {
            message.ResetWrittenCount();
            var writer = new WireWriter(message);
            writer.WriteByte(MessageNumber.ChannelData);
            writer.WriteUInt32(channel);
            writer.WriteString(new byte[Packet]);
            peer.Transport.Writer.Send(message.WrittenSpan, flush: false);
        }

        peer.SendMessage(MessageNumber.ChannelEof, channel);
        await ended.Task.WaitAsync(Patience);
        Assert.Equal(Packet * Packets, reads.Sum());
        Assert.Equal(Packet * Packets, reads[0]);
    }
}
