using System.Text.Json.Nodes;
using Shale.Chain.Contracts;
using Shale.Chain.Rpc;
using Shale.Chain.Tests.Doubles;
using Xunit;

namespace Shale.Chain.Tests.Rpc;

/// <summary>Batches, null rounds, finality, logs: what a node may answer, and what of it is believed.</summary>
public sealed class ChainReadingTests
{
    private static readonly Address Contract = Address.Parse("0x00000000000000000000000000000000000000aa");
    private static readonly Bytes32 Hash = Bytes32.Keccak("x"u8);

    [Fact]
    public async Task Batch_InAnyOrder_IsPutInOrder()
    {
        await using var node = new RpcDouble { Reverses = true };
        node.On("eth_call", p => "0x" + new string('0', 64 - 2) + p[0]!["data"]!.GetValue<string>()[^2..]);
        using var client = EndpointFaultTests.Client([node.Url]);
        var calls = Enumerable.Range(0, 120).Select(i => new ShaleMarket.PageCountCall((uint)i)).ToArray();
        Assert.Equal(Enumerable.Range(0, 120).Select(i => (uint)i), await client.CallManyAsync<uint>(Contract, calls));
        Assert.Equal(1 + 3, node.Posts);
    }

    [Fact]
    public async Task Batch_ThatTheNodeRefuses_IsAskedOneByOne()
    {
        foreach (var (status, body) in new[]
        {
            (200, "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,\"message\":\"batch requests are not supported\"}}"),
            (400, "{\"error\":{\"code\":-32600,\"message\":\"invalid request\"}}"),
            (413, "payload too large"),
        })
        {
            await using var node = new RpcDouble().On("eth_call", p => "0x" + new string('0', 63) + "5");
            node.Intercept = async (context, number) =>
            {
                if (number != 2)
                {
                    return false;
                }

                await RpcDouble.RespondAsync(context, status, body);
                return true;
            };
            using var client = EndpointFaultTests.Client([node.Url]);
            Assert.Equal([5u, 5u, 5u], await client.CallManyAsync(Contract, [new ShaleMarket.PageCountCall(1), new ShaleMarket.PageCountCall(2), new ShaleMarket.PageCountCall(3)]));
            Assert.Equal(1 + 1 + 3, node.Posts);
        }
    }

    [Fact]
    public async Task Batch_WithOneTryAgain_RepeatsThatOneAlone()
    {
        await using var node = new RpcDouble();
        node.OnCount("eth_call", n => n == 2 ? throw new RpcError(-32005, "rate limit") : "0x" + new string('0', 63) + "5");
        using var client = EndpointFaultTests.Client([node.Url]);
        Assert.Equal([5u, 5u, 5u], await client.CallManyAsync(Contract, [new ShaleMarket.PageCountCall(1), new ShaleMarket.PageCountCall(2), new ShaleMarket.PageCountCall(3)]));
        Assert.Equal(4, node.Count("eth_call"));
    }

    [Fact]
    public async Task NullRound_IsSkippedInTheDirectionAskedFor()
    {
        await using var node = new RpcDouble().On("eth_getBlockByNumber", p => p[0]!.GetValue<string>() switch
        {
            "0xa" or "0xb" => throw new RpcError(12, "requested epoch was a null round (10)"),
            "0xff" => null,
            var n => Block(Convert.ToUInt64(n[2..], 16)),
        });
        using var client = EndpointFaultTests.Client([node.Url]);
        Assert.Equal(ChainErrorKind.NullRound, (await Assert.ThrowsAsync<ChainException>(() => client.GetBlockAsync(BlockTag.At(10)))).Kind);
        Assert.Equal(12UL, (await client.GetBlockAtOrAfterAsync(10))!.Number);
        Assert.Equal(9UL, (await client.GetBlockAtOrBeforeAsync(11))!.Number);
        Assert.Null(await client.GetBlockAtOrAfterAsync(255));
    }

    [Fact]
    public async Task Finality_OfANodeWithoutTags_IsADepthBelowTheHead()
    {
        await using var node = new RpcDouble().On("eth_blockNumber", _ => EndpointFaultTests.Hex(2000)).On("eth_getBlockByNumber", p => p[0]!.GetValue<string>() switch
        {
            "finalized" or "safe" => throw new RpcError(-32602, "invalid block parameter"),
            "0x44c" => throw new RpcError(12, "null round"),
            var n => Block(Convert.ToUInt64(n[2..], 16)),
        });
        using var client = EndpointFaultTests.Client([node.Url]);
        Assert.Equal(1099UL, (await client.GetFinalizedAsync()).Number);
        Assert.Equal(1099UL, (await client.GetSafeAsync()).Number);
    }

    [Fact]
    public async Task Finality_OfANodeThatIsBehind_NeverGoesBack()
    {
        await using var node = new RpcDouble();
        node.OnCount("eth_getBlockByNumber", n => Block(n == 1 ? 500UL : 400));
        using var client = EndpointFaultTests.Client([node.Url]);
        Assert.Equal(500UL, (await client.GetFinalizedAsync()).Number);
        Assert.Equal(500UL, (await client.GetFinalizedAsync()).Number);
    }

    [Fact]
    public async Task Logs_OutsideOfWhatWasAsked_AreNotBelieved()
    {
        JsonNode? answer = null;
        await using var node = new RpcDouble().On("eth_getLogs", _ => answer!.DeepClone());
        using var client = EndpointFaultTests.Client([node.Url], o => o with { Attempts = 1 });
        var filter = new LogFilter(10, 20, [Contract]) { Topics = [[Hash]] };

        answer = new JsonArray(Log(12, 1), Log(12, 0), Log(10, 7));
        Assert.Equal([(10UL, 7UL), (12UL, 0UL), (12UL, 1UL)], (await client.GetLogsAsync(filter)).Select(l => (l.BlockNumber, l.LogIndex)));

        foreach (var (field, value) in new (string, JsonNode)[]
        {
            ("blockNumber", "0x9"), ("blockNumber", "0x15"), ("address", "0x00000000000000000000000000000000000000ab"), ("topics", new JsonArray()),
            ("topics", new JsonArray(Bytes32.Keccak("y"u8).ToString())), ("data", "0x123"), ("data", 5), ("logIndex", null!), ("blockHash", "0x12"),
            ("topics", new JsonArray([.. Enumerable.Repeat(0, 5).Select(_ => (JsonNode)Hash.ToString())])),
        })
        {
            var log = Log(12, 0);
            log[field] = value;
            answer = new JsonArray(log);
            Assert.Equal(ChainErrorKind.Malformed, (await Assert.ThrowsAsync<ChainException>(() => client.GetLogsAsync(filter))).Kind);
        }
    }

    [Theory]
    [InlineData("block range is too large, max 2880")]
    [InlineData("query returned more than 10000 results")]
    [InlineData("filter matches too many events, maximum 10000")]
    [InlineData("epoch range greater than max allowed")]
    [InlineData("Log response size exceeded")]
    public async Task Logs_MoreThanTheNodeGives_AreSaidToBeTooMuchAndNotAskedAgain(string message)
    {
        await using var node = new RpcDouble().On("eth_getLogs", _ => throw new RpcError(-32005, message));
        using var client = EndpointFaultTests.Client([node.Url]);
        Assert.Equal(ChainErrorKind.TooMuch, (await Assert.ThrowsAsync<ChainException>(() => client.GetLogsAsync(new LogFilter(1, 2, [Contract])))).Kind);
        Assert.Equal(1, node.Count("eth_getLogs"));
    }

    [Fact]
    public async Task Receipt_OfAnotherTransaction_IsNotBelieved()
    {
        await using var node = new RpcDouble().On("eth_getTransactionReceipt", _ => new JsonObject
        {
            ["transactionHash"] = Hash.ToString(), ["blockNumber"] = "0x1", ["blockHash"] = Hash.ToString(), ["transactionIndex"] = "0x0", ["status"] = "0x1",
            ["gasUsed"] = "0x1", ["from"] = Contract.ToString(), ["logs"] = new JsonArray(),
        });
        using var client = EndpointFaultTests.Client([node.Url], o => o with { Attempts = 1 });
        Assert.True((await client.GetReceiptAsync(Hash))!.Succeeded);
        Assert.Equal(ChainErrorKind.Malformed, (await Assert.ThrowsAsync<ChainException>(() => client.GetReceiptAsync(Bytes32.Keccak("other"u8)))).Kind);
    }

    [Fact]
    public async Task Result_ThatIsNotCanonical_IsNotBelieved()
    {
        await using var node = new RpcDouble().On("eth_call", _ => "0x" + new string('f', 64));
        using var client = EndpointFaultTests.Client([node.Url], o => o with { Attempts = 2 });
        Assert.Equal(ChainErrorKind.Malformed, (await Assert.ThrowsAsync<ChainException>(() => client.CallAsync(Contract, new ShaleMarket.LeaseCountCall()))).Kind);
    }

    private static JsonObject Block(ulong number) => new()
    {
        ["number"] = EndpointFaultTests.Hex(number), ["hash"] = Bytes32.Keccak(BitConverter.GetBytes(number)).ToString(), ["parentHash"] = Hash.ToString(),
        ["timestamp"] = "0x1", ["gasLimit"] = "0x2540be400", ["baseFeePerGas"] = "0x64",
    };

    private static JsonObject Log(ulong block, ulong index) => new()
    {
        ["address"] = Contract.ToString().ToLowerInvariant(), ["topics"] = new JsonArray(Hash.ToString()), ["data"] = "0x", ["blockNumber"] = EndpointFaultTests.Hex(block),
        ["blockHash"] = Hash.ToString(), ["transactionHash"] = Hash.ToString(), ["transactionIndex"] = "0x0", ["logIndex"] = EndpointFaultTests.Hex(index), ["removed"] = false,
    };
}
