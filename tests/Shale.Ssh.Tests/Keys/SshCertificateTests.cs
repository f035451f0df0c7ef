using System.Net;
using Shale.Ssh.Keys;
using Xunit;

namespace Shale.Ssh.Tests.Keys;

public sealed class SshCertificateTests : IDisposable
{
    private static readonly DateTimeOffset Now = new(2026, 6, 1, 12, 0, 0, TimeSpan.Zero);

    private readonly SshKeygen keygen = new();

    public void Dispose() => keygen.Dispose();

    [Theory]
    [InlineData("ed25519", null, "ssh-ed25519-cert-v01@openssh.com")]
    [InlineData("ecdsa", 256, "ecdsa-sha2-nistp256-cert-v01@openssh.com")]
    [InlineData("ecdsa", 384, "ecdsa-sha2-nistp384-cert-v01@openssh.com")]
    [InlineData("ecdsa", 521, "ecdsa-sha2-nistp521-cert-v01@openssh.com")]
    [InlineData("rsa", 2048, "ssh-rsa-cert-v01@openssh.com")]
    [InlineData("sk-ed25519", null, "sk-ssh-ed25519-cert-v01@openssh.com")]
    [InlineData("sk-ecdsa", null, "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com")]
    public void Check_CertificateOfSshKeygenForEveryType_IsOk(string type, int? bits, string certificateType)
    {
        // Every type of authority once; the others with the quickest.
        (string, int?)[] authorities = type == "ed25519" ? [("ed25519", null), ("ecdsa", 384), ("rsa", 2048)] : [("ed25519", null)];
        foreach (var (ca, caBits) in authorities)
        {
            keygen.Generate("ca-" + ca, ca, caBits);
            SshPublicKey key;
            if (type.StartsWith("sk-", StringComparison.Ordinal))
            {
                key = new SecurityKeyTests.Authenticator(type == "sk-ed25519", "ssh:").Key;
                File.WriteAllText(keygen.PathOf("user.pub"), key + "\n");
            }
            else
            {
                File.Delete(keygen.PathOf("user"));
                key = keygen.Generate("user", type, bits);
            }

            keygen.Run("-q", "-s", "ca-" + ca, "-I", "some id", "-n", "alice,bob", "-z", "77", "-V", "20260101:20270101", "user.pub");
            var certificate = Parse();
            Assert.Equal(certificateType, certificate.KeyType);
            Assert.Equal(key, certificate.Key);
            Assert.Equal(keygen.PublicKey("ca-" + ca), certificate.Authority);
            Assert.Equal(CertificateCheck.Ok, certificate.Check(At(Now), null));
            Assert.Equal((77UL, "some id", true), (certificate.Serial, certificate.KeyId, certificate.IsForUsers));
            Assert.True(certificate.HasPrincipal("alice") && certificate.HasPrincipal("bob") && !certificate.HasPrincipal("Alice") && !certificate.HasPrincipal(""));
            Assert.True(certificate is { PermitPty: true, PermitPortForwarding: true, PermitAgentForwarding: true, PermitX11Forwarding: true, PermitUserRc: true });
            Assert.True(certificate is { ForceCommand: null, SourceAddress: null, VerifyRequired: false, NoTouchRequired: false });
            Assert.Equal(SecurityKeyPolicy.RequirePresence, certificate.SecurityKeyPolicy);
        }
    }

    [Fact]
    public void Check_Validity_CountsFromItsFirstSecondToItsLast()
    {
        Make("-V", "20260101000000Z:20260601120000Z");
        var certificate = Parse();
        var start = new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
        Assert.Equal(CertificateCheck.NotYetValid, certificate.Check(At(start.AddSeconds(-1)), null));
        Assert.Equal(CertificateCheck.Ok, certificate.Check(At(start), null));
        Assert.Equal(CertificateCheck.Ok, certificate.Check(At(Now.AddSeconds(-1)), null));
        Assert.Equal(CertificateCheck.Expired, certificate.Check(At(Now), null));
        Assert.Equal(Now, certificate.ValidUntil);
        Make("-V", "always:forever");
        Assert.Null(Parse().ValidUntil);
        Assert.Equal(CertificateCheck.Ok, Parse().Check(At(DateTimeOffset.MaxValue), null));
    }

    [Fact]
    public void TryParse_EveryOptionOfSshKeygen_IsUnderstoodAsItPrintsThem()
    {
        Make("-O", "clear", "-O", "force-command=echo 'a, \"b\"' ä", "-O", "source-address=10.0.0.0/8,2001:db8::/32,192.0.2.7", "-O", "verify-required", "-O", "permit-pty", "-O", "no-touch-required");
        var certificate = Parse();
        Assert.Equal("echo 'a, \"b\"' ä", certificate.ForceCommand);
        Assert.True(certificate is { PermitPty: true, PermitPortForwarding: false, PermitAgentForwarding: false, PermitX11Forwarding: false, PermitUserRc: false, NoTouchRequired: true, VerifyRequired: true });
        Assert.Equal(SecurityKeyPolicy.RequireVerification, certificate.SecurityKeyPolicy);
        foreach (var (address, expected) in new[]
        {
            ("10.255.1.2", CertificateCheck.Ok), ("::ffff:10.1.2.3", CertificateCheck.Ok), ("11.0.0.1", CertificateCheck.SourceAddressRefused), ("2001:db8:1::1", CertificateCheck.Ok),
            ("2001:db9::1", CertificateCheck.SourceAddressRefused), ("192.0.2.7", CertificateCheck.Ok), ("192.0.2.8", CertificateCheck.SourceAddressRefused), ("::1", CertificateCheck.SourceAddressRefused),
        })
        {
            Assert.Equal(expected, certificate.Check(At(Now), IPAddress.Parse(address)));
        }

        Assert.Equal(CertificateCheck.SourceAddressRefused, certificate.Check(At(Now), null));
        var printed = keygen.Run("-L", "-f", "user-cert.pub");
        foreach (var line in new[] { $"Serial: {certificate.Serial}", $"Key ID: \"{certificate.KeyId}\"", certificate.Key.Fingerprint, certificate.Authority.Fingerprint, certificate.SourceAddress!.Text, "verify-required", "permit-pty", "no-touch-required" })
        {
            Assert.Contains(line, printed, StringComparison.Ordinal);
        }

        foreach (var (option, permitted) in new (string, Func<SshCertificate, bool>)[]
        {
            ("no-pty", c => c.PermitPty), ("no-port-forwarding", c => c.PermitPortForwarding), ("no-agent-forwarding", c => c.PermitAgentForwarding), ("no-x11-forwarding", c => c.PermitX11Forwarding), ("no-user-rc", c => c.PermitUserRc),
        })
        {
            Make("-O", option);
            var one = Parse();
            Assert.False(permitted(one));
            Assert.Equal(4, new[] { one.PermitPty, one.PermitPortForwarding, one.PermitAgentForwarding, one.PermitX11Forwarding, one.PermitUserRc }.Count(p => p));
        }
    }

    [Fact]
    public void Check_UnknownCriticalOption_IsRefusedAndUnknownExtensionIsNot()
    {
        Make("-O", "extension:colour@example.com=blue");
        Assert.Equal(CertificateCheck.Ok, Parse().Check(At(Now), null));
        Make("-O", "critical:colour@example.com=blue");
        var certificate = Parse();
        Assert.Equal("colour@example.com", certificate.UnknownCriticalOption);
        Assert.Equal(CertificateCheck.UnknownCriticalOption, certificate.Check(At(Now), null));

        // A known one that cannot be understood counts as unknown.
        Make("-O", "critical:source-address=10.0.0.1/8");
        Assert.Equal(CertificateCheck.UnknownCriticalOption, Parse().Check(At(Now), IPAddress.Parse("10.0.0.1")));
    }

    [Fact]
    public void Check_HostCertificate_IsNotForUsers()
    {
        Make("-h");
        Assert.Equal(CertificateCheck.NotForUsers, Parse().Check(At(Now), null));
    }

    [Fact]
    public void Check_AnyByteTurned_IsNeverOk()
    {
        Make("-O", "force-command=true", "-n", "alice");
        var blob = keygen.Blob("user-cert.pub");
        for (var at = 0; at < blob.Length; at++)
        {
            var bad = (byte[])blob.Clone();
            bad[at] ^= 0x01;
            Assert.False(SshCertificate.TryParse(bad, out var certificate) && certificate.Check(At(Now), null) == CertificateCheck.Ok, $"byte {at}");
            Assert.False(SshCertificate.TryParse(blob.AsSpan(0, at), out _));
        }

        Assert.False(SshCertificate.TryParse([.. blob, 0], out _));
    }

    // The authority must be a plain key: its place in the encoding is given to a certificate here.
    [Fact]
    public void TryParse_AuthorityThatIsACertificate_IsRefused()
    {
        Make();
        var blob = keygen.Blob("user-cert.pub");
        Assert.False(SshPublicKey.TryParse(blob, out _));
        var certificate = Parse();
        var authority = SshKeygen.Strings(certificate.Authority.Blob.ToArray());
        var at = blob.AsSpan().IndexOf(authority);
        Assert.True(at > 0);
        byte[] chained = [.. blob[..at], .. SshKeygen.Strings(blob), .. blob[(at + authority.Length)..]];
        Assert.False(SshCertificate.TryParse(chained, out _));
    }

    [Fact]
    public void Check_RsaAuthorityWithSha1_IsRefused()
    {
        keygen.Generate("old", "rsa", 2048);
        keygen.Generate("user", "ed25519");
        keygen.Run("-q", "-s", "old", "-t", "rsa-sha2-256", "-I", "id", "-n", "alice", "user.pub");
        Assert.Equal(CertificateCheck.Ok, Parse().Check(At(Now), null));
        keygen.Run("-q", "-s", "old", "-t", "ssh-rsa", "-I", "id", "-n", "alice", "user.pub");
        Assert.Equal(CertificateCheck.BadSignature, Parse().Check(At(Now), null));
    }

    [Fact]
    public void HasPrincipal_CertificateWithoutPrincipals_NamesNobody()
    {
        keygen.Generate("ca", "ed25519");
        keygen.Generate("user", "ed25519");
        keygen.Run("-q", "-s", "ca", "-I", "id", "user.pub");
        Assert.Empty(Parse().Principals);
        Assert.False(Parse().HasPrincipal(""));
        Assert.False(Parse().HasPrincipal("root"));
    }

    private void Make(params string[] options)
    {
        if (!File.Exists(keygen.PathOf("ca")))
        {
            keygen.Generate("ca", "ed25519");
            keygen.Generate("user", "ed25519");
        }

        keygen.Run(["-q", "-s", "ca", "-I", "id", .. options.Contains("-n") ? Array.Empty<string>() : ["-n", "alice"], .. options, "user.pub"]);
    }

    private SshCertificate Parse()
    {
        Assert.True(SshCertificate.TryParse(keygen.Blob("user-cert.pub"), out var certificate));
        return certificate;
    }

    private static Clock At(DateTimeOffset now) => new(now);

    private sealed class Clock(DateTimeOffset now) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => now;
    }
}
