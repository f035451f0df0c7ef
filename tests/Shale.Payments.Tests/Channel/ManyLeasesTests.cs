using System.Security.Cryptography;
using Shale.Payments.Channel;
using Shale.Payments.Log;
using Shale.Payments.Metering;
using Shale.Payments.Tests.Support;
using Shale.Payments.Vouchers;
using Xunit;

namespace Shale.Payments.Tests.Channel;

/// <summary>200 leases that charge every second, with their agents, on one real voucher log.</summary>
public sealed class ManyLeasesTests
{
    private const int Leases = 200;
    private const int Seconds = 8;

    [Fact]
    public async Task TwoHundredLeases_ChargingEverySecond_AllPaidAndEveryVoucherInTheLog()
    {
        string folder = Directory.CreateTempSubdirectory().FullName;
        LeaseFixture[] leases = [.. Enumerable.Range(0, Leases).Select(i => new LeaseFixture((ulong)i))];
        try
        {
            using var signer = new NoteSigner("sp.example/f01", RandomNumberGenerator.GetBytes(32));
            await using VoucherLogWriter log = VoucherLogWriter.Open(folder, signer, TimeProvider.System);
            var recorder = new VoucherLogRecorder(log, TimeProvider.System);
            string verifier = signer.Verifier.ToString();
            ChargeRound[] rounds = [.. leases.Select(lease =>
            {
                lease.Terms = lease.Terms with { Interval = TimeSpan.FromSeconds(1) };
                lease.Meter = new Meter(lease.Terms, MeterState.New(lease.Id), lease.GatewayTime);
                return new ChargeRound(lease.Meter, lease.Direct(), recorder, lease.Key.PublicKey, lease.Facts!.Domain);
            })];
            await Task.WhenAll(rounds.Zip(leases, async (round, lease) =>
                Assert.Equal(RoundStatus.Idle, (await round.GreetAsync(lease.Hello() with { LogVerifier = verifier }, default)).Status)));
            for (int second = 0; second < Seconds; second++)
            {
                RoundOutcome[] outcomes = await Task.WhenAll(rounds.Select(round => Task.Run(async () => await round.ChargeAsync(new MeterReadings(), false, default))));
                Assert.All(outcomes, o => Assert.True(o.Status == (second == 0 ? RoundStatus.Resumed : RoundStatus.Paid), o.Text));
                foreach (LeaseFixture lease in leases)
                {
                    Assert.True(lease.Meter.Snapshot().HoldsInequalities(lease.Terms));
                    lease.Advance(1);
                }
            }

            Assert.Equal(Leases * Seconds, log.Current.Size);
            Assert.All(leases, l => Assert.Equal(AttoFil.Cost(LeaseFixture.Price, ((Seconds - 1) * 1000) + 15_000), l.Meter.Snapshot().Authorised));
        }
        finally
        {
            foreach (LeaseFixture lease in leases)
            {
                lease.Dispose();
            }

            Directory.Delete(folder, recursive: true);
        }
    }
}
