using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Shale.Gateway.Listening;
using Shale.Ssh.Listening;
using Xunit;

namespace Shale.Gateway.Tests.Listening;

/// <summary>The transport of SSH connections, hosted by Kestrel as the gateway does, with plain sockets at the other end.</summary>
public sealed class SshListenerTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    [Fact]
    public async Task BytesComeAndGoInOrderWhateverTheirPieces()
    {
        await using var server = await Server.StartAsync(async connection =>
        {
            while (await connection.Transport.Input.ReadAsync() is { IsCompleted: false } read)
            {
                // A part of what is there, as a packet that has not come whole is left.
                var part = read.Buffer.Slice(0, Math.Max(1, read.Buffer.Length * 2 / 3));
                foreach (var segment in part)
                {
                    await connection.Transport.Output.WriteAsync(segment);
                }

                connection.Transport.Input.AdvanceTo(part.End, part.End);
            }
        });
        using var client = await server.ConnectAsync();
        var sent = RandomNumberGenerator.GetBytes(3_000_000);
        var sending = Task.Run(() =>
        {
            for (int at = 0, size = 1; at < sent.Length; at += size, size = (size * 5 % 70_000) + 1)
            {
                size = Math.Min(size, sent.Length - at);
                client.Client.Send(sent, at, size, SocketFlags.None);
            }
        });
        var got = new byte[sent.Length];
        await client.GetStream().ReadExactlyAsync(got).AsTask().WaitAsync(Patience);
        await sending.WaitAsync(Patience);
        Assert.Equal(sent, got);
    }

    [Fact]
    public async Task WhatWasNotExaminedIsReadAgainAtOnceAndWhatWasWaitsForMore()
    {
        var seen = new List<string>();
        await using var server = await Server.StartAsync(async connection =>
        {
            var input = connection.Transport.Input;
            var first = await input.ReadAsync();
            seen.Add(Text(first));
            input.AdvanceTo(first.Buffer.GetPosition(1), first.Buffer.GetPosition(2));
            var second = input.ReadAsync();
            Assert.True(second.IsCompleted);
            seen.Add(Text(await second));
            input.AdvanceTo(second.Result.Buffer.Start, second.Result.Buffer.End);
            var third = input.ReadAsync();
            Assert.False(third.IsCompleted);
            await connection.Transport.Output.WriteAsync("more"u8.ToArray());
            seen.Add(Text(await third));
        });
        using var client = await server.ConnectAsync();
        await client.GetStream().WriteAsync("abc"u8.ToArray());
        await client.GetStream().ReadExactlyAsync(new byte[4]).AsTask().WaitAsync(Patience);
        await client.GetStream().WriteAsync("d"u8.ToArray());
        await server.ServedAsync();
        Assert.Equal(["abc", "bc", "bcd"], seen);
    }

    [Fact]
    public async Task ACanceledReadSaysSoOnceAndReadingGoesOn()
    {
        var canceled = new List<bool>();
        await using var server = await Server.StartAsync(async connection =>
        {
            var input = connection.Transport.Input;
            var waiting = input.ReadAsync();
            Assert.False(waiting.IsCompleted);
            input.CancelPendingRead();
            var nothing = await waiting;
            canceled.Add(nothing.IsCanceled);
            input.AdvanceTo(nothing.Buffer.Start);
            await connection.Transport.Output.WriteAsync("!"u8.ToArray());
            var next = await input.ReadAsync();
            canceled.Add(next.IsCanceled);
            Assert.Equal("x", Text(next));
        });
        using var client = await server.ConnectAsync();
        await client.GetStream().ReadExactlyAsync(new byte[1]).AsTask().WaitAsync(Patience);
        await client.GetStream().WriteAsync("x"u8.ToArray());
        await server.ServedAsync();
        Assert.Equal([true, false], canceled);
    }

    [Fact]
    public async Task AWriteToAPeerThatDoesNotReadWaitsAndCanBeEnded()
    {
        var result = default(FlushResult);
        await using var server = await Server.StartAsync(async connection =>
        {
            var output = connection.Transport.Output;
            var block = new byte[64 * 1024 * 1024];
            var write = output.WriteAsync(block);
            Assert.False(write.IsCompleted);
            output.CancelPendingFlush();
            result = await write;
        });
        using var client = await server.ConnectAsync();
        await server.ServedAsync();
        Assert.True(result.IsCanceled);
    }

    /// <summary>What the system has taken can't be overtaken: a keystroke's echo would wait behind it, on a slow line for seconds.</summary>
    [Fact]
    public async Task TheSystemTakesLittleThatItCannotSend()
    {
        const int ReceiveBuffer = 64 * 1024;
        long taken = 0;
        await using var server = await Server.StartAsync(async connection =>
        {
            var output = connection.Transport.Output;
            var block = new byte[16 * 1024];
            for (var write = WriteAsync(); write.IsCompleted; write = WriteAsync())
            {
                await write;
                taken += block.Length;
            }

            output.CancelPendingFlush();

            Task<FlushResult> WriteAsync() => output.WriteAsync(block).AsTask();
        });
        using var client = new TcpClient { ReceiveBufferSize = ReceiveBuffer };
        await client.ConnectAsync(IPAddress.Loopback, server.Port);
        await server.ServedAsync();

        // The kernel doubles a receive buffer that is asked for, and half of what it holds there may be its own.
        Assert.InRange(taken, ReceiveBuffer / 2, (2 * ReceiveBuffer) + (256 * 1024));
    }

    [Fact]
    public async Task LastWordsArriveThoughNobodyReadWhatTheClientSent()
    {
        var sent = new TaskCompletionSource();
        await using var server = await Server.StartAsync(async connection =>
        {
            await sent.Task;
            await connection.Transport.Output.WriteAsync("Not allowed at this time\r\n"u8.ToArray());
        });
        using var client = await server.ConnectAsync();

        // Unread bytes in a socket that is closed turn the end into a reset, and the client's system drops what it has not read.
        await client.GetStream().WriteAsync(new byte[100_000]);
        sent.SetResult();
        await server.ServedAsync();
        using var reader = new StreamReader(client.GetStream());
        Assert.Equal("Not allowed at this time\r\n", await reader.ReadToEndAsync().WaitAsync(Patience));
    }

    [Fact]
    public async Task ShortReadsAreHandedOverOnTheSharedThreadOnlyOnceThatIsTurnedOn()
    {
        var shared = new List<bool>();
        await using var server = await Server.StartAsync(async connection =>
        {
            var inline = connection.Features.Get<IInlineReadsFeature>()!;
            foreach (var (enabled, size) in new[] { (false, 1), (true, 1), (true, 100_000) })
            {
                inline.IsEnabled = enabled;
                await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
                var reading = connection.Transport.Input.ReadAsync();
                var arrived = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
                var awaiter = reading.ConfigureAwait(false).GetAwaiter();
                awaiter.UnsafeOnCompleted(() => arrived.SetResult(inline.IsSharedThread));
                await connection.Transport.Output.WriteAsync(BitConverter.GetBytes(size));
                shared.Add(await arrived.Task);
                var read = awaiter.GetResult();
                connection.Transport.Input.AdvanceTo(read.Buffer.End);
                for (var rest = size - read.Buffer.Length; rest > 0;)
                {
                    var more = await connection.Transport.Input.ReadAsync();
                    rest -= more.Buffer.Length;
                    connection.Transport.Input.AdvanceTo(more.Buffer.End);
                    await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
                }
            }
        });
        using var client = await server.ConnectAsync();
        var wanted = new byte[4];
        for (var i = 0; i < 3; i++)
        {
            await client.GetStream().ReadExactlyAsync(wanted).AsTask().WaitAsync(Patience);
            await client.GetStream().WriteAsync(new byte[BitConverter.ToInt32(wanted)]);
        }

        await server.ServedAsync();
        Assert.Equal([false, true, false], shared);
    }

    [Fact]
    public async Task AResetEndsTheReadAndNotTheServer()
    {
        Exception? thrown = null;
        await using var server = await Server.StartAsync(async connection =>
        {
            try
            {
                while (await connection.Transport.Input.ReadAsync() is { IsCompleted: false } read)
                {
                    connection.Transport.Input.AdvanceTo(read.Buffer.End);
                    await connection.Transport.Output.WriteAsync("."u8.ToArray());
                }
            }
            catch (IOException error)
            {
                thrown = error;
                throw;
            }
        });
        using (var client = await server.ConnectAsync())
        {
            await client.GetStream().WriteAsync("x"u8.ToArray());
            await client.GetStream().ReadExactlyAsync(new byte[1]).AsTask().WaitAsync(Patience);
            client.Client.Close(0);
        }

        await server.ServedAsync();
        Assert.Contains("reset", thrown?.Message, StringComparison.OrdinalIgnoreCase);
        using var another = await server.ConnectAsync();
        await another.GetStream().WriteAsync("x"u8.ToArray());
        await another.GetStream().ReadExactlyAsync(new byte[1]).AsTask().WaitAsync(Patience);
    }

    [Fact]
    public async Task AServerThatStopsEndsItsConnections()
    {
        var server = await Server.StartAsync(async connection =>
        {
            await connection.Transport.Output.WriteAsync("!"u8.ToArray());
            await connection.Transport.Input.ReadAsync();
        });
        using var client = await server.ConnectAsync();
        await client.GetStream().ReadExactlyAsync(new byte[1]).AsTask().WaitAsync(Patience);
        await server.DisposeAsync();
        await server.ServedAsync();
        Assert.Equal(0, await client.GetStream().ReadAsync(new byte[1]).AsTask().WaitAsync(Patience));
    }

    [Fact]
    public async Task AnAddressThatIsTakenIsSaidSo()
    {
        await using var server = await Server.StartAsync(_ => Task.CompletedTask);
        var error = await Assert.ThrowsAsync<IOException>(() => Server.StartAsync(_ => Task.CompletedTask, server.Port));
        Assert.IsType<AddressInUseException>(error.InnerException);
    }

    private static string Text(ReadResult read) => Encoding.ASCII.GetString(read.Buffer.ToArray());

    private sealed class Server(WebApplication web, Task served) : IAsyncDisposable
    {
        public int Port { get; } = new Uri(web.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single()).Port;

        public static async Task<Server> StartAsync(Func<ConnectionContext, Task> serve, int port = 0)
        {
            var served = new TaskCompletionSource();
            var builder = WebApplication.CreateSlimBuilder();
            builder.Services.AddSingleton<IConnectionListenerFactory, SshListenerFactory>();
            builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(new SshEndPoint(new IPEndPoint(IPAddress.Loopback, port)), listen => listen.Run(async connection =>
            {
                try
                {
                    await serve(connection);
                    served.TrySetResult();
                }
                catch (Exception gone) when (gone is IOException or ConnectionAbortedException)
                {
                    served.TrySetResult();
                }
                catch (Exception error)
                {
                    served.TrySetException(error);
                    throw;
                }
            })));
            var web = builder.Build();
            await web.StartAsync();
            return new Server(web, served.Task);
        }

        public async Task<TcpClient> ConnectAsync()
        {
            var client = new TcpClient { NoDelay = true };
            await client.ConnectAsync(IPAddress.Loopback, Port);
            return client;
        }

        /// <summary>Done when the first connection was served; throws what that threw.</summary>
        public Task ServedAsync() => served.WaitAsync(Patience);

        public async ValueTask DisposeAsync()
        {
            using var now = new CancellationTokenSource(TimeSpan.FromSeconds(1));
            await web.StopAsync(now.Token);
            await web.DisposeAsync();
        }
    }
}
