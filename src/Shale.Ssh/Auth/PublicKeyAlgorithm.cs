using System.Collections.Frozen;

namespace Shale.Ssh.Auth;

/// <summary>
/// A public key algorithm as user authentication names it. The name settles what key it takes and how that key must have signed, so that an "ssh-rsa" key never signs with SHA-1 and a
/// signature of one kind is never taken for another.
/// </summary>
/// <param name="Name">The algorithm.</param>
/// <param name="KeyType">The type that the key's own encoding must begin with.</param>
/// <param name="SignatureAlgorithm">The algorithm that the signature's encoding must begin with.</param>
/// <param name="IsCertificate">Whether the key is a certificate.</param>
internal sealed record PublicKeyAlgorithm(string Name, string KeyType, string SignatureAlgorithm, bool IsCertificate)
{
    private const string CertificateSuffix = "-cert-v01@openssh.com";

    private static readonly FrozenDictionary<string, PublicKeyAlgorithm> ByName = All().ToFrozenDictionary(a => a.Name);

    /// <summary>The value of the extension server-sig-algs (RFC 8308 section 3.1): what plain keys may sign with.</summary>
    public static string ServerSigAlgs { get; } = string.Join(',', All().Where(a => !a.IsCertificate).Select(a => a.Name));

    public static PublicKeyAlgorithm? Find(string name) => ByName.GetValueOrDefault(name);

    private static IEnumerable<PublicKeyAlgorithm> All()
    {
        string[] plain = ["ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"];
        string[] hardware = ["sk-ssh-ed25519", "sk-ecdsa-sha2-nistp256"];
        foreach (var name in plain)
        {
            yield return new(name, name, name, false);
            yield return new(name + CertificateSuffix, name + CertificateSuffix, name, true);
        }

        foreach (var name in hardware)
        {
            yield return new(name + "@openssh.com", name + "@openssh.com", name + "@openssh.com", false);
            yield return new(name + CertificateSuffix, name + CertificateSuffix, name + "@openssh.com", true);
        }

        foreach (var name in (string[])["rsa-sha2-512", "rsa-sha2-256"])
        {
            yield return new(name, "ssh-rsa", name, false);
            yield return new(name + CertificateSuffix, "ssh-rsa" + CertificateSuffix, name, true);
        }
    }
}
