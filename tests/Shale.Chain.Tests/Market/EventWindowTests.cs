using System.Globalization;
using System.Text.Json.Nodes;
using Shale.Chain.Contracts;
using Shale.Chain.Market;
using Shale.Chain.Networks;
using Shale.Chain.Rpc;
using Shale.Chain.Tests.Doubles;
using Xunit;

namespace Shale.Chain.Tests.Market;

/// <summary>Events on nodes with the limits of public ones: short ranges, few results, epochs without a block, no old events.</summary>
public sealed class EventWindowTests
{
    private static readonly Address Market = Address.Parse("0x8dbD6c7Ede90646a61Bbc649831b7c298BFd37A0");
    private static readonly Address Registry = Address.Parse("0xd388aB098ed3E84c0D808776440B48F685198498");

    private static readonly Network Network = new()
    {
        Name = "double", ChainId = 314, Endpoints = [new Uri("http://127.0.0.1:1")], Market = Market, Registry = Registry, DeployedAt = 3,
    };

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Events_OnANodeWithNarrowLimits_AreAllThereOnceEachAndInOrder(int seed)
    {
        var random = new Random(seed);
        var chain = new ScriptedChain { Final = 300, Head = 305, LongestRange = (ulong)random.Next(1, 40), MostResults = random.Next(3, 12) };
        for (var epoch = 3UL; epoch <= 300; epoch++)
        {
            if (random.Next(8) == 0 && epoch != 300)
            {
                chain.NullRounds.Add(epoch);
            }
            else
            {
                // Never more in one epoch than the node gives at once: no client can read that.
                chain.Logs.AddRange(Enumerable.Range(0, random.Next(3)).Select(i => (epoch, (ulong)i)));
            }
        }

        await using var node = chain.Serve();
        using var client = Client(node);
        var events = new MarketEvents(client, Network, new MarketEventOptions { Window = 100 });
        var seen = new List<(ulong, ulong)>();
        var cursor = events.Start;
        while (cursor.Next <= chain.Final)
        {
            var batch = (await events.ReadAsync(cursor, CancellationToken.None))!;
            Assert.True(batch.Cursor.Next > cursor.Next);
            seen.AddRange(batch.Events.Select(e => (e.Epoch, e.LogIndex)));
            cursor = batch.Cursor;
        }

        Assert.Equal(chain.Logs, seen);
        Assert.Null(await events.ReadAsync(cursor, CancellationToken.None));
    }

    [Fact]
    public async Task Events_BehindAPublicNodesWindow_AreAskedForIn2880Epochs()
    {
        var chain = new ScriptedChain { Final = 10_000, Head = 10_005, LongestRange = 2880 };
        chain.Logs.AddRange([(5, 0), (2882, 1), (2883, 0), (9999, 0)]);
        await using var node = chain.Serve();
        using var client = Client(node);
        var events = new MarketEvents(client, Network);
        var seen = new List<ulong>();
        for (var cursor = events.Start; cursor.Next <= chain.Final;)
        {
            var batch = (await events.ReadAsync(cursor, CancellationToken.None))!;
            seen.AddRange(batch.Events.Select(e => e.Epoch));
            cursor = batch.Cursor;
        }

        Assert.Equal([5, 2882, 2883, 9999], seen);
        Assert.Equal(4, node.Count("eth_getLogs"));
    }

    [Fact]
    public async Task Events_OnlyMarketsAndRegistrys_AreAskedForAndBelieved()
    {
        var chain = new ScriptedChain { Final = 10, Head = 12 };
        chain.Logs.Add((5, 0));
        chain.Contract = Address.Parse("0x008AeEda4D805471dF9b2A5B0f38A0C3bCBA786b");
        await using var node = chain.Serve();
        using var client = Client(node);
        var events = new MarketEvents(client, Network);
        Assert.Equal(ChainErrorKind.Malformed, (await Assert.ThrowsAsync<ChainException>(() => events.ReadAsync(events.Start, CancellationToken.None))).Kind);
    }

    [Fact]
    public async Task Events_OfAnotherContractAtTheAddress_EndWithTheAddressInWords()
    {
        var chain = new ScriptedChain { Final = 10, Head = 12, Topic = Bytes32.Keccak("Transfer(address,address,uint256)"u8) };
        chain.Logs.Add((5, 0));
        await using var node = chain.Serve();
        using var client = Client(node);
        var events = new MarketEvents(client, Network);
        var error = await Assert.ThrowsAsync<ChainException>(() => events.ReadAsync(events.Start, CancellationToken.None));
        Assert.Contains(Registry.ToString(), error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Events_ThatNoNodeKeeps_EndWithThatReason()
    {
        await using var node = new ScriptedChain { Final = 10, Head = 12 }.Serve().On("eth_getLogs", _ => throw new RpcError(-32000, "missing trie node: pruned"));
        using var client = Client(node);
        await using var following = new MarketEvents(client, Network).FollowAsync(null).GetAsyncEnumerator();
        Assert.Equal(ChainErrorKind.Pruned, (await Assert.ThrowsAsync<ChainException>(async () => await following.MoveNextAsync())).Kind);
    }

    [Fact]
    public async Task Node_BehindTheOneAskedBefore_IsWaitedFor()
    {
        var chain = new ScriptedChain { Final = 10, Head = 12 };
        await using var node = chain.Serve();
        using var first = Client(node);
        var events = new MarketEvents(first, Network);
        var cursor = (await events.ReadAsync(events.Start, CancellationToken.None))!.Cursor;

        // A new process asks a node that is behind.
        chain.Final = 8;
        using var second = Client(node);
        Assert.Null(await new MarketEvents(second, Network).ReadAsync(cursor, CancellationToken.None));
        chain.Final = 11;
        Assert.Equal(12UL, (await new MarketEvents(second, Network).ReadAsync(cursor, CancellationToken.None))!.Cursor.Next);
    }

    private static ChainClient Client(RpcDouble node) => new(new ChainOptions
    {
        Endpoints = [new RpcEndpoint(node.Url)], ChainId = 314, FirstDelay = TimeSpan.FromMilliseconds(1), LongestDelay = TimeSpan.FromMilliseconds(1),
    });

    /// <summary>A chain that is only told: heights, epochs without a block, and EndpointSet events of the registry.</summary>
    private sealed class ScriptedChain
    {
        public ulong Final { get; set; }

        public ulong Head { get; init; }

        public ulong LongestRange { get; init; } = ulong.MaxValue;

        public int MostResults { get; init; } = 10_000;

        public HashSet<ulong> NullRounds { get; } = [];

        public List<(ulong Epoch, ulong Index)> Logs { get; } = [];

        public Address Contract { get; set; } = Registry;

        public Bytes32 Topic { get; init; } = ShaleRegistry.EndpointSetEvent.Topic;

        public RpcDouble Serve() => new RpcDouble(314)
            .On("eth_blockNumber", _ => Hex(Head))
            .On("eth_getBlockByNumber", p => p[0]!.GetValue<string>() switch
            {
                "finalized" => Block(Final),
                "latest" => Block(Head),
                var number => Block(Number(number)),
            })
            .On("eth_getLogs", p => Find(Number(p[0]!["fromBlock"]!.GetValue<string>()), Number(p[0]!["toBlock"]!.GetValue<string>())));

        private JsonArray Find(ulong from, ulong to)
        {
            if (NullRounds.Contains(from) || NullRounds.Contains(to))
            {
                throw new RpcError(12, "requested epoch was a null round");
            }

            if (to - from + 1 > LongestRange)
            {
                throw new RpcError(-32000, "block range exceeds the maximum");
            }

            var found = Logs.Where(l => l.Epoch >= from && l.Epoch <= to).ToList();
            return found.Count > MostResults ? throw new RpcError(-32000, "query returned more than the maximum of results") : new JsonArray([.. found.Select(l => (JsonNode)Log(l.Epoch, l.Index))]);
        }

        private JsonObject Block(ulong number) => NullRounds.Contains(number)
            ? throw new RpcError(12, "requested epoch was a null round")
            : new JsonObject
            {
                ["number"] = Hex(number), ["hash"] = Hash(number), ["parentHash"] = Hash(number - 1), ["timestamp"] = Hex(number * 30), ["gasLimit"] = "0x2540be400",
            };

        private JsonObject Log(ulong epoch, ulong index) => new()
        {
            ["address"] = Contract.ToString(),
            ["topics"] = new JsonArray(Topic.ToString(), "0x" + new string('0', 63) + "1"),
            ["data"] = "0x" + 32.ToString("x64", CultureInfo.InvariantCulture) + 3.ToString("x64", CultureInfo.InvariantCulture) + "613a31".PadRight(64, '0'), // "a:1"
            ["blockNumber"] = Hex(epoch),
            ["blockHash"] = Hash(epoch),
            ["transactionHash"] = Hash(epoch * 1000),
            ["transactionIndex"] = "0x0",
            ["logIndex"] = Hex(index),
            ["removed"] = false,
        };

        private static string Hash(ulong number) => Bytes32.Keccak(BitConverter.GetBytes(number)).ToString();

        private static string Hex(ulong number) => "0x" + number.ToString("x", CultureInfo.InvariantCulture);

        private static ulong Number(string hex) => ulong.Parse(hex.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
    }
}
