using System.Diagnostics;
using Shale.Ssh.Tests.Support;
using Xunit;

namespace Shale.Ssh.Tests;

/// <summary>Keys exchanged again while data flows, by either side.</summary>
public sealed class OpenSshRekeyTests
{
    // OpenSSH 9.2 adds a packet's length in bytes to a count of blocks, so that with a RekeyLimit below 16 times 32 KiB it rekeys at every packet: stay above.
    private const int Length = 16 * 1024 * 1024;

    [Theory]
    [InlineData("chacha20-poly1305@openssh.com")]
    [InlineData("aes128-gcm@openssh.com")]
    [InlineData("aes256-ctr")]
    public async Task Rekey_ByTheClientUnderLoadBothWays_LosesNothing(string cipher)
    {
        await using var server = await TestServer.StartAsync();
        using var client = new OpenSshClient(server);
        var data = Random(Length);
        var result = await client.SshAsync(["-o", "RekeyLimit=1500K", "-o", $"Ciphers={cipher}", "-v", "-o", "LogLevel=DEBUG1"], ["cat"], new MemoryStream(data));
        Assert.Equal(0, result.ExitCode);
        Assert.True(result.Output.AsSpan().SequenceEqual(data));
        Assert.InRange(Count(result.Error, "SSH2_MSG_NEWKEYS received"), 8, 40);
    }

    [Theory]
    [InlineData("chacha20-poly1305@openssh.com")]
    [InlineData("aes256-gcm@openssh.com")]
    [InlineData("aes128-ctr")]
    public async Task Rekey_ByTheServerUnderLoadBothWays_LosesNothing(string cipher)
    {
        await using var server = await TestServer.StartAsync(o => o.RekeyAfterBytes = 512 * 1024);
        using var client = new OpenSshClient(server);
        var data = Random(Length);
        var result = await client.SshAsync(["-o", $"Ciphers={cipher}", "-v", "-o", "LogLevel=DEBUG1"], ["cat"], new MemoryStream(data));
        Assert.Equal(0, result.ExitCode);
        Assert.True(result.Output.AsSpan().SequenceEqual(data));
        Assert.True(Count(result.Error, "SSH2_MSG_NEWKEYS received") > 10, result.Error);
    }

    [Fact]
    public async Task Rekey_ByBothSidesAtOnce_LosesNothing()
    {
        await using var server = await TestServer.StartAsync(o => o.RekeyAfterBytes = 256 * 1024);
        using var client = new OpenSshClient(server);
        var data = Random(Length / 2);
        var result = await client.SshAsync(["-o", "RekeyLimit=1M"], ["cat"], new MemoryStream(data));
        Assert.Equal(0, result.ExitCode);
        Assert.True(result.Output.AsSpan().SequenceEqual(data));
    }

    [Fact]
    public async Task Rekey_ByTimeWhileDataFlows_Happens()
    {
        await using var server = await TestServer.StartAsync(o => o.RekeyAfter = TimeSpan.FromSeconds(1));
        using var client = new OpenSshClient(server);
        var start = Stopwatch.GetTimestamp();
        var result = await client.SshAsync(["-v", "-o", "LogLevel=DEBUG1"], ["for i in 1 2 3 4 5 6 7; do head -c 10000 /dev/zero; sleep 0.4; done"]);
        var took = (int)Stopwatch.GetElapsedTime(start).TotalSeconds;
        Assert.Equal(0, result.ExitCode);
        Assert.Equal(70_000, result.Output.Length);

        // The first exchange, and then one a second at most, however long it took.
        Assert.InRange(Count(result.Error, "SSH2_MSG_NEWKEYS received"), 2, 2 + took);
    }

    private static byte[] Random(int length)
    {
        var data = new byte[length];
        new Random(1).NextBytes(data);
        return data;
    }

    private static int Count(string text, string part) => text.Split(part).Length - 1;
}
