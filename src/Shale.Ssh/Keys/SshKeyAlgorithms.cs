using System.Diagnostics.CodeAnalysis;

namespace Shale.Ssh.Keys;

/// <summary>What a public key algorithm's name in a request stands for.</summary>
/// <param name="BlobType">The type name inside the key's or certificate's encoding.</param>
/// <param name="SignatureAlgorithm">The algorithm name inside signatures.</param>
/// <param name="IsCertificate">Whether the encoding is a certificate.</param>
public sealed record SshKeyAlgorithm(string BlobType, string SignatureAlgorithm, bool IsCertificate);

/// <summary>
/// The names of public key algorithms (RFC 4253 section 6.6, RFC 5656, RFC 8332, RFC 8709, OpenSSH's PROTOCOL.certkeys and PROTOCOL.u2f). A request names an algorithm, an encoding
/// names a type, a signature names an algorithm again, and the three differ for RSA and for certificates. ssh-rsa (SHA-1) and ssh-dss are not here and so are refused everywhere.
/// </summary>
public static class SshKeyAlgorithms
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
    internal const string CertificateSuffix = "-cert-v01@openssh.com";

    /// <summary>The signature algorithms that a server accepts from users, best first: the value of server-sig-algs (RFC 8308 section 3.1).</summary>
    public static IReadOnlyList<string> SignatureAlgorithms { get; } =
        [Ed25519, SkEd25519, EcdsaP256, EcdsaP384, EcdsaP521, SkEcdsaP256, RsaSha512, RsaSha256];

    // Behind the list that it is made from: initializers run in the order of the text.
    private static readonly Dictionary<string, SshKeyAlgorithm> ByName = MakeTable();

    /// <summary>Looks up the public key algorithm that a request names.</summary>
    /// <param name="name">The name, from anywhere.</param>
    /// <param name="algorithm">What it stands for.</param>
    /// <returns>Whether it is one of ours.</returns>
    public static bool TryGet(string name, [NotNullWhen(true)] out SshKeyAlgorithm? algorithm) => ByName.TryGetValue(name, out algorithm);

    /// <summary>The type of the plain key in a certificate of the given type, or null.</summary>
    internal static string? KeyTypeOfCertificate(string certificateType) => certificateType switch
    {
        "ssh-ed25519" + CertificateSuffix => Ed25519,
        "ecdsa-sha2-nistp256" + CertificateSuffix => EcdsaP256,
        "ecdsa-sha2-nistp384" + CertificateSuffix => EcdsaP384,
        "ecdsa-sha2-nistp521" + CertificateSuffix => EcdsaP521,
        "ssh-rsa" + CertificateSuffix => Rsa,
        "sk-ssh-ed25519-cert-v01@openssh.com" => SkEd25519,
        "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com" => SkEcdsaP256,
        _ => null,
    };

    private static Dictionary<string, SshKeyAlgorithm> MakeTable()
    {
        var table = new Dictionary<string, SshKeyAlgorithm>(StringComparer.Ordinal);
        foreach (var signature in SignatureAlgorithms)
        {
            var type = signature is RsaSha256 or RsaSha512 ? Rsa : signature;
            table[signature] = new(type, signature, IsCertificate: false);
            table[CertificateName(signature)] = new(CertificateName(type), signature, IsCertificate: true);
        }

        return table;
    }

    // A vendor's suffix stays at the end: sk-ssh-ed25519@openssh.com becomes sk-ssh-ed25519-cert-v01@openssh.com.
    private static string CertificateName(string name) => name.Split('@')[0] + CertificateSuffix;
}
