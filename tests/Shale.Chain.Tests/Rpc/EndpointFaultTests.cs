using System.Globalization;
using System.Text.Json.Nodes;
using Shale.Chain.Contracts;
using Shale.Chain.Rpc;
using Shale.Chain.Tests.Doubles;
using Xunit;

namespace Shale.Chain.Tests.Rpc;

/// <summary>Nodes that are down, slow, behind, on another chain, or answer nonsense.</summary>
public sealed class EndpointFaultTests
{
    private static readonly Address Contract = Address.Parse("0x00000000000000000000000000000000000000aa");

    [Fact]
    public async Task FirstEndpoint_Down_TheSecondOneAnswersAndTheFirstIsNamed()
    {
        await using var up = new RpcDouble();
        var dead = new RpcDouble();
        await dead.DisposeAsync();
        using var client = Client([dead.Url, up.Url]);
        Assert.Equal(100UL, await client.GetHeadAsync());
        Assert.Contains(client.EndpointsAside, a => a.StartsWith(dead.Url.TrimEnd('/'), StringComparison.Ordinal));
    }

    [Fact]
    public async Task AllEndpoints_Down_SaysWhatWasTriedWhereAndWhatToDo()
    {
        var (a, b) = (new RpcDouble(), new RpcDouble());
        await a.DisposeAsync();
        await b.DisposeAsync();
        using var client = Client([a.Url, b.Url]);
        var error = await Assert.ThrowsAsync<ChainException>(() => client.GetHeadAsync());
        Assert.Equal(ChainErrorKind.Unreachable, error.Kind);
        Assert.Contains(a.Url.TrimEnd('/'), error.Message, StringComparison.Ordinal);
        Assert.Contains(b.Url.TrimEnd('/'), error.Message, StringComparison.Ordinal);
        Assert.Contains("eth_blockNumber", error.Message, StringComparison.Ordinal);
        Assert.Contains("name another endpoint", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task SlowEndpoint_IsGivenUpAfterTheTimeoutAndTheNextOneIsAsked()
    {
        await using var slow = new RpcDouble { Intercept = async (_, _) => { await Task.Delay(TimeSpan.FromMinutes(3)); return true; } };
        await using var up = new RpcDouble();
        using var client = Client([slow.Url, up.Url], o => o with { RequestTimeout = TimeSpan.FromSeconds(5) });
        Assert.Equal(100UL, await client.GetHeadAsync());
        Assert.Contains(client.EndpointsAside, a => a.Contains("no answer within 5 s", StringComparison.Ordinal));

        using var alone = Client([slow.Url], o => o with { RequestTimeout = TimeSpan.FromSeconds(1), Attempts = 2 });
        var error = await Assert.ThrowsAsync<ChainException>(() => alone.GetHeadAsync());
        Assert.Contains("no answer within 1 s (tried 2 times)", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Cancellation_DuringAWait_EndsItAtOnce()
    {
        await using var slow = new RpcDouble { Intercept = async (_, _) => { await Task.Delay(TimeSpan.FromMinutes(3)); return true; } };
        using var client = Client([slow.Url]);
        using var cancel = new CancellationTokenSource(TimeSpan.FromMilliseconds(200));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => client.GetHeadAsync(cancel.Token));
    }

    [Fact]
    public async Task Endpoint_OnAnotherChain_IsAskedNothingElseAndNamed()
    {
        await using var wrong = new RpcDouble(chainId: 5);
        using (var client = Client([wrong.Url]))
        {
            var error = await Assert.ThrowsAsync<ChainException>(() => client.GetBalanceAsync(Contract));
            Assert.Equal(ChainErrorKind.WrongChain, error.Kind);
            Assert.Contains("it is on chain 5, not 314", error.Message, StringComparison.Ordinal);
            Assert.Contains(wrong.Url.TrimEnd('/'), error.Message, StringComparison.Ordinal);
            Assert.Equal(0, wrong.Count("eth_getBalance"));
        }

        await using var right = new RpcDouble().On("eth_getBalance", _ => "0x7");
        using var both = Client([wrong.Url, right.Url]);
        Assert.Equal((UInt128)7, await both.GetBalanceAsync(Contract));
        Assert.Equal(0, wrong.Count("eth_getBalance"));
        Assert.Contains(both.EndpointsAside, a => a.Contains("chain 5", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Endpoint_FarBehindTheOthers_IsLeftAside()
    {
        await using var behind = new RpcDouble().On("eth_blockNumber", _ => "0x1").On("eth_getBalance", _ => "0x1");
        await using var current = new RpcDouble().On("eth_getBalance", _ => "0x2");
        using var client = Client([behind.Url, current.Url]);
        Assert.Equal((UInt128)2, await client.GetBalanceAsync(Contract));
        Assert.Contains(client.EndpointsAside, a => a.StartsWith(behind.Url.TrimEnd('/'), StringComparison.Ordinal) && a.Contains("99 blocks behind", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Endpoint_WithAHeadThatNobodyElseHas_IsLeftAside()
    {
        await using var boaster = new RpcDouble().On("eth_blockNumber", _ => "0xffffff").On("eth_getBalance", _ => "0x1");
        await using var a = new RpcDouble().On("eth_getBalance", _ => "0x2");
        await using var b = new RpcDouble().On("eth_getBalance", _ => "0x2");
        using var client = Client([boaster.Url, a.Url, b.Url]);
        Assert.Equal((UInt128)2, await client.GetBalanceAsync(Contract));
        Assert.Contains(client.EndpointsAside, x => x.Contains("ahead of all others", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(429, "slow down")]
    [InlineData(503, "")]
    [InlineData(500, "<html>oops</html>")]
    [InlineData(200, "<html>maintenance</html>")]
    [InlineData(200, "")]
    [InlineData(200, "{\"jsonrpc\":\"2.0\",\"id\":1")]
    [InlineData(200, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"0x5\"} {}")]
    [InlineData(200, "{\"jsonrpc\":\"2.0\",\"id\":99999,\"result\":\"0x5\"}")]
    [InlineData(200, "{\"jsonrpc\":\"2.0\",\"id\":\"1\",\"result\":\"0x5\"}")]
    [InlineData(200, "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32005,\"message\":\"limit\"}}")]
    [InlineData(200, "{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":\"bad\"}")]
    [InlineData(200, "{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":{\"code\":-32603,\"message\":\"internal error\"}}")]
    [InlineData(200, "{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":{\"code\":-32000,\"message\":\"header not found\"}}")]
    [InlineData(200, "{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":{\"code\":-32000,\"message\":\"request timed out, please try again\"}}")]
    [InlineData(200, "{\"jsonrpc\":\"2.0\",\"id\":2}")]
    [InlineData(200, "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":\"0xzz\"}")]
    [InlineData(200, "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":\"0x\"}")]
    [InlineData(200, "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":5}")]
    [InlineData(200, "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":\"0x111111111111111111111111111111111\"}")]
    [InlineData(200, "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":\"\\ud800\"}")]
    [InlineData(200, "{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":{\"code\":1,\"message\":\"\\udc00\"}}")]
    [InlineData(200, "{\"jsonrpc\":\"2.0\",\"id\":2,\"\\ud800resul\":\"0x1\"}")]
    [InlineData(200, "[]")]
    [InlineData(200, "null")]
    public async Task Answer_ThatIsNone_IsAskedForAgain(int status, string body)
    {
        // The first request is for the chain ID; the second one meets the fault, the third one an answer.
        await using var node = new RpcDouble().On("eth_getBalance", _ => "0x7");
        node.Intercept = async (context, number) =>
        {
            if (number != 2)
            {
                return false;
            }

            await RpcDouble.RespondAsync(context, status, body);
            return true;
        };
        using var client = Client([node.Url]);
        Assert.Equal((UInt128)7, await client.GetBalanceAsync(Contract));
        Assert.Equal(2, node.Count("eth_getBalance"));
    }

    [Fact]
    public async Task Connection_CutInTheMiddleOfAnAnswer_IsTriedAgain()
    {
        await using var node = new RpcDouble().On("eth_getBalance", _ => "0x7");
        node.Intercept = async (context, number) =>
        {
            if (number != 2)
            {
                return false;
            }

            context.Response.ContentLength64 = 1000;
            await context.Response.OutputStream.WriteAsync("{\"jsonrpc\""u8.ToArray());
            context.Response.Abort();
            return true;
        };
        using var client = Client([node.Url]);
        Assert.Equal((UInt128)7, await client.GetBalanceAsync(Contract));
    }

    [Fact]
    public async Task Answer_LargerThanTheBound_IsNotRead()
    {
        await using var node = new RpcDouble();
        node.Intercept = async (context, number) =>
        {
            if (number == 1)
            {
                return false;
            }

            context.Response.SendChunked = true;
            var chunk = new byte[1 << 20];
            for (var i = 0; i <= RpcTransport.LargestResponse >> 20; i++)
            {
                await context.Response.OutputStream.WriteAsync(chunk);
            }

            context.Response.Close();
            return true;
        };
        using var client = Client([node.Url]);
        var error = await Assert.ThrowsAsync<ChainException>(() => client.GetHeadAsync());
        Assert.Equal(ChainErrorKind.TooMuch, error.Kind);
    }

    [Fact]
    public async Task Redirect_IsNotFollowed()
    {
        await using var other = new RpcDouble();
        await using var node = new RpcDouble { Intercept = async (context, _) => { await RpcDouble.RespondAsync(context, 307, "", "Location", other.Url); return true; } };
        using var client = Client([node.Url]);
        var error = await Assert.ThrowsAsync<ChainException>(() => client.GetHeadAsync());
        Assert.Contains("redirects", error.Message, StringComparison.Ordinal);
        Assert.Equal(0, other.Posts);
        Assert.Equal(1, node.Posts);
    }

    [Fact]
    public async Task Secrets_OfAnEndpoint_StandInNoMessageEvenIfTheNodeRepeatsThem()
    {
        string[] secrets = ["pa55word", "user-name", "t0ken/in", "tokenInPath0123", "key=abcdef", "abcdef0987"];
        await using var node = new RpcDouble();
        string? authorization = null;
        node.Intercept = async (context, number) =>
        {
            authorization = context.Request.Headers["Authorization"];
            if (number == 1)
            {
                return false;
            }

            var echo = new JsonObject { ["jsonrpc"] = "2.0", ["id"] = number, ["error"] = new JsonObject { ["code"] = -32000, ["message"] = $"no such project TOKENINPATH0123 {context.Request.Url} {authorization} \u001b[31m\nforged line" } };
            await RpcDouble.RespondAsync(context, 200, echo.ToJsonString());
            return true;
        };
        var url = node.Url.Replace("http://", "http://user-name:pa55word@", StringComparison.Ordinal) + "v3/tokenInPath0123?key=abcdef0987";
        using var client = Client([url]);
        var error = await Assert.ThrowsAsync<ChainException>(() => client.GetHeadAsync());
        Assert.NotNull(authorization);
        Assert.StartsWith("Basic ", authorization, StringComparison.Ordinal);
        Assert.All(secrets.Append(authorization[6..]), s => Assert.DoesNotContain(s, error.ToString(), StringComparison.OrdinalIgnoreCase));
        Assert.Contains("no such project", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(error.Message, char.IsControl);
        Assert.Equal(node.Url.TrimEnd('/'), new RpcEndpoint(url).ToString());
        Assert.DoesNotContain("secret", Assert.Throws<ArgumentException>(() => new RpcEndpoint("ftp://secret@x")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Refusal_OfAContract_IsNeverAskedTwice()
    {
        var data = "0x" + Convert.ToHexStringLower(Shale.Crypto.Keccak256.Hash("NotAParty(uint64,address)"u8)[..4]) + new string('0', 63) + "9" + new string('0', 24) + Contract.ToString()[2..].ToLowerInvariant();
        foreach (var error in new[]
        {
            new RpcError(3, "execution reverted: custom error", data),
            new RpcError(-32000, "execution reverted", data),
            new RpcError(3, "message execution failed (exit=[33], revert reason=[...], vm error=[...])", data),
            new RpcError(-32015, "VM execution error.", "Reverted " + data),
        })
        {
            await using var node = new RpcDouble().On("eth_call", _ => throw error);
            using var client = Client([node.Url]);
            var refused = await Assert.ThrowsAsync<ChainException>(() => client.CallAsync(Contract, new ShaleMarket.LeaseCountCall()));
            Assert.Equal(ChainErrorKind.Reverted, refused.Kind);
            Assert.Equal(new NotAPartyError(9, Contract), refused.ContractError);
            Assert.Equal(1, node.Count("eth_call"));
        }
    }

    [Fact]
    public async Task State_ThatOneNodePruned_IsAskedOfAnother()
    {
        await using var pruned = new RpcDouble().On("eth_getBalance", _ => throw new RpcError(-32000, "missing trie node 0xabc (path ) state is not available"));
        await using var archive = new RpcDouble().On("eth_getBalance", _ => "0x7");
        using (var client = Client([pruned.Url, archive.Url]))
        {
            Assert.Equal((UInt128)7, await client.GetBalanceAsync(Contract, BlockTag.At(1)));
        }

        using var alone = Client([pruned.Url]);
        var error = await Assert.ThrowsAsync<ChainException>(() => alone.GetBalanceAsync(Contract, BlockTag.At(1)));
        Assert.Equal(ChainErrorKind.Pruned, error.Kind);
        Assert.Contains("archive node", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Retrying_WithRetryAfter_WaitsAsLongAsTheNodeAsks()
    {
        await using var node = new RpcDouble().On("eth_getBalance", _ => "0x7");
        node.Intercept = async (context, number) =>
        {
            if (number != 2)
            {
                return false;
            }

            await RpcDouble.RespondAsync(context, 429, "", "Retry-After", "1");
            return true;
        };
        using var client = Client([node.Url]);
        var start = System.Diagnostics.Stopwatch.GetTimestamp();
        Assert.Equal((UInt128)7, await client.GetBalanceAsync(Contract));
        Assert.True(System.Diagnostics.Stopwatch.GetElapsedTime(start) >= TimeSpan.FromMilliseconds(900));
    }

    internal static ChainClient Client(string[] urls, Func<ChainOptions, ChainOptions>? change = null)
    {
        var options = new ChainOptions { Endpoints = [.. urls.Select(u => new RpcEndpoint(u))], ChainId = 314, FirstDelay = TimeSpan.FromMilliseconds(1), LongestDelay = TimeSpan.FromMilliseconds(20) };
        return new ChainClient(change is null ? options : change(options));
    }

    internal static string Hex(ulong number) => "0x" + number.ToString("x", CultureInfo.InvariantCulture);
}
