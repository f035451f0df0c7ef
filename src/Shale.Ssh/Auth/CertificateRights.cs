using Shale.Ssh.Keys;

namespace Shale.Ssh.Auth;

/// <summary>What a certificate leaves of its user's rights (OpenSSH's PROTOCOL.certkeys): never more than either gives.</summary>
internal static class CertificateRights
{
    /// <summary>Narrows.</summary>
    /// <returns>The user with what is left, or <see langword="null"/> when the two force different commands, so that neither can be kept.</returns>
    public static AuthenticatedUser? Narrow(AuthenticatedUser user, SshCertificate certificate)
    {
        if (user.ForcedCommand is not null && certificate.ForceCommand is not null && user.ForcedCommand != certificate.ForceCommand)
        {
            return null;
        }

        var validUntil = certificate.ValidUntil;
        return user with
        {
            PermitPty = user.PermitPty && certificate.PermitPty,
            PermitPortForwarding = user.PermitPortForwarding && certificate.PermitPortForwarding,
            PermitAgentForwarding = user.PermitAgentForwarding && certificate.PermitAgentForwarding,
            ForcedCommand = certificate.ForceCommand ?? user.ForcedCommand,
            ValidUntil = user.ValidUntil is null || validUntil < user.ValidUntil ? validUntil : user.ValidUntil,
        };
    }
}
