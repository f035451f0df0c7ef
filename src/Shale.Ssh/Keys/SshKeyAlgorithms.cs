namespace Shale.Ssh.Keys;

/// <summary>
/// The names of key types and signature algorithms (RFC 4253 section 6.6, RFC 5656, RFC 8332, RFC 8709, OpenSSH's PROTOCOL.certkeys and PROTOCOL.u2f).
/// What user authentication calls an algorithm, and which of these two it stands for, is in <see cref="Auth.PublicKeyAlgorithm"/>.
/// </summary>
internal static class SshKeyAlgorithms
{
    internal const string Ed25519 = "ssh-ed25519";
    internal const string EcdsaP256 = "ecdsa-sha2-nistp256";
    internal const string EcdsaP384 = "ecdsa-sha2-nistp384";
    internal const string EcdsaP521 = "ecdsa-sha2-nistp521";
    internal const string SkEd25519 = "sk-ssh-ed25519@openssh.com";
    internal const string SkEcdsaP256 = "sk-ecdsa-sha2-nistp256@openssh.com";
    internal const string Rsa = "ssh-rsa";
    internal const string RsaSha256 = "rsa-sha2-256";
    internal const string RsaSha512 = "rsa-sha2-512";

    private const string CertificateSuffix = "-cert-v01@openssh.com";

    /// <summary>The type of the plain key in a certificate of the given type, or null.</summary>
    internal static string? KeyTypeOfCertificate(string certificateType) => certificateType switch
    {
        Ed25519 + CertificateSuffix => Ed25519,
        EcdsaP256 + CertificateSuffix => EcdsaP256,
        EcdsaP384 + CertificateSuffix => EcdsaP384,
        EcdsaP521 + CertificateSuffix => EcdsaP521,
        Rsa + CertificateSuffix => Rsa,
        "sk-ssh-ed25519" + CertificateSuffix => SkEd25519,
        "sk-ecdsa-sha2-nistp256" + CertificateSuffix => SkEcdsaP256,
        _ => null,
    };
}
