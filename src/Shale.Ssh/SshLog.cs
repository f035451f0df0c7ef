using Microsoft.Extensions.Logging;
using Shale.Ssh.Connection;

namespace Shale.Ssh;

/// <summary>What the library logs. Event ids are stable: 1000 transport, 1100 authentication, 1200 connection, 1300 listening.</summary>
internal static partial class SshLog
{
    [LoggerMessage(1000, LogLevel.Debug, "Connection over (by peer: {ByPeer}, {Reason}): {Description}")]
    public static partial void TransportClosed(ILogger logger, bool byPeer, DisconnectReason reason, string description);

    [LoggerMessage(1001, LogLevel.Debug, "Keys exchanged: {Kex}, host key {HostKey}, in {CipherIn} {MacIn}, out {CipherOut} {MacOut}, strict {Strict}")]
    public static partial void KeysExchanged(
        ILogger logger, string kex, string hostKey, string cipherIn, string? macIn, string cipherOut, string? macOut, bool strict);

    [LoggerMessage(1100, LogLevel.Information, "{Connection}: user {UserName} authenticated as {Name} with {Algorithm} {Fingerprint}")]
    public static partial void Authenticated(ILogger logger, string connection, string userName, string name, string algorithm, string fingerprint);

    [LoggerMessage(1101, LogLevel.Information, "{Connection}: user {UserName} failed {Failures} times")]
    public static partial void TooManyFailures(ILogger logger, string connection, string userName, int failures);

    [LoggerMessage(1200, LogLevel.Error, "{Connection}: the handler of channel {Channel} ({Type}) failed")]
    public static partial void HandlerFailed(ILogger logger, Exception exception, string connection, uint channel, string type);

    [LoggerMessage(1201, LogLevel.Error, "{Connection}: an observer failed")]
    public static partial void ObserverFailed(ILogger logger, Exception exception, string connection);

    [LoggerMessage(1202, LogLevel.Warning, "{Connection}: a forward failed")]
    public static partial void ForwardFailed(ILogger logger, Exception exception, string connection);

    [LoggerMessage(1300, LogLevel.Information, "{Connection}: accepted from {RemoteEndPoint}")]
    public static partial void Accepted(ILogger logger, string connection, System.Net.EndPoint? remoteEndPoint);

    [LoggerMessage(1301, LogLevel.Information, "{Connection}: closed after {Elapsed} (by peer: {ByPeer}, {Reason}): {Description}")]
    public static partial void Closed(ILogger logger, string connection, TimeSpan elapsed, bool byPeer, DisconnectReason reason, string description);

    [LoggerMessage(1302, LogLevel.Warning, "Refused {RemoteEndPoint}: {Why}")]
    public static partial void Refused(ILogger logger, System.Net.EndPoint? remoteEndPoint, string why);

    [LoggerMessage(1303, LogLevel.Error, "{Connection}: failed unexpectedly")]
    public static partial void Crashed(ILogger logger, Exception exception, string connection);
}
