using System.Diagnostics;
using System.Text.RegularExpressions;
using Shale.EndToEnd.Tests.Worlds;
using Xunit;

namespace Shale.EndToEnd.Tests;

/// <summary>Parts that die under a lease and are started again: the chain's node, the gateway, the operator.</summary>
public sealed class RestartTests(World world) : IClassFixture<World>
{
    [Fact]
    public async Task Chain_ThatRestarts_InterruptsNoLease()
    {
        var (client, provider) = (world.Client, world.Provider);
        var before = await world.BooksAsync();
        var lease = await client.OrderAsync();
        await client.KeepAsync(lease);
        var from = provider.Log.Length;
        await world.Chain.StopAsync();

        // Seconds are signed and served without a chain; the operator says that it misses it.
        await provider.SaidAsync("operator: .*ALARM", from);
        await client.SignsMoreAsync(lease, await client.SignedAsync(lease));
        Assert.Equal("Serving", (await provider.StatusAsync(lease)).Service);
        await world.Chain.LaunchAsync();

        await client.MustAsync("topup", $"{lease}", "0.1fil");
        await provider.SaidAsync($"lease {lease}: its deposit is 0.6 FIL now");
        var (paid, back) = await client.StopAsync(lease);
        Assert.Equal(World.Atto("0.61"), paid + back);
        await client.PaidWhatItSignedAsync(paid, lease);
        Assert.Equal(new Books(-paid, 0, paid, 0), await world.BooksAsync() - before);
    }

    [Fact]
    public async Task Gateway_KilledDuringCharges_IsStartedAgainAndLosesNothing()
    {
        var (client, provider) = (world.Client, world.Provider);
        var before = await world.BooksAsync();
        var lease = await client.OrderAsync();
        await client.KeepAsync(lease);
        Assert.Equal(0, (await client.SshAsync(lease, "echo kept > /tmp/work")).ExitCode);
        for (var i = 0; i < 2; i++)
        {
            // Right after a voucher: the next charge is asked for within the second.
            var signed = await client.SignsMoreAsync(lease, await client.SignedAsync(lease));
            var from = provider.Log.Length;
            await Programs.SignalAsync(await provider.ChildAsync("gateway"), 9);
            await provider.SaidAsync("the gateway ended with exit code 137 and is started again", from);
            await provider.SaidAsync("serving SSH", from);
            await client.SignsMoreAsync(lease, signed);
        }

        await provider.BecomesAsync(lease, "Serving");
        var work = await client.SshAsync(lease, "cat /tmp/work");
        Assert.True(work.Output == "kept\n", work.ToString());
        var (paid, _) = await client.StopAsync(lease);
        await client.PaidWhatItSignedAsync(paid, lease);
        Assert.Equal(new Books(-paid, 0, paid, 0), await world.BooksAsync() - before);
        var audit = await provider.AuditAsync();
        Assert.True(audit.ExitCode == 0, audit.ToString());
    }

    [Fact]
    public async Task Daemon_KilledAlone_LeavesNothingBehindThatHoldsUpTheNextOne()
    {
        var (client, provider) = (world.Client, world.Provider);
        var before = await world.BooksAsync();
        var lease = await client.OrderAsync();
        await client.KeepAsync(lease);
        await provider.KillDaemonAsync();
        await provider.StartAsync();
        await client.SignsMoreAsync(lease, await client.SignedAsync(lease));
        await provider.BecomesAsync(lease, "Serving");
        var (paid, _) = await client.StopAsync(lease);
        await client.PaidWhatItSignedAsync(paid, lease);
        Assert.Equal(new Books(-paid, 0, paid, 0), await world.BooksAsync() - before);
    }

    [Theory]
    [InlineData("proving")]
    [InlineData("written down")]
    [InlineData("mined")]
    public async Task Operator_KilledInASettlement_GoesOnAndIsPaidOnce(string moment)
    {
        var (client, provider) = (world.Client, world.Provider);
        var before = await world.BooksAsync();
        var lease = await client.OrderAsync();
        await client.KeepAsync(lease);

        // A child that dies young thrice is given up by the daemon, and rightly: this one shall have lived.
        var operating = await provider.ChildAsync("operator");
        await Wait.UntilAsync(() => DateTime.Now - Process.GetProcessById(operating).StartTime > TimeSpan.FromSeconds(11), "the operator to grow old");
        var (from, pending) = (provider.Log.Length, Path.Combine(provider.State, "operator", "settlements", "0.json"));
        await provider.MustAsync("settle", $"--state_dir={provider.State}");
        await Wait.UntilAsync(
            () => moment switch
            {
                "proving" => provider.Log[from..].Contains("proving that 1 leases owe", StringComparison.Ordinal),
                "written down" => File.Exists(pending),
                _ => Regex.IsMatch(provider.Log[from..], "a settlement of 1 leases is mined in"),
            },
            moment);
        await Programs.SignalAsync(operating, 9);
        await provider.SaidAsync("the operator ended with exit code 137 and is started again", from);
        await provider.SaidAsync("settled and final", from);
        var collected = (await world.BooksAsync() - before).Provider;
        Assert.InRange(collected, 1, await client.SignedAsync(lease));

        var (paid, _) = await client.StopAsync(lease);
        await client.PaidWhatItSignedAsync(paid, lease);
        Assert.Equal(new Books(-paid, 0, paid, 0), await world.BooksAsync() - before);
    }

    [Fact]
    public async Task DockerEngine_ThatRestarts_TakesNoLeaseWithIt()
    {
        var client = world.Client;
        var before = await world.BooksAsync();
        var earned = await world.MoneyAsync("operator");
        await using var engine = await OwnEngine.StartAsync();
        await using var provider = new Provider(world.Chain, "operator", Path.Combine(world.Folder, "q"), engine);
        await provider.RegisterAsync("f01", "lonely=shale/busybox:1");
        await provider.StartAsync("--settle_amount=100fil");
        var lease = await client.OrderAsync("--image=lonely", "--num_rams=64Mi", "--max-spend=0.5fil");
        await client.KeepAsync(lease);
        Assert.Equal(0, (await client.SshAsync(lease, "echo on disk > /work")).ExitCode);

        // As systemctl restart docker does: containers are stopped on the way.
        await engine.StopAsync();
        await engine.LaunchAsync();
        Outcome work = null!;
        await Wait.UntilAsync(async () => (work = await client.SshAsync(lease, "cat /work")).ExitCode == 0, "work to go on", () => work + provider.Log);
        Assert.Equal("on disk\n", work.Output);
        await provider.BecomesAsync(lease, "Serving");
        await client.SignsMoreAsync(lease, await client.SignedAsync(lease));

        var (paid, _) = await client.StopAsync(lease);
        await client.PaidWhatItSignedAsync(paid, lease);
        await provider.MustAsync("provider", "withdraw");
        Assert.Equal(new Books(-paid, 0, 0, 0), await world.BooksAsync() - before);
        Assert.Equal(paid, await world.MoneyAsync("operator") - earned);
    }
}
