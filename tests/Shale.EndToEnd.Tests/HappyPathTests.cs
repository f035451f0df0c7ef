using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Shale.EndToEnd.Tests.Worlds;
using Xunit;

namespace Shale.EndToEnd.Tests;

/// <summary>What is meant to happen, and what must not begin at all.</summary>
[Collection(nameof(MarketCollection))]
public sealed class HappyPathTests(World world)
{
    private const string UnknownCid = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy";

    [Fact]
    public async Task Lease_FromListToAudit_IsPaidAndRefundedToTheAttoFil()
    {
        var (client, provider) = (world.Client, world.Provider);
        var before = await world.BooksAsync();
        Assert.Matches(@"f01946720 .*0\.01 FIL/MINUTE", (await client.MustAsync("list")).Output);
        var lease = await client.OrderAsync();
        Assert.Equal(("Active", World.Atto("0.5")), await client.LeaseAsync(lease));
        await client.KeepAsync(lease);
        var hello = await client.SshAsync(lease, "echo hello from $(hostname)");
        Assert.True(hello.ExitCode == 0 && hello.Output.StartsWith("hello from ", StringComparison.Ordinal), hello.ToString());

        // A dry run says what it would do, and does nothing.
        var books = await world.LookAsync();
        var dry = await provider.MustAsync("settle", "--dry-run", $"--state_dir={provider.State}");
        var collects = Regex.Match(dry.Output, @"^page 0: collects ([\d.]+) FIL of 1 leases for \d+ gas, at most [\d.]+ FIL$", RegexOptions.Multiline);
        Assert.True(collects.Success, dry.ToString());
        Assert.InRange(World.Atto(collects.Groups[1].Value), 1, await client.SignedAsync(lease));
        Assert.Equal(books, await world.LookAsync());

        // A settlement while it runs, then more deposit, then more seconds.
        await provider.SettleAsync(lease);
        Assert.Contains("has a deposit of 0.75 FIL now", (await client.MustAsync("topup", $"{lease}", "0.25fil")).Output, StringComparison.Ordinal);
        await provider.SaidAsync($"lease {lease}: its deposit is 0.75 FIL now");
        await client.SignsMoreAsync(lease, await client.SignedAsync(lease));

        // The bond came back with the deposit, and waits to be collected.
        Assert.Equal(World.Atto("0.75") + World.Atto("0.01"), (await world.LookAsync() - before).Market);

        var (paid, back) = await client.StopAsync(lease);
        await client.PaidWhatItSignedAsync(paid, lease);
        Assert.Equal(World.Atto("0.75") + World.Atto("0.01"), paid + back);
        Assert.Equal(("Closed", paid), await client.LeaseAsync(lease));
        var refused = await client.ShaleAsync("topup", $"{lease}", "0.25fil");
        Assert.True(refused.ExitCode == 1 && refused.Error.Contains("it takes no more money", StringComparison.Ordinal), refused.ToString());

        Assert.Matches(@"5 stars for provider \d+, weighing [\d.]+ FIL", (await client.MustAsync("rate", $"{lease}", "5", "fast")).Output);
        var history = await client.MustAsync("history");
        Assert.Matches(string.Create(CultureInfo.InvariantCulture, $@"(?m)^{lease} +Closed .* FIL paid, rated$"), history.Output);
        Assert.Contains("FIL spent in all", history.Output, StringComparison.Ordinal);
        Assert.Equal(new Books(-paid, 0, paid, 0), await world.BooksAsync() - before);
        await AuditIsCleanAsync(lease, settlements: 2);
    }

    [Theory]
    [InlineData("--price=0.01fil/fortnight is not a price", "--image=busybox", "--price=0.01fil/fortnight")]
    [InlineData("it costs 166666666666667 attoFIL a second, more than 16666666666667", "--image=busybox", "--price=0.001fil/min")]
    [InlineData("it has no image windows, but busybox, debian", "--image=windows")]
    [InlineData("it has 3 CPUs", "--image=busybox", "--num_cpus=64")]
    [InlineData("it has 2048 MiB of memory", "--image=busybox", "--num_rams=1Ti")]
    [InlineData("it does not hold the data set", "--image=busybox", "--mnt=" + UnknownCid + ":/mnt/x")]
    [InlineData("bafynonsense", "--image=busybox", "--mnt=bafynonsense:/mnt/x")]
    [InlineData("this takes 20000.01 FIL", "--image=busybox", "--max-spend=20000fil")]
    [InlineData("The deposit of 0.005 FIL is below the 0.01 FIL that this offer takes at least", "--image=busybox", "--max-spend=0.005fil")]
    [InlineData("f0999", "--image=busybox", "--miner=f0999")]
    public async Task Order_ThatCannotBeMeant_IsRefusedInASentenceAndMovesNoMoney(string sentence, params string[] options)
    {
        var before = await world.BalanceAsync("client");
        var outcome = await world.Client.TryOrderAsync(["--yes", .. options]);
        Assert.True(outcome.ExitCode is not 0 and < 128, outcome.ToString());
        Assert.Contains(sentence, outcome.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("ordered as lease", outcome.Error, StringComparison.Ordinal);

        // Not even gas.
        Assert.Equal(before, await world.BalanceAsync("client"));
    }

    [Fact]
    public async Task Order_ThatNobodyAgreedTo_IsNotPlaced()
    {
        var before = await world.LookAsync();
        var outcome = await world.Client.TryOrderAsync("--image=busybox");
        Assert.True(outcome.ExitCode != 0 && outcome.Error.Contains("There is no terminal to ask whether to order this", StringComparison.Ordinal), outcome.ToString());
        Assert.Equal(before, await world.LookAsync());
    }

    private async Task AuditIsCleanAsync(ulong lease, int settlements)
    {
        await Wait.UntilAsync(() => world.Provider.Settlements(lease) == settlements, $"{settlements} settlements of lease {lease} in the voucher log");

        // The checkpoint follows the entries within a second or so.
        Outcome audit = null!;
        await Wait.UntilAsync(async () => JsonDocument.Parse((audit = await world.Provider.AuditAsync(more: "--json")).Output).RootElement.GetProperty("chain_settlements").GetInt32() >= settlements, "the audit to see the settlements on chain", () => audit.ToString(), milliseconds: 1000);
        using var report = JsonDocument.Parse(audit.Output);
        Assert.True(audit.ExitCode == 0 && report.RootElement.GetProperty("clean").GetBoolean(), audit.ToString());
        Assert.Equal(report.RootElement.GetProperty("authorised").GetString(), report.RootElement.GetProperty("settled").GetString());
    }
}
