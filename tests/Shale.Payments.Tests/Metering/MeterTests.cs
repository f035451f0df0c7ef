using Shale.Bn254.BabyJubjub;
using Shale.Payments.Log;
using Shale.Payments.Metering;
using Shale.Payments.Tests.Support;
using Shale.Payments.Vouchers;
using Xunit;

namespace Shale.Payments.Tests.Metering;

public sealed class MeterTests : IDisposable
{
    private static readonly AttoFil Price = AttoFil.Create(1_000_003);
    private static readonly Func<Checkpoint> Empty = () => new("log", 0, MerkleHash.Empty);
    private readonly EdDsaPrivateKey _key = EdDsaPrivateKey.Generate();
    private readonly ManualTime _time = new();
    private readonly MeterTerms _terms = new() { LeaseId = 7, PricePerSecond = Price, Deposit = AttoFil.OneFil };

    public void Dispose() => _key.Dispose();

    [Fact]
    public void FirstCharge_BeforeAnythingRuns_AsksForTheWindow()
    {
        Meter meter = NewMeter();
        Assert.Equal(MeterAction.Charge, meter.Tick());
        MeterCharge charge = meter.TryBeginCharge(default, Empty)!;
        Assert.Equal(AttoFil.Cost(Price, 15_000), charge.Asked);
        Assert.Equal(MeterPhase.AwaitingPayment, meter.Snapshot().Phase);
        Assert.Equal(CreditResult.Resumed, meter.TryCredit(charge, Sign(charge)));
        Assert.Equal(MeterPhase.Active, meter.Snapshot().Phase);
    }

    [Fact]
    public void Tick_Unpaid_PausesAtPaidTimeAndGraceHoweverLateItComes()
    {
        Meter meter = Paid(NewMeter());
        _time.Advance(24.9);
        Assert.NotEqual(MeterAction.Pause, meter.Tick());
        _time.Advance(3600);
        Assert.Equal(MeterAction.Pause, meter.Tick());
        Assert.Equal(25_000ul, meter.Snapshot().ActiveMilliseconds);
        Assert.True(meter.Snapshot().HoldsInequalities(_terms));
        Assert.NotEqual(MeterAction.Pause, meter.Tick());
    }

    [Fact]
    public void Pause_SeenFirstByAnotherCall_IsStillReported()
    {
        Meter meter = Paid(NewMeter());
        _time.Advance(30);
        Assert.Equal(MeterPhase.Paused, meter.Snapshot().Phase);
        Assert.Equal(MeterAction.Pause, meter.Tick());
    }

    [Fact]
    public void Credit_WhilePaused_ResumesAndPausedTimeIsNotCharged()
    {
        Meter meter = Paid(NewMeter());
        _time.Advance(30);
        Assert.Equal(MeterAction.Pause, meter.Tick());
        _time.Advance(60);
        MeterCharge charge = meter.TryBeginCharge(default, Empty)!;
        Assert.Equal(AttoFil.Cost(Price, 40_000), charge.Asked);
        Assert.Equal(60_000ul, charge.Statement.PausedMilliseconds);
        Assert.Equal(CreditResult.Resumed, meter.TryCredit(charge, Sign(charge)));
        _time.Advance(1);
        Assert.Equal(26_000ul, meter.Snapshot().ActiveMilliseconds);
    }

    [Fact]
    public void Credit_PartOfTheDebtWhilePaused_DoesNotResume()
    {
        Meter meter = Paid(NewMeter());
        _time.Advance(30);
        meter.Tick();
        MeterCharge charge = meter.TryBeginCharge(default, Empty)!;
        Assert.Equal(CreditResult.Credited, meter.TryCredit(charge, Sign(charge, AttoFil.Cost(Price, 24_000))));
        Assert.Equal(MeterPhase.Paused, meter.Snapshot().Phase);
    }

    [Fact]
    public void UnpaidPause_TenMinutesAtATime_Closes()
    {
        Meter meter = Paid(NewMeter());
        _time.Advance(30);
        meter.Tick();
        _time.Advance(599);
        Assert.NotEqual(MeterAction.Close, meter.Tick());
        _time.Advance(2);
        Assert.Equal(MeterAction.Close, meter.Tick());
        Assert.Equal(MeterAction.None, meter.Tick());
        Assert.Null(meter.TryBeginCharge(default, Empty));
    }

    [Fact]
    public void WaitForTheFirstCharge_TenMinutes_Closes()
    {
        Meter meter = NewMeter();
        _time.Advance(601);
        Assert.Equal(MeterAction.Close, meter.Tick());
    }

    [Fact]
    public void UnpaidPauses_ManyShortOnes_CloseAtTenMinutesAndFivePercentOfPaidTime()
    {
        // Pays for 25 s of service, stays away for 5 minutes, again and again: nobody holds a paused container for long.
        Meter meter = NewMeter();
        double paused = 0;
        for (int round = 0; round < 100 && meter.Snapshot().Phase != MeterPhase.Closed; round++)
        {
            Paid(meter);
            _time.Advance(30);
            meter.Tick();
            _time.Advance(300);
            meter.Tick();
            paused += 300;
        }

        MeterState state = meter.Snapshot();
        Assert.Equal(MeterPhase.Closed, state.Phase);
        Assert.InRange(paused, 600, 900);
        Assert.True(state.PausedMilliseconds <= 600_000 + (state.ActiveMilliseconds / 20) + 300_000);
    }

    [Fact]
    public void UnpaidPause_ThroughTheGatewaysFault_DoesNotCount()
    {
        Meter meter = Paid(NewMeter());
        _time.Advance(30);
        meter.Tick();
        meter.SetOwnFault(true);
        _time.Advance(7200);
        Assert.NotEqual(MeterAction.Close, meter.Tick());
        meter.SetOwnFault(false);
        Assert.Equal(0ul, meter.Snapshot().PausedMilliseconds);
        _time.Advance(601);
        Assert.Equal(MeterAction.Close, meter.Tick());
    }

    [Fact]
    public void Restart_FromTheStoredState_GoesOnWithoutChargingTheDowntime()
    {
        Meter meter = Paid(NewMeter());
        _time.Advance(7);
        Assert.True(MeterState.TryRead(meter.Snapshot().ToBytes(), out MeterState? stored));
        _time.Advance(3600);
        var again = new Meter(_terms, stored, _time);
        Assert.Equal(7000ul, again.Snapshot().ActiveMilliseconds);
        Assert.Equal(MeterPhase.Active, again.Snapshot().Phase);
        _time.Advance(1);
        Assert.Equal(8000ul, again.Snapshot().ActiveMilliseconds);
        MeterCharge charge = again.TryBeginCharge(default, Empty)!;
        Assert.Equal(2ul, charge.Statement.Sequence);
        Assert.True(charge.Statement.CanFollow(stored.NewestStatement!));
    }

    [Fact]
    public void WallClock_JumpingEitherWay_ChangesNothing()
    {
        Meter meter = Paid(NewMeter());
        _time.JumpWall(86_400);
        _time.Advance(3);
        _time.JumpWall(-2 * 86_400);
        _time.Advance(3);
        Assert.Equal(6000ul, meter.Snapshot().ActiveMilliseconds);
    }

    [Fact]
    public void TryCredit_WrongVouchers_ChangeNothing()
    {
        Meter meter = Paid(NewMeter());
        _time.Advance(5);
        MeterCharge charge = meter.TryBeginCharge(default, Empty)!;
        MeterState before = meter.Snapshot();
        Assert.Equal(CreditResult.TooMuch, meter.TryCredit(charge, Sign(charge, charge.Asked + AttoFil.Create(1))));
        Assert.Equal(CreditResult.Backwards, meter.TryCredit(charge, Sign(charge, before.Authorised - AttoFil.Create(1))));
        Assert.Equal(CreditResult.Foreign, meter.TryCredit(charge, Sign(charge, lease: 8)));
        Assert.Equal(CreditResult.Foreign, meter.TryCredit(charge, Sign(charge, digest: StatementDigest.Of([1]))));
        Assert.Equal(before, meter.Snapshot());
        Assert.Equal(CreditResult.Credited, meter.TryCredit(charge, Sign(charge)));
        Assert.Equal(CreditResult.Stale, meter.TryCredit(charge, Sign(charge)));
    }

    [Fact]
    public void TryBeginCharge_TwoConnectionsAtOnce_OnlyOneIsUnderWay()
    {
        Meter meter = NewMeter();
        MeterCharge first = meter.TryBeginCharge(default, Empty)!;
        Assert.Null(meter.TryBeginCharge(default, Empty));
        Assert.Equal(MeterAction.None, meter.Tick());
        meter.Abandon(first, TimeSpan.FromSeconds(1));
        MeterCharge second = meter.TryBeginCharge(default, Empty)!;
        Assert.Equal(CreditResult.Stale, meter.TryCredit(first, Sign(first)));
        Assert.Equal(CreditResult.Resumed, meter.TryCredit(second, Sign(second)));
    }

    [Fact]
    public void Deposit_UsedUp_IsNeverExceededAndTheLeasePauses()
    {
        var meter = new Meter(_terms with { Deposit = AttoFil.Cost(Price, 20_000) }, MeterState.New(7), _time);
        Paid(meter);
        for (int i = 0; i < 60; i++)
        {
            _time.Advance(1);
            meter.Tick();
            if (meter.TryBeginCharge(default, Empty) is { } charge)
            {
                meter.TryCredit(charge, Sign(charge));
            }
        }

        Assert.Equal(AttoFil.Cost(Price, 20_000), meter.Snapshot().Authorised);
        Assert.Equal(MeterPhase.Paused, meter.Snapshot().Phase);
        meter.RaiseDeposit(AttoFil.Cost(Price, 60_000));
        MeterCharge more = meter.TryBeginCharge(default, Empty)!;
        Assert.Equal(CreditResult.Resumed, meter.TryCredit(more, Sign(more)));
    }

    [Fact]
    public void ClientWindow_Longer_IsAskedAheadAndServedUnpaid()
    {
        Meter meter = NewMeter();
        meter.SetClientWindow(TimeSpan.FromHours(8));
        Paid(meter);
        _time.Advance(8 * 3600);
        meter.Tick();
        Assert.Equal(MeterPhase.Active, meter.Snapshot().Phase);
        _time.Advance(11);
        Assert.Equal(MeterAction.Pause, meter.Tick());
        Assert.True(meter.Snapshot().HoldsInequalities(_terms));
    }

    [Fact]
    public void FinalCharge_AfterService_AsksForWhatWasServedAndEndsTheLease()
    {
        Meter meter = Paid(NewMeter());
        _time.Advance(20);
        MeterCharge final = meter.TryBeginFinalCharge(default, Empty)!;
        Assert.True(final.Statement.IsFinal);
        Assert.Equal(AttoFil.Cost(Price, 20_000), final.Asked);
        _time.Advance(100);
        Assert.Equal(CreditResult.Credited, meter.TryCredit(final, Sign(final)));
        Assert.Equal(20_000ul, meter.Snapshot().ActiveMilliseconds);
        Assert.Null(meter.TryBeginFinalCharge(default, Empty));
    }

    [Fact]
    public void TrySettle_OutOfOrderWithTheVouchers_IsRefused()
    {
        Meter meter = Paid(NewMeter());
        Assert.True(meter.TrySettle(AttoFil.Create(10)));
        Assert.False(meter.TrySettle(AttoFil.Create(9)));
        Assert.False(meter.TrySettle(AttoFil.OneFil));
        Assert.Equal(AttoFil.Create(10), meter.Snapshot().Settled);
    }

    [Fact]
    public void State_AnyByteChanged_IsRefused()
    {
        byte[] bytes = Paid(NewMeter()).Snapshot().ToBytes();
        Assert.True(MeterState.TryRead(bytes, out _));
        for (int i = 0; i < bytes.Length; i++)
        {
            byte[] changed = [.. bytes];
            changed[i] ^= 1;
            Assert.False(MeterState.TryRead(changed, out _));
            Assert.False(MeterState.TryRead(bytes.AsSpan(0, i), out _));
        }
    }

    [Fact]
    public void Store_SavedState_IsLoadedAndADamagedOneIsNamed()
    {
        string folder = Directory.CreateTempSubdirectory().FullName;
        try
        {
            var store = new FileMeterStore(folder);
            Assert.Null(store.Load(7));
            MeterState state = Paid(NewMeter()).Snapshot();
            store.Save(state);
            Assert.Equal(state, store.Load(7));
            string path = Path.Combine(folder, "lease-7.meter");
            File.WriteAllBytes(path, File.ReadAllBytes(path)[..^1]);
            Assert.Contains("lease-7.meter", Assert.Throws<InvalidDataException>(() => store.Load(7)).Message, StringComparison.Ordinal);
            store.Delete(7);
            Assert.Null(store.Load(7));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void RandomLife_PaymentsPausesAndRestarts_NeverBreaksTheInequalities()
    {
        var random = new Random(77);
        for (int life = 0; life < 20; life++)
        {
            Meter meter = NewMeter();
            for (int step = 0; step < 300; step++)
            {
                _time.Advance(random.NextDouble() * random.Next(1, 30));
                switch (random.Next(6))
                {
                    case 0:
                        meter.Tick();
                        break;
                    case 1 when MeterState.TryRead(meter.Snapshot().ToBytes(), out MeterState? stored):
                        meter = new Meter(_terms, stored, _time);
                        break;
                    case 2 when meter.TryBeginCharge(default, Empty) is { } lost:
                        meter.Abandon(lost, TimeSpan.Zero);
                        break;
                    case 3:
                        meter.TrySettle(meter.Snapshot().Authorised);
                        break;
                    default:
                        if (meter.TryBeginCharge(default, Empty) is { } charge)
                        {
                            UInt128 from = meter.Snapshot().Authorised.Value, to = charge.Asked.Value;
                            AttoFil cut = AttoFil.Create(from + ((to - from) * (UInt128)random.Next(0, 5) / 4));
                            meter.TryCredit(charge, Sign(charge, cut));
                        }

                        break;
                }

                Assert.True(meter.Snapshot().HoldsInequalities(_terms));
            }
        }
    }

    private Meter NewMeter() => new(_terms, MeterState.New(7), _time);

    private Meter Paid(Meter meter)
    {
        MeterCharge charge = meter.TryBeginCharge(default, Empty)!;
        Assert.Contains(meter.TryCredit(charge, Sign(charge)), new[] { CreditResult.Credited, CreditResult.Resumed });
        return meter;
    }

    private SignedVoucher Sign(MeterCharge charge, AttoFil? amount = null, ulong lease = 7, StatementDigest? digest = null) =>
        new Voucher(lease, amount ?? charge.Asked, digest ?? charge.Statement.Digest()).Sign(_key, VoucherDomain.Create(314, new byte[20]));
}
