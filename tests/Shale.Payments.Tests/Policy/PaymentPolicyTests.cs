using System.Security.Cryptography;
using Shale.Bn254.BabyJubjub;
using Shale.Payments.Channel;
using Shale.Payments.Log;
using Shale.Payments.Policy;
using Shale.Payments.Tests.Support;
using Shale.Payments.Vouchers;
using Xunit;

namespace Shale.Payments.Tests.Policy;

/// <summary>What a malicious gateway can't make the agent sign.</summary>
public sealed class PaymentPolicyTests : IDisposable
{
    private readonly LeaseFixture _lease = new();

    public void Dispose() => _lease.Dispose();

    [Fact]
    public void Charge_Honest_IsSignedAsAskedAndRecordedFirst()
    {
        IPayableLease lease = Open();
        ChargeMessage charge = _lease.Charge(active: 0, sequence: 1);
        SignedVoucher voucher = lease.Charge(charge).Payment!.Value.Voucher;
        Assert.Equal(AttoFil.Cost(LeaseFixture.Price, 15_000), voucher.Voucher.Cumulative);
        Assert.Equal(charge.Statement.Digest(), voucher.Voucher.Statement);
        Assert.True(voucher.Verify(_lease.Key.PublicKey, _lease.Facts!.Domain));
        Assert.Equal(voucher, _lease.Journal.Newest!.Newest.Voucher);
    }

    [Fact]
    public void Hello_OtherHostKey_IsRefused() =>
        AssertRefused(RefusalReason.WrongHost, _lease.Policy.Hello(42, _lease.Hello(), new GatewayIdentity.HostKey(new TestHostKey().HostKey)));

    [Fact]
    public void Hello_UnboundClient_IsPaidOnlyWhereTheUserAllowedIt()
    {
        AssertRefused(RefusalReason.WrongHost, _lease.Policy.Hello(42, _lease.Hello(), new GatewayIdentity.Unbound()));
        _lease.Policy.Spending = new SpendingPolicy { AllowUnbound = new HashSet<ulong> { 41 } };
        AssertRefused(RefusalReason.WrongHost, _lease.Policy.Hello(42, _lease.Hello(), new GatewayIdentity.Unbound()));
        _lease.Policy.Spending = new SpendingPolicy { AllowUnbound = new HashSet<ulong> { 42 } };
        Assert.NotNull(_lease.Policy.Hello(42, _lease.Hello(), new GatewayIdentity.Unbound()).Lease);
    }

    [Fact]
    public void Hello_OtherLeaseOrTerms_IsRefused()
    {
        HelloMessage hello = _lease.Hello();
        AssertRefused(RefusalReason.UnknownLease, Greet(hello with { LeaseId = 43 }));
        AssertRefused(RefusalReason.UnknownLease, _lease.Policy.Hello(43, hello with { LeaseId = 43 }, Host()));
        AssertRefused(RefusalReason.WrongTerms, Greet(hello with { ChainId = 1 }));
        AssertRefused(RefusalReason.WrongTerms, Greet(hello with { Contract = new byte[20] }));
        AssertRefused(RefusalReason.WrongTerms, Greet(hello with { Provider = "f02" }));
        AssertRefused(RefusalReason.WrongTerms, Greet(hello with { PricePerSecond = LeaseFixture.Price + AttoFil.Create(1) }));
        _lease.Policy.Spending = new SpendingPolicy { MaxPricePerSecond = LeaseFixture.Price - AttoFil.Create(1) };
        AssertRefused(RefusalReason.WrongTerms, Greet(hello));
        _lease.Policy.Spending = new SpendingPolicy { Leases = new HashSet<ulong> { 1 } };
        AssertRefused(RefusalReason.UnknownLease, Greet(hello));
    }

    [Fact]
    public void Charge_AboveTheTimeThatPassed_IsCutAndBanksNothing()
    {
        IPayableLease lease = Open();
        Pay(lease, 0, 1);
        _lease.Advance(5);

        // Claims an hour: gets the five seconds that passed, the window and the slack.
        SignedVoucher voucher = lease.Charge(_lease.Charge(active: 3_600_000, sequence: 2)).Payment!.Value.Voucher;
        Assert.Equal(AttoFil.Cost(LeaseFixture.Price, 5000 + 15_000 + 2000), voucher.Voucher.Cumulative);
        AssertRefused(RefusalReason.TooFast, lease.Charge(_lease.Charge(active: 3_600_000, sequence: 3)));
    }

    [Fact]
    public void Charge_HundredRefusedAsks_BankNothing()
    {
        IPayableLease lease = Open();
        Pay(lease, 0, 1);
        for (ulong i = 2; i < 102; i++)
        {
            // Each asks for less than is signed: refused, and the clock of the last voucher stands.
            _lease.Advance(5);
            AssertRefused(RefusalReason.Backwards, lease.Charge(_lease.Charge(active: 0, sequence: i, asked: AttoFil.Create(1))));
        }

        SignedVoucher voucher = lease.Charge(_lease.Charge(active: 505_000, sequence: 102)).Payment!.Value.Voucher;
        Assert.Equal(AttoFil.Cost(LeaseFixture.Price, 25_000 + 15_000 + 2000), voucher.Voucher.Cumulative);
    }

    [Fact]
    public void Charge_NightOffline_CantBeChargedInTheMorning()
    {
        IPayableLease lease = Open();
        Pay(lease, 0, 1);
        _lease.AgentTime.Advance(8 * 3600);
        SignedVoucher voucher = lease.Charge(_lease.Charge(active: 8 * 3_600_000, sequence: 2)).Payment!.Value.Voucher;
        Assert.Equal(AttoFil.Cost(LeaseFixture.Price, 25_000 + 15_000 + 2000), voucher.Voucher.Cumulative);
    }

    [Fact]
    public void Charge_HourOfDust_BuysNoJump()
    {
        IPayableLease lease = Open();
        Pay(lease, 0, 1);
        ulong sequence = 1, active = 0;
        for (int i = 0; i < 720; i++)
        {
            // Signed every five seconds for a millisecond more, so that the last voucher is always fresh.
            _lease.Advance(5);
            Assert.NotNull(lease.Charge(_lease.Charge(++active, ++sequence)).Payment);
        }

        _lease.Advance(5);
        SignedVoucher voucher = lease.Charge(_lease.Charge(active: 3_600_000, sequence: ++sequence)).Payment!.Value.Voucher;
        Assert.True(voucher.Voucher.Cumulative <= AttoFil.Cost(LeaseFixture.Price, active + 2000 + 5000 + 15_000 + 2000));
    }

    [Fact]
    public void Charge_MoreThanItsOwnStatementAccountsFor_IsRefused()
    {
        IPayableLease lease = Open();
        AssertRefused(RefusalReason.TooFast, lease.Charge(_lease.Charge(0, 1, asked: AttoFil.Cost(LeaseFixture.Price, 15_001))));
    }

    [Fact]
    public void Charge_Backwards_IsRefused()
    {
        IPayableLease lease = Open();
        Pay(lease, 0, 1);
        _lease.Advance(5);
        Pay(lease, 5000, 5);
        _lease.Advance(5);
        AssertRefused(RefusalReason.Backwards, lease.Charge(_lease.Charge(active: 10_000, sequence: 5)));
        AssertRefused(RefusalReason.Backwards, lease.Charge(_lease.Charge(active: 4999, sequence: 6)));
        AssertRefused(RefusalReason.Backwards, lease.Charge(_lease.Charge(active: 10_000, sequence: 6, asked: AttoFil.Create(5))));
        AssertRefused(RefusalReason.UnknownLease, lease.Charge(_lease.Charge(active: 10_000, sequence: 6, lease: 43)));
        Pay(lease, 10_000, 6);
    }

    [Fact]
    public void Charge_StoppedByTheUser_IsRefusedUntilTheUserGoesOn()
    {
        IPayableLease lease = Open();
        _lease.Policy.Spending = new SpendingPolicy { Stopped = new HashSet<ulong> { 42 } };
        AssertRefused(RefusalReason.StoppedByUser, lease.Charge(_lease.Charge(0, 1)));
        _lease.Policy.Spending = new SpendingPolicy { StopAll = true };
        AssertRefused(RefusalReason.StoppedByUser, lease.Charge(_lease.Charge(0, 2)));
        _lease.Policy.Spending = new SpendingPolicy();
        Pay(lease, 0, 3);
    }

    [Fact]
    public void Charge_LeaseNoLongerOnChain_IsRefused()
    {
        IPayableLease lease = Open();
        Pay(lease, 0, 1);
        _lease.Facts = null;
        AssertRefused(RefusalReason.UnknownLease, lease.Charge(_lease.Charge(5000, 2)));
    }

    [Theory]
    [InlineData("deposit")]
    [InlineData("lease")]
    [InlineData("day")]
    public void Charge_AboveABudget_IsCutToItAndThenRefused(string kind)
    {
        AttoFil budget = AttoFil.Cost(LeaseFixture.Price, 18_000);
        _lease.Facts = kind == "deposit" ? _lease.Facts! with { Deposit = budget } : _lease.Facts;
        _lease.Policy.Spending = new SpendingPolicy { LeaseBudget = kind == "lease" ? budget : null, DayBudget = kind == "day" ? budget : null };
        IPayableLease lease = Open();
        Pay(lease, 0, 1);
        _lease.Advance(5);
        Assert.Equal(budget, Pay(lease, 5000, 2).Voucher.Cumulative);
        _lease.Advance(5);
        AssertRefused(RefusalReason.OverBudget, lease.Charge(_lease.Charge(10_000, 3)));

        // A day's budget comes back the next day, and a clock set back the day after opens no second one.
        if (kind == "day")
        {
            _lease.AgentTime.JumpWall(86_400);
            Assert.Equal(budget + budget, PayAll(lease, 10_000, 4, 10));
            _lease.AgentTime.JumpWall(-86_400);
            _lease.Advance(5);
            AssertRefused(RefusalReason.OverBudget, lease.Charge(_lease.Charge(60_000, 100)));
        }
    }

    [Theory]
    [InlineData(0.5)]
    [InlineData(8 * 86_400.0)]
    public void Prepay_OutsideItsRange_Throws(double seconds) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new SpendingPolicy { Prepay = TimeSpan.FromSeconds(seconds) });

    [Fact]
    public void Hello_RecordCantBeRead_IsRefused()
    {
        var policy = new PaymentPolicy(
            _lease.Key, _lease, new SpendingPolicy(), _lease.AgentTime, _ => throw new UnauthorizedAccessException("Permission denied."), _lease);
        AssertRefused(RefusalReason.RecordFailure, policy.Hello(42, _lease.Hello(), Host()));
    }

    [Fact]
    public void Charge_RecordCantBeWritten_IsRefusedAndNothingLeaves()
    {
        IPayableLease lease = Open();
        Pay(lease, 0, 1);
        _lease.Advance(5);
        _lease.Journal.Fault = new IOException("No space left on device.");
        ChargeDecision decision = lease.Charge(_lease.Charge(5000, 2));
        AssertRefused(RefusalReason.RecordFailure, decision);
        Assert.Contains("No space left", decision.Refusal.Text, StringComparison.Ordinal);
        Assert.Equal(AttoFil.Cost(LeaseFixture.Price, 15_000), _lease.Policy.RecordOf(42)!.Newest.Voucher.Voucher.Cumulative);
        _lease.Journal.Fault = null;
        Pay(lease, 5000, 3);
    }

    [Fact]
    public void Hello_RecordLost_GoesOnFromTheGatewaysVoucherOfThisKey()
    {
        IPayableLease lease = Open();
        Pay(lease, 0, 1);
        _lease.Advance(5);
        SignedVoucher newest = Pay(lease, 5000, 2);
        Standing standing = new(newest, _lease.Policy.RecordOf(42)!.Newest.Statement);

        _lease.Journal = new MemoryJournal();
        _lease.Policy = _lease.NewPolicy();
        lease = Open(_lease.Hello(standing));
        Assert.Equal(newest, _lease.Policy.RecordOf(42)!.Newest.Voucher);
        Assert.Equal(5000ul, _lease.Policy.RecordOf(42)!.ServedMilliseconds);
        _lease.Advance(5);
        Assert.Equal(AttoFil.Cost(LeaseFixture.Price, 25_000), Pay(lease, 10_000, 3).Voucher.Cumulative);
    }

    [Fact]
    public void Hello_RecordLost_AnInflatedStatementBuysNoTime()
    {
        // The gateway once slipped an enormous active time under a voucher that was cut; with the record gone it comes back with it.
        IPayableLease lease = Open();
        Pay(lease, 0, 1);
        _lease.Advance(5);
        SignedVoucher cut = Pay(lease, 900_000_000, 2);
        Standing standing = new(cut, _lease.Policy.RecordOf(42)!.Newest.Statement);
        _lease.Journal = new MemoryJournal();
        _lease.Policy = _lease.NewPolicy();
        lease = Open(_lease.Hello(standing));
        _lease.Advance(5);
        AttoFil next = lease.Charge(_lease.Charge(900_000_001, 3)).Payment!.Value.Voucher.Voucher.Cumulative;
        Assert.True(next <= AttoFil.Cost(LeaseFixture.Price, 22_000 + 5000 + 15_000 + 2000));
    }

    [Fact]
    public void Hello_VoucherOfAnotherKeyOrLease_IsRefused()
    {
        IPayableLease lease = Open();
        Pay(lease, 0, 1);
        Standing mine = _lease.Policy.RecordOf(42)!.Newest;
        using EdDsaPrivateKey other = EdDsaPrivateKey.Generate();
        SignedVoucher forged = (mine.Voucher.Voucher with { Cumulative = AttoFil.OneFil }).Sign(other, _lease.Facts!.Domain);
        AssertRefused(RefusalReason.Backwards, Greet(_lease.Hello(new Standing(forged, mine.Statement))));

        SignedVoucher elsewhere = (mine.Voucher.Voucher with { LeaseId = 43, Cumulative = AttoFil.OneFil }).Sign(_lease.Key, _lease.Facts.Domain);
        AssertRefused(RefusalReason.Backwards, Greet(_lease.Hello(new Standing(elsewhere, mine.Statement))));
    }

    [Fact]
    public void Restart_OfTheAgent_GoesOnFromItsRecord()
    {
        IPayableLease lease = Open();
        Pay(lease, 0, 1);
        _lease.Advance(5);
        Pay(lease, 5000, 2);
        _lease.AgentTime.Reboot();
        _lease.Policy = _lease.NewPolicy();
        HelloDecision decision = Greet(_lease.Hello());
        Assert.Equal(AttoFil.Cost(LeaseFixture.Price, 20_000), decision.Welcome.Standing!.Voucher.Voucher.Cumulative);
        _lease.Advance(5);
        Assert.Equal(AttoFil.Cost(LeaseFixture.Price, 25_000), Pay(decision.Lease!, 10_000, 3).Voucher.Cumulative);
    }

    [Fact]
    public void Reboot_WithTheWallClockSetBack_CountsAsNoTime()
    {
        IPayableLease lease = Open();
        Pay(lease, 0, 1);
        _lease.AgentTime.Reboot();
        _lease.AgentTime.JumpWall(-1_000_000);
        _lease.Advance(20);
        AttoFil amount = Pay(lease, 20_000, 2).Voucher.Cumulative;
        Assert.Equal(AttoFil.Cost(LeaseFixture.Price, 17_000), amount);
    }

    [Fact]
    public void WallClock_JumpingWithinABoot_ChangesNothing()
    {
        IPayableLease lease = Open();
        Pay(lease, 0, 1);
        _lease.AgentTime.JumpWall(1_000_000);
        _lease.Advance(5);
        SignedVoucher voucher = lease.Charge(_lease.Charge(active: 900_000, sequence: 2)).Payment!.Value.Voucher;
        Assert.Equal(AttoFil.Cost(LeaseFixture.Price, 22_000), voucher.Voucher.Cumulative);
    }

    [Fact]
    public void Charge_LogRewritten_IsRefusedAsContradiction()
    {
        IPayableLease lease = Open();
        SignedVoucher first = Pay(lease, 0, 1);
        Record(first);
        _lease.Advance(5);
        Record(Pay(lease, 5000, 2));
        _lease.Advance(5);
        Record(Pay(lease, 10_000, 3));
        _lease.RewriteLog();
        _lease.Advance(5);
        AssertRefused(RefusalReason.LogContradiction, lease.Charge(_lease.Charge(15_000, 4)));
    }

    [Fact]
    public void Charge_ProofFromAnotherCheckpoint_IsToldWhereToStart()
    {
        IPayableLease lease = Open();
        Record(Pay(lease, 0, 1));
        _lease.Advance(5);
        Record(Pay(lease, 5000, 2));
        _lease.Advance(5);
        ChargeDecision decision = lease.Charge(_lease.Charge(10_000, 3) with { ProofFrom = 0, Proof = [] });
        AssertRefused(RefusalReason.StaleCheckpoint, decision);
        Assert.Equal(1ul, decision.Refusal.LogSize);
        Assert.NotNull(lease.Charge(_lease.Charge(10_000, 3)).Payment);
    }

    [Fact]
    public void Charge_CheckpointForgedOrNotTheStatements_IsRefused()
    {
        IPayableLease lease = Open();
        ChargeMessage charge = _lease.Charge(0, 1);
        using var other = new NoteSigner("sp.example/f01", RandomNumberGenerator.GetBytes(32));
        string forged = new Checkpoint("sp.example/f01", 0, MerkleHash.Empty).Sign(other);
        AssertRefused(RefusalReason.LogContradiction, lease.Charge(charge with { Checkpoint = forged }));
        AssertRefused(RefusalReason.LogContradiction, lease.Charge(charge with { Checkpoint = "" }));
        AssertRefused(RefusalReason.LogContradiction, lease.Charge(charge with { Statement = charge.Statement with { LogSize = 1 } }));
        Assert.NotNull(lease.Charge(charge).Payment);
    }

    [Fact]
    public void Hello_LogUnderANewOrigin_IsReportedAndPaymentGoesOn()
    {
        IPayableLease lease = Open();
        Record(Pay(lease, 0, 1));
        using var replaced = new NoteSigner("sp.example/f01/2", RandomNumberGenerator.GetBytes(32));
        lease = Open(_lease.Hello() with { LogVerifier = replaced.Verifier.ToString() });
        Assert.Equal([replaced.Verifier.ToString()], _lease.LogReplacements);
        var empty = new Checkpoint("sp.example/f01/2", 0, MerkleHash.Empty);
        ChargeMessage charge = _lease.Charge(1000, 2);
        charge = charge with { Statement = charge.Statement with { LogSize = 0, LogRoot = MerkleHash.Empty }, Checkpoint = empty.Sign(replaced), ProofFrom = 0, Proof = [] };
        _lease.Advance(1);
        Assert.NotNull(lease.Charge(charge).Payment);
    }

    private AttoFil PayAll(IPayableLease lease, ulong active, ulong sequence, int times)
    {
        AttoFil last = default;
        for (int i = 0; i < times; i++)
        {
            _lease.Advance(5);
            active += 5000;
            if (lease.Charge(_lease.Charge(active, sequence++)).Payment is { } payment)
            {
                last = payment.Voucher.Voucher.Cumulative;
            }
        }

        return last;
    }

    private IPayableLease Open(HelloMessage? hello = null) => Greet(hello ?? _lease.Hello()).Lease!;

    private HelloDecision Greet(HelloMessage hello) => _lease.Policy.Hello(42, hello, Host());

    private GatewayIdentity.HostKey Host() => new(_lease.HostKey.HostKey);

    private SignedVoucher Pay(IPayableLease lease, ulong active, ulong sequence)
    {
        ChargeDecision decision = lease.Charge(_lease.Charge(active, sequence));
        Assert.True(decision.Payment is not null, decision.Refusal.Text);
        return decision.Payment.Value.Voucher;
    }

    private void Record(SignedVoucher voucher) => _lease.Record(voucher);

    private static void AssertRefused(RefusalReason reason, HelloDecision decision)
    {
        Assert.Null(decision.Lease);
        Assert.Equal(reason, decision.Refusal.Reason);
        Assert.NotEmpty(decision.Refusal.Text);
    }

    private static void AssertRefused(RefusalReason reason, ChargeDecision decision)
    {
        Assert.Null(decision.Payment);
        Assert.Equal(reason, decision.Refusal.Reason);
        Assert.NotEmpty(decision.Refusal.Text);
    }
}
