using Shale.Ssh.Keys;

namespace Shale.Ssh.Auth;

/// <summary>
/// A peer whose signature was verified. Only <see cref="UserAuthentication"/> makes one, and the connection protocol cannot be served without one.
/// </summary>
/// <param name="UserName">The name it asked for.</param>
/// <param name="User">Who it is and what it may do.</param>
/// <param name="Key">The key that signed, in this connection, last.</param>
/// <param name="Certificate">The certificate over that key, if it was shown.</param>
internal sealed record AuthenticatedPeer(string UserName, AuthenticatedUser User, SshPublicKey Key, SshCertificate? Certificate);
