using System.Globalization;
using System.Text;
using Shale.Agent.Control;
using Shale.Payments.Vouchers;

namespace Shale.Agent;

/// <summary>The live panel of a lease as text: what the container uses and costs, and below it time, money and how to get in.</summary>
public static class SessionPanel
{
    /// <summary>One line, as the panel ends: <c>0:02:16  Spent 0.005 FIL  lease 42  ssh lease-42</c>.</summary>
    public static string Line(LeaseView lease)
    {
        string spent = lease.Authorised is null ? "free" : "Spent " + Fil(lease.Authorised) + " FIL";
        return string.Create(CultureInfo.InvariantCulture, $"{Time(Served(lease))}  {spent}  lease {lease.Lease}  ssh {lease.Name}");
    }

    /// <summary>The lines above it: state, rate, CPU and memory where the gateway tells, and why where something is wrong.</summary>
    public static IReadOnlyList<string> Above(LeaseView lease)
    {
        var first = new StringBuilder(Word(lease.State));
        if (lease.PricePerSecond is { } price && AttoFil.TryParse(price, out AttoFil perSecond))
        {
            first.Append("  ").Append(new Rate(perSecond));
        }

        if (lease.Usage?.CpuPercent is { } cpu)
        {
            first.Append(CultureInfo.InvariantCulture, $"  CPU {cpu:0} %");
        }

        if (lease.Usage?.MemoryBytes is { } memory)
        {
            first.Append("  memory ").Append(Size(memory));
            if (lease.Usage.MemoryLimitBytes is > 0 and { } limit)
            {
                first.Append(" of ").Append(Size(limit));
            }
        }

        if (lease.Keep is { } keep)
        {
            first.Append("  kept (").Append(keep).Append(')');
        }

        return lease.Message is { } message ? [first.ToString(), message] : [first.ToString()];
    }

    /// <summary>All in one line, for a pipe.</summary>
    public static string Flat(LeaseView lease) => Line(lease) + "  " + string.Join("  ", Above(lease));

    /// <summary>What a state is called.</summary>
    public static string Word(LeaseState state) => state.ToString().ToLowerInvariant();

    /// <summary>An amount of attoFIL in FIL, to the sixth decimal, rounded up: nobody pays with less, and a cent too much is shown rather than one too few.</summary>
    public static string Fil(string atto)
    {
        if (!AttoFil.TryParse(atto, out AttoFil amount))
        {
            return "?";
        }

        UInt128 step = 1_000_000_000_000;
        UInt128 rounded = (amount.Value + step - 1) / step * step;
        return AttoFil.TryCreate(rounded, out AttoFil shown) ? shown.ToFilString() : amount.ToFilString();
    }

    /// <summary>
    /// The time served, in milliseconds. Between two vouchers it is carried on here, by no more than a charge's usual interval and
    /// the grace: the panel ticks, the next statement puts it right.
    /// </summary>
    private static ulong Served(LeaseView lease) =>
        lease.ActiveMilliseconds + (lease.State == LeaseState.Paying ? (ulong)Math.Clamp(lease.SincePaidMilliseconds ?? 0, 0, 15_000) : 0);

    private static string Time(ulong milliseconds)
    {
        ulong seconds = milliseconds / 1000;
        return string.Create(CultureInfo.InvariantCulture, $"{seconds / 3600}:{seconds / 60 % 60:00}:{seconds % 60:00}");
    }

    private static string Size(long bytes)
    {
        (double value, string unit) = bytes >= 1L << 30 ? (bytes / (double)(1L << 30), "GiB") : (bytes / (double)(1L << 20), "MiB");
        return string.Create(CultureInfo.InvariantCulture, $"{value:0.#} {unit}");
    }
}
