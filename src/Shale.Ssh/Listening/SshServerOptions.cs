using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Shale.Ssh.Auth;
using Shale.Ssh.Connection;
using Shale.Ssh.Forwarding;
using Shale.Ssh.Keys;
using Shale.Ssh.Session;

namespace Shale.Ssh.Listening;

/// <summary>What an SSH server is made of. Values are checked when they are set; an instance must not change once a server uses it.</summary>
public sealed class SshServerOptions
{
    private readonly List<IChannelTypeHandler> _channelTypes = [];

    /// <summary>The host keys, at least one, best first. They stay the caller's to dispose, after the server.</summary>
    public required IReadOnlyList<HostKey> HostKeys
    {
        get;
        set
        {
            ArgumentNullException.ThrowIfNull(value);
            ArgumentOutOfRangeException.ThrowIfZero(value.Count, nameof(HostKeys));
            field = value;
        }
    }

    /// <summary>Decides who may log in.</summary>
    public required IUserAuthenticator Authenticator { get; init; }

    /// <summary>Runs sessions.</summary>
    public required ISessionHandler Sessions { get; init; }

    /// <summary>Opens the far ends of forwards; without one every forward is refused.</summary>
    public IForwardingHandler? Forwarding { get; init; }

    /// <summary>Is told what happens to connections.</summary>
    public IConnectionObserver? Observer { get; init; }

    /// <summary>Handlers of channel types that are not SSH's own.</summary>
    public IList<IChannelTypeHandler> ChannelTypes => _channelTypes;

    /// <summary>
    /// The software name in the identification string: printable ASCII without blanks or '-', 1 to 64 characters. Default: "OpenSSH_compatible_Shale", because OpenSSH's client tells only servers whose
    /// name begins with "OpenSSH" that its reader is gone, without which <c>ssh host yes | head</c> never ends (docs/decisions/0010-identification.md).
    /// </summary>
    public string SoftwareVersion
    {
        get;
        set
        {
            ArgumentException.ThrowIfNullOrEmpty(value);
            if (value.Length > 64 || value.AsSpan().ContainsAnyExceptInRange('\x21', '\x7E') || value.Contains('-'))
            {
                throw new ArgumentException("The software version is printable ASCII without blanks or '-', at most 64 characters.", nameof(SoftwareVersion));
            }

            field = value;
        }
    } = "OpenSSH_compatible_Shale";

    /// <summary>Words shown before authentication; lines end in LF, at most 4 KiB. Default: none.</summary>
    public string? Banner
    {
        get;
        set
        {
            if (value is not null)
            {
                ArgumentOutOfRangeException.ThrowIfGreaterThan(value.Length, 4096, nameof(Banner));
            }

            field = value;
        }
    }

    /// <summary>How long a client may take to authenticate. 1 second to 1 hour; default 120 seconds, as OpenSSH.</summary>
    public TimeSpan LoginGraceTime
    {
        get;
        set => field = Within(value, TimeSpan.FromSeconds(1), TimeSpan.FromHours(1), nameof(LoginGraceTime));
    } = TimeSpan.FromSeconds(120);

    /// <summary>How many failed attempts end a connection. 1 to 100; default 6, as OpenSSH.</summary>
    public int MaxAuthTries { get; set => field = Within(value, 1, 100, nameof(MaxAuthTries)); } = 6;

    /// <summary>How many sessions a connection may have at once. 0 to 1,000; default 10, as OpenSSH.</summary>
    public int MaxSessions { get; set => field = Within(value, 0, 1_000, nameof(MaxSessions)); } = 10;

    /// <summary>
    /// How many channels of all types a connection may have at once. 1 to 10,000; default 256: VS Code and a browser behind a dynamic forward stay below it,
    /// and with a full 2 MiB window each it bounds what a connection can make the server hold.
    /// </summary>
    public int MaxChannels { get; set => field = Within(value, 1, 10_000, nameof(MaxChannels)); } = 256;

    /// <summary>How many remote forwards a connection may listen with at once. 0 to 1,000; default 32.</summary>
    public int MaxRemoteForwards { get; set => field = Within(value, 0, 1_000, nameof(MaxRemoteForwards)); } = 32;

    /// <summary>After how many bytes in one direction keys are exchanged again. 64 KiB to 1 TiB; default 1 GiB (RFC 4253 section 9), less where a cipher needs it.</summary>
    public long RekeyAfterBytes { get; set => field = Within(value, 1L << 16, 1L << 40, nameof(RekeyAfterBytes)); } = 1L << 30;

    /// <summary>After how long keys are exchanged again, if anything was sent or received since. 1 second to 1 day; default 1 hour (RFC 4253 section 9).</summary>
    public TimeSpan RekeyAfter
    {
        get;
        set => field = Within(value, TimeSpan.FromSeconds(1), TimeSpan.FromDays(1), nameof(RekeyAfter));
    } = TimeSpan.FromHours(1);

    /// <summary>
    /// After how much silence the client is asked for a sign of life (keepalive@openssh.com); after three in a row without an answer the connection is closed.
    /// 1 second to 1 day; default 1 minute, so that a client which vanished frees its session within four.
    /// </summary>
    public TimeSpan KeepAliveInterval
    {
        get;
        set => field = Within(value, TimeSpan.FromSeconds(1), TimeSpan.FromDays(1), nameof(KeepAliveInterval));
    } = TimeSpan.FromMinutes(1);

    /// <summary>Refuses unauthenticated connections at random once there are many. Default 10:30:100, as OpenSSH.</summary>
    public MaxStartups MaxStartups
    {
        get;
        set
        {
            ArgumentNullException.ThrowIfNull(value);
            field = value;
        }
    } = MaxStartups.Default;

    /// <summary>Refuses addresses that misbehaved. Default: OpenSSH's penalties; <see langword="null"/> for none.</summary>
    public SourcePenaltyOptions? SourcePenalties { get; set; } = new();

    /// <summary>Where time comes from.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    /// <summary>Where logs go.</summary>
    public ILoggerFactory LoggerFactory { get; init; } = NullLoggerFactory.Instance;

    private static T Within<T>(T value, T low, T high, string name)
        where T : IComparable<T>
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(value, low, name);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(value, high, name);
        return value;
    }
}
