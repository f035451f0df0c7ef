using Shale.Ssh.Connection;

namespace Shale.Ssh.Session;

/// <summary>Runs what is asked for on session channels (RFC 4254 section 6).</summary>
public interface ISessionHandler
{
    /// <summary>Decides whether an environment variable is set; must return at once. Names and values with NUL, and names with '=', were refused before.</summary>
    /// <param name="connection">The connection.</param>
    /// <param name="name">The name, 1 to 256 bytes.</param>
    /// <param name="value">The value, at most 32 KiB.</param>
    /// <returns>Whether it goes into <see cref="SshSession.Environment"/>.</returns>
    bool AcceptsEnvironment(SshServerConnection connection, string name, string value);

    /// <summary>
    /// Decides whether the shell, command or subsystem is granted; must return at once. A refusal gives the client SSH_MSG_CHANNEL_FAILURE and no words;
    /// to tell the user why, accept and write to standard error.
    /// </summary>
    /// <param name="session">The session, with nothing to read or write yet.</param>
    /// <returns>Whether <see cref="HandleSessionAsync"/> is to be called.</returns>
    bool Accepts(SshSession session);

    /// <summary>
    /// Runs the session, on a task of its own. When it returns, the channel is closed, with the exit that <see cref="SshSession.ExitAsync"/> gave, or without one.
    /// </summary>
    /// <param name="session">The session.</param>
    /// <param name="cancellationToken">Set when the client closes the channel or the connection ends: end what runs.</param>
    /// <returns>Done when the session is.</returns>
    ValueTask HandleSessionAsync(SshSession session, CancellationToken cancellationToken);
}
