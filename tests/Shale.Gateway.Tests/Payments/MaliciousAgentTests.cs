using System.Diagnostics;
using System.Security.Cryptography;
using Shale.Bn254.BabyJubjub;
using Shale.Payments.Channel;
using Shale.Payments.Metering;
using Shale.Payments.Vouchers;
using Shale.Wire;
using Xunit;

namespace Shale.Gateway.Tests.Payments;

/// <summary>
/// Agents that would like more than they pay for, against the gateway as it is, over SSH. The row "vouchers" of how servers of this kind are broken: replay, other session,
/// other lease, reordered, oversized, mute agent; two connections racing stand in Shale.Interop.Tests.
/// </summary>
public sealed class MaliciousAgentTests
{
    private const int Window = 15;
    private const int Grace = 10;

    // The meter stops at the grace to the millisecond (PaidGateway.Meter checks it); the container is frozen as soon as the gateway gets to it, and the test's clock runs much faster
    // than a busy machine.
    private static readonly TimeSpan Tick = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Cap = TimeSpan.FromMinutes(10);

    [Theory]
    [InlineData("mute")]
    [InlineData("late")]
    [InlineData("refuses")]
    [InlineData("garbage")]
    [InlineData("empty frame")]
    [InlineData("oversized frame")]
    [InlineData("oversized body")]
    [InlineData("trailing byte")]
    [InlineData("wrong signature")]
    [InlineData("other key")]
    [InlineData("other contract")]
    [InlineData("other lease")]
    [InlineData("other statement")]
    [InlineData("lower amount")]
    [InlineData("more than asked")]
    [InlineData("replay")]
    [InlineData("replay of another session")]
    [InlineData("reordered")]
    public async Task Agent_ThatCheats_GetsTheGraceAndNotMoreAndIsEndedAtTheCap(string kind)
    {
        var time = new ManualTime();
        await using var gateway = await PaidGateway.StartAsync(time);
        var client = gateway.Lease(7);
        await gateway.StatusAsync(7);
        var seen = new List<byte[]>();
        client.Tamper = answer =>
        {
            seen.Add(answer);
            return Task.FromResult<byte[]?>(answer);
        };
        await client.PayAsync(gateway);
        await ServedAsync(gateway, time, client);
        if (kind == "replay of another session")
        {
            // All that was said in a session that ended.
            await client.PayAsync(gateway);
            await time.AdvanceAsync(TimeSpan.FromSeconds(5));
        }

        var honest = client.Newest!.Newest.Voucher;
        using var other = EdDsaPrivateKey.Generate();
        var stale = seen.FindAll(m => PaymentMessage.TryRead(m, out _));
        client.Tamper = async answer =>
        {
            if (!PaymentMessage.TryRead(answer, out var payment))
            {
                return answer;
            }

            var voucher = payment.Voucher.Voucher;
            switch (kind)
            {
                case "mute":
                    return null;
                case "late":
                    // Later than a payer may take: it is not taken for the answer to the next charge.
                    var due = time.GetTimestamp() + 12_000;
                    while (time.GetTimestamp() < due)
                    {
                        await Task.Delay(5);
                    }

                    return answer;
                case "refuses":
                    return Encode(new RefusalMessage(RefusalReason.Other, "Not today.\r\n\u001b[2J"));
                case "garbage":
                    return RandomNumberGenerator.GetBytes(200);
                case "empty frame":
                    return [];
                case "oversized frame":
                    return new byte[PaymentProtocol.MaxBodySize + 65];
                case "oversized body":
                    return [.. answer, .. new byte[PaymentProtocol.MaxBodySize - answer.Length]];
                case "trailing byte":
                    return [.. answer, 0];
                case "wrong signature":
                    answer[^20] ^= 1;
                    return answer;
                case "other key":
                    return Encode(payment with { Voucher = voucher.Sign(other, client.Domain) });
                case "other contract":
                    return Encode(payment with { Voucher = voucher.Sign(client.Key, VoucherDomain.Create(PaidGateway.ChainId, new byte[20])) });
                case "other lease":
                    return Encode(payment with { Voucher = (voucher with { LeaseId = 8 }).Sign(client.Key, client.Domain) });
                case "other statement":
                    return Encode(payment with { Voucher = (voucher with { Statement = StatementDigest.Of([1]) }).Sign(client.Key, client.Domain) });
                case "lower amount":
                    return Encode(payment with { Voucher = (voucher with { Cumulative = honest.Voucher.Cumulative - AttoFil.Create(1) }).Sign(client.Key, client.Domain) });
                case "more than asked":
                    return Encode(payment with { Voucher = (voucher with { Cumulative = voucher.Cumulative + AttoFil.Create(1) }).Sign(client.Key, client.Domain) });
                case "replay of another session":
                    return stale[0];
                case "reordered":
                    // Each answer one charge late.
                    stale.Add(answer);
                    return stale[^2];
                default:
                    return stale[^1];
            }
        };
        var double_ = gateway.Containers[7];
        await time.AdvanceAsync(TimeSpan.FromSeconds(Window + Grace + 5));
        Assert.True(double_.IsFrozen);
        var paid = TimeSpan.FromMilliseconds((double)honest.Voucher.Cumulative.PaysFor(PaidGateway.Price));
        Assert.InRange(double_.Served, TimeSpan.Zero, paid + TimeSpan.FromSeconds(Grace) + Tick);

        // It may come back as often as it likes, and cheats again.
        for (var i = 0; i < 2; i++)
        {
            await client.PayAsync(gateway);
            await time.AdvanceAsync(TimeSpan.FromSeconds(Window + Grace + 5));
        }

        await time.AdvanceAsync(Cap, TimeSpan.FromSeconds(10));
        await EndedAsync(gateway, time, 7);
        Assert.True(double_.IsRemoved);
        await gateway.StopAsync();
        gateway.Meter(client);

        // A voucher that the agent signed and kept from the gateway is its own loss when it greets again; nothing that it tampered with is in the log.
        Assert.InRange(double_.Served, TimeSpan.Zero, TimeSpan.FromMilliseconds((double)gateway.Meter(client).Authorised.PaysFor(PaidGateway.Price)) + TimeSpan.FromSeconds(Grace) + Tick);
        var audit = await gateway.AuditAsync();
        Assert.True(audit.IsClean, string.Join("; ", audit.Findings));
    }

    /// <summary>Dust keeps a lease open no longer than it pays for.</summary>
    [Fact]
    public async Task Agent_PayingDust_IsServedForDust()
    {
        var time = new ManualTime();
        await using var gateway = await PaidGateway.StartAsync(time);
        var client = gateway.Lease(7);
        await gateway.StatusAsync(7);
        await client.PayAsync(gateway);
        await ServedAsync(gateway, time, client);
        var dust = client.Newest!.Newest.Voucher.Voucher.Cumulative;
        client.Tamper = answer =>
        {
            if (!PaymentMessage.TryRead(answer, out var payment))
            {
                return Task.FromResult<byte[]?>(answer);
            }

            dust += AttoFil.Create(1);
            return Task.FromResult<byte[]?>(Encode(payment with { Voucher = (payment.Voucher.Voucher with { Cumulative = dust }).Sign(client.Key, client.Domain) }));
        };
        await time.AdvanceAsync(TimeSpan.FromMinutes(2), TimeSpan.FromSeconds(1));
        var served = gateway.Containers[7].Served;
        Assert.InRange(served, TimeSpan.Zero, TimeSpan.FromSeconds(Window + Window + Grace + 2));
        await gateway.StopAsync();
        gateway.Meter(client);
    }

    private static byte[] Encode(PaymentMessage message) => Encode(message.Write);

    private static byte[] Encode(RefusalMessage message) => Encode(message.Write);

    private static byte[] Encode(Action<System.Buffers.IBufferWriter<byte>> write)
    {
        using var buffer = new PooledBufferWriter(PaymentProtocol.MaxBodySize);
        write(buffer);
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>Waits until the lease is paid for and its container runs, and a tick later still.</summary>
    internal static async Task ServedAsync(PaidGateway gateway, ManualTime time, PaidClient client)
    {
        do
        {
            for (var i = 0; !await IsServedAsync(); i++)
            {
                Assert.True(i < 9000, "The lease is not served.");
                await Task.Delay(20);

                // The clock stands while it is waited; now and then it ticks, or no charge is ever due.
                if (i % 20 == 19)
                {
                    await time.AdvanceAsync(TimeSpan.FromMilliseconds(250));
                }
            }

            // A container that is new runs until the meter's first tick freezes it.
            await time.AdvanceAsync(TimeSpan.FromMilliseconds(250));
        }
        while (!await IsServedAsync());

        async Task<bool> IsServedAsync() =>
            client.Newest is not null && gateway.IsPaid(client) && !gateway.Containers[client.LeaseId].IsFrozen && await gateway.StatusAsync(client.LeaseId) == "Serving";
    }

    internal static async Task EndedAsync(PaidGateway gateway, ManualTime time, ulong lease)
    {
        for (var start = Stopwatch.GetTimestamp(); await gateway.StatusAsync(lease) != "Ended";)
        {
            Assert.True(Stopwatch.GetElapsedTime(start) < TimeSpan.FromMinutes(3), "The lease does not end.");
            await time.AdvanceAsync(TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(1));
        }
    }
}
