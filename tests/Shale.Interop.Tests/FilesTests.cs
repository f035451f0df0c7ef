using System.Globalization;
using System.Text;
using Xunit;

namespace Shale.Interop.Tests;

/// <summary>scp, sftp and rsync of stock OpenSSH; the first two with any image.</summary>
[Collection(nameof(GatewayCollection))]
public sealed class FilesTests(GatewayFixture fixture) : IDisposable
{
    private readonly GatewayProcess _gateway = fixture.Gateway;
    private readonly LeaseFiles _files = new(fixture);

    public void Dispose() => _files.Dispose();

    [Theory]
    [InlineData("debian")]
    [InlineData("busybox")]
    [InlineData("static")]
    public Task Scp_BothWays_ArrivesUnchanged(string image) => _files.ThereAndBackAsync(image, (from, to) => _files.ScpAsync(from, to));

    [Theory]
    [InlineData("debian")]
    [InlineData("busybox")]
    [InlineData("static")]
    public Task Scp_ATreeBothWays_ArrivesWithModesAndTimes(string image) => _files.TreeThereAndBackAsync(image, (from, to) => _files.ScpAsync("-rp", from, to));

    [Theory]
    [InlineData("debian")]
    [InlineData("busybox")]
    [InlineData("static")]
    public Task ScpOfTheOldProtocol_ATreeBothWays_ArrivesWithModesAndTimes(string image) =>
        _files.TreeThereAndBackAsync(image, (from, to) => _files.ScpAsync("-O", "-rp", from, to)); // None of the images has scp: the gateway speaks it.

    [Fact]
    public async Task Sftp_ABatchOfEverything_DoesWhatItSays()
    {
        var local = _files.Local("f");
        await File.WriteAllTextAsync(local, "0123456789");
        var batch = $"""
            mkdir /s
            cd /s
            pwd
            put {local} one
            ln -s one soft
            ln one hard
            rename one two
            chmod 640 two
            ls -l
            df /s
            get two {local}2
            -rm nothing
            rm soft
            rm hard
            rm two
            cd /
            rmdir /s
            ls /s

            """;
        var outcome = await Cli.RunAsync("sftp", [.. _gateway.SshOptions("-P"), "-b", "-", $"{fixture.Static}@127.0.0.1"], Encoding.UTF8.GetBytes(batch));
        Assert.Equal(1, outcome.ExitCode);
        Assert.Contains("Remote working directory: /s", outcome.Output, StringComparison.Ordinal);
        // OpenSSH's sftp makes this line from the attributes; it knows no link count.
        Assert.Matches(@"-rw-r-----\s+\S+\s+\S+\s+\S+\s+10 .* two", outcome.Output);
        Assert.Matches(@"lrwxrwxrwx .* soft", outcome.Output);
        Assert.Equal("0123456789", await File.ReadAllTextAsync(local + "2"));
        Assert.Contains("\"/s\" not found", outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Sftp_ThroughALinkOutOfTheContainer_StaysInside()
    {
        // /etc/hostname of the container, by way of links that would lead to the host's.
        await _gateway.SshAsync(fixture.Debian, "ln -sfn / /tmp/root; ln -sfn ../../../../../../../.. /tmp/up");
        foreach (var path in new[] { "/tmp/root/etc/hostname", "/tmp/up/etc/hostname", "/../../../../etc/hostname", "/proc/1/root/etc/hostname" })
        {
            var got = _files.Local("got");
            var outcome = await _files.ScpAsync(_files.Remote("debian", path), got);
            Assert.True(outcome.ExitCode != 0 || (await File.ReadAllTextAsync(got)).Trim() == $"lease-{fixture.Debian}", path);
        }
    }

    [Fact]
    public async Task Sftp_AFileThatTheUserMayNotRead_IsRefusedAsTheKernelDoes()
    {
        var outcome = await _files.ScpAsync(_files.Local("none"), _files.Remote("debian", "/proc/version"));
        Assert.NotEqual(0, outcome.ExitCode);
        await File.WriteAllTextAsync(_files.Local("x"), "x");
        outcome = await _files.ScpAsync(_files.Local("x"), _files.Remote("debian", "/proc/version"));
        Assert.NotEqual(0, outcome.ExitCode);
    }

    [Fact]
    public async Task Rsync_WhereTheImageHasIt_SendsOnlyWhatChanged()
    {
        var tree = _files.Local("sync");
        Directory.CreateDirectory(tree);
        for (var i = 0; i < 50; i++)
        {
            await File.WriteAllTextAsync(Path.Combine(tree, i.ToString(CultureInfo.InvariantCulture)), i.ToString(CultureInfo.InvariantCulture));
        }

        var shell = "ssh " + string.Join(' ', _gateway.SshOptions());
        var first = await Cli.RunAsync("rsync", ["-ai", "-e", shell, tree + "/", $"{fixture.Debian}@127.0.0.1:/root/sync/"]);
        Assert.Equal(0, first.ExitCode);
        await File.WriteAllTextAsync(Path.Combine(tree, "7"), "changed");
        var second = await Cli.RunAsync("rsync", ["-ai", "-e", shell, tree + "/", $"{fixture.Debian}@127.0.0.1:/root/sync/"]);
        Assert.Equal(["7"], second.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(l => l.StartsWith("<f", StringComparison.Ordinal)).Select(l => l.Split(' ')[^1]));
        Assert.Equal("changed", (await _gateway.SshAsync(fixture.Debian, "cat /root/sync/7; rm -r /root/sync")).Output);
    }
}
