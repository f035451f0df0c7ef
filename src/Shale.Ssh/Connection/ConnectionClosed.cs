namespace Shale.Ssh.Connection;

/// <summary>The reason codes of SSH_MSG_DISCONNECT (RFC 4253 section 11.1).</summary>
public enum DisconnectReason
{
    /// <summary>No code: the connection was lost without a message.</summary>
    None = 0,

    /// <summary>The host is not allowed to connect.</summary>
    HostNotAllowedToConnect = 1,

    /// <summary>A message came that must not come, or was malformed.</summary>
    ProtocolError = 2,

    /// <summary>No common algorithm, or a key exchange that did not check.</summary>
    KeyExchangeFailed = 3,

    /// <summary>A packet did not authenticate.</summary>
    MacError = 5,

    /// <summary>A service that does not exist was asked for.</summary>
    ServiceNotAvailable = 7,

    /// <summary>The protocol version is not 2.0.</summary>
    ProtocolVersionNotSupported = 8,

    /// <summary>The host key could not be verified.</summary>
    HostKeyNotVerifiable = 9,

    /// <summary>The connection was lost, or a time ran out.</summary>
    ConnectionLost = 10,

    /// <summary>Somebody ended it on purpose.</summary>
    ByApplication = 11,

    /// <summary>A limit was reached.</summary>
    TooManyConnections = 12,

    /// <summary>No way to authenticate is left.</summary>
    NoMoreAuthMethodsAvailable = 14,
}

/// <summary>How a connection ended.</summary>
/// <param name="ByPeer">Whether the peer ended it, by a message or by closing the stream.</param>
/// <param name="Reason">The code that was sent or received.</param>
/// <param name="Description">What to tell an operator; a peer's words have their control characters replaced.</param>
public readonly record struct ConnectionClosed(bool ByPeer, DisconnectReason Reason, string Description);
