using Shale.Payments.Metering;
using Shale.Payments.Vouchers;

namespace Shale.Payments.Policy;

/// <summary>What the user allows. An immutable value; the agent takes a new one when the user changes it.</summary>
public sealed record SpendingPolicy
{
    private readonly TimeSpan _prepay = TimeSpan.FromSeconds(15);

    /// <summary>The highest price per second; null: whatever was confirmed on chain.</summary>
    public AttoFil? MaxPricePerSecond { get; init; }

    /// <summary>The most that one lease may cost in all; null: its deposit.</summary>
    public AttoFil? LeaseBudget { get; init; }

    /// <summary>The most that all leases together may cost on one day (UTC); null: no limit.</summary>
    public AttoFil? DayBudget { get; init; }

    /// <summary>The leases that are paid; null: every lease of the wallet.</summary>
    public IReadOnlySet<ulong>? Leases { get; init; }

    /// <summary>Paid ahead; 1 s to 7 days (as <see cref="MeterTerms.LongestWindow"/>), by default 15 s.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Outside that range.</exception>
    public TimeSpan Prepay
    {
        get => _prepay;
        init => _prepay = value >= TimeSpan.FromSeconds(1) && value <= MeterTerms.LongestWindow
            ? value
            : throw new ArgumentOutOfRangeException(nameof(value), value, "Prepay is 1 second to 7 days.");
    }

    /// <summary>Leases that are paid over a client without session-bind, whose host the agent can't know.</summary>
    public IReadOnlySet<ulong> AllowUnbound { get; init; } = new HashSet<ulong>();

    /// <summary>Leases that the user stopped paying.</summary>
    public IReadOnlySet<ulong> Stopped { get; init; } = new HashSet<ulong>();

    /// <summary>True when nothing is paid at all.</summary>
    public bool StopAll { get; init; }
}
