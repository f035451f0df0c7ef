using Shale.Ssh.Tests.Support;
using Xunit;

namespace Shale.Ssh.Tests;

/// <summary>Clients with a protocol stack of their own: PuTTY, Dropbear, and OpenSSH's key scanner.</summary>
public sealed class OtherClientsTests : IAsyncLifetime
{
    private TestServer _server = null!;
    private OpenSshClient _client = null!;

    public async Task InitializeAsync()
    {
        _server = await TestServer.StartAsync();
        _client = new OpenSshClient(_server);
    }

    public async Task DisposeAsync()
    {
        _client.Dispose();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task Plink_RunsACommandWithInputOutputAndStatus()
    {
        var key = _client.KeyFile + ".ppk";
        OpenSshClient.RunProgram("puttygen", _client.KeyFile, "-O", "private", "-o", key);
        var result = await OpenSshClient.RunProgramAsync(
            "plink",
            ["-batch", "-ssh", "-noagent", "-hostkey", _server.HostKeys[0].PublicKey.Fingerprint, "-i", key, "-P", $"{_server.Port}", "user@127.0.0.1", "cat; head -c 300000 /dev/zero; exit 5"],
            new MemoryStream("in"u8.ToArray()),
            TimeSpan.FromSeconds(120));
        Assert.True(result.ExitCode == 5, result.Error);
        Assert.Equal(300_002, result.Output.Length);
    }

    [Fact]
    public async Task Dbclient_RunsACommandWithInputOutputAndStatus()
    {
        var key = _client.KeyFile + ".db";
        OpenSshClient.RunProgram("dropbearconvert", "openssh", "dropbear", _client.KeyFile, key);
        var result = await OpenSshClient.RunProgramAsync(
            "dbclient",
            ["-y", "-y", "-i", key, "-p", $"{_server.Port}", "user@127.0.0.1", "cat; head -c 300000 /dev/zero; exit 6"],
            new MemoryStream("in"u8.ToArray()),
            TimeSpan.FromSeconds(120));
        Assert.True(result.ExitCode == 6, result.Error);
        Assert.Equal(300_002, result.Output.Length);
    }

    [Fact]
    public async Task KeyScan_FindsEveryHostKey()
    {
        var result = await OpenSshClient.RunProgramAsync("ssh-keyscan", ["-p", $"{_server.Port}", "127.0.0.1"], null, TimeSpan.FromSeconds(120));
        var found = result.Text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(l => !l.StartsWith('#')).Select(l => l.Split(' ')[2]).Order();
        Assert.Equal(_server.HostKeys.Select(k => Convert.ToBase64String(k.PublicKey.Blob.Span)).Order(), found);
    }
}
