using Shale.Ssh.Keys;

namespace Shale.Ssh.Auth;

/// <summary>A user and what they may do on this connection. Everything is granted unless it is taken away here or by a certificate.</summary>
/// <param name="Name">The name to show in logs.</param>
/// <param name="Identity">What the authenticator knows about the user, handed on untouched (a lease, for example).</param>
public sealed record AuthenticatedUser(string Name, object Identity)
{
    /// <summary>Whether a pseudo-terminal may be requested.</summary>
    public bool PermitPty { get; init; } = true;

    /// <summary>Whether TCP and Unix-socket forwards may be opened in either direction.</summary>
    public bool PermitPortForwarding { get; init; } = true;

    /// <summary>Whether the client's request for agent forwarding is granted, so that agent channels may be opened to it.</summary>
    public bool PermitAgentForwarding { get; init; } = true;

    /// <summary>The command to run in place of whatever shell, command or subsystem is asked for; <see langword="null"/> for none.</summary>
    public string? ForcedCommand { get; init; }

    /// <summary>What a security key (sk-…) must attest with its signature; a certificate's own word goes before this.</summary>
    public SecurityKeyPolicy SecurityKeyPolicy { get; init; } = SecurityKeyPolicy.RequirePresence;

    /// <summary>When the right ends, because a certificate or lease does; the connection is closed then. <see langword="null"/> for never.</summary>
    public DateTimeOffset? ValidUntil { get; init; }
}
