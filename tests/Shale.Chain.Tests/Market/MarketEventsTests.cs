using Shale.Chain.Contracts;
using Shale.Chain.Market;
using Shale.Chain.Networks;
using Shale.Chain.Tests.Doubles;
using Xunit;

namespace Shale.Chain.Tests.Market;

public sealed class MarketEventsTests
{
    private static readonly MarketEventOptions Quick = new() { PollInterval = TimeSpan.FromMilliseconds(20) };

    [Fact]
    public async Task FinalEvents_OfAReaderThatDiesAnywhere_AreSeenOnceEachAndInOrder()
    {
        await using var bench = await MarketBench.StartAsync();
        await FillAsync(bench);
        await bench.Node.MineAsync(20, CancellationToken.None);
        var all = await ReadAsync(bench, new MarketEvents(bench.Chain, bench.Network, Quick), null);
        Assert.Equal(
            [
                "ProviderRegistered", "OperatorRotated", "MinerClaimed", "OfferPut", "PageOpened", "LeaseCreated", "LeaseAccepted", "LeaseConfirmed", "PageSettled", "LeaseToppedUp", "CloseRequested",
            ],
            all.Select(e => e.Event.GetType().Name.Replace("Event", "")));
        Assert.Equal(all.OrderBy(e => e.Epoch).ThenBy(e => e.LogIndex), all);
        Assert.All(all, e => Assert.Equal(EventStatus.Final, e.Status));

        // The reader writes what it saw and the cursor in one go, and dies before or after that at random.
        var random = new Random(42);
        var written = (Seen: new List<MarketEvent>(), Cursor: (string?)null);
        for (var deaths = 0; ;)
        {
            var events = new MarketEvents(bench.Chain, bench.Network, Quick with { Window = (ulong)random.Next(1, 4) });
            var from = written.Cursor is { } json ? EventCursor.Parse(json) : null;
            var done = false;
            await foreach (var batch in events.FollowAsync(from))
            {
                if (random.Next(3) == 0)
                {
                    deaths++;
                    break;
                }

                written = ([.. written.Seen, .. batch.Events], batch.Cursor.ToJson());
                done = batch.Cursor.Next > batch.Final;
                if (done || random.Next(3) == 0)
                {
                    break;
                }
            }

            if (done)
            {
                Assert.True(deaths > 0);
                break;
            }
        }

        Assert.Equal(all.Select(Name), written.Seen.Select(Name));
    }

    [Fact]
    public async Task ProvisionalEvents_WhenTheirBlockIsTakenBack_AreRemovedAndOthersCome()
    {
        await using var bench = await MarketBench.StartAsync();
        await bench.RegisterAsync();
        await bench.Node.MineAsync(5, CancellationToken.None);
        var events = new MarketEvents(bench.Chain, bench.Network, Quick with { Provisional = true });
        var cursor = (await events.ReadAsync(events.Start, CancellationToken.None))!.Cursor;

        var snapshot = await bench.Node.RequestAsync("evm_snapshot", CancellationToken.None);
        await bench.Provider.SetEndpointAsync(1, "old:1");
        var seen = (await events.ReadAsync(cursor, CancellationToken.None))!;
        cursor = seen.Cursor;
        Assert.Equal((EventStatus.Provisional, "old:1"), Assert.Single(seen.Events.Select(Endpoint)));
        Assert.Null(await events.ReadAsync(cursor, CancellationToken.None));

        await bench.Node.RequestAsync("evm_revert", CancellationToken.None, snapshot.GetString()!);
        var other = await bench.WriterAsync();
        await other.RegisterAsync(0, "other:1", [MarketBench.HostKey]);
        seen = (await events.ReadAsync(cursor, CancellationToken.None))!;
        cursor = seen.Cursor;
        Assert.Equal((EventStatus.Removed, "old:1"), Endpoint(seen.Events[0]));
        Assert.Equal("other:1", Assert.IsType<ShaleRegistry.ProviderRegisteredEvent>(seen.Events[1].Event).Endpoint);
        Assert.All(seen.Events.Skip(1), e => Assert.Equal(EventStatus.Provisional, e.Status));

        await bench.Node.MineAsync(5, CancellationToken.None);
        seen = (await events.ReadAsync(cursor, CancellationToken.None))!;
        Assert.Equal(["ProviderRegisteredEvent", "OperatorRotatedEvent"], seen.Events.Select(e => e.Event.GetType().Name));
        Assert.All(seen.Events, e => Assert.Equal(EventStatus.Final, e.Status));
    }

    [Fact]
    public async Task Follower_WhenTheNodeRestarts_GoesOn()
    {
        await using var bench = await MarketBench.StartAsync();
        await bench.RegisterAsync();
        await bench.Node.MineAsync(5, CancellationToken.None);
        var troubled = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var events = new MarketEvents(bench.Chain, bench.Network, Quick with { Trouble = _ => troubled.TrySetResult() });
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        var endpoints = new List<string>();
        var first = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var following = Task.Run(async () =>
        {
            await foreach (var batch in events.FollowAsync(null, limit.Token))
            {
                endpoints.AddRange(batch.Events.Select(e => e.Event).OfType<ShaleRegistry.EndpointSetEvent>().Select(e => e.Endpoint));
                first.TrySetResult();
                if (endpoints.Count > 0)
                {
                    return;
                }
            }
        });
        await first.Task.WaitAsync(limit.Token);
        await bench.RestartAsync(() => troubled.Task.WaitAsync(limit.Token));
        await bench.Provider.SetEndpointAsync(1, "new:1");
        await bench.Node.MineAsync(5, CancellationToken.None);
        await following;
        Assert.Equal(["new:1"], endpoints);
    }

    [Fact]
    public async Task Follower_OnAChainThatWasSetBack_SaysSo()
    {
        await using var bench = await MarketBench.StartAsync();
        await bench.RegisterAsync();
        var snapshot = await bench.Node.RequestAsync("evm_snapshot", CancellationToken.None);
        await bench.Node.MineAsync(10, CancellationToken.None);
        var events = new MarketEvents(bench.Chain, bench.Network, Quick);
        var cursor = (await events.ReadAsync(events.Start, CancellationToken.None))!.Cursor;

        await bench.Node.RequestAsync("evm_revert", CancellationToken.None, snapshot.GetString()!);
        await bench.Provider.SetEndpointAsync(1, "elsewhere:1");
        await bench.Node.MineAsync(20, CancellationToken.None);
        var error = await Assert.ThrowsAsync<ChainException>(() => new MarketEvents(bench.Chain, bench.Network, Quick).ReadAsync(cursor, CancellationToken.None));
        Assert.Equal(ChainErrorKind.WrongChain, error.Kind);
        Assert.Contains($"Block {cursor.LastBlock}", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Cursor_OfAnotherMarket_IsRefused()
    {
        var network = new Network { Name = "x", ChainId = 5, Endpoints = [new Uri("http://127.0.0.1:1")], Market = Address.Parse("0x8dbD6c7Ede90646a61Bbc649831b7c298BFd37A0"), Registry = default(Address) };
        using var chain = network.Connect();
        var events = new MarketEvents(chain, network);
        foreach (var other in new[] { events.Start with { ChainId = 6 }, events.Start with { Market = default } })
        {
            await using var following = events.FollowAsync(other).GetAsyncEnumerator();
            Assert.Equal(ChainErrorKind.WrongChain, (await Assert.ThrowsAsync<ChainException>(async () => await following.MoveNextAsync())).Kind);
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("""{"version":2,"chainId":1,"market":"0x8dbD6c7Ede90646a61Bbc649831b7c298BFd37A0","next":1,"lastBlock":null,"lastHash":"0x0000000000000000000000000000000000000000000000000000000000000000"}""")]
    [InlineData("""{"version":1,"chainId":1,"market":"0x8dbD6c7Ede90646a61Bbc649831b7c298BFd37A0","next":-1,"lastBlock":null,"lastHash":"0x0000000000000000000000000000000000000000000000000000000000000000"}""")]
    [InlineData("""{"version":1,"chainId":1,"market":"0x8d","next":1,"lastBlock":null,"lastHash":"0x0000000000000000000000000000000000000000000000000000000000000000"}""")]
    public void Cursor_ThatIsNone_IsAFormatError(string json) => Assert.Throws<FormatException>(() => EventCursor.Parse(json));

    [Fact]
    public void Cursor_Saved_IsLoadedAsItWas()
    {
        var path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        try
        {
            Assert.Null(EventCursor.Load(path));
            foreach (var cursor in new[] { new EventCursor(314, Address.Parse("0x8dbD6c7Ede90646a61Bbc649831b7c298BFd37A0"), 7, null, default), new EventCursor(314, default, ulong.MaxValue, 9, MarketBench.HostKey) })
            {
                cursor.Save(path);
                Assert.Equal(cursor, EventCursor.Load(path));
            }
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static async Task FillAsync(MarketBench bench)
    {
        await bench.RegisterAsync();
        var lease = await bench.LeaseAsync(MarketBench.AnyOrder(), 1000);
        await bench.Provider.SettleAsync(MarketBench.Settlement("00-empty"));
        await bench.Client.TopUpAsync(lease, 5);
        await bench.Client.RequestCloseAsync(lease);
    }

    private static async Task<List<MarketEvent>> ReadAsync(MarketBench bench, MarketEvents events, EventCursor? from)
    {
        var seen = new List<MarketEvent>();
        await foreach (var batch in events.FollowAsync(from))
        {
            seen.AddRange(batch.Events);
            if (batch.Cursor.Next > batch.Final)
            {
                break;
            }
        }

        return seen;
    }

    private static (ulong, ulong, string) Name(MarketEvent e) => (e.Epoch, e.LogIndex, e.Event.GetType().Name);

    private static (EventStatus, string) Endpoint(MarketEvent e) => (e.Status, Assert.IsType<ShaleRegistry.EndpointSetEvent>(e.Event).Endpoint);
}
