using System.Text.Json;
using System.Text.Json.Nodes;
using Shale.Chain.Rpc;
using Shale.Chain.Tests.Doubles;
using Shale.Chain.Transactions;
using Xunit;

namespace Shale.Chain.Tests.Transactions;

/// <summary>Transactions through a node that fails or lies in between, and by several processes.</summary>
public sealed class TransactionFaultTests
{
    [Fact]
    public async Task Node_ThatAnswersNothingAfterTakingTheTransaction_IsAskedUntilItDoes()
    {
        await using var bench = await SenderBench.StartAsync();
        await using var proxy = Proxy(bench);
        var down = 0;
        proxy.Intercept = async (context, _) =>
        {
            if (Volatile.Read(ref down) == 0)
            {
                return false;
            }

            await RpcDouble.RespondAsync(context, 503, "down");
            return true;
        };
        using var client = Client(proxy, bench);
        await bench.Anvil.RpcAsync("evm_setAutomine", false);
        var sending = new TransactionSender(client, bench.Account, bench.Options).SendAsync(bench.Other, 5, null, "pay", Wait.Mined, bench.Progress);
        await bench.StepAsync(TransactionStage.Sent);
        Volatile.Write(ref down, 1);
        var unreachable = await bench.StepAsync(TransactionStage.Unreachable);
        Assert.Contains("HTTP 503", unreachable.Message, StringComparison.Ordinal);
        await bench.Anvil.MineAsync();
        Assert.False(sending.IsCompleted);
        Volatile.Write(ref down, 0);
        Assert.True((await sending).Succeeded);
    }

    [Fact]
    public async Task Answer_ToTheSendingThatIsLost_DoesNotSendASecondTransaction()
    {
        await using var bench = await SenderBench.StartAsync();
        await using var proxy = Proxy(bench);
        // The node takes it, and the answer never comes.
        proxy.On("eth_sendRawTransaction", p =>
        {
            bench.Anvil.RpcAsync("eth_sendRawTransaction", p[0]!.GetValue<string>()).GetAwaiter().GetResult();
            throw new RpcError(-32603, "internal error");
        });
        using var client = Client(proxy, bench);
        var receipt = await new TransactionSender(client, bench.Account, bench.Options).SendAsync(bench.Other, 5, null, "pay", Wait.Mined, bench.Progress);
        Assert.True(receipt.Succeeded);
        Assert.Equal(1UL, await bench.Client.GetNonceAsync(bench.Account.Address));
        Assert.Equal(1, bench.Account.Signatures);
    }

    [Fact]
    public async Task Node_ThatIsOnAnotherChainWhenItMatters_GetsNothingSigned()
    {
        await using var bench = await SenderBench.StartAsync();
        await using var proxy = Proxy(bench);
        // It says what we want to hear once, and is somebody else from then on (a load balancer with a wrong node behind it).
        proxy.OnCount("eth_chainId", n => n == 1 ? Hex(Anvil.DefaultChainId) : "0x1");
        using var client = Client(proxy, bench);
        var error = await Assert.ThrowsAsync<ChainException>(() => new TransactionSender(client, bench.Account, bench.Options).SendAsync(bench.Other, 5, null, "pay"));
        Assert.Equal(ChainErrorKind.WrongChain, error.Kind);
        Assert.Equal(0, bench.Account.Signatures);
        Assert.Empty(bench.Files);
    }

    [Fact]
    public async Task Node_ThatLagsBehindWithNonces_CostsANonceAndNothingElse()
    {
        await using var bench = await SenderBench.StartAsync();
        await bench.Sender().SendAsync(bench.Other, 1, null, "first");
        await using var proxy = Proxy(bench);
        var stale = 4;
        proxy.On("eth_getTransactionCount", p => Interlocked.Decrement(ref stale) >= 0
            ? "0x0"
            : JsonNode.Parse(bench.Anvil.RpcAsync("eth_getTransactionCount", p[0]!.GetValue<string>(), p[1]!.GetValue<string>()).GetAwaiter().GetResult().GetRawText()));
        using var client = Client(proxy, bench);
        // A folder of its own, as on another machine: nothing is known there of the first one.
        var folder = Directory.CreateTempSubdirectory("shale-sender-").FullName;
        var receipt = await new TransactionSender(client, bench.Account, bench.Options with { Folder = folder }).SendAsync(bench.Other, 5, null, "pay");
        Assert.True(receipt.Succeeded);
        Assert.Equal(2UL, await bench.Client.GetNonceAsync(bench.Account.Address));
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task Node_ThatAnswersWithAnotherHash_IsNotBelievedToHaveIt()
    {
        await using var bench = await SenderBench.StartAsync();
        await using var proxy = Proxy(bench);
        proxy.OnCount("eth_sendRawTransaction", _ => Bytes32.Keccak("nothing"u8).ToString());
        using var client = Client(proxy, bench);
        var options = bench.Options with { GiveUpAfter = TimeSpan.FromSeconds(10), StuckAfter = TimeSpan.FromMilliseconds(200) };
        var error = await Assert.ThrowsAsync<ChainException>(() => new TransactionSender(client, bench.Account, options).SendAsync(bench.Other, 5, null, "pay", Wait.Mined, bench.Progress));
        Assert.Equal(ChainErrorKind.NotMined, error.Kind);
        Assert.Contains("another transaction's hash", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(bench.Steps, s => s.Stage == TransactionStage.Sent);

        // It is on file, and goes on where the node is honest.
        var receipt = await bench.Sender().SendAsync(bench.Other, 5, null, "pay", Wait.Mined, bench.Progress);
        Assert.True(receipt.Succeeded);
        Assert.Contains(bench.Steps, s => s.Stage == TransactionStage.TakenUp);
        Assert.Equal(1UL, await bench.Client.GetNonceAsync(bench.Account.Address));
    }

    [Fact]
    public async Task Refusal_OfEveryNode_LeavesNothingOnFileAndNamesTheEndpoint()
    {
        await using var bench = await SenderBench.StartAsync();
        await using var proxy = Proxy(bench);
        proxy.On("eth_sendRawTransaction", _ => throw new RpcError(-32000, "transaction type not supported"));
        using var client = Client(proxy, bench);
        var error = await Assert.ThrowsAsync<ChainException>(() => new TransactionSender(client, bench.Account, bench.Options).SendAsync(bench.Other, 5, null, "pay"));
        Assert.Equal(ChainErrorKind.Refused, error.Kind);
        Assert.Contains(proxy.Url.TrimEnd('/'), error.Message, StringComparison.Ordinal);
        Assert.Contains("transaction type not supported", error.Message, StringComparison.Ordinal);
        Assert.Empty(bench.Files);
    }

    [Fact]
    public async Task DamagedFile_InTheJournal_IsNamedAndNothingIsSigned()
    {
        await using var bench = await SenderBench.StartAsync();
        var crash = new SenderBench.Recorder(p => throw new InvalidOperationException("crash at " + p.Stage));
        await Assert.ThrowsAsync<InvalidOperationException>(() => bench.Sender().SendAsync(bench.Other, 5, null, "pay", progress: crash));
        var file = Assert.Single(bench.Files);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        var good = await File.ReadAllTextAsync(file);
        foreach (var bad in new[] { "", "{}", good[..(good.Length / 2)], good.Replace("0x02", "0x03", StringComparison.Ordinal), "null", "[]" })
        {
            await File.WriteAllTextAsync(file, bad);
            var error = await Assert.ThrowsAsync<InvalidDataException>(() => bench.Sender().SendAsync(bench.Other, 6, null, "pay"));
            Assert.Contains(file, error.Message, StringComparison.Ordinal);
        }

        Assert.Equal(1, bench.Account.Signatures);
    }

    [Fact]
    public async Task TwoProcesses_WithOneKey_SendEveryPaymentOnce()
    {
        await using var bench = await SenderBench.StartAsync();
        var before = await bench.Client.GetBalanceAsync(bench.Other);
        using var first = Program.Start(bench.Anvil.Url, bench.Folder, bench.Other.ToString(), "6", "-");
        using var second = Program.Start(bench.Anvil.Url, bench.Folder, bench.Other.ToString(), "6", "-");
        var outputs = await Task.WhenAll(first.StandardOutput.ReadToEndAsync(), second.StandardOutput.ReadToEndAsync());
        await first.WaitForExitAsync();
        await second.WaitForExitAsync();
        Assert.Equal((0, 0), (first.ExitCode, second.ExitCode));
        Assert.Equal(12, string.Concat(outputs).Split('\n', StringSplitOptions.RemoveEmptyEntries).Distinct().Count());
        Assert.Equal(12UL, await bench.Client.GetNonceAsync(bench.Account.Address));
        Assert.Equal(before + 12, await bench.Client.GetBalanceAsync(bench.Other));
    }

    [Fact]
    public async Task Process_KilledBetweenSigningAndSending_LeavesATransactionThatTheNextOneSends()
    {
        await using var bench = await SenderBench.StartAsync();
        var before = await bench.Client.GetBalanceAsync(bench.Other);
        using var victim = Program.Start(bench.Anvil.Url, bench.Folder, bench.Other.ToString(), "1", "Signed");
        var line = (await victim.StandardOutput.ReadLineAsync())!.Split(' ');
        Assert.Equal("Signed", line[0]);

        victim.Kill();
        await victim.WaitForExitAsync();
        Assert.Equal(0UL, await bench.Client.GetNonceAsync(bench.Account.Address, BlockTag.Pending));
        var receipt = await bench.Sender().SendAsync(bench.Other, 1, null, "pay");
        Assert.Equal(line[1], receipt.TransactionHash.ToString());
        Assert.Equal(0, bench.Account.Signatures);
        Assert.Equal(before + 1, await bench.Client.GetBalanceAsync(bench.Other));
    }

    [Fact]
    public async Task Process_ThatIsAlive_KeepsItsTransactionToItself()
    {
        await using var bench = await SenderBench.StartAsync("--no-mining");
        using var other = Program.Start(bench.Anvil.Url, bench.Folder, bench.Other.ToString(), "1", "-");
        await SenderBench.UntilAsync(async () => await bench.Client.GetNonceAsync(bench.Account.Address, BlockTag.Pending) == 1, "the other's waits");
        // The same call from here is a second payment, not the other's.
        var sending = bench.Sender().SendAsync(bench.Other, 1, null, "pay", Wait.Mined, bench.Progress);
        Assert.Equal(1UL, (await bench.StepAsync(TransactionStage.Sent)).Nonce);
        await bench.Anvil.MineAsync();
        await sending;
        await other.WaitForExitAsync();
        Assert.Equal(2UL, await bench.Client.GetNonceAsync(bench.Account.Address));
    }

    private static RpcDouble Proxy(SenderBench bench) => new(Anvil.DefaultChainId) { Upstream = bench.Anvil.Url };

    private static ChainClient Client(RpcDouble proxy, SenderBench bench)
    {
        // The double's own answer to the head is for tests without a node.
        proxy.On("eth_blockNumber", _ => JsonNode.Parse(bench.Anvil.RpcAsync("eth_blockNumber").GetAwaiter().GetResult().GetRawText()));
        return new ChainClient(new ChainOptions
        {
            Endpoints = [new RpcEndpoint(proxy.Url)], ChainId = Anvil.DefaultChainId, FirstDelay = TimeSpan.FromMilliseconds(1), LongestDelay = TimeSpan.FromMilliseconds(20),
        });
    }

    private static string Hex(ulong number) => JsonSerializer.Deserialize<string>($"\"0x{number:x}\"")!;
}
