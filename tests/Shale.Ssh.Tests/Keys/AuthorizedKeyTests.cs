using System.Net;
using Shale.Ssh.Keys;
using Xunit;

namespace Shale.Ssh.Tests.Keys;

public sealed class AuthorizedKeyTests
{
    // RFC 8709's and OpenSSH's form; the point is that of RFC 8032's first vector.
    private const string Key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea";

    [Fact]
    public void TryParse_PlainLine_HasItsCommentAndNoRestriction()
    {
        var line = Parse(Key + "  alice@example.com with blanks ");
        Assert.Equal("alice@example.com with blanks", line.Comment);
        Assert.True(line is { PermitPty: true, PermitPortForwarding: true, PermitAgentForwarding: true, PermitX11Forwarding: true, PermitUserRc: true, Command: null, From: null, IsCertificateAuthority: false });
        Assert.Equal(SecurityKeyPolicy.RequirePresence, line.SecurityKeyPolicy);
        Assert.Equal("", Parse(Key).Comment);
        Assert.Equal("x", Parse("\t " + Key + "\tx\r").Comment);
    }

    [Fact]
    public void TryParse_AllOptions_AreUnderstood()
    {
        var line = Parse(
            "restrict,pty,COMMAND=\"run \\\"it\\\", now \\n\",from=\"10.0.0.0/8,!10.1.0.0/16,192.168.?.*\",environment=\"A=1\",environment=\"B=x=y\",environment=\"A=2\",expiry-time=\"20300102Z\","
            + "expiry-time=\"203001020304Z\",principals=\"a, b\",permitopen=\"h:1\",permitopen=\"h:2\",permitlisten=\"3\",tunnel=\"0\",verify-required,no-touch-required,cert-authority " + Key + " c");
        Assert.True(line is { PermitPty: true, PermitPortForwarding: false, PermitAgentForwarding: false, PermitX11Forwarding: false, PermitUserRc: false, IsCertificateAuthority: true });
        Assert.Equal("run \"it\", now \\n", line.Command);
        Assert.Equal([new("A", "1"), new("B", "x=y")], line.Environment);
        Assert.Equal(new DateTimeOffset(2030, 1, 2, 0, 0, 0, TimeSpan.Zero), line.ExpiryTime);
        Assert.Equal(["a", "b"], line.Principals);
        Assert.Equal(["h:1", "h:2"], line.PermitOpen);
        Assert.Equal(["3"], line.PermitListen);
        Assert.Equal(SecurityKeyPolicy.RequireVerification, line.SecurityKeyPolicy);
        Assert.Equal("c", line.Comment);
        foreach (var (address, matches) in new[] { ("10.2.3.4", true), ("10.1.3.4", false), ("192.168.1.200", true), ("192.168.10.1", false), ("172.16.0.1", false), ("::ffff:10.2.3.4", true) })
        {
            Assert.Equal(matches, line.From!.Matches(IPAddress.Parse(address)));
        }
    }

    [Theory]
    [InlineData("no-pty", "pty")]
    [InlineData("no-port-forwarding", "port")]
    [InlineData("no-agent-forwarding", "agent")]
    [InlineData("no-X11-forwarding", "x11")]
    [InlineData("no-user-rc", "rc")]
    public void TryParse_OneRestriction_TakesAwayThatOnly(string option, string what)
    {
        var line = Parse(option + " " + Key);
        Assert.Equal(
            new[] { "pty", "port", "agent", "x11", "rc" }.Select(w => w != what),
            new[] { line.PermitPty, line.PermitPortForwarding, line.PermitAgentForwarding, line.PermitX11Forwarding, line.PermitUserRc });
    }

    [Theory]
    [InlineData("")]
    [InlineData("   ")]
    [InlineData("# " + Key)]
    [InlineData("unknown-option " + Key)]
    [InlineData("no-pty,unknown=\"1\" " + Key)]
    [InlineData("no-pty=\"yes\" " + Key)]
    [InlineData("command " + Key)]
    [InlineData("command=ls " + Key)]
    [InlineData("command=\"ls " + Key)]
    [InlineData("command=\"a\",command=\"b\" " + Key)]
    [InlineData("from=\"\" " + Key)]
    [InlineData("from=\"10.0.0.1/8\" " + Key)]
    [InlineData("from=\"10.0.0.0/33\" " + Key)]
    [InlineData("expiry-time=\"soon\" " + Key)]
    [InlineData("environment=\"=x\" " + Key)]
    [InlineData("environment=\"LD PRELOAD=x\" " + Key)]
    [InlineData("no-pty, no-user-rc " + Key)]
    [InlineData("no-pty,,no-user-rc " + Key)]
    [InlineData("no-pty")]
    [InlineData("ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAINdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea")]
    [InlineData("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1E")]
    [InlineData("ssh-ed25519 ????")]
    [InlineData("ssh-ed25519")]
    [InlineData(Key + "\nssh-ed25519 x")]
    public void TryParse_WhatIsNotUnderstood_IsRefused(string line) => Assert.False(SshPublicKey.TryParseAuthorizedKey(line, out _));

    [Fact]
    public void TryParse_TooLongLine_IsRefused() => Assert.False(SshPublicKey.TryParseAuthorizedKey(Key + " " + new string('x', AuthorizedKey.MaxLineLength), out _));

    private static AuthorizedKey Parse(string text)
    {
        Assert.True(SshPublicKey.TryParseAuthorizedKey(text, out var line));
        Assert.Equal("SHA256:" + Convert.ToBase64String(System.Security.Cryptography.SHA256.HashData(Convert.FromBase64String(Key.Split(' ')[1]))).TrimEnd('='), line.Key.Fingerprint);
        return line;
    }
}
