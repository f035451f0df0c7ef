using System.Globalization;
using Xunit;

namespace Shale.Interop.Tests.Payments;

/// <summary>
/// kill -9 of the gateway's and the agent's processes at every step of a charge. The steps are the system calls that a charge is made of, in their order; after each the other side
/// goes on, the killed one is started again, and what must survive has.
/// </summary>
[Collection(nameof(PaymentCollection))]
public sealed class KillTests
{
    [Fact]
    public async Task Gateway_KilledAtEveryStepOfACharge_LosesNothingAndNobodyPaysTwice()
    {
        await using var paid = await PaidLease.StartAsync();
        var journal = Path.Combine(paid.Gateway.State, "log", "journal", "00000000000000000000");
        var checkpoint = Path.Combine(paid.Gateway.State, "log", "checkpoint");
        var meters = Path.Combine(paid.Gateway.State, "meters");
        var meter = Path.Combine(meters, string.Create(CultureInfo.InvariantCulture, $"lease-{paid.Lease}.meter"));
        (string Step, string Call, int Nth, string? Path)[] steps =
        [
            ("before the charge is sent", "sendto", 1, null),
            ("before the answer is read", "recvfrom", 1, null),
            ("before the voucher is written to the log", "pwrite64", 1, journal),
            ("before the log is flushed", "fsync", 1, journal),
            ("before the meter's file is begun", "openat", 1, meter + ".tmp"),
            ("before the meter's file is written", "pwrite64", 1, meter + ".tmp"),
            ("before the meter's file is flushed", "fsync", 1, meter + ".tmp"),
            ("before the meter's file is replaced", "rename", 1, meter + ".tmp"),
            ("before the meters' folder is opened", "openat", 1, meters),
            ("before the meters' folder is flushed", "fsync", 1, meters),
            ("before a tile is replaced", "rename", 1, null),
            ("before a bundle is replaced", "rename", 2, null),
            ("before the checkpoint is begun", "openat", 1, checkpoint + ".tmp"),
            ("before the checkpoint is written", "pwrite64", 1, checkpoint + ".tmp"),
            ("before the checkpoint is flushed", "fsync", 1, checkpoint + ".tmp"),
            ("before the checkpoint is replaced", "rename", 1, checkpoint + ".tmp"),
            ("before the log's folder is flushed", "fsync", 1, Path.GetDirectoryName(checkpoint)),
        ];
        foreach (var (step, call, nth, path) in steps)
        {
            await paid.PayAsync(1);
            await SystemCalls.KillAtAsync(paid.Gateway.Pid, call, nth, path);
            await paid.Gateway.ExitedAsync();
            paid.AssertHolds("killed " + step);
            paid.EndShells();
            await paid.Gateway.LaunchAsync();
        }

        await paid.PayAsync();
        paid.AssertHolds("after all");
        await paid.EndAndAuditAsync();
    }

    /// <summary>Both carriers: the agent behind the user's own ssh, whose session outlives it, and the agent that keeps the lease itself.</summary>
    [Fact]
    public async Task Agent_KilledAtEveryStepOfACharge_LosesNothingAndPaysOn()
    {
        await using var paid = await PaidLease.StartAsync();
        await paid.PayAsync();
        var journal = Path.Combine(paid.Home, "vouchers", string.Create(CultureInfo.InvariantCulture, $"lease-{paid.Lease}.000000.vouchers"));
        (string Step, string Call, string? Path)[] steps =
        [
            ("before the charge is read", "recvmsg", null),
            ("before the voucher is written", "pwrite64", journal),
            ("before the voucher is flushed", "fsync", journal),
            ("before the voucher is sent", "sendto", null),
        ];
        foreach (var (step, call, path) in steps)
        {
            await KillAsync(step, call, path);
        }

        paid.EndShells();
        await paid.ShaleAsync(0, "agent", "keep", paid.Lease.ToString(CultureInfo.InvariantCulture));
        steps =
        [
            ("before the charge is read from ssh", "read", null),
            ("before the voucher is written, kept", "pwrite64", journal),
            ("before the voucher is flushed, kept", "fsync", journal),
            ("before the voucher is handed to ssh", "write", null),
        ];
        foreach (var (step, call, path) in steps)
        {
            await KillAsync(step, call, path);
        }

        await paid.EndAndAuditAsync();

        async Task KillAsync(string step, string call, string? path)
        {
            await SystemCalls.KillAtAsync(paid.AgentPid, call, 1, path);
            await paid.AgentExitedAsync();
            paid.AssertHolds("killed " + step);
            await paid.StartAgentAsync();
            await paid.PaidAsync(1);
            paid.AssertHolds("started again, killed " + step);
        }
    }
}

/// <summary>One after the other: each has a gateway and an agent of its own, and they are about time.</summary>
[CollectionDefinition(nameof(PaymentCollection))]
public sealed class PaymentCollection;
