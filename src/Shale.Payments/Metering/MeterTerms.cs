using Shale.Payments.Vouchers;

namespace Shale.Payments.Metering;

/// <summary>What a lease costs and how far ahead and behind payment may be. Validated when made.</summary>
public sealed record MeterTerms
{
    /// <summary>The longest window that a client may choose for itself: a week.</summary>
    public static readonly TimeSpan LongestWindow = TimeSpan.FromDays(7);

    private readonly TimeSpan _interval = TimeSpan.FromSeconds(5);
    private readonly TimeSpan _window = TimeSpan.FromSeconds(15);
    private readonly TimeSpan _grace = TimeSpan.FromSeconds(10);

    /// <summary>The lease.</summary>
    public required ulong LeaseId { get; init; }

    /// <summary>Price per second of the lease as a whole.</summary>
    public required AttoFil PricePerSecond { get; init; }

    /// <summary>The deposit that is final on chain: no voucher is worth more.</summary>
    public required AttoFil Deposit { get; init; }

    /// <summary>Between charges; 0.1 s to 60 s, by default 5 s.</summary>
    public TimeSpan Interval
    {
        get => _interval;
        init => _interval = InRange(value, TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(60));
    }

    /// <summary>Paid ahead; 1 s to <see cref="LongestWindow"/>, by default 15 s. A client may ask for more of its own.</summary>
    public TimeSpan Window
    {
        get => _window;
        init => _window = InRange(value, TimeSpan.FromSeconds(1), LongestWindow);
    }

    /// <summary>Served unpaid before the pause; 0 to 10 min, by default 10 s.</summary>
    public TimeSpan Grace
    {
        get => _grace;
        init => _grace = InRange(value, TimeSpan.Zero, TimeSpan.FromMinutes(10));
    }

    /// <summary>An unpaid pause longer than this closes the lease; by default 10 min. In all it may be this and 5 % of the paid time.</summary>
    public TimeSpan LongestPause { get; init; } = TimeSpan.FromMinutes(10);

    private static TimeSpan InRange(TimeSpan value, TimeSpan least, TimeSpan most) => value >= least && value <= most
        ? value
        : throw new ArgumentOutOfRangeException(nameof(value), value, $"Between {least} and {most}.");
}
