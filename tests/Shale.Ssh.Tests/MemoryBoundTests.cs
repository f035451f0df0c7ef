using Shale.Ssh.KeyExchange;
using Shale.Ssh.Listening;
using Shale.Ssh.Tests.Support;
using Shale.Ssh.Transport;
using Shale.Testing;
using Xunit;

namespace Shale.Ssh.Tests;

/// <summary>Tests that measure the process, so that nothing else may run beside them.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class AloneCollection
{
    public const string Name = "Alone";
}

/// <summary>What a peer can make the server hold.</summary>
[Collection(AloneCollection.Name)]
public sealed class MemoryBoundTests
{
    // SHALE_TEST_FULL=1: a million refused opens and ten thousand stalled connections, a minute or two; otherwise enough of them to see a leak.
    private static readonly bool Full = Environment.GetEnvironmentVariable("SHALE_TEST_FULL") == "1";

    [Fact]
    public async Task ChannelOpens_ManyRefused_LeaveMemoryFlat()
    {
        var rounds = Full ? 1_000_000 : 100_000;
        await using var peer = await RawPeer.AuthenticateAsync(new MemoryServer());
        await RefuseAsync(2_000);
        var before = GC.GetTotalMemory(forceFullCollection: true);
        await RefuseAsync(rounds);
        var grown = GC.GetTotalMemory(forceFullCollection: true) - before;
        Assert.InRange(grown, long.MinValue, 1_000_000);

        async Task RefuseAsync(int count)
        {
            for (var done = 0; done < count; done += 100)
            {
                for (var i = 0; i < 100; i++)
                {
                    peer.SendMessage(MessageNumber.ChannelOpen, i % 2 == 0 ? "x11" : "direct-tcpip", (uint)i, 1024u, 1024u);
                }

                for (var i = 0; i < 100; i++)
                {
                    Assert.Equal(MessageNumber.ChannelOpenFailure, (await peer.ReceiveAsync())[0]);
                }
            }
        }
    }

    [Fact]
    public async Task Grace_ThousandsStalledInEveryState_AreFreedInTime()
    {
        // CVE-2024-6387's ground. The states: silent, identified, in the exchange, with keys, in authentication.
        var each = Full ? 3_080 : 400;
        var time = new ManualTimeProvider();
        var server = new MemoryServer(o => o.MaxStartups = new MaxStartups(100_000, 100, 100_000), time);
        var before = GC.GetTotalMemory(forceFullCollection: true);
        var serving = new List<Task>();
        for (var i = 0; i < each; i++)
        {
            serving.Add(new ClearPeer(server).Serving);
            var identified = new ClearPeer(server);
            identified.Identify();
            serving.Add(identified.Serving);
            var exchanging = new ClearPeer(server);
            exchanging.Identify();
            exchanging.SendKexInit("curve25519-sha256", Negotiation.StrictClient);
            serving.Add(exchanging.Serving);
        }

        for (var i = 0; i < each / 8; i++)
        {
            serving.Add((await RawPeer.OpenAsync(server)).Serving);
            serving.Add((await RawPeer.OpenServiceAsync(server)).Serving);
        }

        Assert.Equal(serving.Count, server.Handler.UnauthenticatedCount);
        var held = (GC.GetTotalMemory(forceFullCollection: true) - before) / serving.Count;

        // What other tests left behind may have gone meanwhile: the process's memory can shrink.
        Assert.True(held <= 64 * 1024, $"{held} bytes for each connection");
        time.Advance(TimeSpan.FromSeconds(119));
        Assert.Equal(serving.Count, server.Handler.UnauthenticatedCount);

        // A second for the grace, the rest for the last words to peers that don't read.
        for (var i = 0; i < 3000 && !serving.All(t => t.IsCompleted); i++)
        {
            time.Advance(TimeSpan.FromSeconds(1));
            await Task.Delay(20);
        }

        Assert.All(serving, t => Assert.True(t.IsCompletedSuccessfully));
        Assert.Equal(0, server.Handler.UnauthenticatedCount);
    }

    [Fact]
    public async Task Connections_AuthenticatedAndIdle_HoldLittle()
    {
        // Both ends are in this process, and each has its share of what is measured.
        const int count = 200;
        var server = new MemoryServer();
        await using (await RawPeer.AuthenticateAsync(server))
        {
            var before = GC.GetTotalMemory(forceFullCollection: true);
            var peers = new List<RawPeer>();
            for (var i = 0; i < count; i++)
            {
                peers.Add(await RawPeer.AuthenticateAsync(server));
                await peers[i].OpenSessionAsync();
            }

            var each = (GC.GetTotalMemory(forceFullCollection: true) - before) / count;
            Assert.InRange(each, 0, 150 * 1024);
            foreach (var peer in peers)
            {
                await peer.DisposeAsync();
            }
        }
    }
}
