using System.Collections.Immutable;
using System.CommandLine;
using System.Globalization;
using Shale.Agent.Files;
using Shale.Cli.Parsing;
using Shale.Payments.Vouchers;

namespace Shale.Cli.Commands;

/// <summary><c>shale agent policy</c>, <c>stop</c>, <c>resume</c> and <c>keep</c>: what the agent may pay.</summary>
internal static class AgentPolicyCommand
{
    // What a limit is set to for there to be none.
    private const string None = "none";

    public static Command Create()
    {
        var options = new AgentCommandOptions();
        var price = new Option<string?>("--max_price", "--max-price") { Description = "The highest price that is paid: 0.02fil/min; none: whatever was confirmed." };
        var lease = new Option<string?>("--lease_budget", "--lease-budget") { Description = "The most that one lease may cost: 0.5fil; none: its deposit." };
        var day = new Option<string?>("--day_budget", "--day-budget") { Description = "The most that all leases may cost on a day (UTC): 1fil; none: no limit." };
        var prepay = new Option<string?>("--prepay") { Description = "Time paid ahead, 1s to 7d: more lets a sleeping laptop's work go on. Default 15s." };
        var only = new Option<string[]>("--leases") { Description = "Pay for these leases only: 42,43; all: every lease of this payment key.", AllowMultipleArgumentsPerToken = false };
        var unbound = new Option<string[]>("--allow_unbound", "--allow-unbound") { Description = "Pay this lease also over a client that doesn't say which host it reached (PuTTY, paramiko)." };
        var bound = new Option<string[]>("--refuse_unbound", "--refuse-unbound") { Description = "No longer do so." };
        var command = new Command("policy", "Show or set what the agent may pay");
        options.AddTo(command);
        foreach (var option in new Option[] { price, lease, day, prepay, only, unbound, bound })
        {
            command.Options.Add(option);
        }

        command.SetAction(async (parsed, cancellation) =>
        {
            AgentFolder folder = options.Folder(parsed);
            var changes = new List<Func<PolicyFile, PolicyFile>>();
            if (parsed.GetValue(price) is { } maxPrice)
            {
                string? limit = maxPrice == None ? null : Rate.TryParse(maxPrice, out Rate rate) ? rate.PerSecond.ToString()
                    : throw new CliError($"--max_price={maxPrice} is not a price.", "Write for example --max_price=0.02fil/min.", ExitCodes.Usage);
                changes.Add(p => p with { MaxPricePerSecond = limit });
            }

            if (parsed.GetValue(lease) is { } leaseBudget)
            {
                string? limit = Budget(leaseBudget, "--lease_budget");
                changes.Add(p => p with { LeaseBudget = limit });
            }

            if (parsed.GetValue(day) is { } dayBudget)
            {
                string? limit = Budget(dayBudget, "--day_budget");
                changes.Add(p => p with { DayBudget = limit });
            }

            if (parsed.GetValue(prepay) is { } ahead)
            {
                int seconds = (int)Quantity.Duration(ahead, "--prepay").TotalSeconds;
                changes.Add(p => p with { PrepaySeconds = seconds });
            }

            if (parsed.GetValue(only) is { Length: > 0 } leases)
            {
                ImmutableSortedSet<ulong>? set = leases is ["all"] ? null : Leases(leases);
                changes.Add(p => p with { Leases = set });
            }

            if (parsed.GetValue(unbound) is { Length: > 0 } allowed)
            {
                changes.Add(p => p with { AllowUnbound = p.AllowUnbound.Union(Leases(allowed)) });
            }

            if (parsed.GetValue(bound) is { Length: > 0 } refused)
            {
                changes.Add(p => p with { AllowUnbound = p.AllowUnbound.Except(Leases(refused)) });
            }

            PolicyFile policy = changes.Count == 0
                ? PolicyFile.Load(folder)
                : await UpdateAsync(folder, p => changes.Aggregate(p, (value, change) => change(value)), cancellation).ConfigureAwait(false);
            Show(policy);
            return ExitCodes.Success;
        });
        return command;
    }

    public static Command CreateStop() => Switch(
        "stop", "Stop paying for a lease, or for all", (p, id) => id is { } lease ? p with { Stopped = p.Stopped.Add(lease) } : p with { StopAll = true }, "is no longer paid; its gateway freezes it after the grace and ends it after ten minutes");

    public static Command CreateResume() => Switch(
        "resume", "Pay again for a lease, or for all", (p, id) => id is { } lease ? p with { Stopped = p.Stopped.Remove(lease) } : p with { StopAll = false, Stopped = [] }, "is paid again when its gateway asks");

    public static Command CreateKeep()
    {
        var options = new AgentCommandOptions();
        var lease = new Argument<string>("lease") { Description = "The lease." };
        var off = new Option<bool>("--off") { Description = "No longer keep it." };
        var command = new Command("keep", "Keep a lease paid without a shell, so that scp, sftp, ssh -N and detached work are served");
        options.AddTo(command);
        command.Arguments.Add(lease);
        command.Options.Add(off);
        command.SetAction(async (parsed, cancellation) =>
        {
            AgentFolder folder = options.Folder(parsed);
            ulong id = AgentCommandOptions.ParseLease(parsed.GetValue(lease)!);
            if (parsed.GetValue(off))
            {
                await UpdateAsync(folder, p => p with { Keep = p.Keep.Remove(id) }, cancellation).ConfigureAwait(false);
                return ExitCodes.Success;
            }

            if (AgentCommandOptions.Lease(folder, id).Payment is null)
            {
                throw new CliError($"Lease {id} is free: there is nothing to keep paid.", null, ExitCodes.Usage);
            }

            await PolicyFile.UpdateAsync(folder, p => p with { Keep = p.Keep.Add(id) }, cancellation).ConfigureAwait(false);
            await options.EnsureRunningAsync(parsed, cancellation).ConfigureAwait(false);
            await AgentCommandOptions.ReloadAsync(folder, cancellation).ConfigureAwait(false);
            Console.Error.WriteLine($"shale: lease {id} is kept paid; shale session {id} shows how, shale agent keep {id} --off ends it");
            return ExitCodes.Success;
        });
        return command;
    }

    private static Command Switch(string name, string description, Func<PolicyFile, ulong?, PolicyFile> change, string effect)
    {
        var options = new AgentCommandOptions();
        var lease = new Argument<string?>("lease") { Description = "The lease.", Arity = ArgumentArity.ZeroOrOne };
        var all = new Option<bool>("--all") { Description = "All leases." };
        var command = new Command(name, description);
        options.AddTo(command);
        command.Arguments.Add(lease);
        command.Options.Add(all);
        command.SetAction(async (parsed, cancellation) =>
        {
            string? named = parsed.GetValue(lease);
            if (named is null != parsed.GetValue(all))
            {
                throw new CliError("Name one lease, or --all.", $"shale agent {name} 42", ExitCodes.Usage);
            }

            ulong? id = named is null ? null : AgentCommandOptions.ParseLease(named);
            await UpdateAsync(options.Folder(parsed), p => change(p, id), cancellation).ConfigureAwait(false);
            Console.Error.WriteLine($"shale: {(id is { } one ? $"lease {one}" : "everything")} {effect}");
            return ExitCodes.Success;
        });
        return command;
    }

    private static async Task<PolicyFile> UpdateAsync(AgentFolder folder, Func<PolicyFile, PolicyFile> change, CancellationToken cancellation)
    {
        PolicyFile policy = await PolicyFile.UpdateAsync(folder, change, cancellation).ConfigureAwait(false);
        await AgentCommandOptions.ReloadAsync(folder, cancellation).ConfigureAwait(false);
        return policy;
    }

    private static string? Budget(string text, string option) => text == None ? null : FilAmount.TryParse(text, out AttoFil amount) ? amount.ToString()
        : throw new CliError($"{option}={text} is not an amount.", $"Write for example {option}=0.5fil.", ExitCodes.Usage);

    private static ImmutableSortedSet<ulong> Leases(string[] texts) =>
        [.. texts.SelectMany(t => t.Split(',', StringSplitOptions.RemoveEmptyEntries)).Select(AgentCommandOptions.ParseLease)];

    private static void Show(PolicyFile policy)
    {
        static string Fil(string? atto, string otherwise) => atto is not null && AttoFil.TryParse(atto, out AttoFil amount) ? amount.ToFilString() + " FIL" : otherwise;
        static string Set(ImmutableSortedSet<ulong>? leases, string otherwise) =>
            leases is null or { Count: 0 } ? otherwise : string.Join(", ", leases.Select(l => l.ToString(CultureInfo.InvariantCulture)));
        Console.WriteLine("price     at most " + (policy.MaxPricePerSecond is { } price && AttoFil.TryParse(price, out AttoFil perSecond) ? new Rate(perSecond).ToString() : "what was confirmed"));
        Console.WriteLine("lease     at most " + Fil(policy.LeaseBudget, "its deposit"));
        Console.WriteLine("day       at most " + Fil(policy.DayBudget, "no limit"));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"ahead     {TimeSpan.FromSeconds(policy.PrepaySeconds):c}"));
        Console.WriteLine("leases    " + (policy.Leases is { Count: 0 } ? "none" : Set(policy.Leases, "all of this payment key")));
        Console.WriteLine("stopped   " + (policy.StopAll ? "all" : Set(policy.Stopped, "none")));
        Console.WriteLine("unbound   " + Set(policy.AllowUnbound, "none"));
        Console.WriteLine("kept      " + Set(policy.Keep, "none"));
    }
}
