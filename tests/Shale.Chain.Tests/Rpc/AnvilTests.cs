using Shale.Chain.Contracts;
using Shale.Chain.Rpc;
using Shale.Chain.Tests.Doubles;
using Xunit;

namespace Shale.Chain.Tests.Rpc;

/// <summary>The client against a real node.</summary>
public sealed class AnvilTests
{
    [Fact]
    public async Task Client_OnARealNode_ReadsBlocksBalancesCodeAndContracts()
    {
        await using var anvil = await Anvil.StartAsync();
        using var client = new ChainClient(anvil.Options);
        var account = new KeyAccount(Anvil.Keys[0]);
        Assert.Equal("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266", account.Address.ToString());
        await anvil.MineAsync(5);

        Assert.Equal(5UL, await client.GetHeadAsync());
        var block = await client.GetBlockAsync(BlockTag.At(3));
        Assert.Equal(3UL, block!.Number);
        Assert.Equal(block, await client.GetBlockAsync(BlockTag.At(block.Hash)));
        Assert.Null(await client.GetBlockAsync(BlockTag.At(1000)));
        Assert.NotNull(block.BaseFee);
        Assert.Equal(UInt128.Parse("10000000000000000000000"), await client.GetBalanceAsync(account.Address));
        Assert.True((await client.GetCodeAsync(account.Address)).IsEmpty);
        Assert.Equal(0UL, await client.GetNonceAsync(account.Address));
        Assert.NotNull((await client.GetFeesAsync()).BaseFee);
        Assert.NotNull(await client.GetFinalizedAsync());

        // Nothing is at the address: said in words, not a decoding error.
        var nothing = await Assert.ThrowsAsync<ChainException>(() => client.CallAsync(account.Address, new ShaleMarket.LeaseCountCall()));
        Assert.Contains("no contract", nothing.Message, StringComparison.Ordinal);

        // The registry's code without its constructor's argument set: enough to call.
        var deployed = await DeployAsync(anvil, new ShaleRegistry.Deployment(Address.Parse("0x00000000000000000000000000000000000000aa")));
        Assert.Equal(Address.Parse("0x00000000000000000000000000000000000000aa"), await client.CallAsync(deployed, new ShaleRegistry.MinerControlCall()));
        var counts = await client.CallManyAsync(deployed, [.. Enumerable.Range(0, 120).Select(_ => new ShaleRegistry.ProviderCountCall())]);
        Assert.Equal(Enumerable.Repeat(0u, 120), counts);

        var refused = await Assert.ThrowsAsync<ChainException>(() => client.CallAsync(deployed, new ShaleRegistry.GetOfferCall(1, 2)));
        Assert.Equal(ChainErrorKind.Reverted, refused.Kind);
        Assert.IsAssignableFrom<ContractError>(refused.ContractError);
    }

    private static async Task<Address> DeployAsync(Anvil anvil, IContractCall deployment)
    {
        var hash = await anvil.RpcAsync("eth_sendTransaction", new System.Text.Json.Nodes.JsonObject
        {
            ["from"] = new KeyAccount(Anvil.Keys[0]).Address.ToString(),
            ["data"] = "0x" + Convert.ToHexStringLower(deployment.Encode()),
            ["gas"] = "0x989680",
        });

        // The node mines it a moment after it has named its hash.
        var receipt = await anvil.RpcAsync("eth_getTransactionReceipt", hash.GetString());
        for (var i = 0; i < 2400 && receipt.ValueKind == System.Text.Json.JsonValueKind.Null; i++)
        {
            await Task.Delay(50);
            receipt = await anvil.RpcAsync("eth_getTransactionReceipt", hash.GetString());
        }

        return Address.Parse(receipt.GetProperty("contractAddress").GetString()!);
    }
}
