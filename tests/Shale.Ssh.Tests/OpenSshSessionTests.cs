using System.Text;
using Shale.Ssh.Tests.Support;
using Xunit;

namespace Shale.Ssh.Tests;

/// <summary>Sessions as OpenSSH's own client runs them.</summary>
public sealed class OpenSshSessionTests
{
    [Fact]
    public async Task Exec_True_EndsWithZero()
    {
        await using var server = await TestServer.StartAsync();
        using var client = new OpenSshClient(server);
        var result = await client.SshAsync([], ["true"]);
        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Equal("", result.Error);
    }

    [Theory]
    [InlineData("exit 0", 0)]
    [InlineData("exit 1", 1)]
    [InlineData("exit 255", 255)]
    [InlineData("exit 42", 42)]
    public async Task Exec_ExitCode_ReachesTheClient(string command, int expected)
    {
        await using var server = await TestServer.StartAsync();
        using var client = new OpenSshClient(server);
        Assert.Equal(expected, (await client.SshAsync([], [command])).ExitCode);
    }

    [Fact]
    public async Task Exec_OutputAndError_ComeApart()
    {
        await using var server = await TestServer.StartAsync();
        using var client = new OpenSshClient(server);
        var result = await client.SshAsync([], ["echo out; echo err >&2; cat"], new MemoryStream("in\n"u8.ToArray()));
        Assert.Equal("out\nin\n", result.Text);
        Assert.Equal("err\n", result.Error);
        Assert.Equal(0, result.ExitCode);
    }
}
