using Shale.Bn254.BabyJubjub;
using Shale.Payments.Channel;
using Shale.Payments.Log;
using Shale.Payments.Metering;
using Shale.Payments.Policy;
using Shale.Payments.Tests.Support;
using Shale.Payments.Vouchers;
using Xunit;

namespace Shale.Payments.Tests.Channel;

/// <summary>Gateway and agent together: malicious agents, lost answers, and crashes of either side at every step of a charge.</summary>
public sealed class ChargeRoundTests : IDisposable
{
    private readonly LeaseFixture _lease = new();

    public void Dispose() => _lease.Dispose();

    [Fact]
    public async Task Rounds_Honest_KeepTheLeaseServedAndTheLogRising()
    {
        DirectPayer payer = _lease.Direct();
        ChargeRound round = _lease.Round(payer);
        Assert.Equal(RoundStatus.Idle, (await round.GreetAsync(_lease.Hello(), default)).Status);
        Assert.Equal(RoundStatus.Resumed, (await round.ChargeAsync(default, false, default)).Status);
        for (int i = 0; i < 50; i++)
        {
            _lease.Advance(5);
            Assert.Equal(RoundStatus.Paid, (await round.ChargeAsync(default, false, default)).Status);
            AssertHolds();
        }

        _lease.Advance(3);
        Assert.Equal(RoundStatus.Paid, (await round.ChargeAsync(default, true, default)).Status);
        Assert.True(_lease.Meter.Snapshot().NewestStatement!.IsFinal);
        Assert.True(_lease.Journal.Newest!.Newest.Statement.IsFinal);
        Assert.Equal(253_000ul, _lease.Meter.Snapshot().ActiveMilliseconds);
    }

    [Theory]
    [InlineData("lower")]
    [InlineData("higher")]
    [InlineData("other lease")]
    [InlineData("other statement")]
    [InlineData("other key")]
    [InlineData("other contract")]
    [InlineData("replay")]
    [InlineData("silent")]
    public async Task Agent_Malicious_GetsNotASecondBeyondGraceAndIsClosedAtTheCap(string kind)
    {
        using EdDsaPrivateKey other = EdDsaPrivateKey.Generate();
        DirectPayer payer = _lease.Direct();
        ChargeRound round = _lease.Round(payer);
        await round.GreetAsync(_lease.Hello(), default);
        await round.ChargeAsync(default, false, default);
        SignedVoucher first = _lease.Meter.Snapshot().Newest!;
        payer.LoseAnswers = kind == "silent";
        payer.Tamper = payment =>
        {
            Voucher voucher = payment.Voucher.Voucher;
            return payment with
            {
                Voucher = kind switch
                {
                    "lower" => (voucher with { Cumulative = AttoFil.Create(1) }).Sign(_lease.Key, _lease.Facts!.Domain),
                    "higher" => (voucher with { Cumulative = voucher.Cumulative + AttoFil.Create(1) }).Sign(_lease.Key, _lease.Facts!.Domain),
                    "other lease" => (voucher with { LeaseId = 43 }).Sign(_lease.Key, _lease.Facts!.Domain),
                    "other statement" => (voucher with { Statement = StatementDigest.Of([9]) }).Sign(_lease.Key, _lease.Facts!.Domain),
                    "other key" => voucher.Sign(other, _lease.Facts!.Domain),
                    "other contract" => voucher.Sign(_lease.Key, VoucherDomain.Create(314, new byte[20])),
                    _ => first,
                },
            };
        };

        MeterAction last = MeterAction.None;
        for (int i = 0; i < 1300 && last != MeterAction.Close; i++)
        {
            _lease.Advance(0.5);
            last = _lease.Meter.Tick();
            if (last == MeterAction.Charge)
            {
                Assert.Contains((await round.ChargeAsync(default, false, default)).Status, new[] { RoundStatus.Unpaid, RoundStatus.Idle, RoundStatus.Disagreement });
            }

            AssertHolds();
        }

        Assert.Equal(MeterAction.Close, last);
        Assert.Equal(25_000ul, _lease.Meter.Snapshot().ActiveMilliseconds);
        Assert.Single(_lease.Logged);
    }

    [Fact]
    public async Task TwoConnections_RacingOnOneLease_PayOnceEachTime()
    {
        ChargeRound one = _lease.Round(_lease.Direct()), two = _lease.Round(_lease.Direct());
        await one.GreetAsync(_lease.Hello(), default);
        await two.GreetAsync(_lease.Hello(), default);
        for (int i = 0; i < 40; i++)
        {
            RoundOutcome[] outcomes = await Task.WhenAll(
                Task.Run(async () => await one.ChargeAsync(default, false, default)), Task.Run(async () => await two.ChargeAsync(default, false, default)));
            Assert.Contains(outcomes, o => o.Status is RoundStatus.Paid or RoundStatus.Resumed);
            Assert.DoesNotContain(outcomes, o => o.Status is RoundStatus.Unpaid or RoundStatus.Disagreement);
            AssertHolds();
            _lease.Advance(5);
        }

        Assert.Equal(_lease.Logged.Select(v => v.Voucher.Cumulative), _lease.Logged.Select(v => v.Voucher.Cumulative).Order());
    }

    [Fact]
    public async Task LostAnswers_ThenAnotherHello_BothGoOnFromTheHigherAmount()
    {
        DirectPayer payer = _lease.Direct();
        ChargeRound round = _lease.Round(payer);
        await round.GreetAsync(_lease.Hello(), default);
        await round.ChargeAsync(default, false, default);
        _lease.Advance(5);
        payer.LoseAnswers = true;
        Assert.Equal(RoundStatus.Unpaid, (await round.ChargeAsync(default, false, default)).Status);
        AttoFil signed = _lease.Journal.Newest!.Newest.Voucher.Voucher.Cumulative;
        Assert.True(signed > _lease.Meter.Snapshot().Authorised);

        payer = _lease.Direct();
        round = _lease.Round(payer);
        Assert.Equal(RoundStatus.Paid, (await round.GreetAsync(_lease.Hello(), default)).Status);
        Assert.Equal(signed, _lease.Meter.Snapshot().Authorised);
        _lease.Advance(5);
        Assert.Equal(RoundStatus.Paid, (await round.ChargeAsync(default, false, default)).Status);
        AssertHolds();
    }

    [Fact]
    public async Task DiskFull_AtTheGateway_CreditsNothingAndCountsAgainstNobody()
    {
        ChargeRound round = _lease.Round(_lease.Direct());
        await round.GreetAsync(_lease.Hello(), default);
        await round.ChargeAsync(default, false, default);
        _lease.DiskFault = new IOException("No space left on device.");
        for (int i = 0; i < 400; i++)
        {
            _lease.Advance(5);
            _lease.Meter.Tick();
            Assert.NotEqual(RoundStatus.Paid, (await round.ChargeAsync(default, false, default)).Status);
            AssertHolds();
        }

        Assert.Equal(MeterPhase.Paused, _lease.Meter.Snapshot().Phase);
        _lease.DiskFault = null;
        ChargeRound again = _lease.Round(_lease.Direct());
        Assert.Equal(RoundStatus.Resumed, await GreetAndCharge(again));
        AssertHolds();
    }

    [Fact]
    public async Task GatewayStateLost_HelloBringsTheVoucherAndTheTimeBack()
    {
        ChargeRound round = _lease.Round(_lease.Direct());
        await round.GreetAsync(_lease.Hello(), default);
        for (int i = 0; i < 20; i++)
        {
            await round.ChargeAsync(default, false, default);
            _lease.Advance(5);
        }

        MeterState before = _lease.Meter.Snapshot();
        _lease.Meter = new Meter(_lease.Terms, MeterState.New(42), _lease.GatewayTime);
        round = _lease.Round(_lease.Direct());
        Assert.Equal(RoundStatus.Resumed, (await round.GreetAsync(_lease.Hello(), default)).Status);
        MeterState after = _lease.Meter.Snapshot();
        Assert.Equal(before.Authorised, after.Authorised);

        // The time up to the last statement is back; what was served after it is the provider's loss, at most an interval.
        Assert.InRange(after.ActiveMilliseconds, before.ActiveMilliseconds - 5000, before.ActiveMilliseconds);
        _lease.Advance(5);
        Assert.Equal(RoundStatus.Paid, (await round.ChargeAsync(default, false, default)).Status);
        AssertHolds();
    }

    [Fact]
    public async Task AgentAndGateway_DisagreeAfterRecovery_StopWithAnError()
    {
        // The gateway's meter is set back behind the agent's voucher after the hello: no second recovery on this connection.
        DirectPayer payer = _lease.Direct();
        ChargeRound round = _lease.Round(payer);
        await round.GreetAsync(_lease.Hello(), default);
        await round.ChargeAsync(default, false, default);
        _lease.Advance(5);
        await round.ChargeAsync(default, false, default);
        _lease.Meter = new Meter(_lease.Terms, MeterState.New(42), _lease.GatewayTime);
        ChargeRound confused = new(_lease.Meter, payer, _lease, _lease.Key.PublicKey, _lease.Facts!.Domain);
        Assert.Equal(RoundStatus.Disagreement, (await confused.ChargeAsync(default, false, default)).Status);
    }

    /// <summary>
    /// Where a kill can fall in a charge: before the agent has it, after the agent's record, after the answer left, after the log,
    /// after the credit but before the meter's state is stored. Walked for both sides, one after another and at random.
    /// </summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Kills_AtEveryStepOfACharge_LoseNothingAcknowledged(int seed)
    {
        var random = new Random(seed);
        AttoFil acknowledged = default;
        MeterState stored = _lease.Meter.Snapshot();
        var logged = new List<(SignedVoucher Voucher, MeterStatement Statement)>();
        for (int cycle = 0; cycle < 120; cycle++)
        {
            int step = cycle < 25 ? cycle % 5 : random.Next(5);
            var payer = new KillingPayer(_lease.Direct(_lease.Policy), step);
            var recorder = new KillingRecorder(_lease, step, logged);
            var round = new ChargeRound(_lease.Meter, payer, recorder, _lease.Key.PublicKey, _lease.Facts!.Domain);
            try
            {
                await round.GreetAsync(_lease.Hello(), default);
                payer.Armed = recorder.Armed = true;
                RoundOutcome outcome = await round.ChargeAsync(default, false, default);
                if (outcome.Status is RoundStatus.Paid or RoundStatus.Resumed)
                {
                    acknowledged = _lease.Meter.Snapshot().Authorised;
                    stored = step == 4 ? stored : _lease.Meter.Snapshot();
                }
            }
            catch (KilledException)
            {
            }

            if (random.Next(2) == 0)
            {
                // kill -9 of the agent: its journal is what it has.
                _lease.Policy = _lease.NewPolicy();
            }
            else
            {
                // kill -9 of the gateway: the stored state and the log are what it has.
                _lease.Meter = new Meter(_lease.Terms, stored, _lease.GatewayTime);
                if (logged.Count > 0)
                {
                    _lease.Meter.TryRecover(logged[^1].Voucher, logged[^1].Statement);
                }

                stored = _lease.Meter.Snapshot();
            }

            Assert.True(_lease.Meter.Snapshot().Authorised >= acknowledged);
            Assert.True((_lease.Journal.Newest?.Newest.Voucher.Voucher.Cumulative ?? default) >= acknowledged);
            AssertHolds();
            Assert.Equal(logged.Select(v => v.Voucher.Voucher.Cumulative), logged.Select(v => v.Voucher.Voucher.Cumulative).Order());

            // The agent never signed for more than its own time allows.
            ulong served = (ulong)((cycle + 1) * 5000);
            Assert.True((_lease.Journal.Newest?.Newest.Voucher.Voucher.Cumulative ?? default) <= AttoFil.Cost(LeaseFixture.Price, served + 15_000 + 2000));
            _lease.Advance(5);
            _lease.Meter.Tick();
        }

        Assert.True(acknowledged > AttoFil.Cost(LeaseFixture.Price, 60_000));
    }

    private async Task<RoundStatus> GreetAndCharge(ChargeRound round)
    {
        RoundOutcome greeted = await round.GreetAsync(_lease.Hello(), default);
        RoundOutcome charged = await round.ChargeAsync(default, false, default);
        return charged.Status == RoundStatus.Idle || greeted.Status == RoundStatus.Resumed ? greeted.Status : charged.Status;
    }

    private void AssertHolds() => Assert.True(_lease.Meter.Snapshot().HoldsInequalities(_lease.Terms));

    private sealed class KilledException : Exception;

    private sealed class KillingPayer(DirectPayer inner, int step) : IPayer
    {
        public bool Armed { get; set; }

        public bool IsBroken => false;

        public ValueTask<PayerAnswer<WelcomeMessage>> HelloAsync(HelloMessage hello, CancellationToken cancellation) => inner.HelloAsync(hello, cancellation);

        public async ValueTask<PayerAnswer<PaymentMessage>> ChargeAsync(ChargeMessage charge, CancellationToken cancellation)
        {
            if (Armed && step == 0)
            {
                throw new KilledException();
            }

            PayerAnswer<PaymentMessage> answer = await inner.ChargeAsync(charge, cancellation);
            return Armed && step == 1 ? throw new KilledException() : answer;
        }

        public ValueTask<PayerAnswer<NoticeMessage>> NotifyAsync(NoticeMessage notice, CancellationToken cancellation) => throw new NotSupportedException();

        public ValueTask<PayerAnswer<VerdictMessage>> ProbeAsync(ProbeMessage probe, CancellationToken cancellation) => throw new NotSupportedException();

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }

    private sealed class KillingRecorder(LeaseFixture lease, int step, List<(SignedVoucher, MeterStatement)> logged) : IVoucherRecorder
    {
        public bool Armed { get; set; }

        public async ValueTask RecordAsync(SignedVoucher voucher, MeterStatement statement, CancellationToken cancellation)
        {
            if (Armed && step == 2)
            {
                throw new KilledException();
            }

            await lease.RecordAsync(voucher, statement, cancellation);
            logged.Add((voucher, statement));
            if (Armed && step == 3)
            {
                throw new KilledException();
            }
        }

        public (Checkpoint Checkpoint, string Signed) NewestCheckpoint() => lease.NewestCheckpoint();

        public IReadOnlyList<MerkleHash> ProveConsistency(long oldSize, long newSize) => lease.ProveConsistency(oldSize, newSize);
    }
}
