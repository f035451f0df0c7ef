using Shale.EndToEnd.Tests.Worlds;
using Xunit;

namespace Shale.EndToEnd.Tests;

/// <summary>One side is gone, or both, or never came: nobody loses more than a few seconds, and no attoFIL stays behind.</summary>
public sealed class VanishingTests(World world) : IClassFixture<World>
{
    /// <summary>More than acceptEpochs.</summary>
    private const int OrderEpochs = 300;

    /// <summary>closeEpochs: two days.</summary>
    private const int CloseEpochs = 5760;

    [Fact]
    public async Task Client_ThatVanishesInTheMiddle_IsFrozenAndEvictedAndHasPaidWhatItSigned()
    {
        var (client, provider) = (world.Client, world.Provider);
        var before = await world.BooksAsync();
        var lease = await client.OrderAsync();
        await client.KeepAsync(lease);
        await client.KillAgentAsync();

        await provider.BecomesAsync(lease, "Paused");
        Assert.Equal("true", await provider.InspectAsync(lease, "{{.State.Paused}}"));
        var from = provider.Log.Length;
        await provider.MustAsync("evict", $"{lease}", $"--state_dir={provider.State}");
        await provider.SaidAsync("settled and final", from);

        // Nobody asked the client. What was paid is what it had signed, but for a voucher that died on its way.
        var (state, paid) = await client.LeaseAsync(lease);
        Assert.Equal("Closed", state);
        await client.MustAsync("agent", "keep", $"{lease}");
        Assert.InRange(paid, 1, await client.SignedAsync(lease));
        Assert.Equal(new Books(-paid, 0, paid, 0), await world.BooksAsync() - before);
        await client.MustAsync("agent", "keep", $"{lease}", "--off");
    }

    [Fact]
    public async Task Order_ThatNobodyAccepts_ExpiresAndGivesTheBondBack()
    {
        var (client, provider) = (world.Client, world.Provider);
        var before = await world.BooksAsync();
        await provider.MustAsync("drain", $"--state_dir={provider.State}");
        var ordered = await client.TryOrderAsync("--yes", "--image=busybox", "--wait=2s");
        Assert.True(ordered.ExitCode == 75 && ordered.Error.Contains("The provider has not accepted lease", StringComparison.Ordinal), ordered.ToString());
        var lease = Client.OrderOf(ordered);
        await provider.SaidAsync($"order {lease} of 0x\\w+ is declined: this provider takes no new leases now");
        Assert.Equal(new Books(-World.Atto("0.01"), 0, 0, World.Atto("0.01")), await world.LookAsync() - before);

        var early = await client.ShaleAsync("stop", $"{lease}");
        Assert.True(early.ExitCode == 1 && early.Error.Contains("there is nothing to stop", StringComparison.Ordinal), early.ToString());
        await world.Chain.MineAsync(OrderEpochs);
        Assert.Contains($"The order {lease} is ended; 0.01 FIL came back", (await client.MustAsync("stop", $"{lease}")).Output, StringComparison.Ordinal);
        Assert.Equal(new Books(0, 0, 0, 0), await world.BooksAsync() - before);
        await provider.MustAsync("drain", "--undo", $"--state_dir={provider.State}");
    }

    [Fact]
    public async Task Provider_ThatVanishesForGood_IsLeftWithEachDepositLessWhatItSettled()
    {
        var (client, other, provider) = (world.Client, world.Other, world.Provider);
        var before = await world.BooksAsync();

        // One lease that was settled on the way, and one of the same page that never was.
        var lease = await client.OrderAsync();
        await client.KeepAsync(lease);
        await provider.SettleAsync(lease);
        var collected = (await world.BooksAsync() - before).Provider;
        Assert.InRange(collected, 1, await client.SignedAsync(lease));
        var fresh = await other.OrderAsync();
        await other.KeepAsync(fresh);
        await client.SignsMoreAsync(lease, await client.SignedAsync(lease));

        await provider.VanishAsync();
        await Task.WhenAll(client.MustAsync("stop", $"{lease}", "--no_wait"), other.MustAsync("stop", $"{fresh}", "--no_wait"));
        var early = await client.ShaleAsync("exit", $"{lease}");
        Assert.True(early.ExitCode == 75 && early.Output.Contains("its provider may still settle it", StringComparison.Ordinal), early.ToString());
        await world.Chain.MineAsync(CloseEpochs);
        var (paid, back) = await client.StopAsync(lease, "exit");
        Assert.Equal(collected, paid);
        Assert.InRange(back, World.Atto("0.5") - paid, World.Atto("0.51") - paid);
        Assert.Equal(0, (await other.StopAsync(fresh, "exit")).Paid);
        Assert.Equal(new Books(-paid, 0, paid, 0), await world.BooksAsync() - before);

        // Should it come back after all: it is told, and the page serves the next client.
        await provider.StartAsync();
        await provider.SaidAsync($"lease {lease} is over on chain");
        await provider.SaidAsync($"lease {fresh} is over on chain");
        before = await world.BooksAsync();
        var next = await client.OrderAsync();
        await client.KeepAsync(next);
        var (paidNext, _) = await client.StopAsync(next);
        await client.PaidWhatItSignedAsync(paidNext, next);
        Assert.Equal(new Books(-paidNext, 0, paidNext, 0), await world.BooksAsync() - before);
    }

    [Fact]
    public async Task Both_ThatVanishAndComeBack_GoOnWhereTheyWere()
    {
        var (client, provider) = (world.Client, world.Provider);
        var before = await world.BooksAsync();
        var lease = await client.OrderAsync();
        await client.KeepAsync(lease);
        Assert.Equal(0, (await client.SshAsync(lease, "echo still here > /tmp/work")).ExitCode);
        var container = (await provider.StatusAsync(lease)).Container;
        await client.KillAgentAsync();
        await provider.VanishAsync();
        await provider.StartAsync();

        // The agent comes with the next command that needs it, and signs on from what it has on file.
        await client.MustAsync("agent", "keep", $"{lease}");
        var signed = await client.SignsMoreAsync(lease, await client.SignedAsync(lease));
        await provider.BecomesAsync(lease, "Serving");
        var work = await client.SshAsync(lease, "cat /tmp/work");
        Assert.True(work.Output == "still here\n", work.ToString());
        Assert.Equal(container, (await provider.StatusAsync(lease)).Container);
        var (paid, _) = await client.StopAsync(lease);
        Assert.True(paid >= signed, $"{paid} {signed}");
        await client.PaidWhatItSignedAsync(paid, lease);
        Assert.Equal(new Books(-paid, 0, paid, 0), await world.BooksAsync() - before);
    }
}
