using Shale.Payments.Channel;
using Xunit;

namespace Shale.Gateway.Tests.Payments;

/// <summary>200 leases that charge every second on one gateway: 190 with doubles for containers, 10 with the engine's.</summary>
public sealed class ManyLeasesTests
{
    private const int Leases = 200;
    private const int Real = 10;
    private const int Vouchers = 5;

    [Fact]
    public async Task TwoHundredLeases_ChargingEverySecond_ArePaidServedAndAudited()
    {
        await using var gateway = await PaidGateway.StartAsync(TimeProvider.System, id => id <= Real);
        PaidClient[] clients = [.. Enumerable.Range(1, Leases).Select(i => gateway.Lease((ulong)i, interval: 1, window: 60, grace: 30))];

        // Below MaxStartups, as a client that keeps trying comes in.
        await Parallel.ForEachAsync(clients, new ParallelOptions { MaxDegreeOfParallelism = 6 }, async (client, _) =>
        {
            await gateway.StatusAsync(client.LeaseId);
            await client.PayAsync(gateway);
        });
        for (var i = 0; clients.Any(c => c.Signed < Vouchers); i++)
        {
            Assert.True(i < 3000, $"{clients.Count(c => c.Signed < Vouchers)} leases were not charged {Vouchers} times. {clients.FirstOrDefault(c => c.LastRefusal is not null)?.LastRefusal}");
            await Task.Delay(100);

            // As the agent that keeps a lease: on a busy machine an answer may have come too late.
            foreach (var gone in clients.Where(c => !c.IsPaying))
            {
                await gone.PayAsync(gateway);
            }
        }

        foreach (var client in clients)
        {
            Assert.Equal("Serving", await gateway.StatusAsync(client.LeaseId));
        }

        // Frozen until the first payment, and never again.
        Assert.Equal(Leases - Real, gateway.Containers.All.Count());
        Assert.All(gateway.Containers.All, c => Assert.InRange(c.Pauses, 0, 1));
        Assert.All(gateway.Containers.All, c => Assert.False(c.IsFrozen));
        foreach (var client in clients.Take(Real))
        {
            await gateway.EndAsync(client.LeaseId);

            Assert.Equal(NoticeKind.Closing, client.LastNotice!.Value.Kind);

            // Both sides' last word is the same, and final.
            Assert.True(client.Newest!.Newest.Statement.IsFinal);
            Assert.Equal(client.Newest.Newest.Voucher.Voucher.Cumulative, gateway.Meter(client).Authorised);
        }

        await gateway.StopAsync();
        foreach (var client in clients)
        {
            var meter = gateway.Meter(client);
            Assert.True(meter.Authorised <= client.Newest!.Newest.Voucher.Voucher.Cumulative);
        }

        var audit = await gateway.AuditAsync();
        Assert.True(audit.IsClean, string.Join("; ", audit.Findings.Take(5)));
        Assert.Equal(Leases, audit.Leases);
        Assert.True(audit.Vouchers >= Leases * (Vouchers - 1));
    }
}
