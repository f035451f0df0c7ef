namespace Shale.Ssh.Listening;

/// <summary>
/// OpenSSH's MaxStartups: from <see cref="Start"/> unauthenticated connections on, a new one is refused with a chance of <see cref="RatePercent"/> %, which grows linearly to
/// certainty at <see cref="Full"/>.
/// </summary>
public sealed record MaxStartups
{
    /// <summary>Makes the three numbers of <c>start:rate:full</c>.</summary>
    /// <param name="start">From how many on; 1 to <paramref name="full"/>.</param>
    /// <param name="ratePercent">With what chance there; 1 to 100.</param>
    /// <param name="full">From how many on every new one is refused; at most 100,000.</param>
    public MaxStartups(int start, int ratePercent, int full)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(start, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(full, start);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(full, 100_000);
        ArgumentOutOfRangeException.ThrowIfLessThan(ratePercent, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(ratePercent, 100);
        Start = start;
        RatePercent = ratePercent;
        Full = full;
    }

    /// <summary>10:30:100.</summary>
    public static MaxStartups Default { get; } = new(10, 30, 100);

    /// <summary>From how many unauthenticated connections on new ones are refused at random.</summary>
    public int Start { get; }

    /// <summary>The chance of refusal there, in percent.</summary>
    public int RatePercent { get; }

    /// <summary>From how many on every new one is refused.</summary>
    public int Full { get; }
}
