using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Xunit;

namespace Shale.Interop.Tests;

/// <summary>Files by clients other than OpenSSH's newest: PuTTY's, the old scp protocol, sshfs, git.</summary>
[Collection(nameof(GatewayCollection))]
public sealed class OtherClientsFilesTests(GatewayFixture fixture) : IDisposable
{
    private readonly GatewayProcess _gateway = fixture.Gateway;
    private readonly LeaseFiles _files = new(fixture);

    public void Dispose() => _files.Dispose();

    [Theory]
    [InlineData("debian")]
    [InlineData("static")]
    public async Task Psftp_ABatch_DoesWhatItSays(string image)
    {
        var (up, back, batch) = (_files.Local("up"), _files.Local("back"), _files.Local("batch"));
        await File.WriteAllBytesAsync(up, RandomNumberGenerator.GetBytes(1_000_003));
        await File.WriteAllTextAsync(batch, $"mkdir /psftp\ncd /psftp\nput {up} one\nget one {back}\nmv one two\nchmod 640 two\ndir\ndel two\ncd /\nrmdir /psftp\n");
        var outcome = await Cli.RunAsync("psftp", [.. await PuttyOptionsAsync(), "-b", batch, $"{LeaseFiles.Lease(fixture, image)}@127.0.0.1"], environment: Home);
        Assert.True(outcome.ExitCode == 0, outcome.Error);
        Assert.Matches(@"-rw-r-----\s+1 \S+\s+\S+\s+1000003 .* two", outcome.Output);
        Assert.Equal(await File.ReadAllBytesAsync(up), await File.ReadAllBytesAsync(back));
    }

    [Theory]
    [InlineData("debian", "-sftp")]
    [InlineData("static", "-sftp")]
    [InlineData("debian", "-scp")]
    [InlineData("static", "-scp")]
    public async Task Pscp_BothWays_ArrivesUnchanged(string image, string protocol)
    {
        var options = await PuttyOptionsAsync();
        await _files.ThereAndBackAsync(image, (from, to) => Cli.RunAsync("pscp", [.. options, protocol, "-q", from, to], environment: Home));
    }

    [Theory]
    [InlineData("debian", "-s")]
    [InlineData("static", "-s")]
    [InlineData("debian", "-O")]
    [InlineData("static", "-O")]
    public async Task Scp_ThroughDropbearsClient_ArrivesUnchanged(string image, string protocol)
    {
        // Dropbear's key, in its own format; a script, because scp -S takes a program without arguments.
        var (key, program) = (_files.Local("id.dropbear"), _files.Local("dbclient"));
        Assert.Equal(0, (await Cli.RunAsync("dropbearconvert", ["openssh", "dropbear", _gateway.Key, key])).ExitCode);
        await File.WriteAllTextAsync(program, $"#!/bin/sh\nexec dbclient -y -i {key} \"$@\"\n");
        File.SetUnixFileMode(program, (UnixFileMode)0x1ed); // 0755
        await _files.ThereAndBackAsync(
            image, (from, to) => Cli.RunAsync("scp", [protocol, "-S", program, "-P", _gateway.Port.ToString(CultureInfo.InvariantCulture), from, to], environment: Home));
    }

    [Fact]
    public async Task ScpOfTheOldProtocol_PatternsAndWhatIsMissing_AreHandledAsAShellWould()
    {
        foreach (var name in new[] { "x1.txt", "x2.txt", "y.bin" })
        {
            await File.WriteAllTextAsync(_files.Local(name), name);
        }

        var remote = $"{fixture.Static}@127.0.0.1:/";
        var folder = Path.GetFileName(_files.Folder);
        await _files.MustScpAsync("-O", "-r", _files.Folder, remote);
        Directory.CreateDirectory(_files.Local("back"));
        await _files.MustScpAsync("-O", $"{remote}{folder}/x*.txt", _files.Local("back"));
        Assert.Equal(["x1.txt", "x2.txt"], Directory.GetFiles(_files.Local("back")).Select(Path.GetFileName).Order());
        var missing = await _files.ScpAsync("-O", $"{remote}{folder}/nothing", _files.Local("back"));
        Assert.Equal(1, missing.ExitCode);
        Assert.Contains("No such file or directory", missing.Error, StringComparison.Ordinal);
        var isFolder = await _files.ScpAsync("-O", $"{remote}{folder}", _files.Local("back"));
        Assert.Equal(1, isFolder.ExitCode);
        Assert.Contains("not a regular file", isFolder.Error, StringComparison.Ordinal);
        var noFolder = await _files.ScpAsync("-O", _files.Local("x1.txt"), _files.Local("x2.txt"), $"{remote}{folder}/y.bin");
        Assert.Equal(1, noFolder.ExitCode);
        Assert.Contains("Not a directory", noFolder.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("C0644 3 ../out\nabc\0")]
    [InlineData("C0644 3 /out\nabc\0")]
    [InlineData("C0644 3 ..\nabc\0")]
    [InlineData("C0644 -3 out\nabc\0")]
    [InlineData("C0644 99999999999999999999 out\nabc\0")]
    [InlineData("C9644 3 out\nabc\0")]
    [InlineData("D0755 0 folder\n")]
    [InlineData("E\n")]
    [InlineData("X\n")]
    public async Task ScpOfTheOldProtocol_AHostileClient_GetsNoFileOutOfItsTarget(string input)
    {
        await _files.MustScpAsync("-O", "-r", Directory.CreateDirectory(_files.Local("target")).FullName, $"{fixture.Static}@127.0.0.1:/");
        var outcome = await _gateway.SshAsync(fixture.Static, "scp -t /target", Encoding.Latin1.GetBytes(input));
        Assert.Equal(1, outcome.ExitCode);
        Assert.Contains("\u0002scp: ", outcome.Output, StringComparison.Ordinal);
        Assert.NotEqual(0, (await Cli.RunAsync("scp", [.. _gateway.SshOptions("-P"), $"{fixture.Static}@127.0.0.1:/out", _files.Local("out")])).ExitCode);
    }

    [Fact]
    public async Task Sshfs_OfAnImageWithoutAnything_IsAFileSystem()
    {
        Assert.True(File.Exists("/dev/fuse"), "/dev/fuse is not there: load the kernel's module fuse, or give the container that device.");
        var mount = Directory.CreateDirectory(_files.Local("mount")).FullName;
        var options = $"IdentityFile={_gateway.Folder}/id,IdentitiesOnly=yes,StrictHostKeyChecking=no,UserKnownHostsFile=/dev/null";
        var outcome = await Cli.RunAsync("sshfs", ["-p", _gateway.Port.ToString(CultureInfo.InvariantCulture), "-o", options, $"{fixture.Static}@127.0.0.1:/", mount]);
        Assert.True(outcome.ExitCode == 0, outcome.Error);
        try
        {
            var script = """
                set -e; mkdir fs; cd fs; head -c 3000001 /dev/urandom > a; cp a b; cmp a b; ln -s a l; ln a h; mv b c; cmp l c; cmp h c; chmod 600 c
                touch -d @1582977600 c; [ "$(stat -c '%a %Y %s' c)" = "600 1582977600 3000001" ]; truncate -s 5 c; [ "$(wc -c <c)" = 5 ]
                printf x >> c; [ "$(wc -c <c)" = 6 ]; [ "$(ls)" = "$(printf 'a\nc\nh\nl')" ]; df . >/dev/null; rm a c h l; cd ..; rmdir fs; echo all
                """;
            var worked = await Cli.RunAsync("bash", ["-c", $"cd {mount}; {script}"]);
            Assert.True(worked.Output == "all\n", worked.Output + worked.Error);
        }
        finally
        {
            await Cli.RunAsync("fusermount3", ["-u", mount]);
        }
    }

    [Fact]
    public async Task Git_PushAndCloneOverSsh_CarryARepository()
    {
        var name = Path.GetFileName(_files.Folder) + ".git";
        Assert.Equal(0, (await _gateway.SshAsync(fixture.Debian, $"git init -q --bare -b main /root/{name}")).ExitCode);
        var environment = new Dictionary<string, string>(Home) { ["GIT_SSH_COMMAND"] = "ssh " + string.Join(' ', _gateway.SshOptions(port: false)) };
        var url = $"ssh://{fixture.Debian}@127.0.0.1:{_gateway.Port}/root/{name}";
        var script = $"""
            set -e; cd {_files.Folder}; git init -q -b main w; cd w; git config user.email a@example.org; git config user.name n
            head -c 3000001 /dev/urandom > file; git add .; git commit -qm one; git push -q {url} main
            cd ..; git clone -q {url} again; cmp w/file again/file; git -C again log --format=%s
            """;
        var outcome = await Cli.RunAsync("bash", ["-c", script], environment: environment);
        Assert.True(outcome.Output == "one\n", outcome.Output + outcome.Error);
    }

    private Dictionary<string, string> Home => new() { ["HOME"] = _files.Folder };

    /// <summary>PuTTY's tools want a key of their own format, and the host key's fingerprint on the command line.</summary>
    private async Task<string[]> PuttyOptionsAsync()
    {
        var key = _files.Local("id.ppk");
        if (!File.Exists(key))
        {
            var made = await Cli.RunAsync("puttygen", [_gateway.Key, "-O", "private", "-o", key]);
            Assert.True(made.ExitCode == 0, made.Error);
        }

        // Not from ssh-keyscan: every scan is three connections without a login, which the gateway holds against their address as sshd does.
        var fingerprints = new List<string>();
        foreach (var host in Directory.GetFiles(Path.Combine(_gateway.Folder, "state", "hostkeys"), "*.pub"))
        {
            fingerprints.AddRange(["-hostkey", (await Cli.RunAsync("ssh-keygen", ["-lf", host])).Output.Split(' ')[1]]);
        }

        return ["-P", _gateway.Port.ToString(CultureInfo.InvariantCulture), "-i", key, "-noagent", "-batch", .. fingerprints];
    }
}
