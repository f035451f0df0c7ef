using Shale.Ssh.Connection;

namespace Shale.Ssh.Forwarding;

/// <summary>
/// Opens the far ends of forwards (RFC 4254 section 7, OpenSSH's PROTOCOL section 2.4). The library carries the bytes, counts channels and closes what it was given.
/// It asks only for users with <see cref="Auth.AuthenticatedUser.PermitPortForwarding"/>.
/// </summary>
public interface IForwardingHandler
{
    /// <summary>Connects for direct-tcpip (ssh -L, -D, -W, -J).</summary>
    /// <param name="connection">The connection.</param>
    /// <param name="host">The host as the client wrote it: a name or an address, at most 255 bytes, no control characters.</param>
    /// <param name="port">1 to 65,535.</param>
    /// <param name="cancellationToken">Set when the connection ends.</param>
    /// <returns>The stream, or why there is none.</returns>
    ValueTask<ForwardOpenResult> OpenTcpAsync(SshServerConnection connection, string host, int port, CancellationToken cancellationToken);

    /// <summary>Connects for direct-streamlocal@openssh.com (ssh -L with a socket path).</summary>
    /// <param name="connection">The connection.</param>
    /// <param name="path">The path as the client wrote it, at most 255 bytes, no NUL.</param>
    /// <param name="cancellationToken">Set when the connection ends.</param>
    /// <returns>The stream, or why there is none.</returns>
    ValueTask<ForwardOpenResult> OpenUnixAsync(SshServerConnection connection, string path, CancellationToken cancellationToken);

    /// <summary>Listens for tcpip-forward (ssh -R).</summary>
    /// <param name="connection">The connection.</param>
    /// <param name="address">The address as the client wrote it: "", "localhost", "0.0.0.0", "::", "*" or another, at most 255 bytes.</param>
    /// <param name="port">0 to 65,535; 0 lets the handler choose.</param>
    /// <param name="cancellationToken">Set when the connection ends.</param>
    /// <returns>The listener, or <see langword="null"/> to refuse.</returns>
    ValueTask<ForwardListener?> ListenTcpAsync(SshServerConnection connection, string address, int port, CancellationToken cancellationToken);

    /// <summary>Listens for streamlocal-forward@openssh.com (ssh -R with a socket path).</summary>
    /// <param name="connection">The connection.</param>
    /// <param name="path">The path as the client wrote it, at most 255 bytes, no NUL.</param>
    /// <param name="cancellationToken">Set when the connection ends.</param>
    /// <returns>The listener, or <see langword="null"/> to refuse.</returns>
    ValueTask<ForwardListener?> ListenUnixAsync(SshServerConnection connection, string path, CancellationToken cancellationToken);
}

/// <summary>The outcome of opening a forward's far end.</summary>
/// <param name="Stream">The stream, which the library owns from then on.</param>
/// <param name="Failure">Why there is none, otherwise.</param>
/// <param name="Description">Words for the client's user.</param>
public readonly record struct ForwardOpenResult(ForwardedStream? Stream, ChannelOpenFailure Failure, string Description)
{
    /// <summary>A far end was opened.</summary>
    /// <param name="stream">Its stream.</param>
    /// <returns>The result.</returns>
    public static ForwardOpenResult Connected(ForwardedStream stream) => new(stream, ChannelOpenFailure.None, "");

    /// <summary>None was opened.</summary>
    /// <param name="failure">The code for the client.</param>
    /// <param name="description">Words for the client's user.</param>
    /// <returns>The result.</returns>
    public static ForwardOpenResult Refused(ChannelOpenFailure failure, string description) => new(null, failure, description);
}

/// <summary>Accepts connections for a remote forward, until it is disposed (the client cancelled it, or the connection ended).</summary>
public abstract class ForwardListener : IAsyncDisposable
{
    /// <summary>The TCP port that it listens on, told to the client; 0 for Unix sockets.</summary>
    public abstract int Port { get; }

    /// <summary>Waits for the next connection.</summary>
    /// <param name="cancellationToken">Set when the forward is cancelled.</param>
    /// <returns>The connection, or <see langword="null"/> when there will be no more.</returns>
    public abstract ValueTask<ForwardedConnection?> AcceptAsync(CancellationToken cancellationToken);

    /// <summary>Stops listening.</summary>
    /// <returns>Done when the address is free again.</returns>
    public abstract ValueTask DisposeAsync();
}

/// <summary>A connection that a <see cref="ForwardListener"/> accepted.</summary>
/// <param name="Stream">Its stream, which the library owns from then on.</param>
/// <param name="OriginatorAddress">Who connected, as text; empty for Unix sockets.</param>
/// <param name="OriginatorPort">Their port; 0 for Unix sockets.</param>
public sealed record ForwardedConnection(ForwardedStream Stream, string OriginatorAddress, int OriginatorPort);
