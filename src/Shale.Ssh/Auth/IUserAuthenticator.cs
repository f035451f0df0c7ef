using Shale.Ssh.Connection;
using Shale.Ssh.Keys;

namespace Shale.Ssh.Auth;

/// <summary>
/// Decides which user a key belongs to. It is asked twice per login: when a client asks whether a key would do, and again for the key whose
/// signature was verified. Only the second answer counts, and it is the only one that becomes <see cref="SshServerConnection.User"/>.
/// </summary>
public interface IUserAuthenticator
{
    /// <summary>
    /// Looks a key up. Unknown users and unknown keys must take the same way through the implementation, so that the time taken tells nothing.
    /// </summary>
    /// <param name="userName">The name the client gave: 1 to 255 bytes of UTF-8 without control characters, otherwise unchecked.</param>
    /// <param name="key">The key, or the key that <paramref name="certificate"/> certifies.</param>
    /// <param name="certificate">
    /// The certificate, if the client showed one. Its own signature, validity, user type, source-address and the absence of unknown critical options were checked;
    /// whether its authority is trusted and its principals fit <paramref name="userName"/> is for the implementation to say.
    /// Its force-command and permit-* extensions are applied to the answer afterwards.
    /// </param>
    /// <param name="connection">Where the request comes from.</param>
    /// <param name="cancellationToken">Set when the connection ends or the login grace time is over.</param>
    /// <returns>The user and what they may do, or <see langword="null"/> to refuse.</returns>
    ValueTask<AuthenticatedUser?> AuthorizeAsync(
        string userName, SshPublicKey key, SshCertificate? certificate, ConnectionInfo connection, CancellationToken cancellationToken);
}
