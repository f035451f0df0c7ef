using Shale.Ssh.Auth;
using Shale.Ssh.Keys;
using Shale.Ssh.Tests.Support;
using Xunit;

namespace Shale.Ssh.Tests;

/// <summary>Authentication as OpenSSH's own client does it.</summary>
public sealed class OpenSshAuthTests
{
    [Theory]
    [InlineData("ed25519", null, "ED25519")]
    [InlineData("ecdsa", "256", "ECDSA")]
    [InlineData("ecdsa", "384", "ECDSA")]
    [InlineData("ecdsa", "521", "ECDSA")]
    [InlineData("rsa", "2048", "RSA")]
    public async Task Key_OfEachType_LogsIn(string type, string? bits, string shown)
    {
        await using var server = await TestServer.StartAsync();
        using var client = new OpenSshClient(server, type, allow: true, bits is null ? [] : ["-b", bits]);
        var result = await client.SshAsync(["-v"], ["true"]);
        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Contains($"Server accepts key: {client.KeyFile} {shown}", result.Error, StringComparison.Ordinal);
        Assert.All(server.Authenticator.Asked, a => Assert.Equal(client.Fingerprint, a.Fingerprint));
    }

    [Theory]
    [InlineData("rsa-sha2-256")]
    [InlineData("rsa-sha2-512")]
    public async Task RsaKey_WithEachSha2_LogsIn(string algorithm)
    {
        await using var server = await TestServer.StartAsync();
        using var client = new OpenSshClient(server, "rsa", allow: true, "-b", "2048");
        Assert.Equal(0, (await client.SshAsync(["-o", $"PubkeyAcceptedAlgorithms={algorithm}"], ["true"])).ExitCode);
    }

    [Fact]
    public async Task RsaKey_WithSha1_IsRefused()
    {
        await using var server = await TestServer.StartAsync();
        using var client = new OpenSshClient(server, "rsa", allow: true, "-b", "2048");
        Assert.Equal(255, (await client.SshAsync(["-o", "PubkeyAcceptedAlgorithms=ssh-rsa"], ["true"])).ExitCode);
        Assert.Empty(server.Sessions.Sessions);
    }

    [Fact]
    public async Task Key_Unknown_IsRefusedWithThePublicKeyMethodAlone()
    {
        await using var server = await TestServer.StartAsync();
        using var client = new OpenSshClient(server, allow: false);
        var result = await client.SshAsync([], ["true"]);
        Assert.Equal(255, result.ExitCode);
        Assert.Contains("Permission denied (publickey)", result.Error, StringComparison.Ordinal);
        Assert.Empty(server.Sessions.Sessions);
    }

    [Fact]
    public async Task Keys_ManyWrongOnesBeforeTheRightOne_AreBoundedByMaxAuthTries()
    {
        await using var server = await TestServer.StartAsync();
        using var client = new OpenSshClient(server);
        var wrong = Enumerable.Range(0, 6).Select(_ => new OpenSshClient(server, allow: false)).ToList();
        try
        {
            string[] Offer(int count) => [.. wrong.Take(count).SelectMany(c => (string[])["-o", $"IdentityFile={c.KeyFile}"])];
            Assert.Equal(0, (await client.SshAsync(Offer(5), ["true"])).ExitCode);
            var result = await client.SshAsync(Offer(6), ["true"]);
            Assert.Equal(255, result.ExitCode);
            Assert.Contains("Too many authentication failures", result.Error, StringComparison.Ordinal);
        }
        finally
        {
            wrong.ForEach(c => c.Dispose());
        }
    }

    [Fact]
    public async Task Banner_IfSet_IsShownBeforeAuthentication()
    {
        await using var server = await TestServer.StartAsync(o => o.Banner = "Leased by the second.\n");
        using var client = new OpenSshClient(server, allow: false);
        var result = await client.SshAsync(["-o", "LogLevel=INFO"], ["true"]);
        Assert.Contains("Leased by the second.", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Client_WithHostBoundMethod_LogsInByIt()
    {
        await using var server = await TestServer.StartAsync();
        using var client = new OpenSshClient(server);
        var result = await client.SshAsync(["-vvv", "-o", "PubkeyAuthentication=host-bound"], ["true"]);
        Assert.Equal(0, result.ExitCode);
        Assert.Contains("publickey-hostbound-v00@openssh.com", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Certificate_OfATrustedAuthority_LogsInWithinItsRights()
    {
        await using var server = await TestServer.StartAsync();
        using var authority = new OpenSshClient(server, allow: false);
        using var client = new OpenSshClient(server, allow: false);
        server.Authenticator.Decide = (user, _, certificate) =>
            certificate is not null && certificate.Authority.Fingerprint == authority.Fingerprint && certificate.HasPrincipal(user)
                ? new AuthenticatedUser(certificate.KeyId, certificate)
                : null;

        Assert.Equal(255, (await client.SshAsync([], ["true"])).ExitCode);

        await SignAsync("-n", "someone-else");
        Assert.Equal(255, (await client.SshAsync([], ["true"])).ExitCode);

        await SignAsync("-n", "user", "-V", "20200101:20210101");
        Assert.Equal(255, (await client.SshAsync([], ["true"])).ExitCode);

        await SignAsync("-n", "user", "-O", "source-address=192.0.2.0/24");
        Assert.Equal(255, (await client.SshAsync([], ["true"])).ExitCode);

        await SignAsync("-n", "user", "-O", "critical:unheard@of=1");
        Assert.Equal(255, (await client.SshAsync([], ["true"])).ExitCode);

        await SignAsync("-n", "user", "-h");
        Assert.Equal(255, (await client.SshAsync([], ["true"])).ExitCode);
        Assert.Empty(server.Sessions.Sessions);

        await SignAsync("-n", "user", "-O", "source-address=127.0.0.0/8", "-O", "force-command=shale-info", "-O", "no-pty");
        var result = await client.SshAsync([], ["cat /etc/passwd"]);
        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Contains("kind=Exec\n", result.Text, StringComparison.Ordinal);
        Assert.Contains("user=key of a test\n", result.Text, StringComparison.Ordinal);
        Assert.Contains("original=cat /etc/passwd\n", result.Text, StringComparison.Ordinal);
        Assert.Contains("PTY allocation request failed", (await client.SshAsync(["-tt"], ["x"])).Error, StringComparison.Ordinal);

        async Task SignAsync(params string[] arguments)
        {
            File.Delete(client.KeyFile + "-cert.pub");
            var signed = await OpenSshClient.RunProgramAsync(
                "ssh-keygen", ["-q", "-s", authority.KeyFile, "-I", "key of a test", .. arguments, client.KeyFile + ".pub"], null, TimeSpan.FromSeconds(120));
            Assert.True(signed.ExitCode == 0, signed.Error);
        }
    }

    [Fact]
    public void Rights_OfUserAndCertificate_AreTheLessOfBoth()
    {
        var folder = Directory.CreateTempSubdirectory("shale-ssh-").FullName;
        try
        {
            var (key, authority) = (Path.Combine(folder, "key"), Path.Combine(folder, "authority"));
            OpenSshClient.RunProgram("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key);
            OpenSshClient.RunProgram("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", authority);
            OpenSshClient.RunProgram(
                "ssh-keygen", "-q", "-s", authority, "-I", "id", "-n", "user", "-V", "20200101Z:20300101Z", "-O", "no-port-forwarding", "-O", "force-command=ls", key + ".pub");
            var blob = Convert.FromBase64String(File.ReadAllText(key + "-cert.pub").Split(' ')[1]);
            Assert.True(SshCertificate.TryParse(blob, out var certificate));
            var user = new AuthenticatedUser("user", this) { PermitPty = false };
            var narrowed = CertificateRights.Narrow(user, certificate);
            Assert.NotNull(narrowed);
            Assert.False(narrowed.PermitPty);
            Assert.False(narrowed.PermitPortForwarding);
            Assert.True(narrowed.PermitAgentForwarding);
            Assert.Equal("ls", narrowed.ForcedCommand);
            Assert.Equal(new DateTimeOffset(2030, 1, 1, 0, 0, 0, TimeSpan.Zero), narrowed.ValidUntil);
            Assert.Equal("ls", CertificateRights.Narrow(user with { ForcedCommand = "ls" }, certificate)?.ForcedCommand);
            Assert.Null(CertificateRights.Narrow(user with { ForcedCommand = "rm" }, certificate));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
