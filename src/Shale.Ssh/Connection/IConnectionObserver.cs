using Shale.Ssh.Session;

namespace Shale.Ssh.Connection;

/// <summary>Is told what happens to connections. Calls for one connection come in order and must return soon: its messages wait meanwhile.</summary>
public interface IConnectionObserver
{
    /// <summary>A client has authenticated. Nothing of it was served yet.</summary>
    /// <param name="connection">The connection.</param>
    /// <param name="cancellationToken">Set when the connection ends.</param>
    /// <returns>Done when the connection may be served.</returns>
    ValueTask OnOpenedAsync(SshServerConnection connection, CancellationToken cancellationToken) => ValueTask.CompletedTask;

    /// <summary>
    /// The client asked for agent forwarding on a session and was granted it: agent channels may be opened from now on. It comes with every session that asks.
    /// Open channels from a task of your own, not in here: the client's answer is read after this call returns.
    /// </summary>
    /// <param name="connection">The connection.</param>
    void OnAgentForwardingGranted(SshServerConnection connection)
    {
    }

    /// <summary>
    /// A session's handler is done and the session is about to be closed; none of its exit was sent yet. OpenSSH's client stays until the last channel is closed, whatever its type:
    /// close channels of your own here when <paramref name="remainingSessions"/> is 0.
    /// </summary>
    /// <param name="session">The session.</param>
    /// <param name="remainingSessions">How many other sessions the connection has.</param>
    /// <param name="cancellationToken">Set when the connection ends.</param>
    /// <returns>Done when the session may be closed.</returns>
    ValueTask OnSessionEndingAsync(SshSession session, int remainingSessions, CancellationToken cancellationToken) => ValueTask.CompletedTask;

    /// <summary>The connection is over. Its channels are closed and its sessions' tokens set.</summary>
    /// <param name="connection">The connection.</param>
    /// <param name="closed">Who ended it and why.</param>
    void OnClosed(SshServerConnection connection, ConnectionClosed closed)
    {
    }
}

/// <summary>Serves channels of a type that is not SSH's own, opened by the client (for example "pay@shaleprotocol.com").</summary>
public interface IChannelTypeHandler
{
    /// <summary>The channel type it serves.</summary>
    string ChannelType { get; }

    /// <summary>Decides about an opening; must return at once.</summary>
    /// <param name="connection">The connection.</param>
    /// <param name="payload">The type's own bytes of SSH_MSG_CHANNEL_OPEN.</param>
    /// <returns><see cref="ChannelOpenFailure.None"/> to open it.</returns>
    ChannelOpenFailure Accept(SshServerConnection connection, ReadOnlySpan<byte> payload);

    /// <summary>Serves the channel, which is closed when this returns.</summary>
    /// <param name="connection">The connection.</param>
    /// <param name="channel">The channel.</param>
    /// <param name="cancellationToken">Set when the channel or the connection is closed.</param>
    /// <returns>Done when the channel may be closed.</returns>
    ValueTask HandleChannelAsync(SshServerConnection connection, SshChannel channel, CancellationToken cancellationToken);
}
