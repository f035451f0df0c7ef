using System.Net;
using System.Net.Sockets;
using Shale.Containers.Exec;
using Shale.Containers.Network;
using Xunit;

namespace Shale.Containers.Tests;

/// <summary>Descriptors that are waited for in the reactor: what runs on its thread, which all of them share, and what must not.</summary>
public sealed class ReactorTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    /// <summary>A few bytes that were waited for come on the reactor's thread; what lies behind them, a full buffer and the end do not.</summary>
    [Fact]
    public async Task ShortRead_ThatWasWaitedFor_ComesOnTheReactorsThreadAndNothingElseDoes()
    {
        var (reader, far) = Native.CreatePipe(readHere: true, 1 << 20);
        var writer = new FileStream(far, FileAccess.Write, bufferSize: 0);
        using var stream = new DescriptorStream(new PolledHandle(reader), true, false, ownsHandle: true, shortReadsInline: true);
        var buffer = new byte[32 * 1024];

        var read = Begin(() => stream.ReadAsync(buffer));
        writer.Write(new byte[4096]);
        Assert.Equal((4096, true), await read);

        // More lies there when the reader comes back on that thread: it goes on elsewhere.
        var twice = ReadTwiceAsync(stream);
        writer.Write(new byte[30]);
        Assert.Equal((10, true, 20, false), await twice.WaitAsync(Patience));

        read = Begin(() => stream.ReadAsync(buffer));
        writer.Write(new byte[4097]);
        Assert.Equal((4097, false), await read);

        read = Begin(() => stream.ReadAsync(buffer));
        writer.Dispose();
        Assert.Equal((0, false), await read);
    }

    /// <summary>Who didn't ask for it, a reader that may block, never runs there.</summary>
    [Fact]
    public async Task ShortRead_OfAnOrdinaryStream_ComesOnTheThreadPool()
    {
        var (reader, far) = Native.CreatePipe(readHere: true, 1 << 16);
        using var writer = new FileStream(far, FileAccess.Write, bufferSize: 0);
        using var stream = new DescriptorStream(new PolledHandle(reader), true, false, ownsHandle: true);
        var read = Begin(() => stream.ReadAsync(new byte[16]));
        writer.Write(new byte[1]);
        Assert.Equal((1, false), await read);
    }

    /// <summary>A wait that is cancelled, or whose descriptor is closed, ends where that was done.</summary>
    [Fact]
    public async Task Wait_ThatIsCancelledOrClosed_EndsOffTheReactorsThread()
    {
        var (reader, far) = Native.CreatePipe(readHere: true, 1 << 16);
        using var writer = new FileStream(far, FileAccess.Write, bufferSize: 0);
        var stream = new DescriptorStream(new PolledHandle(reader), true, false, ownsHandle: true, shortReadsInline: true);
        using var cancelled = new CancellationTokenSource();
        var read = stream.ReadAsync(new byte[16], cancelled.Token).AsTask();
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => read.WaitAsync(Patience));

        read = stream.ReadAsync(new byte[16]).AsTask();
        stream.Dispose();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => read.WaitAsync(Patience));
    }

    [Fact]
    public async Task Socket_InTheReactor_CarriesBothWaysAndEndsOneByOne()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Connect(listener.LocalEndpoint);
        using var far = await listener.AcceptSocketAsync();
        var near = new PolledSocket(socket);
        var sent = new byte[3_000_000];
        Random.Shared.NextBytes(sent);

        // More than the kernel holds: the writer waits for room.
        var writing = near.WriteAsync(sent, CancellationToken.None).AsTask();
        var received = new byte[sent.Length];
        for (var filled = 0; filled < received.Length;)
        {
            var count = await far.ReceiveAsync(received.AsMemory(filled));
            Assert.NotEqual(0, count);
            filled += count;
        }

        await writing.WaitAsync(Patience);
        Assert.Equal(sent, received);
        near.EndWrites();
        Assert.Equal(0, await far.ReceiveAsync(new byte[1]));

        await far.SendAsync("answer"u8.ToArray());
        var buffer = new byte[16];
        Assert.Equal(6, await near.ReadAsync(buffer, CancellationToken.None));
        Assert.Equal("answer"u8.ToArray(), buffer[..6]);

        // Closed under a reader: it is told, and the far end sees an orderly end.
        var reading = near.ReadAsync(buffer, CancellationToken.None).AsTask();
        near.Dispose();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => reading.WaitAsync(Patience));
    }

    /// <summary>Starts a read that waits, and whose end says on what thread it came.</summary>
    private static Task<(int Count, bool OnReactor)> Begin(Func<ValueTask<int>> read)
    {
        var pending = read();
        Assert.False(pending.IsCompleted);
        return ThenAsync(pending).WaitAsync(Patience);
    }

    private static async Task<(int First, bool OnReactor, int Second, bool StillOnReactor)> ReadTwiceAsync(Stream stream)
    {
        var buffer = new byte[1024];
        var first = await stream.ReadAsync(buffer.AsMemory(0, 10)).ConfigureAwait(false);
        var onReactor = Reactor.IsCurrent;
        return (first, onReactor, await stream.ReadAsync(buffer).ConfigureAwait(false), Reactor.IsCurrent);
    }

    private static async Task<(int Count, bool OnReactor)> ThenAsync(ValueTask<int> read)
    {
        var count = await read.ConfigureAwait(false);
        return (count, Reactor.IsCurrent);
    }

}
