using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Text;
using Shale.Wire;

namespace Shale.Ssh.Keys;

/// <summary>What the check of a certificate gave. Everything but <see cref="Ok"/> refuses.</summary>
public enum CertificateCheck
{
    /// <summary>Its authority's signature does not verify.</summary>
    BadSignature,

    /// <summary>It is valid now, from here, for a user.</summary>
    Ok,

    /// <summary>It is for a host, not for a user.</summary>
    NotForUsers,

    /// <summary>Its validity has not begun.</summary>
    NotYetValid,

    /// <summary>Its validity is over.</summary>
    Expired,

    /// <summary>It has a critical option that is unknown here, so that the authority's intent cannot be kept.</summary>
    UnknownCriticalOption,

    /// <summary>It may not be used from the peer's address.</summary>
    SourceAddressRefused,
}

/// <summary>
/// An OpenSSH certificate (PROTOCOL.certkeys, version 01): a key, to whom it belongs, when and how it may be used, signed by an authority.
/// To parse it is cheap and proves nothing; <see cref="Check"/> verifies it. Whether the authority is trusted, and whether a principal fits, the caller decides.
/// </summary>
public sealed class SshCertificate
{
    /// <summary>The longest encoding, in bytes: two RSA keys of 16384 bits and a signature are 7 KiB, and the rest is room for names and options.</summary>
    public const int MaxBlobSize = 32768;

    /// <summary>The most principals; OpenSSH's own bound (SSHKEY_CERT_MAX_PRINCIPALS).</summary>
    public const int MaxPrincipals = 256;

    // Sixteen times what OpenSSH defines: bounds the work of looking at names.
    private const int MaxOptions = 128;
    private const uint UserType = 1;

    private readonly byte[] _blob;
    private readonly int _signedLength;
    private readonly byte[] _signature;

    private SshCertificate(string keyType, SshPublicKey key, SshPublicKey authority, byte[] blob, int signedLength, byte[] signature)
    {
        KeyType = keyType;
        Key = key;
        Authority = authority;
        _blob = blob;
        _signedLength = signedLength;
        _signature = signature;
    }

    /// <summary>The certificate type's name, as it stands in the encoding, for example "ssh-ed25519-cert-v01@openssh.com".</summary>
    public string KeyType { get; }

    /// <summary>The whole encoding.</summary>
    public ReadOnlyMemory<byte> Blob => _blob;

    /// <summary>The certified key, with which the user signs.</summary>
    public SshPublicKey Key { get; }

    /// <summary>The key that signed the certificate. It is a plain key: certificates do not chain.</summary>
    public SshPublicKey Authority { get; }

    /// <summary>The serial number that the authority gave; 0 when it gave none.</summary>
    public ulong Serial { get; private init; }

    /// <summary>Whether it is for users (else for hosts).</summary>
    public bool IsForUsers { get; private init; }

    /// <summary>What the authority calls it; for logs.</summary>
    public string KeyId { get; private init; } = "";

    /// <summary>The names that it is valid for.</summary>
    public IReadOnlyList<string> Principals { get; private init; } = [];

    /// <summary>From when on it is valid, in seconds since 1970.</summary>
    public ulong ValidAfter { get; private init; }

    /// <summary>From when on it is not valid any more, in seconds since 1970; all ones for never.</summary>
    public ulong ValidBefore { get; private init; }

    /// <summary>The same as a time; null when it lies beyond what a calendar of ours holds.</summary>
    public DateTimeOffset? ValidUntil => ValidBefore <= (ulong)DateTimeOffset.MaxValue.ToUnixTimeSeconds() ? DateTimeOffset.FromUnixTimeSeconds((long)ValidBefore) : null;

    /// <summary>Critical option force-command: run in place of whatever is asked for; null when absent.</summary>
    public string? ForceCommand { get; private set; }

    /// <summary>Critical option source-address: where a connection must come from; null when absent.</summary>
    public AddressList? SourceAddress { get; private set; }

    /// <summary>Critical option verify-required: the security key must have verified its user.</summary>
    public bool VerifyRequired { get; private set; }

    /// <summary>The first critical option that is unknown here, or known and malformed; null when there is none.</summary>
    public string? UnknownCriticalOption { get; private set; }

    /// <summary>Extension permit-pty.</summary>
    public bool PermitPty { get; private set; }

    /// <summary>Extension permit-port-forwarding.</summary>
    public bool PermitPortForwarding { get; private set; }

    /// <summary>Extension permit-agent-forwarding.</summary>
    public bool PermitAgentForwarding { get; private set; }

    /// <summary>Extension permit-X11-forwarding.</summary>
    public bool PermitX11Forwarding { get; private set; }

    /// <summary>Extension permit-user-rc.</summary>
    public bool PermitUserRc { get; private set; }

    /// <summary>Extension no-touch-required: the authority does not insist on presence. OpenSSH lets it count only where the authorized key says so too.</summary>
    public bool NoTouchRequired { get; private set; }

    /// <summary>What a signature with the certified key must attest, by the certificate alone.</summary>
    public SecurityKeyPolicy SecurityKeyPolicy =>
        (NoTouchRequired ? SecurityKeyPolicy.None : SecurityKeyPolicy.RequirePresence) | (VerifyRequired ? SecurityKeyPolicy.RequireVerification : SecurityKeyPolicy.None);

    /// <summary>Parses a certificate without verifying it.</summary>
    /// <param name="blob">The encoding, from anywhere; it is copied.</param>
    /// <param name="certificate">The certificate.</param>
    /// <returns>Whether it is well formed, of a type that we know, signed by a plain key, and has nothing behind it.</returns>
    public static bool TryParse(ReadOnlySpan<byte> blob, [NotNullWhen(true)] out SshCertificate? certificate)
    {
        certificate = null;
        var reader = new WireReader(blob);
        if (blob.Length > MaxBlobSize
            || !reader.TryReadAscii(WireReader.MaxNameLength, out var type)
            || SshKeyAlgorithms.KeyTypeOfCertificate(type) is not { } plainType
            || !reader.TryReadString(out _) // nonce
            || !KeyMaterial.TryRead(plainType, ref reader, out var material)
            || !reader.TryReadUInt64(out var serial)
            || !reader.TryReadUInt32(out var kind) || kind is not (UserType or 2)
            || !reader.TryReadUtf8(MaxBlobSize, out var keyId)
            || !reader.TryReadString(out var principalBytes) || !TryReadPrincipals(principalBytes, out var principals)
            || !reader.TryReadUInt64(out var validAfter)
            || !reader.TryReadUInt64(out var validBefore)
            || !reader.TryReadString(out var criticalBytes) || !TryReadOptions(criticalBytes, out var critical)
            || !reader.TryReadString(out var extensionBytes) || !TryReadOptions(extensionBytes, out var extensions)
            || !reader.TryReadString(out _) // reserved
            || !reader.TryReadString(out var authorityBytes) || !SshPublicKey.TryParse(authorityBytes, out var authority))
        {
            return false;
        }

        var signedLength = reader.Consumed;
        if (!reader.TryReadString(out var signature) || !reader.IsAtEnd)
        {
            return false;
        }

        certificate = new SshCertificate(type, new SshPublicKey(plainType, material), authority, blob.ToArray(), signedLength, signature.ToArray())
        {
            Serial = serial,
            IsForUsers = kind == UserType,
            KeyId = keyId,
            Principals = principals,
            ValidAfter = validAfter,
            ValidBefore = validBefore,
        };
        foreach (var (name, data) in critical)
        {
            if (!certificate.TryApplyCritical(name, data))
            {
                certificate.UnknownCriticalOption ??= name;
            }
        }

        foreach (var (name, _) in extensions)
        {
            certificate.ApplyExtension(name); // unknown extensions are ignored, as the format prescribes
        }

        return true;
    }

    /// <summary>Verifies all that can be said without knowing whom to trust: kind, time, options, source and, last because it costs most, the authority's signature.</summary>
    /// <param name="time">The clock.</param>
    /// <param name="source">The peer's address; null when unknown, which a source-address option then refuses.</param>
    /// <returns>What the check gave.</returns>
    public CertificateCheck Check(TimeProvider time, IPAddress? source)
    {
        ArgumentNullException.ThrowIfNull(time);
        var now = (ulong)Math.Max(0, time.GetUtcNow().ToUnixTimeSeconds());
        if (!IsForUsers)
        {
            return CertificateCheck.NotForUsers;
        }

        if (now < ValidAfter)
        {
            return CertificateCheck.NotYetValid;
        }

        if (now >= ValidBefore)
        {
            return CertificateCheck.Expired;
        }

        if (UnknownCriticalOption is not null)
        {
            return CertificateCheck.UnknownCriticalOption;
        }

        if (SourceAddress is not null && (source is null || !SourceAddress.Matches(source)))
        {
            return CertificateCheck.SourceAddressRefused;
        }

        return IsSigned() ? CertificateCheck.Ok : CertificateCheck.BadSignature;
    }

    /// <summary>
    /// Whether the certificate names this principal. One without principals names nobody: OpenSSH once let it stand for everybody, and gave that up (10.1) because
    /// authorities issued it by mistake.
    /// </summary>
    /// <param name="principal">The name asked for.</param>
    public bool HasPrincipal(string principal) => Principals.Contains(principal, StringComparer.Ordinal);

    // The authority chooses its algorithm, so what the signature names counts; SHA-1 is not among those that a key can make. That an authority in a security key was
    // touched is the authority's affair, as in OpenSSH.
    private bool IsSigned()
    {
        var reader = new WireReader(_signature);
        return reader.TryReadAscii(WireReader.MaxNameLength, out var algorithm)
            && Authority.Verify(_blob.AsSpan(0, _signedLength), _signature, algorithm, SecurityKeyPolicy.None, out _) == SignatureCheck.Ok;
    }

    private bool TryApplyCritical(string name, byte[] data)
    {
        switch (name)
        {
            case "force-command":
                ForceCommand = ReadInner(data);
                return ForceCommand is not null;
            case "source-address":
                var text = ReadInner(data);
                if (text is null || !AddressList.TryParse(text, patterns: false, out var list))
                {
                    return false;
                }

                SourceAddress = list;
                return true;
            case "verify-required":
                VerifyRequired = true;
                return data.Length == 0;
            default:
                return false;
        }
    }

    private void ApplyExtension(string name)
    {
        switch (name)
        {
            case "permit-pty":
                PermitPty = true;
                break;
            case "permit-port-forwarding":
                PermitPortForwarding = true;
                break;
            case "permit-agent-forwarding":
                PermitAgentForwarding = true;
                break;
            case "permit-X11-forwarding":
                PermitX11Forwarding = true;
                break;
            case "permit-user-rc":
                PermitUserRc = true;
                break;
            case "no-touch-required":
                NoTouchRequired = true;
                break;
            default:
                break;
        }
    }

    // An option's data is itself a string in its own encoding.
    private static string? ReadInner(byte[] data)
    {
        var reader = new WireReader(data);
        return reader.TryReadUtf8(MaxBlobSize, out var text) && reader.IsAtEnd && !text.Contains('\0', StringComparison.Ordinal) ? text : null;
    }

    private static bool TryReadPrincipals(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out List<string>? principals)
    {
        var found = new List<string>();
        principals = null;
        var reader = new WireReader(bytes);
        while (!reader.IsAtEnd)
        {
            if (found.Count == MaxPrincipals || !reader.TryReadUtf8(MaxBlobSize, out var name))
            {
                return false;
            }

            found.Add(name);
        }

        principals = found;
        return true;
    }

    // Pairs of name and data; PROTOCOL.certkeys has names in lexical order, each once.
    private static bool TryReadOptions(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out List<(string Name, byte[] Data)>? options)
    {
        var found = new List<(string Name, byte[] Data)>();
        options = null;
        var reader = new WireReader(bytes);
        while (!reader.IsAtEnd)
        {
            if (found.Count == MaxOptions || !reader.TryReadString(out var nameBytes) || !reader.TryReadString(out var data))
            {
                return false;
            }

            var name = Encoding.Latin1.GetString(nameBytes);
            if (found.Count > 0 && string.CompareOrdinal(found[^1].Name, name) >= 0)
            {
                return false;
            }

            found.Add((name, data.ToArray()));
        }

        options = found;
        return true;
    }
}
