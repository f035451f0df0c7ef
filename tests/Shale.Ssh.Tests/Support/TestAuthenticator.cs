using System.Collections.Concurrent;
using Shale.Ssh.Auth;
using Shale.Ssh.Connection;
using Shale.Ssh.Keys;

namespace Shale.Ssh.Tests.Support;

/// <summary>Lets keys in by their fingerprint and remembers who asked.</summary>
internal sealed class TestAuthenticator : IUserAuthenticator
{
    private readonly ConcurrentDictionary<string, Func<AuthenticatedUser, AuthenticatedUser>> _keys = new();

    public ConcurrentQueue<(string User, string Fingerprint)> Asked { get; } = new();

    public Func<string, SshPublicKey, SshCertificate?, AuthenticatedUser?>? Decide { get; set; }

    public void Allow(string fingerprint, Func<AuthenticatedUser, AuthenticatedUser>? rights = null) => _keys[fingerprint] = rights ?? (u => u);

    public ValueTask<AuthenticatedUser?> AuthorizeAsync(
        string userName, SshPublicKey key, SshCertificate? certificate, ConnectionInfo connection, CancellationToken cancellationToken)
    {
        Asked.Enqueue((userName, key.Fingerprint));
        if (Decide is not null)
        {
            return ValueTask.FromResult(Decide(userName, key, certificate));
        }

        var user = certificate is null && userName != "nobody" && _keys.TryGetValue(key.Fingerprint, out var rights)
            ? rights(new AuthenticatedUser(userName, key.Fingerprint))
            : null;
        return ValueTask.FromResult(user);
    }
}
