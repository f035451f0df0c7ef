using Shale.Bn254.BabyJubjub;
using Shale.Bn254.Fields;
using Shale.Settlement.Batching;
using Shale.Settlement.Claims;
using Shale.Settlement.Tests.Support;
using Shale.Settlement.Tests.Vectors;
using Xunit;
using AttoFil = Shale.Payments.Vouchers.AttoFil;
using SignedVoucher = Shale.Payments.Vouchers.SignedVoucher;
using StatementDigest = Shale.Payments.Vouchers.StatementDigest;
using Voucher = Shale.Payments.Vouchers.Voucher;
using VoucherDomain = Shale.Payments.Vouchers.VoucherDomain;

namespace Shale.Settlement.Tests.Batching;

public sealed class BatchPlannerTests
{
    private static readonly Fr Domain = Fr.FromUInt64(0xd0);
    private static readonly Leaf Old = new(1, TestKeys.Point(1), 1000, 100);
    private static readonly SlotRecord Record = new(1, TestKeys.Point(1), 1000, Live: true, Fresh: false);

    public static TheoryData<LeaveOutReason> Reasons => [.. Enum.GetValues<LeaveOutReason>()];

    [Theory]
    [MemberData(nameof(Reasons))]
    public void Plan_WithASlotThatCannotBeSettled_LeavesItOutAndSettlesTheRest(LeaveOutReason reason)
    {
        (SlotRecord? record, SlotRequest request) = Bad(reason);
        SlotRecord?[] records = [record, new SlotRecord(2, TestKeys.Point(2), 500, true, true)];
        SettlementBatch batch = new BatchPlanner(Domain).Plan(1, 0, PageState.Of([Old, null]), records, [request, new SlotRequest(1, TestKeys.Voucher(Domain, 2, 2, 300))]);
        Assert.Equal([new LeftOut(request.Slot, reason)], batch.LeftOut);
        SettlementEntry entry = Assert.Single(batch.Entries);
        Assert.Equal((1, (UInt128)300), (entry.Slot, batch.Paid));
        Assert.Null(Circuits.OfSize(2).Solve(batch.Statement).Failure);
    }

    [Fact]
    public void Plan_WithATopUpThatTheVoucherNeeds_TakesItOver()
    {
        SlotRecord record = Record with { Deposit = 2000 };
        SettlementEntry within = Assert.Single(Plan(record, 1000).Entries), beyond = Assert.Single(Plan(record, 1001).Entries);
        Assert.False(within.Has(EntryFlags.Sync));
        Assert.True(beyond.Has(EntryFlags.Sync));
        Assert.Equal((UInt128)2000, beyond.Deposit);
    }

    [Fact]
    public void Plan_WithAVoucherThatWasCollected_ClosesWithoutPaying()
    {
        SettlementBatch batch = new BatchPlanner(Domain).Plan(1, 0, PageState.Of([Old, null]), [Record, null], [new SlotRequest(0, TestKeys.Voucher(Domain, 1, 1, 100), Close: true)]);
        SettlementEntry entry = Assert.Single(batch.Entries);
        Assert.Equal(EntryFlags.Listed | EntryFlags.Close, entry.Flags);
        Assert.Equal(UInt128.Zero, batch.Paid);
        Assert.Null(Circuits.OfSize(2).Solve(batch.Statement).Failure);
    }

    [Fact]
    public void Plan_WithAVoucherAsTheClientSendsIt_SettlesIt()
    {
        using var key = new EdDsaPrivateKey(TestKeys.Seed(1));
        VoucherDomain domain = VoucherDomain.Create(314, new byte[20]);
        SignedVoucher signed = new Voucher(1, AttoFil.Create(600), StatementDigest.Of([1, 2, 3])).Sign(key, domain);
        Assert.True(SignedVoucher.TryRead(signed.Bytes.Span, out SignedVoucher? received));
        Assert.True(SettlementVoucher.TryCreate(received, out SettlementVoucher voucher));
        SettlementBatch batch = new BatchPlanner(domain).Plan(1, 0, PageState.Of([Old, null]), [Record, null], [new SlotRequest(0, voucher)]);
        Assert.Empty(batch.LeftOut);
        Assert.Equal((UInt128)500, batch.Paid);
        Assert.Null(Circuits.OfSize(2).Solve(batch.Statement).Failure);
    }

    [Fact]
    public void Domain_OfChainAndContract_IsThatOfTheVectors() =>
        Assert.Equal(
            SettlementSequence.Domain,
            VoucherDomain.Create(SettlementSequence.ChainId, Convert.FromHexString(SettlementSequence.Contract[2..])).Element);

    [Fact]
    public void Plan_OfOneSlotTwice_CountsTheFirstRequest()
    {
        SettlementBatch batch = new BatchPlanner(Domain).Plan(1, 0, PageState.Of([Old, null]), [Record, null],
            [new SlotRequest(0, TestKeys.Voucher(Domain, 1, 1, 400)), new SlotRequest(0, TestKeys.Voucher(Domain, 1, 1, 500))]);
        Assert.Equal((UInt128)300, batch.Paid);
        Assert.Equal([new LeftOut(0, LeaveOutReason.NoSuchSlot)], batch.LeftOut);
    }

    [Fact]
    public void Plan_OfNothing_IsEmptyAndKeepsTheRoot()
    {
        SettlementBatch batch = new BatchPlanner(Domain).Plan(1, 0, PageState.Of([Old, null]), [Record, null], []);
        Assert.True(batch.IsEmpty);
        Assert.Equal(batch.OldPage.Root, batch.NewPage.Root);
    }

    [Fact]
    public void Page_ChangedInOneSlot_HasTheRootAndSiblingsOfAPageMadeAnew()
    {
        Leaf?[] leaves = [.. Enumerable.Range(0, 8).Select(i => i % 3 == 0 ? (Leaf?)null : new Leaf((ulong)i, TestKeys.Point(i), 10, 1))];
        PageState changed = PageState.Of(leaves).With([KeyValuePair.Create(6, Old), KeyValuePair.Create(1, Old)]);
        (leaves[6], leaves[1]) = (Old, Old);
        PageState anew = PageState.Of(leaves);
        Assert.Equal(anew.Root, changed.Root);
        Assert.Equal(Enumerable.Range(0, 8).SelectMany(anew.Siblings), Enumerable.Range(0, 8).SelectMany(changed.Siblings));
    }

    private static SettlementBatch Plan(SlotRecord record, UInt128 cumulative) =>
        new BatchPlanner(Domain).Plan(1, 0, PageState.Of([Old, null]), [record, null], [new SlotRequest(0, TestKeys.Voucher(Domain, 1, 1, cumulative))]);

    private static (SlotRecord? Record, SlotRequest Request) Bad(LeaveOutReason reason)
    {
        SlotRequest Pay(UInt128 cumulative, ulong lease = 1, int key = 1) => new(0, TestKeys.Voucher(Domain, key, lease, cumulative));
        return reason switch
        {
            LeaveOutReason.NoSuchSlot => (Record, Pay(400) with { Slot = 2 }),
            LeaveOutReason.Empty => (null, Pay(400)),
            LeaveOutReason.NotLive => (Record with { Live = false }, Pay(400)),
            LeaveOutReason.LeafMismatch => (Record with { LeaseId = 9 }, Pay(400, lease: 9)),
            LeaveOutReason.NothingNew => (Record, Pay(100)),
            LeaveOutReason.OtherLease => (Record, Pay(400, lease: 5)),
            LeaveOutReason.BelowClaimed => (Record, Pay(99)),
            LeaveOutReason.AboveDeposit => (Record, Pay(1001)),
            LeaveOutReason.UnusableKey => (new SlotRecord(3, new BabyJubjubPoint(Fr.Zero, -Fr.One), 1000, true, true), Pay(400, lease: 3)),
            LeaveOutReason.WrongSignature => (Record, Pay(400, key: 2)),
            LeaveOutReason.DepositBelowClaimed => (Record with { Deposit = 50 }, new SlotRequest(0, null, Close: true)),
            _ => throw new ArgumentOutOfRangeException(nameof(reason)),
        };
    }
}
