using Shale.Payments.Channel;
using Xunit;

namespace Shale.Gateway.Tests.Payments;

/// <summary>Clocks that jump, and either side's end, on the gateway as it is.</summary>
public sealed class ClockTests
{
    [Theory]
    [InlineData(3600)]
    [InlineData(-3600)]
    public async Task WallClocks_JumpingOnBothSides_NeitherPauseNorCostAnything(int seconds)
    {
        var time = new ManualTime();
        await using var gateway = await PaidGateway.StartAsync(time);
        var client = gateway.Lease(7);
        await gateway.StatusAsync(7);
        await client.PayAsync(gateway);
        await MaliciousAgentTests.ServedAsync(gateway, time, client);
        var pauses = gateway.Containers[7].Pauses;
        for (var i = 0; i < 4; i++)
        {
            await PaidOnAsync(time, client);
            time.JumpWall(TimeSpan.FromSeconds(seconds));
        }

        await PaidOnAsync(time, client);
        Assert.Equal(pauses, gateway.Containers[7].Pauses);
        Assert.False(gateway.Containers[7].IsFrozen);
        await gateway.StopAsync();
        var meter = gateway.Meter(client);
        var elapsed = (ulong)time.GetTimestamp();
        Assert.InRange(meter.ActiveMilliseconds, 40_000ul, elapsed);
        Assert.True(meter.Authorised <= Shale.Payments.Vouchers.AttoFil.Cost(PaidGateway.Price, elapsed + 15_000));

        // A provider's clock that goes back is for the auditor to see.
        var audit = await gateway.AuditAsync();
        Assert.Equal(seconds < 0, audit.Findings.Any(f => f.Code == "time"));
        Assert.DoesNotContain(audit.Findings, f => f.Code != "time");
    }

    /// <summary>A gateway process that stood still (a suspended machine) and a night offline: neither is charged.</summary>
    [Fact]
    public async Task Night_WithoutAConnection_IsNotChargedInTheMorning()
    {
        var time = new ManualTime();
        await using var gateway = await PaidGateway.StartAsync(time);
        var client = gateway.Lease(7);
        await gateway.StatusAsync(7);
        await client.PayAsync(gateway);
        await MaliciousAgentTests.ServedAsync(gateway, time, client);
        await PaidOnAsync(time, client);
        await PaidOnAsync(time, client);
        var evening = client.Newest!.Newest.Voucher.Voucher.Cumulative;
        client.Tamper = _ => Task.FromResult<byte[]?>(null);

        // In one step: the gateway's tick comes eight minutes late, and meters window and grace, no more.
        await time.AdvanceAsync(TimeSpan.FromMinutes(8), TimeSpan.FromMinutes(8));
        client.Tamper = answer => Task.FromResult<byte[]?>(answer);
        await client.PayAsync(gateway);
        await time.AdvanceAsync(TimeSpan.FromSeconds(10));
        var morning = client.Newest!.Newest.Voucher.Voucher.Cumulative;
        Assert.InRange(morning.Value, evening.Value, evening.Value + Shale.Payments.Vouchers.AttoFil.Cost(PaidGateway.Price, 15_000 + 10_000 + 15_000 + 10_000 + 2_000).Value);
        await gateway.StopAsync();
        gateway.Meter(client);
    }

    [Fact]
    public async Task Lease_UnpaidToTheCap_IsClosedWithAFinalStatementOnBothSides()
    {
        var time = new ManualTime();
        await using var gateway = await PaidGateway.StartAsync(time);
        var client = gateway.Lease(7);
        await gateway.StatusAsync(7);
        await client.PayAsync(gateway);
        await MaliciousAgentTests.ServedAsync(gateway, time, client);
        await PaidOnAsync(time, client);

        // The client's end: its user pays no more. The agent stays and says why, each time.
        client.Spending = client.Spending with { StopAll = true };
        await time.AdvanceAsync(TimeSpan.FromSeconds(40), pace: 25);
        Assert.True(gateway.Containers[7].IsFrozen);
        for (var i = 0; client.LastRefusal?.Reason != RefusalReason.StoppedByUser || client.LastNotice?.Kind != NoticeKind.Paused; i++)
        {
            Assert.True(i < 9000, $"{client.LastRefusal} {client.LastNotice}");
            await Task.Delay(20);
        }

        var last = client.Newest!.Newest;
        await time.AdvanceAsync(TimeSpan.FromMinutes(10), TimeSpan.FromSeconds(2));
        await MaliciousAgentTests.EndedAsync(gateway, time, 7);
        Assert.Equal(last, client.Newest!.Newest);
        Assert.True(gateway.Containers[7].IsRemoved);
        await gateway.StopAsync();
        var meter = gateway.Meter(client);
        Assert.Equal(Shale.Payments.Metering.MeterPhase.Closed, meter.Phase);
        Assert.Equal(Shale.Payments.Metering.LoggedPhase.Closed, meter.LoggedPhase);
        var audit = await gateway.AuditAsync();
        Assert.True(audit.IsClean, string.Join("; ", audit.Findings));
    }

    /// <summary>Ten seconds of service. The clock waits for the charge that is due, however busy the machine is.</summary>
    private static async Task PaidOnAsync(ManualTime time, PaidClient client)
    {
        for (var charge = 0; charge < 2; charge++)
        {
            var signed = client.Signed;
            await time.AdvanceAsync(TimeSpan.FromSeconds(5), pace: 50);
            for (var i = 0; client.Signed == signed; i++)
            {
                Assert.True(i < 9000, "No charge came.");
                await Task.Delay(20);
                if (i % 50 == 49)
                {
                    await time.AdvanceAsync(TimeSpan.FromMilliseconds(250));
                }
            }
        }
    }
}
