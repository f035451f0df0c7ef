using System.Text.Json.Nodes;
using Shale.Chain.Contracts;
using Shale.Chain.Tests.Doubles;
using Shale.Chain.Transactions;
using Xunit;

namespace Shale.Chain.Tests.Transactions;

/// <summary>Transactions on a real node, and what goes wrong with them.</summary>
public sealed class TransactionSenderTests
{
    private static readonly Address Miners = Address.Parse("0x00000000000000000000000000000000000000aa");

    [Fact]
    public async Task Sending_DeploymentCallAndTransfer_GivesReceiptsWithEvents()
    {
        await using var bench = await SenderBench.StartAsync();
        var sender = bench.Sender();
        var deployed = await sender.SendAsync(null, 0, new DeclaredMiners.Deployment(), "deploy miners");
        var registry = (await sender.SendAsync(null, 0, new ShaleRegistry.Deployment(deployed.ContractAddress!.Value), "deploy registry")).ContractAddress!.Value;
        Assert.Equal(Transaction.ContractAddress(bench.Account.Address, 1), registry);

        var receipt = await sender.SendAsync(registry, 0, new ShaleRegistry.RegisterCall(0, "gw.example:22", [Bytes32.Keccak("key"u8)]), "register", progress: bench.Progress);
        var registered = receipt.Event<ShaleRegistry.ProviderRegisteredEvent>(registry);
        Assert.Equal((1u, bench.Account.Address, "gw.example:22"), (registered.Provider, registered.Owner, registered.Endpoint));
        Assert.Equal(bench.Account.Address, await bench.Client.CallAsync(registry, new ShaleRegistry.OwnerOfCall(1)));
        Assert.Equal([TransactionStage.Signed, TransactionStage.Sent, TransactionStage.Mined], bench.Steps.Select(s => s.Stage));

        var before = await bench.Client.GetBalanceAsync(bench.Other);
        var legacy = bench.Sender(bench.Options with { Legacy = true });
        await legacy.SendAsync(bench.Other, 12345, null, "pay");
        Assert.Equal(before + 12345, await bench.Client.GetBalanceAsync(bench.Other));
        Assert.Equal(4UL, await bench.Client.GetNonceAsync(bench.Account.Address));
    }

    [Fact]
    public async Task Sending_WhatTheContractRefuses_SignsNothingAndSaysWhy()
    {
        await using var bench = await SenderBench.StartAsync();
        var registry = (await bench.Sender().SendAsync(null, 0, new ShaleRegistry.Deployment(Miners), "deploy")).ContractAddress!.Value;
        var signatures = bench.Account.Signatures;
        var refused = await Assert.ThrowsAsync<ChainException>(() => bench.Sender().SendAsync(registry, 0, new ShaleRegistry.SetEndpointCall(7, "x"), "set endpoint"));
        Assert.Equal(ChainErrorKind.Reverted, refused.Kind);
        Assert.Equal(new WrongCallerError(Address.Zero, bench.Account.Address), refused.ContractError);
        Assert.Contains("actual " + bench.Account.Address, refused.Message, StringComparison.Ordinal);
        Assert.Equal(signatures, bench.Account.Signatures);
    }

    [Fact]
    public async Task Sending_WithoutEnoughMoneyOrAboveTheLimit_SignsNothingAndSaysHowMuch()
    {
        await using var bench = await SenderBench.StartAsync();
        await bench.SetBalanceAsync(bench.Account.Address, 1_000_000_000_000_000);
        var poor = await Assert.ThrowsAsync<ChainException>(() => bench.Sender().SendAsync(bench.Other, 999_999_999_999_999, null, "pay"));
        Assert.Equal(ChainErrorKind.InsufficientFunds, poor.Kind);
        Assert.Contains("1000000000000000 attoFIL", poor.Message, StringComparison.Ordinal);

        var limited = await Assert.ThrowsAsync<ChainException>(() => bench.Sender(bench.Options with { MaxFeePerGas = 7 }).SendAsync(bench.Other, 1, null, "pay"));
        Assert.Equal(ChainErrorKind.FeeAboveLimit, limited.Kind);
        limited = await Assert.ThrowsAsync<ChainException>(() => bench.Sender(bench.Options with { MaxFee = 1000 }).SendAsync(bench.Other, 1, null, "pay"));
        Assert.Equal(ChainErrorKind.FeeAboveLimit, limited.Kind);
        Assert.Equal(0, bench.Account.Signatures);
        Assert.Empty(bench.Files);
    }

    [Fact]
    public async Task WaitFinal_OnAChainThatGoesOn_EndsOnceTheBlockIsFinal()
    {
        await using var bench = await SenderBench.StartAsync("--slots-in-an-epoch", "1");
        var sending = bench.Sender().SendAsync(bench.Other, 5, null, "pay", Wait.Final, bench.Progress);
        await bench.StepAsync(TransactionStage.Mined);
        Assert.False(sending.IsCompleted);
        await bench.Anvil.MineAsync(10);
        var receipt = await sending;
        Assert.True((await bench.Client.GetFinalizedAsync()).Number >= receipt.BlockNumber);
        Assert.Empty(bench.Files);
    }

    [Fact]
    public async Task Stuck_Transaction_IsSentAgainWithAHigherPriceOfTheSameNonce()
    {
        await using var bench = await SenderBench.StartAsync("--no-mining");
        var sending = bench.Sender(bench.Options with { StuckAfter = TimeSpan.FromMilliseconds(300) }).SendAsync(bench.Other, 5, null, "pay", progress: bench.Progress);
        var raised = await bench.StepAsync(TransactionStage.PriceRaised);
        await bench.Anvil.MineAsync();
        var receipt = await sending;
        var hashes = bench.Steps.Where(s => s.Stage is TransactionStage.Signed or TransactionStage.PriceRaised).Select(s => s.Hash).ToList();
        Assert.Contains(receipt.TransactionHash, hashes[1..]);
        Assert.Equal(0UL, raised.Nonce);
        Assert.Equal(1UL, await bench.Client.GetNonceAsync(bench.Account.Address));
    }

    [Fact]
    public async Task Stuck_AtThePriceLimit_WaitsOnAndSaysSo()
    {
        await using var bench = await SenderBench.StartAsync("--no-mining");
        var fees = await bench.Client.GetFeesAsync();
        var options = bench.Options with { StuckAfter = TimeSpan.FromMilliseconds(200), MaxFeePerGas = fees.BaseFee!.Value + fees.Price + 5 };
        var sending = bench.Sender(options).SendAsync(bench.Other, 5, null, "pay", progress: bench.Progress);
        await SenderBench.UntilAsync(() => Task.FromResult(bench.Steps.Any(s => s.Message.Contains("within the limit", StringComparison.Ordinal))), "the limit is named");
        await bench.Anvil.MineAsync();
        await sending;
        Assert.DoesNotContain(bench.Steps, s => s.Stage == TransactionStage.PriceRaised);
    }

    [Fact]
    public async Task Dropped_Transaction_IsSentAgainAsItWas()
    {
        await using var bench = await SenderBench.StartAsync("--no-mining");
        var sending = bench.Sender().SendAsync(bench.Other, 5, null, "pay", progress: bench.Progress);
        var sent = await bench.StepAsync(TransactionStage.Sent);

        // It names what it dropped: the sender may have sent it again before one could look.
        Assert.Equal(sent.Hash.ToString(), (await bench.Anvil.RpcAsync("anvil_dropTransaction", sent.Hash.ToString())).GetString());
        var again = await bench.StepAsync(TransactionStage.SentAgain);
        Assert.Equal(sent.Hash, again.Hash);
        await bench.Anvil.MineAsync();
        Assert.Equal(sent.Hash, (await sending).TransactionHash);
    }

    [Fact]
    public async Task Replaced_BySomebodyElsesTransaction_IsSaidAndNothingIsLeftOnFile()
    {
        await using var bench = await SenderBench.StartAsync("--no-mining");
        var sending = bench.Sender().SendAsync(bench.Other, 5, null, "pay", progress: bench.Progress);
        var sent = await bench.StepAsync(TransactionStage.Sent);
        var fees = await bench.Client.GetFeesAsync();
        var other = new Transaction(Anvil.DefaultChainId, sent.Nonce, new GasPrice(10 * (fees.BaseFee!.Value + fees.Price), 10 * fees.Price, false), 21_000, Miners, 1, default).Sign(bench.Account);
        await bench.Anvil.RpcAsync("eth_sendRawTransaction", "0x" + Convert.ToHexStringLower(other.Raw.Span));
        await bench.Anvil.MineAsync();
        var replaced = await Assert.ThrowsAsync<ChainException>(() => sending);
        Assert.Equal(ChainErrorKind.Replaced, replaced.Kind);
        Assert.Equal(sent.Hash, replaced.TransactionHash);
        Assert.Empty(bench.Files);
    }

    [Fact]
    public async Task Mined_AndReorganisedOut_IsSentAgainAndEndsOnlyWhenFinal()
    {
        await using var bench = await SenderBench.StartAsync("--slots-in-an-epoch", "1");
        var snapshot = await bench.Anvil.RpcAsync("evm_snapshot");
        var sending = bench.Sender().SendAsync(bench.Other, 5, null, "pay", Wait.Final, bench.Progress);
        var mined = await bench.StepAsync(TransactionStage.Mined);

        // The chain goes on from before, as if the block had never been; the node forgets the transaction.
        await bench.Anvil.RpcAsync("evm_setAutomine", false);
        await bench.Anvil.RpcAsync("evm_revert", snapshot.GetString());
        await bench.StepAsync(TransactionStage.TakenBack);
        Assert.False(sending.IsCompleted);
        await SenderBench.UntilAsync(async () => await bench.Client.GetTransactionAsync(mined.Hash) is not null, "the node has it again");
        await bench.Anvil.MineAsync(12);
        var receipt = await sending;
        Assert.True(receipt.Succeeded);
        Assert.Equal(2, bench.Steps.Count(s => s.Stage == TransactionStage.Mined));
        Assert.Equal(1UL, await bench.Client.GetNonceAsync(bench.Account.Address));
    }

    [Fact]
    public async Task Reorganisation_ThatMovesTheTransaction_GivesTheReceiptOfItsLastBlock()
    {
        await using var bench = await SenderBench.StartAsync("--slots-in-an-epoch", "1");
        var sending = bench.Sender().SendAsync(bench.Other, 5, null, "pay", Wait.Final, bench.Progress);
        var mined = await bench.StepAsync(TransactionStage.Mined);
        var first = await bench.Client.GetReceiptAsync(mined.Hash);
        // The last block is built anew, with the transaction in it and another hash.
        var raw = (await bench.Anvil.RpcAsync("eth_getRawTransactionByHash", mined.Hash.ToString())).GetString();
        await bench.Anvil.RpcAsync("anvil_reorg", 1, new JsonArray(new JsonArray(raw, 0)));
        await SenderBench.UntilAsync(async () => await bench.Client.GetReceiptAsync(mined.Hash) is { } r && r.BlockHash != first!.BlockHash, "it lies in another block");
        await SenderBench.UntilAsync(() => Task.FromResult(bench.Steps.Count(s => s.Stage == TransactionStage.Mined) == 2), "the second block was seen");
        await bench.Anvil.MineAsync(12);
        var receipt = await sending;
        Assert.NotEqual(first!.BlockHash, receipt.BlockHash);
        Assert.Equal((await bench.Client.GetBlockAsync(BlockTag.At(receipt.BlockNumber)))!.Hash, receipt.BlockHash);
    }

    [Fact]
    public async Task Failing_TransactionThatWasMined_SaysTheContractsReason()
    {
        await using var bench = await SenderBench.StartAsync();
        var miners = (await bench.Sender().SendAsync(null, 0, new DeclaredMiners.Deployment(), "deploy miners")).ContractAddress!.Value;
        var registry = (await bench.Sender().SendAsync(null, 0, new ShaleRegistry.Deployment(miners), "deploy registry")).ContractAddress!.Value;
        await bench.Anvil.RpcAsync("evm_setAutomine", false);
        var sending = bench.Sender().SendAsync(registry, 0, new ShaleRegistry.RegisterCall(1234, "a:22", [default]), "register", progress: bench.Progress);
        await bench.StepAsync(TransactionStage.Sent);

        // Somebody else claims the same miner in the same block, and pays for being first.
        var rival = new KeyAccount(Anvil.Keys[1]);
        var fees = await bench.Client.GetFeesAsync();
        var price = new GasPrice(50 * (fees.BaseFee!.Value + fees.Price), 50 * fees.Price, false);
        var claim = new Transaction(Anvil.DefaultChainId, 0, price, 1_000_000, registry, 0, new ShaleRegistry.RegisterCall(1234, "b:22", [default]).Encode()).Sign(rival);
        await bench.Anvil.RpcAsync("eth_sendRawTransaction", "0x" + Convert.ToHexStringLower(claim.Raw.Span));
        await bench.Anvil.MineAsync();

        var failed = await Assert.ThrowsAsync<ChainException>(() => sending);
        Assert.Equal(ChainErrorKind.Failed, failed.Kind);
        Assert.Equal(new MinerTakenError(1234, 1), failed.ContractError);
        Assert.Contains("register", failed.Message, StringComparison.Ordinal);
        Assert.NotNull(failed.TransactionHash);
    }

    [Fact]
    public async Task Crash_BetweenSigningAndSending_RepeatsTheVerySameTransaction()
    {
        await using var bench = await SenderBench.StartAsync();
        var crash = new SenderBench.Recorder(p => throw new InvalidOperationException("crash at " + p.Stage));
        await Assert.ThrowsAsync<InvalidOperationException>(() => bench.Sender().SendAsync(bench.Other, 5, null, "pay", progress: crash));
        var file = await File.ReadAllTextAsync(Assert.Single(bench.Files));
        Assert.Equal(0UL, await bench.Client.GetNonceAsync(bench.Account.Address, BlockTag.Pending));

        var receipt = await bench.Sender().SendAsync(bench.Other, 5, null, "pay", progress: bench.Progress);
        Assert.Equal(TransactionStage.TakenUp, bench.Steps.First().Stage);
        Assert.Equal(1, bench.Account.Signatures);
        var raw = JsonNode.Parse(file)!["transactions"]![0]!.GetValue<string>();
        Assert.Equal(Bytes32.Keccak(Convert.FromHexString(raw[2..])), receipt.TransactionHash);
        Assert.Equal(UInt128.Parse("10000000000000000000005"), await bench.Client.GetBalanceAsync(bench.Other));

        // The same once more is a second payment: the first one is done.
        await bench.Sender().SendAsync(bench.Other, 5, null, "pay");
        Assert.Equal(UInt128.Parse("10000000000000000000010"), await bench.Client.GetBalanceAsync(bench.Other));
    }

    [Fact]
    public async Task Crash_AfterSigningSomethingElse_DoesNotBlockWhatComesNext()
    {
        await using var bench = await SenderBench.StartAsync();
        var crash = new SenderBench.Recorder(p => throw new InvalidOperationException("crash at " + p.Stage));
        await Assert.ThrowsAsync<InvalidOperationException>(() => bench.Sender().SendAsync(bench.Other, 5, null, "pay", progress: crash));
        await bench.Sender().SendAsync(bench.Other, 70, null, "pay more");
        Assert.Equal(2UL, await bench.Client.GetNonceAsync(bench.Account.Address));
        Assert.Equal(UInt128.Parse("10000000000000000000075"), await bench.Client.GetBalanceAsync(bench.Other));
    }

    [Fact]
    public async Task ManySenders_OfOneKeyAndFolder_EachGetTheirOwnNonce()
    {
        await using var bench = await SenderBench.StartAsync();
        var receipts = await Task.WhenAll(Enumerable.Range(1, 12).Select(i => bench.Sender().SendAsync(bench.Other, (UInt128)i, null, "pay")));
        Assert.Equal(12, receipts.Select(r => r.TransactionHash).Distinct().Count());
        Assert.Equal(12UL, await bench.Client.GetNonceAsync(bench.Account.Address));
        Assert.Equal(UInt128.Parse("10000000000000000000078"), await bench.Client.GetBalanceAsync(bench.Other));
    }
}
