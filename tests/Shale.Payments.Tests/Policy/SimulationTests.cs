using Shale.Payments.Channel;
using Shale.Payments.Metering;
using Shale.Payments.Policy;
using Shale.Payments.Tests.Support;
using Shale.Payments.Vouchers;
using Xunit;

namespace Shale.Payments.Tests.Policy;

/// <summary>
/// The simulation that the payment protocol asks for: an honest gateway's meter and the agent's policy over a link with jitter and
/// blips and a laptop that sleeps. Neither may lose more than the protocol says, and honest service is not cut.
/// </summary>
public sealed class SimulationTests : IDisposable
{
    private readonly LeaseFixture _lease = new();
    private double _pausedSeconds;
    private double _seconds;

    public void Dispose() => _lease.Dispose();

    [Fact]
    public async Task Jitter_AnHour_IsServedThroughout()
    {
        var random = new Random(5);
        await RunAsync(3600, _ => true, delay: () => random.NextDouble() * 3);
        Assert.Equal(0, _pausedSeconds);
        AssertFair();
    }

    [Theory]
    [InlineData(10, 0)]
    [InlineData(14, 0)]
    [InlineData(40, 25)]
    public async Task Blips_EveryTwoMinutes_PauseOnlyWhereTheyOutlastWindowAndGrace(double length, double mostPausePerBlip)
    {
        const int Blips = 20;
        await RunAsync(120 * Blips, second => second % 120 < 120 - length || second < 60);
        await RunAsync(10, _ => true);
        Assert.InRange(_pausedSeconds, 0, (mostPausePerBlip + 6) * (mostPausePerBlip == 0 ? 0 : Blips));
        Assert.Equal(MeterPhase.Active, _lease.Meter.Snapshot().Phase);
        AssertFair();
    }

    [Fact]
    public async Task MinuteWithoutNetwork_NowAndThen_PausesAndGoesOn()
    {
        await RunAsync(3600, second => second % 600 < 540);
        await RunAsync(10, _ => true);
        Assert.Equal(MeterPhase.Active, _lease.Meter.Snapshot().Phase);
        Assert.InRange(_pausedSeconds, 6 * 30, 6 * 60);
        AssertFair();
    }

    [Fact]
    public async Task SevenHoursOfSleep_WithPrepay_IsServedAndPaid()
    {
        Use(new SpendingPolicy { Prepay = TimeSpan.FromHours(8) }, deposit: AttoFil.Create(10 * AttoFil.OneFil.Value));
        await RunAsync(600, _ => true);
        await RunAsync(7 * 3600, _ => false);
        Assert.Equal(MeterPhase.Active, _lease.Meter.Snapshot().Phase);
        await RunAsync(600, _ => true);
        Assert.Equal(0, _pausedSeconds);
        AssertFair();

        // Caught up: the window is full again.
        AttoFil ahead = _lease.Meter.Snapshot().Authorised - _lease.Meter.Snapshot().Consumed(_lease.Terms);
        Assert.True(ahead >= AttoFil.Cost(LeaseFixture.Price, (8 * 3_600_000) - 6000));
    }

    [Fact]
    public async Task SevenHoursOfSleep_WithoutPrepay_CostWindowAndGraceAndClose()
    {
        await RunAsync(600, _ => true);
        await RunAsync(7 * 3600, _ => false);
        Assert.Equal(MeterPhase.Closed, _lease.Meter.Snapshot().Phase);
        Assert.InRange(_lease.Meter.Snapshot().ActiveMilliseconds, 600_000ul, 626_000ul);
        AssertFair();
    }

    [Fact]
    public async Task RestartsOfBothSides_EveryMinute_CostNothing()
    {
        for (int i = 0; i < 60; i++)
        {
            await RunAsync(60, _ => true);
            Assert.True(MeterState.TryRead(_lease.Meter.Snapshot().ToBytes(), out MeterState? stored));
            _lease.Meter = new Meter(_lease.Terms, stored, _lease.GatewayTime);
            _lease.Policy = _lease.NewPolicy();
            if (i % 5 == 0)
            {
                _lease.AgentTime.Reboot();
            }
        }

        Assert.Equal(0, _pausedSeconds);
        AssertFair();
    }

    [Fact]
    public async Task ClockJumps_OnEitherSide_ChangeNothing()
    {
        for (int i = 0; i < 20; i++)
        {
            await RunAsync(30, _ => true);
            _lease.AgentTime.JumpWall(i % 2 == 0 ? 7200 : -7000);
            _lease.GatewayTime.JumpWall(i % 2 == 0 ? -3600 : 3600);
        }

        Assert.Equal(0, _pausedSeconds);
        AssertFair();
    }

    private void Use(SpendingPolicy spending, AttoFil deposit)
    {
        _lease.Spending = spending;
        _lease.Facts = _lease.Facts! with { Deposit = deposit };
        _lease.Terms = _lease.Terms with { Deposit = deposit };
        _lease.Meter = new Meter(_lease.Terms, MeterState.New(42), _lease.GatewayTime);
        _lease.Policy = _lease.NewPolicy();
    }

    /// <summary>Ticks of half a second, as a gateway makes them; every spell without a link ends in a new connection.</summary>
    private async Task RunAsync(double seconds, Func<double, bool> isUp, Func<double>? delay = null)
    {
        ChargeRound? round = null;
        double busyUntil = 0;
        for (double second = 0; second < seconds; second += 0.5)
        {
            _lease.Advance(0.5);
            _seconds += 0.5;
            MeterAction action = _lease.Meter.Tick();
            if (!isUp(second))
            {
                round = null;
            }
            else if (_lease.Meter.Snapshot().Phase != MeterPhase.Closed && second >= busyUntil)
            {
                if (round is null)
                {
                    round = _lease.Round(_lease.Direct());
                    Assert.NotEqual(RoundStatus.Unpaid, (await round.GreetAsync(_lease.Hello(), default)).Status);
                }

                if (action == MeterAction.Charge)
                {
                    RoundOutcome outcome = await round.ChargeAsync(default, false, default);
                    Assert.True(outcome.Status is RoundStatus.Paid or RoundStatus.Resumed or RoundStatus.Idle, outcome.Text);
                    busyUntil = second + (delay?.Invoke() ?? 0);
                }
            }

            if (_lease.Meter.Snapshot().Phase == MeterPhase.Paused)
            {
                _pausedSeconds += 0.5;
            }

            Assert.True(_lease.Meter.Snapshot().HoldsInequalities(_lease.Terms));
        }
    }

    /// <summary>Overpayment is at most the window, unpaid service at most the grace.</summary>
    private void AssertFair()
    {
        MeterState state = _lease.Meter.Snapshot();
        Assert.True(state.ActiveMilliseconds <= (ulong)(_seconds * 1000));
        Assert.True(state.HoldsInequalities(_lease.Terms));
        Assert.DoesNotContain(_lease.Refusals, r => r.Reason is not RefusalReason.Other);
    }
}
