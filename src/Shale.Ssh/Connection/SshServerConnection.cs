using Shale.Ssh.Auth;
using Shale.Ssh.Keys;

namespace Shale.Ssh.Connection;

/// <summary>
/// An authenticated connection, as those see it who serve it. There is no such object before authentication, so nothing that takes one can be reached without it.
/// All members may be used from any thread.
/// </summary>
public abstract class SshServerConnection
{
    /// <summary>Where it comes from and what was agreed.</summary>
    public abstract ConnectionInfo Info { get; }

    /// <summary>Who it is: the authenticator's answer for the key that verified, narrowed by its certificate.</summary>
    public abstract AuthenticatedUser User { get; }

    /// <summary>The key whose signature was verified.</summary>
    public abstract SshPublicKey Key { get; }

    /// <summary>The certificate over <see cref="Key"/>, if the login was by certificate.</summary>
    public abstract SshCertificate? Certificate { get; }

    /// <summary>How many session channels are open now.</summary>
    public abstract int SessionCount { get; }

    /// <summary>Whether the client asked for agent forwarding on any session so far and was granted it; only then may agent channels be opened.</summary>
    public abstract bool AgentForwardingGranted { get; }

    /// <summary>Bytes received from the peer so far, encrypted packets included whole.</summary>
    public abstract long BytesReceived { get; }

    /// <summary>Bytes sent to the peer so far, encrypted packets included whole.</summary>
    public abstract long BytesSent { get; }

    /// <summary>Set when the connection is over, whoever ended it.</summary>
    public abstract CancellationToken Closed { get; }

    /// <summary>
    /// Opens a channel to the client: "auth-agent@openssh.com" for its agent, or any type that the client knows. Agent channels are refused here, without asking
    /// the client, while <see cref="AgentForwardingGranted"/> is not set: OpenSSH would show its user a break-in warning.
    /// </summary>
    /// <param name="channelType">The channel type, printable ASCII of 1 to 64 characters.</param>
    /// <param name="payload">The bytes behind the maximum packet size in SSH_MSG_CHANNEL_OPEN, at most 4 KiB; empty for agent channels.</param>
    /// <param name="cancellationToken">Ends the wait for the client's answer.</param>
    /// <returns>The channel, or why there is none.</returns>
    public abstract ValueTask<ChannelOpenResult> OpenChannelAsync(
        string channelType, ReadOnlyMemory<byte> payload, CancellationToken cancellationToken);

    /// <summary>Signs with the host key that <see cref="ConnectionInfo.HostKey"/> names.</summary>
    /// <param name="data">What to sign. The caller makes it unlike anything that SSH itself signs (an exchange hash is 32 to 64 bytes).</param>
    /// <returns>A signature blob: string algorithm, string signature (RFC 4253 section 6.6).</returns>
    public abstract byte[] SignWithHostKey(ReadOnlySpan<byte> data);

    /// <summary>Tells the peer why, then ends the connection. Does nothing when it is over already.</summary>
    /// <param name="reason">The code for the peer.</param>
    /// <param name="description">The text for the peer's user.</param>
    /// <returns>Done when the message is on its way and the connection is closing.</returns>
    public abstract ValueTask DisconnectAsync(DisconnectReason reason, string description);
}
