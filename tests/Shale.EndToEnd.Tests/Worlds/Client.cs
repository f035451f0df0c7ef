using System.Globalization;
using System.Numerics;
using System.Text.Json;
using System.Text.RegularExpressions;
using Xunit;

namespace Shale.EndToEnd.Tests.Worlds;

/// <summary>A client: a wallet, a payment agent, an SSH key, in a folder of its own.</summary>
internal sealed class Client(LocalChain chain, string wallet, string home) : IAsyncDisposable
{
    public string Wallet { get; } = wallet;

    /// <summary>What is told beside an order that fails: the provider's log.</summary>
    public Func<string> Witness { get; init; } = () => "";

    /// <summary>Short: sockets lie in it.</summary>
    public string Home { get; } = home;

    private Dictionary<string, string> Environment => new() { ["SHALE_HOME"] = Home, ["SHALE_NETWORK"] = chain.NetworkFile, ["SHALE_WALLET"] = Wallet };

    public async Task InitializeAsync()
    {
        Directory.CreateDirectory(Home, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        await Programs.MustAsync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", Path.Combine(Home, "id")]);
        await MustAsync("agent", "init", "--insecure-no-passphrase");
    }

    public Task<Outcome> ShaleAsync(params string[] arguments) => Programs.RunAsync(Programs.Shale, arguments, Environment);

    public Task<Outcome> MustAsync(params string[] arguments) => Programs.MustAsync(Programs.Shale, arguments, Environment);

    public Task<Outcome> TryOrderAsync(params string[] options) =>
        ShaleAsync(["give-me-container", $"--ssh_pubkey={Path.Combine(Home, "id.pub")}", .. options]);

    /// <summary>Orders a container and waits until it serves: 0.5 FIL of deposit, unless other options are given.</summary>
    public async Task<ulong> OrderAsync(params string[] options)
    {
        string[] usual = options.Length > 0 ? options : ["--image=busybox", "--num_rams=256Mi", "--max-spend=0.5fil"];
        Outcome outcome;
        try
        {
            outcome = await TryOrderAsync(["--yes", .. usual]);
        }
        catch (TimeoutException hung)
        {
            throw new TimeoutException($"{hung.Message}\nThe provider said:\n{Witness()}\nThe chain: {await chain.DescribeAsync()}", hung);
        }

        var connect = Regex.Match(outcome.Output, @"^ssh .*lease-(\d+)$", RegexOptions.Multiline);
        return outcome.ExitCode == 0 && connect.Success ? ulong.Parse(connect.Groups[1].Value, CultureInfo.InvariantCulture) : throw new InvalidOperationException($"{outcome}\nThe provider said:\n{Witness()}");
    }

    /// <summary>The order that an outcome tells of, served or not.</summary>
    public static ulong OrderOf(Outcome outcome) => Regex.Match(outcome.Error, @"ordered as lease (\d+)") is { Success: true } placed
        ? ulong.Parse(placed.Groups[1].Value, CultureInfo.InvariantCulture)
        : throw new InvalidOperationException(outcome.ToString());

    /// <summary>Stock ssh, with the configuration that the product writes.</summary>
    public Task<Outcome> SshAsync(ulong lease, string command) =>
        Programs.RunAsync("ssh", ["-F", Path.Combine(Home, "ssh_config"), "-o", "BatchMode=yes", $"lease-{lease}", command], Environment);

    /// <summary>Keeps a lease paid by the agent alone, until something was signed.</summary>
    public async Task KeepAsync(ulong lease)
    {
        await MustAsync("agent", "keep", lease.ToString(CultureInfo.InvariantCulture));
        await SignsMoreAsync(lease, BigInteger.Zero);
    }

    /// <summary>What the agent has signed for a lease, attoFIL.</summary>
    public async Task<BigInteger> SignedAsync(ulong lease)
    {
        using var status = JsonDocument.Parse((await MustAsync("agent", "status", "--json")).Output);
        return status.RootElement.GetProperty("leases").EnumerateArray().Where(l => l.GetProperty("lease").GetUInt64() == lease)
            .Select(l => l.TryGetProperty("authorised", out var signed) && signed.GetString() is { } text ? BigInteger.Parse(text, CultureInfo.InvariantCulture) : 0).Single();
    }

    /// <summary>
    /// What was paid in the end is what was signed, but for a voucher of each lease that died on its way when it closed: it is lost to the provider, and is at most a window and a grace
    /// ahead of the one before. That the last voucher of the log is settled to the attoFIL is the audit's to show.
    /// </summary>
    public async Task PaidWhatItSignedAsync(BigInteger paid, params ulong[] leases)
    {
        // The daemon's --window and --grace, its --interval, and as much again for a machine that is late with its clock's ticks.
        const int MostSeconds = 10;
        var signed = BigInteger.Zero;
        foreach (var lease in leases)
        {
            signed += await SignedAsync(lease);
        }

        Assert.InRange(signed - paid, 0, leases.Length * World.Atto("0.01") * MostSeconds / 60);
    }

    /// <summary>Waits until more is signed than was before.</summary>
    public async Task<BigInteger> SignsMoreAsync(ulong lease, BigInteger before)
    {
        var signed = before;
        await Wait.UntilAsync(async () => (signed = await SignedAsync(lease)) > before, $"lease {lease} to be paid more than {before} attoFIL", () => $"It has {signed}.", milliseconds: 1000);
        return signed;
    }

    /// <summary>Kills the agent, and what it runs, without a word.</summary>
    public async Task KillAgentAsync()
    {
        using var status = JsonDocument.Parse((await MustAsync("agent", "status", "--json")).Output);
        var agent = status.RootElement.GetProperty("pid").GetInt32();
        var children = Programs.Children(agent);
        foreach (var id in (int[])[agent, .. children.Select(c => c.Id)])
        {
            await Programs.SignalAsync(id, 9);
        }
    }

    /// <summary>A lease's state and the money in it, as the chain has them (attoFIL): what was paid of a closed one, the deposit of an open one.</summary>
    public async Task<(string State, BigInteger Amount)> LeaseAsync(ulong lease)
    {
        using var leases = JsonDocument.Parse((await MustAsync("leases", "--all", "--json")).Output);
        var found = leases.RootElement.EnumerateArray().Single(l => l.GetProperty("lease").GetUInt64() == lease);
        var amount = found.GetProperty("paid").GetString() ?? found.GetProperty("deposit").GetString() ?? "0";
        return (found.GetProperty("state").GetString()!, BigInteger.Parse(amount, CultureInfo.InvariantCulture));
    }

    /// <summary>Ends a lease in order.</summary>
    /// <returns>What was paid and what came back, attoFIL.</returns>
    public async Task<(BigInteger Paid, BigInteger Back)> StopAsync(ulong lease, string verb = "stop")
    {
        var outcome = await MustAsync(verb, lease.ToString(CultureInfo.InvariantCulture));
        var closed = Regex.Match(outcome.Output, @"Lease \d+ is (?:closed|over): ([\d.]+) FIL paid\. ([\d.]+) FIL came back");
        return closed.Success ? (World.Atto(closed.Groups[1].Value), World.Atto(closed.Groups[2].Value)) : throw new InvalidOperationException(outcome.ToString());
    }

    public async ValueTask DisposeAsync()
    {
        if (File.Exists(Path.Combine(Home, "control.sock")))
        {
            await ShaleAsync("agent", "quit");
        }
    }
}
