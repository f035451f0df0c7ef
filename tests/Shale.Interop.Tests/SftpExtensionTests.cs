using System.Buffers.Binary;
using System.Diagnostics;
using System.Text;
using Xunit;

namespace Shale.Interop.Tests;

/// <summary>OpenSSH's extensions of SFTP version 3 (its PROTOCOL, section 4): by its own client where that uses them, else by their bytes.</summary>
[Collection(nameof(GatewayCollection))]
public sealed class SftpExtensionTests(GatewayFixture fixture) : IDisposable
{
    private const byte Init = 1, Version = 2, Open = 3, Status = 101, Handle = 102, Extended = 200, ExtendedReply = 201;

    private readonly LeaseFiles _files = new(fixture);

    public void Dispose() => _files.Dispose();

    [Fact]
    public async Task Sftp_CommandsThatNeedExtensions_DoWhatTheySay()
    {
        // copy-data, lsetstat, users-groups-by-id, posix-rename over what is there, hardlink, fsync, statvfs.
        var (local, folder) = (_files.Local("f"), "/root/" + Path.GetFileName(_files.Folder));
        await File.WriteAllTextAsync(local, "0123456789");
        var batch = $"""
            mkdir {folder}
            cd {folder}
            put -f {local} one
            cp one two
            ln one hard
            rename two hard
            ln -s one link
            chown -h 1 link
            ls -l
            df -i .

            """;
        var outcome = await Cli.RunAsync("sftp", [.. fixture.Gateway.SshOptions("-P"), "-b", "-", $"{fixture.Debian}@127.0.0.1"], Encoding.UTF8.GetBytes(batch));
        Assert.True(outcome.ExitCode == 0, outcome.Output + outcome.Error);
        Assert.Matches(@"-rw-r--r--\s+\S+ root\s+root\s+10 .* one\n", outcome.Output);
        Assert.Matches(@"lrwxrwxrwx\s+\S+ daemon\s+root\s+.* link\n", outcome.Output);
        // expand-path.
        await _files.MustScpAsync(_files.Remote("debian", $"~/{Path.GetFileName(folder)}/one"), _files.Local("back"));
        Assert.Equal("0123456789", await File.ReadAllTextAsync(_files.Local("back")));
        var seen = await fixture.Gateway.SshAsync(fixture.Debian, $"cd {folder}; cat hard; stat -c ' %n %U %h' hard link one; ls; rm -r {folder}");
        Assert.Equal("0123456789 hard root 1\n link daemon 1\n one root 1\nhard\nlink\none\n", seen.Output);
    }

    [Fact]
    public async Task Sftp_ByItsBytes_OffersTheExtensionsAndAnswersThoseThatNoClientUses()
    {
        using var ssh = Process.Start(
            new ProcessStartInfo("ssh", [.. fixture.Gateway.SshOptions(), "-s", $"{fixture.Static}@127.0.0.1", "sftp"]) { RedirectStandardInput = true, RedirectStandardOutput = true })!;
        try
        {
            var version = await AskAsync(ssh, Init, 3u);
            Assert.Equal((Version, 3u), (version[0], BinaryPrimitives.ReadUInt32BigEndian(version.AsSpan(1))));
            var strings = Strings(version.AsSpan(5));
            (string Name, string Value)[] offered = [.. strings.Chunk(2).Select(pair => (pair[0], pair[1]))];
            Assert.Equal(
                [
                    ("copy-data", "1"), ("expand-path@openssh.com", "1"), ("fstatvfs@openssh.com", "2"), ("fsync@openssh.com", "1"), ("hardlink@openssh.com", "1"), ("limits@openssh.com", "1"),
                    ("lsetstat@openssh.com", "1"), ("posix-rename@openssh.com", "1"), ("statvfs@openssh.com", "2"), ("users-groups-by-id@openssh.com", "1"),
                ],
                offered.OrderBy(o => o.Name, StringComparer.Ordinal));

            // SSH_FXF_READ | WRITE | CREAT, no attributes.
            var opened = await AskAsync(ssh, Open, 1u, "/" + Path.GetFileName(_files.Folder), 0x0bu, 0u);
            Assert.Equal(Handle, opened[0]);
            var handle = Encoding.Latin1.GetString(opened.AsSpan(9));
            var synced = await AskAsync(ssh, Extended, 2u, "fsync@openssh.com", handle);
            Assert.Equal((Status, 0u), (synced[0], BinaryPrimitives.ReadUInt32BigEndian(synced.AsSpan(5))));

            // Eleven 64-bit numbers; the block size first, the longest name last.
            var byHandle = await AskAsync(ssh, Extended, 3u, "fstatvfs@openssh.com", handle);
            Assert.Equal((ExtendedReply, 5 + (11 * 8)), (byHandle[0], byHandle.Length));
            Assert.Equal(255UL, BinaryPrimitives.ReadUInt64BigEndian(byHandle.AsSpan(5 + (10 * 8))));
            var unknown = await AskAsync(ssh, Extended, 4u, "nothing@openssh.com", handle);
            Assert.Equal((Status, 8u), (unknown[0], BinaryPrimitives.ReadUInt32BigEndian(unknown.AsSpan(5)))); // SSH_FX_OP_UNSUPPORTED
        }
        finally
        {
            ssh.Kill();
        }
    }

    private static async Task<byte[]> AskAsync(Process ssh, byte type, params object[] fields)
    {
        using var packet = new MemoryStream();
        packet.Write(new byte[4]);
        packet.WriteByte(type);
        var number = new byte[4];
        foreach (var field in fields)
        {
            var text = Encoding.Latin1.GetBytes(field as string ?? "");
            BinaryPrimitives.WriteUInt32BigEndian(number, field is uint value ? value : (uint)text.Length);
            packet.Write(number);
            packet.Write(text);
        }

        var bytes = packet.ToArray();
        BinaryPrimitives.WriteInt32BigEndian(bytes, bytes.Length - 4);
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        await ssh.StandardInput.BaseStream.WriteAsync(bytes, limit.Token);
        await ssh.StandardInput.BaseStream.FlushAsync(limit.Token);
        await ssh.StandardOutput.BaseStream.ReadExactlyAsync(number, limit.Token);
        var answer = new byte[BinaryPrimitives.ReadInt32BigEndian(number)];
        await ssh.StandardOutput.BaseStream.ReadExactlyAsync(answer, limit.Token);
        return answer;
    }

    private static List<string> Strings(ReadOnlySpan<byte> fields)
    {
        var strings = new List<string>();
        while (fields.Length > 0)
        {
            var length = BinaryPrimitives.ReadInt32BigEndian(fields);
            strings.Add(Encoding.ASCII.GetString(fields.Slice(4, length)));
            fields = fields[(4 + length)..];
        }

        return strings;
    }
}
