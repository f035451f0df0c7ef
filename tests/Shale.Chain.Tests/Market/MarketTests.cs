using System.Numerics;
using Shale.Chain.Contracts;
using Shale.Chain.Market;
using Shale.Chain.Tests.Doubles;
using Xunit;

namespace Shale.Chain.Tests.Market;

/// <summary>The market on a real node, all of it through <see cref="MarketWriter"/> and <see cref="MarketReader"/>.</summary>
public sealed class MarketTests
{
    private static readonly BigInteger Fil = BigInteger.Pow(10, 18);

    [Fact]
    public async Task Leases_OfTheSettlementVectors_AreOrderedPaidByRealProofsClosedAndWithdrawn()
    {
        await using var bench = await MarketBench.StartAsync();
        await bench.Reader.CheckAsync();
        var constants = await bench.Reader.GetConstantsAsync();
        Assert.Equal((MarketBench.Bond, 240UL, 1800UL, 5760UL), (constants.Bond, constants.AcceptEpochs, constants.ConfirmEpochs, constants.CloseEpochs));
        Assert.Equal([8], constants.PageSizes);
        using (var empty = MarketBench.Json("00-empty", "statement.json"))
        {
            Assert.Equal(MarketBench.Number(empty.RootElement.GetProperty("domain")), constants.VoucherDomain);
        }

        Assert.Equal(1u, await bench.RegisterAsync());
        await bench.Provider.SettleAsync(MarketBench.Settlement("00-empty"));
        foreach (var (file, first) in new[] { ("01-first-sync-and-pay", 0), ("02-pay", 2) })
        {
            using var statement = MarketBench.Json(file, "statement.json");
            foreach (var record in statement.RootElement.GetProperty("records").EnumerateArray().Skip(first))
            {
                Assert.Equal(record.GetProperty("leaseId").GetUInt64(), await bench.LeaseAsync(record));
                Assert.Equal(record.GetProperty("slot").GetByte(), (await bench.Reader.GetLeaseAsync(record.GetProperty("leaseId").GetUInt64())).Slot);
            }
        }

        var first01 = await bench.Provider.SettleAsync(MarketBench.Settlement("01-first-sync-and-pay"));
        Assert.Equal(9 * Fil, first01.Event.Paid);
        Assert.Equal(new ShaleMarket.LeaseClosedEvent(3, 1, 0, (UInt128)(30 * Fil)), first01.Receipt.Event<ShaleMarket.LeaseClosedEvent>(bench.Reader.Market));
        await bench.Provider.SettleAsync(MarketBench.Settlement("02-pay"));
        Assert.Equal((UInt128)(25 * Fil), (await bench.Client.TopUpAsync(1, (UInt128)(15 * Fil))).Event.Deposit);
        await bench.Provider.SettleAsync(MarketBench.Settlement("03-top-up"));
        await bench.Provider.SettleAsync(MarketBench.Settlement("04-close"));
        using (var statement = MarketBench.Json("05-slot-reused", "statement.json"))
        {
            var reused = await bench.LeaseAsync(statement.RootElement.GetProperty("records")[0]);
            Assert.Equal((5UL, (byte)0), (reused, (await bench.Reader.GetLeaseAsync(reused)).Slot));
        }

        var last = await bench.Provider.SettleAsync(MarketBench.Settlement("05-slot-reused"));
        Assert.Equal(last.Event.NewRoot, (await bench.Reader.GetPageAsync(1, 0)).Root);
        var leases = await bench.Reader.FindLeasesAsync(l => l.Provider == 1);
        Assert.Equal([LeaseState.Closed, LeaseState.Closed, LeaseState.Closed, LeaseState.Active, LeaseState.Active], leases.Select(l => l.Lease.State));

        // Everything that was deposited is in the pool, earned, or the client's again.
        var account = await bench.Reader.GetAccountAsync(1);
        var refunds = await bench.Reader.GetWithdrawableAsync(bench.Client.Address);
        Assert.Equal((10 + 20 + 30 + 40 + 15 + 3) * Fil + 5 * (BigInteger)MarketBench.Bond, (BigInteger)account.Pool + (BigInteger)account.Earned + refunds);
        Assert.Equal(refunds, (await bench.Client.WithdrawAsync()).Event.Amount);
        Assert.Equal((BigInteger)account.Earned, (await bench.Provider.WithdrawEarningsAsync(1)).Event.Amount);

        var rated = await bench.Client.RateAsync(1, 5, "fast");
        Assert.Equal(leases[0].Lease.Amount, rated.Event.Paid);
        Assert.True((await bench.Reader.GetLeaseAsync(1)).Rated);
    }

    [Fact]
    public async Task Client_WhoseProviderIsGone_LeavesAlone()
    {
        await using var bench = await MarketBench.StartAsync();
        await bench.RegisterAsync();
        var lease = await bench.LeaseAsync(MarketBench.AnyOrder(), 1000);
        var closing = await bench.Client.RequestCloseAsync(lease);
        Assert.NotNull(closing.Event);
        Assert.Null((await bench.Provider.RequestCloseAsync(lease)).Event);

        var early = await Assert.ThrowsAsync<ChainException>(() => bench.Client.FreezeAsync(lease));
        Assert.Equal(closing.Event.Deadline, Assert.IsType<TooEarlyError>(early.ContractError).From);
        await bench.Node.MineAsync(5760, CancellationToken.None);
        Assert.True((await bench.Client.FreezeAsync(lease)).Event.Fresh);
        Assert.Equal((UInt128)1000, (await bench.Client.FinishAsync(lease, 0, 0, [])).Event.Refund);
        Assert.Equal(BigInteger.Zero, await bench.Reader.GetFrozenRootAsync(lease));
    }

    [Fact]
    public async Task Order_ThatNobodyAccepts_Expires()
    {
        await using var bench = await MarketBench.StartAsync();
        await bench.RegisterAsync();
        var created = await bench.Client.CreateLeaseAsync(MarketBench.AnyOrder(), MarketBench.Bond);
        await bench.Node.MineAsync(240, CancellationToken.None);
        var late = await Assert.ThrowsAsync<ChainException>(() => bench.Provider.AcceptAsync(created.Event.LeaseId, 0, MarketBench.Terms));
        Assert.IsType<TooLateError>(late.ContractError);
        Assert.False((await bench.Provider.ExpireAsync(created.Event.LeaseId)).Event.Forfeited);
        Assert.Equal((BigInteger)MarketBench.Bond, await bench.Reader.GetWithdrawableAsync(bench.Client.Address));
    }

    [Fact]
    public async Task Provider_ReadBack_IsWhatItWrote()
    {
        await using var bench = await MarketBench.StartAsync();
        Assert.Empty(await bench.Reader.GetProvidersAsync());
        Assert.Empty(await bench.Reader.GetPagesAsync(1));
        await bench.RegisterAsync();
        var entry = Assert.Single(await bench.Reader.GetProvidersAsync());
        Assert.Equal((1u, 1946720UL, false, "sp.example:22"), (entry.Index, entry.Provider.MinerId, entry.Provider.MinerVerified, entry.Provider.Endpoint));
        Assert.Equal(1u, await bench.Reader.FindProviderAsync(bench.Provider.Address));
        Assert.Equal(1u, await bench.Reader.FindProviderOfMinerAsync(1946720));
        Assert.Null(await bench.Reader.FindProviderAsync(bench.Client.Address));
        Assert.Null(await bench.Reader.FindProviderOfMinerAsync(7));
        Assert.Equal(8, Assert.Single(await bench.Reader.GetPagesAsync(1)).Page.Size);

        await bench.Provider.PutOfferAsync(1, 0, (await bench.Reader.FindOfferAsync(1, 1))! with { PricePerSecond = 7 });
        await bench.Provider.RemoveOfferAsync(1, 1);
        var offer = Assert.Single(await bench.Reader.GetOffersAsync(1));
        Assert.Equal((2u, (UInt128)7, "mnist.zip"), (offer.Id, offer.Offer.PricePerSecond, offer.Offer.DataSets[0].Files[0]));
        Assert.Null(await bench.Reader.FindOfferAsync(1, 1));

        var next = await bench.WriterAsync();
        await bench.Provider.NominateOperatorAsync(1, next.Address);
        Assert.Equal(next.Address, (await next.AcceptOperatorAsync(1)).Event.Operator);
        Assert.Equal("b:1", (await next.SetEndpointAsync(1, "b:1")).Event.Endpoint);
        Assert.Equal([HostKey2], (await bench.Provider.SetHostKeysAsync(1, [HostKey2])).Event.HostKeys);
        Assert.Equal(0UL, (await bench.Provider.SetMinerAsync(1, 0)).Event.MinerId);
        var refused = await Assert.ThrowsAsync<ChainException>(() => bench.Client.SetEndpointAsync(1, "c:1"));
        Assert.Equal(new WrongCallerError(next.Address, bench.Client.Address), refused.ContractError);
    }

    [Fact]
    public async Task Reader_AtAnOlderBlock_SeesWhatWasThen()
    {
        await using var bench = await MarketBench.StartAsync();
        await bench.RegisterAsync();
        var before = await bench.Chain.GetHeadAsync();
        var lease = await bench.LeaseAsync(MarketBench.AnyOrder(), 1000);
        Assert.Equal(LeaseState.None, (await bench.Reader.GetLeaseAsync(lease, BlockTag.At(before))).State);
        Assert.Equal(LeaseState.Active, (await bench.Reader.GetLeaseAsync(lease)).State);

        // A deposit that is not final is not counted: two blocks are missing.
        Assert.NotEqual(LeaseState.Active, (await bench.Reader.GetLeasesAsync([lease], BlockTag.Finalized))[0].Lease.State);
        await bench.Node.MineAsync(2, CancellationToken.None);
        Assert.Equal(LeaseState.Active, (await bench.Reader.GetLeasesAsync([lease], BlockTag.Finalized))[0].Lease.State);
    }

    private static Bytes32 HostKey2 { get; } = Bytes32.Keccak("another host key"u8);
}
