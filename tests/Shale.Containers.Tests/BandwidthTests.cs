using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Shale.Containers.Bandwidth;
using Shale.Containers.Exec;
using Shale.Containers.Leases;
using Shale.Testing;
using Xunit;
using static Shale.Containers.Tests.LeaseFixture;

namespace Shale.Containers.Tests;

/// <summary>A lease's bandwidth: really held by the kernel on the container's network, and one limit together with its SSH streams.</summary>
[Collection("leases")]
public sealed class BandwidthTests(LeaseFixture leases)
{
    private const long Limit = 2 << 20;

    // Connects to the machine (the container's default gateway) and sends or receives as fast as it can.
    private const string Client = "import socket,sys,struct\ng=[l.split() for l in open('/proc/net/route')][1:]\ngw=socket.inet_ntoa(struct.pack('<L',int([r for r in g if r[1]=='00000000'][0][2],16)))\ns=socket.create_connection((gw,int(sys.argv[2])))\nb=bytes(65536)\nwhile True:\n  n=s.send(b) if sys.argv[1]=='send' else len(s.recv(65536))\n  if not n: break\n";

    [Theory]
    [InlineData("send")]
    [InlineData("receive")]
    public async Task Network_OfALimitedLease_IsHeldToTheLimit(string direction)
    {
        var lease = await leases.CreateAsync(new LeaseSpec { Image = Debian, BandwidthBytesPerSecond = Limit });
        using var transfer = new Transfer(direction);
        await using var process = await lease.StartAsync(new ExecRequest { Arguments = ["python3", "-c", Client, direction, $"{transfer.Port}"] }, Soon);
        await transfer.StartedAsync();
        await transfer.ReachesAsync(0.75);
        transfer.AssertWithin(Limit);
    }

    [Fact]
    public async Task NetworkAndStreams_Together_AreHeldToOneLimit()
    {
        var lease = await leases.CreateAsync(new LeaseSpec { Image = Debian, BandwidthBytesPerSecond = Limit });
        using var transfer = new Transfer("send");
        await using var process = await lease.StartAsync(new ExecRequest { Arguments = ["python3", "-c", Client, "send", $"{transfer.Port}"] }, Soon);
        await transfer.StartedAsync();
        long streamed = 0;
        using var stop = new CancellationTokenSource(TimeSpan.FromMinutes(5));
        var streaming = Task.Run(async () =>
        {
            while (!stop.IsCancellationRequested)
            {
                await lease.Bandwidth!.ToClient.TakeAsync(32768, stop.Token);
                Interlocked.Add(ref streamed, 32768);
            }
        });

        // Both want all: soon each gets half. A busy machine may take several looks to show it; it never shows more than the limit.
        var shares = new List<(double Network, double Streams)>();
        do
        {
            Assert.True(shares.Count < 120, "never half each: " + string.Join(' ', shares));
            var before = Interlocked.Read(ref streamed);
            var watch = Stopwatch.StartNew();
            var network = await transfer.RateAsync(TimeSpan.FromSeconds(1));
            shares.Add((network / Limit, (Interlocked.Read(ref streamed) - before) / watch.Elapsed.TotalSeconds / Limit));
        }
        while (shares[^1] is not { Network: > 0.3 and < 0.65, Streams: > 0.3 and < 0.65 });

        transfer.AssertWithin(Limit, Interlocked.Read(ref streamed));
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => streaming);
    }

    [Fact]
    public async Task Limit_AfterARestartOfTheContainer_HoldsAgain()
    {
        var lease = await leases.CreateAsync(new LeaseSpec { Image = Debian, BandwidthBytesPerSecond = Limit });
        await lease.KillAsync("KILL", Soon);
        await EventuallyAsync(async () => (await lease.GetStateAsync(Soon)).Status == LeaseContainerStatus.Stopped, "it stops");
        await lease.EnsureRunningAsync(Soon);
        using var transfer = new Transfer("send");
        await using var process = await lease.StartAsync(new ExecRequest { Arguments = ["python3", "-c", Client, "send", $"{transfer.Port}"] }, Soon);
        await transfer.StartedAsync();
        await transfer.ReachesAsync(0.7);
        transfer.AssertWithin(Limit);
    }

    [Fact]
    public async Task Bucket_TakenFromByMany_GivesItsRateAndLetsKeystrokesPass()
    {
        var time = new ManualTimeProvider();
        var bucket = new TokenBucket(1_000_000, time);
        var start = time.GetTimestamp();
        await time.RunAsync(Task.WhenAll(Enumerable.Range(0, 4).Select(async _ =>
        {
            for (var i = 0; i < 10; i++)
            {
                await bucket.TakeAsync(25_000, Soon);
            }
        })));
        Assert.InRange(time.GetElapsedTime(start).TotalSeconds, 0.9, 1.1); // 1 MB less the burst and the last debt; a millisecond more for each wait

        var full = bucket.TakeAsync(25_000, Soon).AsTask();
        Assert.True(bucket.TakeAsync(100, Soon).AsTask().IsCompletedSuccessfully);
        await time.RunAsync(full);
        await time.RunAsync(bucket.TakeAsync(1_000_000, Soon).AsTask());
        using var cancelled = new CancellationTokenSource();
        var waiting = bucket.TakeAsync(50_000, cancelled.Token).AsTask();
        Assert.False(waiting.IsCompleted);
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
    }

    [Fact]
    public void Share_AsUseChanges_AddsUpToTheLimitAndFollows()
    {
        var share = new BandwidthShare(1000);
        void Is(double network) => Assert.Equal((network, 1000 - network), (Math.Round(share.Network), Math.Round(share.Streams)));
        Is(950);
        share.Update(0, 0, false); // nobody wants anything: the network may start at once
        Is(950);
        share.Update(900, 0, false);
        Is(950);
        share.Update(950, 45, true); // a stream starts beside a download
        Is(500);
        share.Update(480, 490, true);
        Is(500);
        for (var i = 0; i < 20; i++)
        {
            share.Update(0, 500, true); // the download ends
        }

        Is(50);
        share.Update(48, 940, true); // another starts
        Is(500);
        share.Update(400, 100, false); // the stream slows down
        Is(870);
        share.Update(700, 0, false);
        Is(950);
    }

    private sealed class Transfer : IDisposable
    {
        private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        // What socket buffers and the queueing discipline hold counts as moved at one end and not yet at the other.
        private const int Buffered = 512 << 10;

        private readonly TaskCompletionSource _started = new();
        private long _bytes;
        private long _start;

        public Transfer(string direction)
        {
            _listener.ReceiveBufferSize = 65536; // what arrives before it is accepted is within what is allowed for buffers
            _listener.Bind(new IPEndPoint(IPAddress.Any, 0));
            _listener.Listen();
            Port = ((IPEndPoint)_listener.LocalEndPoint!).Port;
            _ = Task.Run(async () =>
            {
                try
                {
                    using var socket = await _listener.AcceptAsync();
                    socket.SendBufferSize = 65536; // what counts has really left
                    _start = Stopwatch.GetTimestamp();
                    _started.SetResult();
                    var buffer = new byte[16384];
                    while (true)
                    {
                        var count = direction == "send" ? await socket.ReceiveAsync(buffer) : await socket.SendAsync(buffer);
                        if (count == 0)
                        {
                            return;
                        }

                        Interlocked.Add(ref _bytes, count);
                    }
                }
                catch (SocketException)
                {
                    // The test is over.
                }
            });
        }

        public int Port { get; }

        public Task StartedAsync() => _started.Task.WaitAsync(Soon);

        public async Task<double> RateAsync(TimeSpan over)
        {
            var before = Interlocked.Read(ref _bytes);
            var watch = Stopwatch.StartNew();
            await Task.Delay(over);
            return (Interlocked.Read(ref _bytes) - before) / watch.Elapsed.TotalSeconds;
        }

        /// <summary>Waits until some second moves at least this part of the limit: the limit is no lower than it says.</summary>
        public async Task ReachesAsync(double part)
        {
            var rates = new List<double>();
            do
            {
                Assert.True(rates.Count < 120, $"never {part} of the limit: " + string.Join(' ', rates));
                rates.Add(await RateAsync(TimeSpan.FromSeconds(1)) / Limit);
            }
            while (rates[^1] < part);
        }

        /// <summary>All that was moved since the start, and beside it, keeps the limit, however unevenly the machine let it through.</summary>
        public void AssertWithin(long limit, long beside = 0)
        {
            // In this order: what moves while this is held up is not held against the limit.
            var moved = Interlocked.Read(ref _bytes) + beside;
            Assert.InRange(moved, 1, (1.05 * limit * Stopwatch.GetElapsedTime(_start).TotalSeconds) + Buffered);
        }

        public void Dispose() => _listener.Dispose();
    }
}
