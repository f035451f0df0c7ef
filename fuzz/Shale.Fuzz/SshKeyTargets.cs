using System.Net;
using System.Text;
using Shale.Ssh.Keys;

namespace Shale.Fuzz;

/// <summary>Public keys as peers send them; a key that is taken must have the encoding that it came in.</summary>
public sealed class SshPublicKeyTarget : IFuzzTarget
{
    /// <inheritdoc/>
    public string Name => "ssh-public-key";

    /// <inheritdoc/>
    public IEnumerable<byte[]> Seeds => HostKeySeeds.Keys.Select(k => k.PublicKey.Blob.ToArray());

    /// <inheritdoc/>
    public void Run(ReadOnlySpan<byte> input)
    {
        if (SshPublicKey.TryParse(input, out var key) && !key.Blob.Span.SequenceEqual(input))
        {
            throw new InvalidOperationException("The key has another encoding than it came in.");
        }
    }
}

/// <summary>Signatures as peers send them.</summary>
public sealed class SshSignatureTarget : IFuzzTarget
{
    /// <inheritdoc/>
    public string Name => "ssh-signature";

    /// <inheritdoc/>
    public IEnumerable<byte[]> Seeds => HostKeySeeds.Keys.Select(k => k.Sign(k.SignatureAlgorithms[0], "data"u8));

    /// <inheritdoc/>
    public void Run(ReadOnlySpan<byte> input)
    {
        foreach (var key in HostKeySeeds.Keys)
        {
            _ = key.PublicKey.Verify("data"u8, input, key.SignatureAlgorithms[0]);
        }
    }
}

/// <summary>Certificates as peers send them; the corpus holds some of ssh-keygen's.</summary>
public sealed class SshCertificateTarget : IFuzzTarget
{
    /// <inheritdoc/>
    public string Name => "ssh-certificate";

    /// <inheritdoc/>
    public IEnumerable<byte[]> Seeds => [];

    /// <inheritdoc/>
    public void Run(ReadOnlySpan<byte> input)
    {
        if (SshCertificate.TryParse(input, out var certificate))
        {
            _ = certificate.Check(TimeProvider.System, IPAddress.Loopback);
            _ = certificate.ValidUntil;
            _ = certificate.HasPrincipal("root");
        }
    }
}

/// <summary>Lines of authorized_keys files, which operators write.</summary>
public sealed class AuthorizedKeyTarget : IFuzzTarget
{
    /// <inheritdoc/>
    public string Name => "authorized-key";

    /// <inheritdoc/>
    public IEnumerable<byte[]> Seeds => HostKeySeeds.Keys.Select(k => Encoding.UTF8.GetBytes(
        $"restrict,pty,command=\"a \\\"b\\\"\",from=\"10.0.0.0/8,!10.1.*,2001:db8::/32\",expiry-time=\"20300101Z\",environment=\"A=b\",principals=\"a,b\" {k.PublicKey} comment"));

    /// <inheritdoc/>
    public void Run(ReadOnlySpan<byte> input)
    {
        if (SshPublicKey.TryParseAuthorizedKey(Encoding.UTF8.GetString(input), out var line))
        {
            _ = line.From?.Matches(IPAddress.IPv6Loopback);
        }
    }
}

/// <summary>Private key files, which an operator may have brought along.</summary>
public sealed class HostKeyFileTarget : IFuzzTarget
{
    /// <inheritdoc/>
    public string Name => "host-key-file";

    /// <inheritdoc/>
    public IEnumerable<byte[]> Seeds => HostKeySeeds.Keys.Select(k =>
    {
        var text = OpenSshKeyFile.Write(k, "comment").Split('\n');
        return Convert.FromBase64String(string.Concat(text[1..^2]));
    });

    /// <inheritdoc/>
    public void Run(ReadOnlySpan<byte> input)
    {
        var text = $"-----BEGIN OPENSSH PRIVATE KEY-----\n{Convert.ToBase64String(input)}\n-----END OPENSSH PRIVATE KEY-----\n";
        if (OpenSshKeyFile.TryRead(text, out var key) is null)
        {
            key!.Dispose();
        }

        _ = OpenSshKeyFile.TryRead(Encoding.UTF8.GetString(input), out _);
    }
}

// New keys in every run: no path through the parsers depends on a key's value, and a finding carries its whole input.
internal static class HostKeySeeds
{
    internal static HostKey[] Keys { get; } = [Ed25519HostKey.Generate(), EcdsaHostKey.Generate("nistp256"), EcdsaHostKey.Generate("nistp521"), RsaHostKey.Generate(2048)];
}
