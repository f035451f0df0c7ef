using System.Net;

namespace Shale.Ssh.Listening;

/// <summary>
/// OpenSSH's PerSourcePenalties (sshd_config(5), since 9.8): every misdeed adds time during which its address is refused. Refusal starts when the sum passes
/// <see cref="Minimum"/>. Values are checked when set: 0 to 1 day.
/// </summary>
public sealed class SourcePenaltyOptions
{
    /// <summary>For a connection that broke the protocol. Default 90 s.</summary>
    public TimeSpan Crash { get; set => field = Checked(value); } = TimeSpan.FromSeconds(90);

    /// <summary>For failed attempts to authenticate. Default 5 s.</summary>
    public TimeSpan AuthFailed { get; set => field = Checked(value); } = TimeSpan.FromSeconds(5);

    /// <summary>For a connection that ended without an attempt to authenticate. Default 1 s.</summary>
    public TimeSpan NoAuth { get; set => field = Checked(value); } = TimeSpan.FromSeconds(1);

    /// <summary>For not authenticating within the grace time. Default 10 s.</summary>
    public TimeSpan GraceExceeded { get; set => field = Checked(value); } = TimeSpan.FromSeconds(10);

    /// <summary>The most that adds up. Default 10 min.</summary>
    public TimeSpan Maximum { get; set => field = Checked(value); } = TimeSpan.FromMinutes(10);

    /// <summary>From how much on an address is refused. Default 15 s.</summary>
    public TimeSpan Minimum { get; set => field = Checked(value); } = TimeSpan.FromSeconds(15);

    /// <summary>How many IPv4 networks, and how many IPv6 networks, are remembered; past it the one whose penalty ends first is forgotten. 1 to 1,000,000; default 65,536.</summary>
    public int MaxSources
    {
        get;
        set
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, 1);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(value, 1_000_000);
            field = value;
        }
    } = 65_536;

    /// <summary>The length of an IPv4 network that counts as one source, in bits. 0 to 32; default 32.</summary>
    public int Ipv4PrefixLength
    {
        get;
        set
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(value, 32);
            field = value;
        }
    } = 32;

    /// <summary>The length of an IPv6 network that counts as one source, in bits. 0 to 128; default 64, since one customer gets at least that (OpenSSH's own default is 128).</summary>
    public int Ipv6PrefixLength
    {
        get;
        set
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(value, 128);
            field = value;
        }
    } = 64;

    /// <summary>Networks that are never refused.</summary>
    public IList<IPNetwork> Exempt { get; } = [];

    private static TimeSpan Checked(TimeSpan value)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(value, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(value, TimeSpan.FromDays(1));
        return value;
    }
}
