using System.Diagnostics.CodeAnalysis;
using Shale.Ssh.Keys;

namespace Shale.Ssh.Auth;

/// <summary>Turns the key of an authentication request into a key, and the certificate over it if it is one.</summary>
internal static class CredentialParser
{
    /// <summary>Parses a key or a certificate whose own type must be the one that its algorithm takes.</summary>
    public static bool TryParse(
        ReadOnlySpan<byte> blob, PublicKeyAlgorithm algorithm, [NotNullWhen(true)] out SshPublicKey? key, out SshCertificate? certificate)
    {
        certificate = null;
        key = null;
        return !algorithm.IsCertificate && SshPublicKey.TryParse(blob, out key) && key.KeyType == algorithm.KeyType;
    }
}
