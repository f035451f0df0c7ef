using System.Net;
using System.Net.Sockets;
using Shale.Containers.Exec;
using Shale.Containers.Network;
using Xunit;

namespace Shale.Containers.Tests;

/// <summary>Descriptors that are waited for in the reactor: what runs on the threads that all of them share, and what must not.</summary>
public sealed class ReactorTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    /// <summary>A few bytes that were waited for come on the reactor's thread; what lies behind them, a full buffer and the end do not.</summary>
    [Fact]
    public async Task ShortRead_ThatWasWaitedFor_ComesOnTheReactorsThreadAndNothingElseDoes()
    {
        var (reader, far) = Native.CreatePipe(readHere: true, 1 << 20);
        var writer = new FileStream(far, FileAccess.Write, bufferSize: 0);
        using var stream = new DescriptorStream(new PolledHandle(reader), true, false, ownsHandle: true, runsInline: true);
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
        var stream = new DescriptorStream(new PolledHandle(reader), true, false, ownsHandle: true, runsInline: true);
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

    /// <summary>Who takes long leaves the thread to himself, and others wait for all that comes meanwhile; until too many have left, and whoever is next must go elsewhere.</summary>
    [Fact]
    public async Task Thread_ThatIsLeft_IsReplacedUntilThereAreTooMany()
    {
        using var end = new ManualResetEventSlim();
        var left = new List<Task<bool>>();
        try
        {
            bool found;
            do
            {
                Assert.True(left.Count < 1000, "There is no limit.");
                var (near, far) = OnePipe();
                using (far)
                {
                    var entered = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
                    left.Add(LeaveAsync(near, entered, end));
                    far.WriteByte(1);
                    found = await entered.Task.WaitAsync(Patience);
                }
            }
            while (found);

            Assert.InRange(left.Count, 2, 1000);

            // All that could leave have, and what comes is still told of.
            var (reader, writer) = OnePipe();
            using (reader)
            using (writer)
            {
                var read = Begin(() => reader.ReadAsync(new byte[16]));
                writer.WriteByte(1);
                Assert.Equal((1, true), await read);
            }
        }
        finally
        {
            end.Set();
        }

        await Task.WhenAll(left).WaitAsync(Patience);

        // Those that come back wait again, or stand by.
        var (again, last) = OnePipe();
        using (last)
        {
            var entered = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
            var leaving = LeaveAsync(again, entered, end);
            last.WriteByte(1);
            Assert.True(await entered.Task.WaitAsync(Patience));
            await leaving.WaitAsync(Patience);
        }

        static async Task<bool> LeaveAsync(DescriptorStream from, TaskCompletionSource<bool> entered, ManualResetEventSlim end)
        {
            using (from)
            {
                await from.ReadAsync(new byte[16]).ConfigureAwait(false);
                Assert.True(Reactor.IsSharedThread);
                var found = Reactor.TryLeave();
                Assert.Equal(!found, Reactor.IsSharedThread);
                Assert.True(Reactor.IsOwnThread);
                entered.SetResult(found);
                if (found)
                {
                    end.Wait(Patience);
                }

                return found;
            }
        }
    }

    /// <summary>A pipe whose reader may be told on a shared thread.</summary>
    private static (DescriptorStream Reader, FileStream Writer) OnePipe()
    {
        var (reader, far) = Native.CreatePipe(readHere: true, 1 << 16);
        return (new DescriptorStream(new PolledHandle(reader), true, false, ownsHandle: true, runsInline: true), new FileStream(far, FileAccess.Write, bufferSize: 0));
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
        var onReactor = Reactor.IsSharedThread;
        return (first, onReactor, await stream.ReadAsync(buffer).ConfigureAwait(false), Reactor.IsSharedThread);
    }

    private static async Task<(int Count, bool OnReactor)> ThenAsync(ValueTask<int> read)
    {
        var count = await read.ConfigureAwait(false);
        return (count, Reactor.IsSharedThread);
    }

}
