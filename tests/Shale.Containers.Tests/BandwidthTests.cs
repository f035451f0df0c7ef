using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Shale.Containers.Bandwidth;
using Shale.Containers.Exec;
using Shale.Containers.Leases;
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
        await Task.Delay(700);
        Assert.InRange(await transfer.RateAsync(TimeSpan.FromSeconds(2)) / Limit, 0.75, 1.05);
    }

    [Fact]
    public async Task NetworkAndStreams_Together_AreHeldToOneLimit()
    {
        var lease = await leases.CreateAsync(new LeaseSpec { Image = Debian, BandwidthBytesPerSecond = Limit });
        using var transfer = new Transfer("send");
        await using var process = await lease.StartAsync(new ExecRequest { Arguments = ["python3", "-c", Client, "send", $"{transfer.Port}"] }, Soon);
        await transfer.StartedAsync();
        long streamed = 0;
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Soon);
        var streaming = Task.Run(async () =>
        {
            while (!stop.IsCancellationRequested)
            {
                await lease.Bandwidth!.ToClient.TakeAsync(32768, stop.Token);
                Interlocked.Add(ref streamed, 32768);
            }
        });
        await Task.Delay(700);
        var before = Interlocked.Read(ref streamed);
        var watch = Stopwatch.StartNew();
        var network = await transfer.RateAsync(TimeSpan.FromSeconds(2));
        var streams = (Interlocked.Read(ref streamed) - before) / watch.Elapsed.TotalSeconds;
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => streaming);
        Assert.InRange((network + streams) / Limit, 0.75, 1.08);
        Assert.InRange(network / Limit, 0.3, 0.65); // both want all: half each
        Assert.InRange(streams / Limit, 0.3, 0.65);
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
        await Task.Delay(500);
        Assert.InRange(await transfer.RateAsync(TimeSpan.FromSeconds(1.5)) / Limit, 0.7, 1.1);
    }

    [Fact]
    public async Task Bucket_TakenFromByMany_GivesItsRateAndLetsKeystrokesPass()
    {
        var bucket = new TokenBucket(1_000_000, TimeProvider.System);
        var watch = Stopwatch.StartNew();
        await Task.WhenAll(Enumerable.Range(0, 4).Select(async _ =>
        {
            for (var i = 0; i < 10; i++)
            {
                await bucket.TakeAsync(25_000, Soon);
            }
        }));
        Assert.InRange(watch.Elapsed.TotalSeconds, 0.85, 1.6); // 1 MB less the burst and the last debt

        var full = bucket.TakeAsync(25_000, Soon).AsTask();
        Assert.True(bucket.TakeAsync(100, Soon).AsTask().IsCompletedSuccessfully);
        await full;
        using var cancelled = new CancellationTokenSource(20);
        await bucket.TakeAsync(1_000_000, Soon);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            while (true)
            {
                await bucket.TakeAsync(50_000, cancelled.Token);
            }
        });
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
        private readonly TaskCompletionSource _started = new();
        private long _bytes;

        public Transfer(string direction)
        {
            _listener.Bind(new IPEndPoint(IPAddress.Any, 0));
            _listener.Listen();
            Port = ((IPEndPoint)_listener.LocalEndPoint!).Port;
            _ = Task.Run(async () =>
            {
                try
                {
                    using var socket = await _listener.AcceptAsync();
                    socket.SendBufferSize = 65536; // what counts has really left
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

        public Task StartedAsync() => _started.Task.WaitAsync(TimeSpan.FromSeconds(20));

        public async Task<double> RateAsync(TimeSpan over)
        {
            var before = Interlocked.Read(ref _bytes);
            var watch = Stopwatch.StartNew();
            await Task.Delay(over);
            return (Interlocked.Read(ref _bytes) - before) / watch.Elapsed.TotalSeconds;
        }

        public void Dispose() => _listener.Dispose();
    }
}
