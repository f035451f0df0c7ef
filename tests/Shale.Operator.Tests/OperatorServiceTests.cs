using Shale.Chain.Contracts;
using Shale.Leases;
using Shale.Operator.Orders;
using Shale.Operator.Tests.Support;
using Xunit;
using LeaseState = Shale.Chain.Contracts.LeaseState;

namespace Shale.Operator.Tests;

/// <summary>The operator's rounds against a ledger that verifies proofs; the gateway is played by the test.</summary>
[Collection("proving key")]
public sealed class OperatorServiceTests(ProvingKeyFixture key) : IAsyncLifetime, IAsyncDisposable
{
    private readonly ProviderSide _side = new(key);

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync() => await _side.DisposeAsync();

    async ValueTask IAsyncDisposable.DisposeAsync() => await DisposeAsync();

    [Fact]
    public async Task Lease_FromOrderToClose_IsServedPaidAndRefundedToTheAttoFil()
    {
        var service = _side.Start();
        var id = _side.Ledger.Place(_side.Order(7));
        await service.RoundAsync(default);
        Assert.Equal(LeaseState.Accepted, _side.Ledger.Lease(id).State);
        Assert.Null(_side.Record(id));

        _side.Ledger.Confirm(id, 100_000);
        await service.RoundAsync(default);
        Assert.Null(_side.Record(id)); // confirmed, and not final yet
        _side.Ledger.Mine(3);
        await service.RoundAsync(default);
        var record = _side.Record(id)!;
        Assert.Equal(("100000", "1000", Shale.Leases.LeaseState.Active), (record.Payment!.Deposit, record.Payment.PricePerSecond, record.State));
        Assert.StartsWith("shale/debian:12@sha256:", record.Container.Image, StringComparison.Ordinal);

        _side.Ledger.TopUp(id, 50_000);
        _side.Ledger.Mine(3);
        await service.RoundAsync(default);
        Assert.Equal("150000", _side.Record(id)!.Payment!.Deposit);

        await _side.PayAsync(id, 7, 120_001);
        _side.Ledger.RequestClose(id);
        _side.Ledger.Mine(3);
        await service.RoundAsync(default);
        Assert.Equal(Shale.Leases.LeaseState.Closed, _side.Record(id)!.State);
        Assert.Equal(0, _side.Ledger.Settlements); // the gateway has not signed off

        await _side.EndAsync(id);
        await RoundsAsync(service, 3);
        Assert.Equal((LeaseState.Closed, (UInt128)120_001), (_side.Ledger.Lease(id).State, _side.Ledger.PaidInAll));
        Assert.Equal((UInt128)29_999, Assert.Single(_side.Ledger.Refunds).Value);
        var note = Assert.Single(_side.Record(id)!.Settlements);
        Assert.Equal((1, "120001", 3), (note.Number, note.Claimed, note.Siblings.Count));

        FileLeaseDirectory.WriteRecordedSettlements(_side.Folder, id, 1);
        await service.RoundAsync(default);
        Assert.Null(_side.Record(id));
        Assert.Equal(LeaseStage.Closed, Assert.Single(service.Leases).Stage);
    }

    [Fact]
    public async Task Round_ThatHangs_SaysWhereAndGoesOnAfterwards()
    {
        var block = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _side.Ledger.PageGate = block.Task;
        var service = _side.Start();
        var id = _side.Ledger.Place(_side.Order(7));
        using var stop = new CancellationTokenSource();
        var running = service.RunAsync(stop.Token);
        await UntilSaidAsync("still opening a page: this round has taken 2 min");

        block.SetResult();
        await UntilSaidAsync("page 0, slot 0");
        Assert.Equal(LeaseState.Accepted, _side.Ledger.Lease(id).State);
        await stop.CancelAsync();
        await _side.Time.RunAsync(running);
    }

    [Fact]
    public async Task Order_PlacedAfterARoundHasLookedAtTheChain_IsTheNextRounds()
    {
        var service = _side.Start();
        ulong id = 0;
        _side.Ledger.AfterTip = () =>
        {
            _side.Ledger.AfterTip = null;
            _side.Ledger.Mine();
            id = _side.Ledger.Place(_side.Order(7));
        };
        await service.RoundAsync(default);
        Assert.Equal(LeaseState.Created, _side.Ledger.Lease(id).State);

        await service.RoundAsync(default);
        Assert.Equal(LeaseState.Accepted, _side.Ledger.Lease(id).State);
    }

    [Fact]
    public async Task Order_ThatAReorganisationTookBack_LeavesItsNumberToAnother()
    {
        var service = _side.Start();
        var id = _side.Ledger.Place(_side.Order(7));
        await service.RoundAsync(default);
        var first = Assert.Single(service.Leases).PayerKey;
        _side.Ledger.TakeBack(id);
        await service.RoundAsync(default);
        Assert.Empty(service.Leases);

        // The same while the operator does not look.
        Assert.Equal(id, _side.Ledger.Place(_side.Order(8)));
        await service.RoundAsync(default);
        _side.Ledger.TakeBack(id);
        Assert.Equal(id, _side.Ledger.Place(_side.Order(9)));
        await service.RoundAsync(default);
        await service.RoundAsync(default);
        Assert.Equal(LeaseState.Accepted, _side.Ledger.Lease(id).State);
        _side.Ledger.Confirm(id, 1_000);
        await RoundsAsync(service, 2);
        Assert.Equal(_side.PayerKey(9), _side.Record(id)!.Payment!.PayerKey);
        Assert.NotEqual(first, _side.PayerKey(9));
    }

    [Fact]
    public async Task Node_BehindWhatWasSeenBefore_TakesNothingBack()
    {
        var service = _side.Start();
        var id = _side.Ledger.Place(_side.Order(7));
        await service.RoundAsync(default);
        _side.Ledger.Lag = 5;
        await service.RoundAsync(default);
        _side.Ledger.Lag = 4;
        await service.RoundAsync(default);
        Assert.Equal(LeaseStage.Accepted, Assert.Single(service.Leases).Stage);
        Assert.Single(_side.Said, s => s.Contains("waiting until it has caught up", StringComparison.Ordinal));

        _side.Ledger.Lag = 0;
        _side.Ledger.Confirm(id, 1_000);
        await RoundsAsync(service, 2);
        Assert.Equal("1000", _side.Record(id)!.Payment!.Deposit);
    }

    [Fact]
    public async Task Machine_WithRoomForTwo_AcceptsNoThird()
    {
        var service = _side.Start();
        var orders = new[] { _side.Order(1, cpus: 2), _side.Order(2, cpus: 2), _side.Order(3, cpus: 1) }.Select(_side.Ledger.Place).ToArray();
        await service.RoundAsync(default);
        Assert.Equal([LeaseState.Accepted, LeaseState.Accepted, LeaseState.Created], orders.Select(o => _side.Ledger.Lease(o).State));
        Assert.Contains(_side.Said, s => s.Contains("the machine is taken: 0 CPUs", StringComparison.Ordinal));

        // Both in the page that the first of them had opened.
        Assert.All(orders[..2], o => Assert.Equal(0u, _side.Ledger.Lease(o).Page));

        // The first is never confirmed: its room is free again once it has expired.
        _side.Ledger.Mine(1801);
        await service.RoundAsync(default);
        var again = _side.Ledger.Place(_side.Order(4, cpus: 2));
        await service.RoundAsync(default);
        Assert.Equal(LeaseState.Accepted, _side.Ledger.Lease(again).State);
        Assert.Equal(LeaseState.Expired, _side.Ledger.Lease(orders[0]).State);
    }

    [Fact]
    public async Task Order_ThatTheContractRefuses_KeepsNoOtherWaiting()
    {
        var service = _side.Start();
        var (bad, good) = (_side.Ledger.Place(_side.Order(1)), _side.Ledger.Place(_side.Order(2)));
        _side.Ledger.Refused.Add(bad);
        await service.RoundAsync(default);
        Assert.Equal(LeaseState.Accepted, _side.Ledger.Lease(good).State);
        Assert.Equal(LeaseStage.Declined, service.Leases.First().Stage);
        Assert.Contains("the contract refuses it", service.Leases.First().Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Page_WhoseLeavesAreLost_IsAnAlarmAndKeepsNoOtherWaiting()
    {
        var service = _side.Start(o => o with { SettleAmount = Shale.Payments.Vouchers.AttoFil.Create(1), Capacity = new MachineCapacity(99, 99UL << 30, 0) });
        var first = await ActiveAsync(service, 1, 10_000);
        await _side.PayAsync(first, 1, 100);
        await RoundsAsync(service, 3);

        // Eight more leases fill the first page and open a second one.
        var others = new List<ulong>();
        for (ulong seed = 2; seed <= 9; seed++)
        {
            others.Add(await ActiveAsync(service, seed, 10_000));
        }

        Assert.Equal(1u, _side.Ledger.Lease(others[^1]).Page);
        Directory.Delete(Path.Combine(_side.Folder, "operator", "pages"), recursive: true);
        _side.Ledger.ForgetsEvents = true;
        service = _side.Start(o => o with { SettleAmount = Shale.Payments.Vouchers.AttoFil.Create(1), Capacity = new MachineCapacity(99, 99UL << 30, 0) });
        await _side.PayAsync(first, 1, 200);
        await _side.PayAsync(others[^1], 9, 300);
        await RoundsAsync(service, 3);
        Assert.Contains(_side.Said, s => s.Contains("ALARM page 0 can't be settled: The leaves of page 0 are lost", StringComparison.Ordinal));
        Assert.Equal((UInt128)400, _side.Ledger.PaidInAll);
    }

    [Fact]
    public async Task Slot_UsedByALeaseBefore_ServesTheNextOne()
    {
        var service = _side.Start();
        for (ulong round = 1; round <= 3; round++)
        {
            var id = await ActiveAsync(service, round, 10_000);
            Assert.Equal(0, _side.Ledger.Lease(id).Slot);
            await _side.PayAsync(id, round, round * 1000);
            _side.Ledger.RequestClose(id);
            _side.Ledger.Mine(3);
            await service.RoundAsync(default);
            await _side.EndAsync(id);
            await RoundsAsync(service, 3);
            Assert.Equal(LeaseState.Closed, _side.Ledger.Lease(id).State);
        }

        Assert.Equal((UInt128)6000, _side.Ledger.PaidInAll);
    }

    [Fact]
    public async Task Settlement_DueByAmount_TakesEveryLeaseOfThePageAlong()
    {
        var service = _side.Start(o => o with { SettleAmount = Shale.Payments.Vouchers.AttoFil.Create(5_000) });
        var (first, second) = (await ActiveAsync(service, 1, 10_000), await ActiveAsync(service, 2, 10_000));
        await _side.PayAsync(first, 1, 4_999);
        await _side.PayAsync(second, 2, 10);
        await RoundsAsync(service, 2);
        Assert.Equal(0, _side.Ledger.Settlements);
        await _side.PayAsync(first, 1, 5_000);
        var preview = Assert.Single(await service.PreviewAsync(default));
        Assert.Equal((5_010ul, 2), ((ulong)preview.Paid.Value, preview.Leases));
        Assert.Equal(0, _side.Ledger.Settlements); // a preview sends nothing
        await RoundsAsync(service, 3);
        Assert.Equal((1, (UInt128)5_010), (_side.Ledger.Settlements, _side.Ledger.PaidInAll));
        await RoundsAsync(service, 2);
        Assert.Equal(1, _side.Ledger.Settlements);
    }

    [Fact]
    public async Task Lease_ThatTheClientLeftAlone_HoldsUpNobodyElse()
    {
        var service = _side.Start(o => o with { SettleAmount = Shale.Payments.Vouchers.AttoFil.Create(1) });
        var (gone, stays) = (await ActiveAsync(service, 1, 10_000), await ActiveAsync(service, 2, 10_000));
        await _side.PayAsync(gone, 1, 100);
        await _side.PayAsync(stays, 2, 200);
        _side.Ledger.Freeze(gone);
        _side.Ledger.Mine(3);
        await RoundsAsync(service, 3);
        Assert.Equal((UInt128)200, _side.Ledger.PaidInAll);
        Assert.Equal([LeaseStage.Closed, LeaseStage.Serving], service.Leases.Select(l => l.Stage));
    }

    [Fact]
    public async Task Pages_LostOnDisk_AreRebuiltFromEvents()
    {
        var service = _side.Start(o => o with { SettleAmount = Shale.Payments.Vouchers.AttoFil.Create(1) });
        var id = await ActiveAsync(service, 1, 10_000);
        await _side.PayAsync(id, 1, 100);
        await RoundsAsync(service, 3);
        Assert.Equal(1, _side.Ledger.Settlements);
        Directory.Delete(Path.Combine(_side.Folder, "operator", "pages"), recursive: true);
        service = _side.Start(o => o with { SettleAmount = Shale.Payments.Vouchers.AttoFil.Create(1) });
        await _side.PayAsync(id, 1, 300);
        await RoundsAsync(service, 3);
        Assert.Equal((2, (UInt128)300), (_side.Ledger.Settlements, _side.Ledger.PaidInAll));
    }

    [Fact]
    public async Task Provider_ThatDrainsAndEvicts_TakesNoOrderAndEndsTheLease()
    {
        var service = _side.Start();
        var id = await ActiveAsync(service, 1, 10_000);
        OperatorCommands.Drain(_side.Folder, true);
        Assert.True(OperatorCommands.Evict(_side.Folder, id));
        Assert.False(OperatorCommands.Evict(_side.Folder, 99));
        var other = _side.Ledger.Place(_side.Order(2));
        await service.RoundAsync(default);
        Assert.Equal(LeaseState.Created, _side.Ledger.Lease(other).State);
        Assert.Equal(Shale.Leases.LeaseState.Closed, _side.Record(id)!.State);
        await _side.EndAsync(id);
        await RoundsAsync(service, 3);
        Assert.Equal((LeaseState.Closed, (UInt128)0), (_side.Ledger.Lease(id).State, _side.Ledger.PaidInAll));
        Assert.Equal((UInt128)10_000, Assert.Single(_side.Ledger.Refunds).Value);
    }

    /// <summary>The same story, killed before and after every single call of the chain, and carried on by the next process.</summary>
    [Fact]
    public async Task Operator_KilledAtEveryCall_GoesOnAndPaysOnce()
    {
        // How many calls the story has, without a crash.
        await using var plain = new ProviderSide(key);
        await StoryAsync(plain);
        for (var at = 0; at < 2 * plain.Ledger.Calls; at++)
        {
            await using var side = new ProviderSide(key);
            side.Ledger.CrashAt = at;
            await StoryAsync(side);
            Assert.True(side.Ledger.Calls >= plain.Ledger.Calls / 2, "the story ended early");
        }
    }

    private static async Task StoryAsync(ProviderSide side)
    {
        var service = side.Start(Eager);
        async Task RoundAsync()
        {
            try
            {
                await service.RoundAsync(default);
            }
            catch (CrashException)
            {
                service = side.Start(Eager);
                await service.RoundAsync(default);
            }
        }

        var id = side.Ledger.Place(side.Order(7));
        await RoundAsync();
        side.Ledger.Confirm(id, 10_000);
        side.Ledger.Mine(3);
        await RoundAsync();
        await side.PayAsync(id, 7, 1_000);
        for (var i = 0; i < 3; i++)
        {
            await RoundAsync();
            side.Ledger.Mine(3);
        }

        await side.PayAsync(id, 7, 2_500);
        side.Ledger.RequestClose(id);
        side.Ledger.Mine(3);
        await RoundAsync();
        await side.EndAsync(id);
        for (var i = 0; i < 4; i++)
        {
            await RoundAsync();
            side.Ledger.Mine(3);
        }

        var at = side.Ledger.CrashAt;
        Assert.True(side.Ledger.Lease(id).State == LeaseState.Closed, $"crash {at}: {string.Join("; ", side.Said)}");
        Assert.Equal((at, (UInt128)2_500, (UInt128)7_500), (at, side.Ledger.PaidInAll, Assert.Single(side.Ledger.Refunds).Value));
        var lease = Assert.Single(service.Leases);
        Assert.Equal((at, LeaseStage.Closed, "2500"), (at, lease.Stage, lease.Claimed));
        Assert.Equal(Enumerable.Range(1, lease.SettlementCount), lease.Settlements.Select(s => s.Number));
        Assert.Equal(side.Ledger.Settlements, lease.SettlementCount);

        static OperatorOptions Eager(OperatorOptions options) => options with { SettleAmount = Shale.Payments.Vouchers.AttoFil.Create(1) };
    }

    private async Task<ulong> ActiveAsync(OperatorService service, ulong seed, UInt128 deposit, uint cpus = 1)
    {
        var id = _side.Ledger.Place(_side.Order(seed, cpus));
        await service.RoundAsync(default);
        _side.Ledger.Confirm(id, deposit);
        _side.Ledger.Mine(3);
        await service.RoundAsync(default);
        Assert.NotNull(_side.Record(id));
        return id;
    }

    private Task UntilSaidAsync(string text)
    {
        return _side.Time.RunAsync(PollAsync());

        async Task PollAsync()
        {
            while (!_side.Said.Any(s => s.Contains(text, StringComparison.Ordinal)))
            {
                await Task.Delay(1);
            }
        }
    }

    private async Task RoundsAsync(OperatorService service, int count)
    {
        for (var i = 0; i < count; i++)
        {
            await service.RoundAsync(default);
            _side.Ledger.Mine(3);
        }
    }
}
