using Shale.Payments.Vouchers;

namespace Shale.Payments.Policy;

/// <summary>What the user allows. An immutable value; the agent takes a new one when the user changes it.</summary>
public sealed record SpendingPolicy
{
    /// <summary>The highest price per second; null: whatever was confirmed on chain.</summary>
    public AttoFil? MaxPricePerSecond { get; init; }

    /// <summary>The most that one lease may cost in all; null: its deposit.</summary>
    public AttoFil? LeaseBudget { get; init; }

    /// <summary>The most that all leases together may cost on one day (UTC); null: no limit.</summary>
    public AttoFil? DayBudget { get; init; }

    /// <summary>The leases that are paid; null: every lease of the wallet.</summary>
    public IReadOnlySet<ulong>? Leases { get; init; }

    /// <summary>Paid ahead; 1 s to 7 days, by default 15 s.</summary>
    public TimeSpan Prepay { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>Leases that are paid over a client without session-bind, whose host the agent can't know.</summary>
    public IReadOnlySet<ulong> AllowUnbound { get; init; } = new HashSet<ulong>();

    /// <summary>Leases that the user stopped paying.</summary>
    public IReadOnlySet<ulong> Stopped { get; init; } = new HashSet<ulong>();

    /// <summary>True when nothing is paid at all.</summary>
    public bool StopAll { get; init; }
}
