using static Shale.Ssh.Transport.MessageNumber;

namespace Shale.Ssh.Transport;

/// <summary>Which end of the connection we are.</summary>
internal enum Role
{
    Client,
    Server,
}

/// <summary>Where a connection stands. A key exchange that runs later lays its three phases over the one that was reached.</summary>
[Flags]
internal enum Phase
{
    None = 0,

    /// <summary>The peer's KEXINIT is awaited.</summary>
    KexInit = 1,

    /// <summary>The exchange's own message is awaited.</summary>
    KexExchange = 2,

    /// <summary>The peer's NEWKEYS is awaited.</summary>
    NewKeys = 4,

    /// <summary>Keys are there, no service was granted.</summary>
    ServiceRequest = 8,

    /// <summary>The user is not authenticated.</summary>
    Authentication = 16,

    /// <summary>The user is authenticated.</summary>
    Connection = 32,

    Exchanging = KexInit | KexExchange | NewKeys,
    Running = ServiceRequest | Authentication | Connection,
    Any = Exchanging | Running,
}

/// <summary>What is to be done with a message.</summary>
internal enum MessageVerdict
{
    /// <summary>It may come now.</summary>
    Allowed,

    /// <summary>It must not come now: disconnect.</summary>
    Forbidden,

    /// <summary>Nobody knows it: answer UNIMPLEMENTED.</summary>
    Unknown,
}

/// <summary>The one table of which message may come in which phase.</summary>
internal static class MessageRules
{
    private static readonly Row[] Rows =
    [
        new(Disconnect, Phase.Any, Phase.Any),
        new(Ignore, Phase.Any, Phase.Any),
        new(Unimplemented, Phase.Any, Phase.Any),
        new(Debug, Phase.Any, Phase.Any),
        new(ServiceRequest, Server: Phase.ServiceRequest, Client: Phase.None),
        new(ServiceAccept, Server: Phase.None, Client: Phase.ServiceRequest),
        new(ExtInfo, Server: Phase.ServiceRequest, Client: Phase.ServiceRequest | Phase.Authentication),
        new(KexInit, Phase.KexInit | Phase.Running, Phase.KexInit | Phase.Running),
        new(NewKeys, Phase.NewKeys, Phase.NewKeys),
        new(KexExchangeInit, Server: Phase.KexExchange, Client: Phase.None),
        new(KexExchangeReply, Server: Phase.None, Client: Phase.KexExchange),

        // RFC 4252 section 5.1: requests after success are ignored, which the connection layer does.
        new(UserAuthRequest, Server: Phase.Authentication | Phase.Connection, Client: Phase.None),
        new(UserAuthFailure, Server: Phase.None, Client: Phase.Authentication),
        new(UserAuthSuccess, Server: Phase.None, Client: Phase.Authentication),
        new(UserAuthBanner, Server: Phase.None, Client: Phase.Authentication),
        new(UserAuthPkOk, Server: Phase.None, Client: Phase.Authentication),
        new(GlobalRequest, Phase.Connection, Phase.Connection),
        new(RequestSuccess, Phase.Connection, Phase.Connection),
        new(RequestFailure, Phase.Connection, Phase.Connection),
        new(ChannelOpen, Phase.Connection, Phase.Connection),
        new(ChannelOpenConfirmation, Phase.Connection, Phase.Connection),
        new(ChannelOpenFailure, Phase.Connection, Phase.Connection),
        new(ChannelWindowAdjust, Phase.Connection, Phase.Connection),
        new(ChannelData, Phase.Connection, Phase.Connection),
        new(ChannelExtendedData, Phase.Connection, Phase.Connection),
        new(ChannelEof, Phase.Connection, Phase.Connection),
        new(ChannelClose, Phase.Connection, Phase.Connection),
        new(ChannelRequest, Phase.Connection, Phase.Connection),
        new(ChannelSuccess, Phase.Connection, Phase.Connection),
        new(ChannelFailure, Phase.Connection, Phase.Connection),
        new(Ping, Phase.Connection, Phase.Connection),
        new(Pong, Phase.Connection, Phase.Connection),
    ];

    private static readonly Row?[] ByNumber = Index();

    /// <summary>Judges a message.</summary>
    /// <param name="role">Who receives it.</param>
    /// <param name="phase">The one phase that its receiver is in.</param>
    /// <param name="strictFirstExchange">
    /// Whether the first key exchange runs under strict kex: then nothing but its own messages may come, not even IGNORE and DEBUG (OpenSSH's PROTOCOL section 1.10; CVE-2023-48795).
    /// </param>
    /// <param name="number">The message's number.</param>
    public static MessageVerdict Judge(Role role, Phase phase, bool strictFirstExchange, byte number)
    {
        if (strictFirstExchange && (number is Ignore or Unimplemented or Debug))
        {
            return MessageVerdict.Forbidden;
        }

        if (ByNumber[number] is { } row)
        {
            var allowed = role == Role.Server ? row.Server : row.Client;
            return (allowed & phase) != 0 ? MessageVerdict.Allowed : MessageVerdict.Forbidden;
        }

        // Numbers of an exchange or of an authentication method that we did not agree to (RFC 4250 section 4.1.2) are out of place, not unknown;
        // so is everything of the connection protocol before authentication, known or not (CVE-2025-32433).
        var outOfPlace = number is 0 or (>= 20 and <= 79)
            || strictFirstExchange
            || (number >= 80 && phase != Phase.Connection);
        return outOfPlace ? MessageVerdict.Forbidden : MessageVerdict.Unknown;
    }

    /// <summary>Whether we may send a message between our KEXINIT and our NEWKEYS (RFC 4253 section 7.1).</summary>
    public static bool MayBeSentDuringExchange(byte number) =>
        number is Disconnect or Ignore or Unimplemented or Debug or (>= 20 and <= 49);

    private static Row?[] Index()
    {
        var index = new Row?[256];
        foreach (var row in Rows)
        {
            index[row.Number] = row;
        }

        return index;
    }

    private sealed record Row(byte Number, Phase Server, Phase Client);
}
