using System.Buffers;
using System.Text;
using Shale.Containers.Files;
using Shale.Containers.Leases;
using Xunit;
using static Shale.Containers.Tests.LeaseFixture;

namespace Shale.Containers.Tests;

/// <summary>A container's files from outside: with the user's rights and never out of the container.</summary>
[Collection("leases")]
public sealed class FileTreeTests(LeaseFixture leases)
{
    private static readonly CancellationToken None = CancellationToken.None;

    private static byte[] B(string text) => Encoding.UTF8.GetBytes(text);

    private static async Task<FileError> WriteAsync(IContainerFileTree tree, string path, string text, FileOpenFlags flags = FileOpenFlags.Write | FileOpenFlags.Create | FileOpenFlags.Truncate, uint mode = 0x1a4)
    {
        var opened = await tree.OpenAsync(B(path), flags, mode, None);
        if (!opened.Ok)
        {
            return opened.Error;
        }

        await using var file = opened.Value!;
        return await file.WriteAsync(new(B(text)), 0, None);
    }

    private static async Task<(FileError Error, string Text)> ReadAsync(IContainerFileTree tree, string path)
    {
        var opened = await tree.OpenAsync(B(path), FileOpenFlags.Read, 0, None);
        if (!opened.Ok)
        {
            return (opened.Error, "");
        }

        await using var file = opened.Value!;
        var buffer = new byte[65536];
        var read = await file.ReadAsync(buffer, 0, None);
        return (read.Error, Encoding.UTF8.GetString(buffer, 0, read.Value));
    }

    [Theory]
    [InlineData(Debian)]
    [InlineData(Static)]
    public async Task Tree_OfAnyImage_ServesEverythingThatSftpAsks(string image)
    {
        var lease = image == Debian ? leases.DebianLease : leases.StaticLease;
        await using var tree = await lease.OpenFilesAsync(null, Soon);
        Assert.Equal(FileError.None, await tree.CreateFolderAsync(B("/w"), 0x1ed, None));
        Assert.Equal(FileError.Exists, await tree.CreateFolderAsync(B("/w"), 0x1ed, None));
        Assert.Equal(FileError.None, await WriteAsync(tree, "/w/a", "contents"));
        Assert.Equal((FileError.None, "contents"), await ReadAsync(tree, "/w/a"));
        Assert.Equal(FileError.None, await WriteAsync(tree, "/w/a", "more", FileOpenFlags.Write | FileOpenFlags.Append));
        Assert.Equal((FileError.None, "contentsmore"), await ReadAsync(tree, "/w/a"));
        Assert.Equal(FileError.Exists, await WriteAsync(tree, "/w/a", "", FileOpenFlags.Write | FileOpenFlags.Create | FileOpenFlags.Exclusive));
        Assert.Equal(FileError.NotFound, (await ReadAsync(tree, "/w/none")).Error);

        var change = new FileChange { Size = 4, Mode = 0x1a0, Uid = 7, Gid = 8, Accessed = (1_000_000_001, 5), Modified = (1_000_000_002, 6) };
        Assert.Equal(FileError.None, await tree.ChangeAsync(B("/w/a"), change, true, None));
        var status = (await tree.GetStatusAsync(B("/w/a"), true, None)).Value;
        Assert.Equal((0x81a0u, 4L, 7u, 8u, 1_000_000_001L, 1_000_000_002L, 6u), (status.Mode, status.Size, status.Uid, status.Gid, status.AccessSeconds, status.ModifySeconds, status.ModifyNanoseconds));

        Assert.Equal(FileError.None, await tree.CreateLinkAsync(B("a"), B("/w/l"), None));
        Assert.Equal("a", Encoding.UTF8.GetString((await tree.ReadLinkAsync(B("/w/l"), None)).Value!));
        Assert.Equal(FileError.Invalid, (await tree.ReadLinkAsync(B("/w/a"), None)).Error);
        Assert.True((await tree.GetStatusAsync(B("/w/l"), false, None)).Value.IsLink);
        Assert.True((await tree.GetStatusAsync(B("/w/l"), true, None)).Value.IsRegular);
        Assert.Equal(FileError.None, await tree.ChangeAsync(B("/w/l"), new FileChange { Uid = 9, Gid = 9, Modified = (5, 0) }, false, None));
        Assert.Equal((9u, 5L), ((await tree.GetStatusAsync(B("/w/l"), false, None)).Value is var l) ? (l.Uid, l.ModifySeconds) : default);
        Assert.Equal(7u, (await tree.GetStatusAsync(B("/w/l"), true, None)).Value.Uid);

        Assert.Equal(FileError.None, await tree.CreateHardLinkAsync(B("/w/a"), B("/w/h"), None));
        Assert.Equal(2u, (await tree.GetStatusAsync(B("/w/h"), true, None)).Value.Links);
        Assert.Equal(FileError.Exists, await tree.RenameAsync(B("/w/h"), B("/w/l"), false, None));
        Assert.Equal(FileError.None, await tree.RenameAsync(B("/w/h"), B("/w/n"), false, None));
        Assert.Equal(FileError.None, await tree.RenameAsync(B("/w/n"), B("/w/l"), true, None));

        var folder = (await tree.OpenFolderAsync(B("/w/"), None)).Value!;
        var names = new List<string>();
        while ((await folder.ReadAsync(2, None)).Value is { Count: > 0 } some)
        {
            Assert.InRange(some.Count, 1, 2);
            names.AddRange(some.Select(e => Encoding.UTF8.GetString(e.Name.Span)));
        }

        await folder.DisposeAsync();
        Assert.Equal([".", "..", "a", "l"], names.Order(StringComparer.Ordinal));
        Assert.Equal("/w/a", Encoding.UTF8.GetString((await tree.GetRealPathAsync(B("/w/../w/./a"), None)).Value!));
        Assert.Equal("/w/new", Encoding.UTF8.GetString((await tree.GetRealPathAsync(B("/w/new"), None)).Value!));
        Assert.Equal("/", Encoding.UTF8.GetString((await tree.GetRealPathAsync(B("/../.."), None)).Value!));
        Assert.True((await tree.GetFileSystemAsync(B("/w"), None)).Value is { Blocks: > 0, MaxNameLength: 255 });

        var a = (await tree.OpenAsync(B("/w/a"), FileOpenFlags.Read, 0, None)).Value!;
        var c = (await tree.OpenAsync(B("/w/c"), FileOpenFlags.Write | FileOpenFlags.Create, 0x1a4, None)).Value!;
        Assert.Equal(FileError.None, await a.CopyToAsync(1, 0, c, 0, None));
        Assert.Equal(FileError.None, await c.SyncAsync(None));
        await a.DisposeAsync();
        await c.DisposeAsync();
        Assert.Equal("ont", (await ReadAsync(tree, "/w/c")).Text);

        Assert.Equal(FileError.NotEmpty, await tree.RemoveFolderAsync(B("/w"), None));
        foreach (var name in new[] { "a", "l", "c" })
        {
            Assert.Equal(FileError.None, await tree.RemoveAsync(B("/w/" + name), None));
        }

        Assert.Equal(FileError.None, await tree.RemoveFolderAsync(B("/w/"), None));
        Assert.Equal(FileError.None, await WriteAsync(tree, "/dev/null", "gone", FileOpenFlags.Write));
    }

    [Fact]
    public async Task Tree_OfAUser_HasThatUsersRightsAndNames()
    {
        await RunAsync(leases.DebianLease, Shell("mkdir -p /u/own /u/root; chown 4252:4253 /u/own; chmod 700 /u/root; echo secret >/u/root/f; chmod 600 /etc/shadow; groupadd -g 4254 team; useradd -u 4252 -g 4254 -d /u/own -M worker"));
        await using var tree = await leases.DebianLease.OpenFilesAsync("worker", Soon);
        Assert.Equal(FileError.AccessDenied, (await ReadAsync(tree, "/etc/shadow")).Error);
        Assert.Equal(FileError.AccessDenied, (await ReadAsync(tree, "/u/root/f")).Error);
        Assert.Equal(FileError.AccessDenied, await WriteAsync(tree, "/etc/passwd", "x"));
        Assert.Equal(FileError.AccessDenied, await tree.RemoveAsync(B("/etc/passwd"), None));
        Assert.Equal(FileError.NotPermitted, await tree.ChangeAsync(B("/etc/passwd"), new FileChange { Mode = 0x1ff }, true, None));
        Assert.Equal(FileError.NotPermitted, await tree.ChangeAsync(B("/etc/passwd"), new FileChange { Uid = 4252, Gid = 4252 }, true, None));
        Assert.Equal(FileError.None, await WriteAsync(tree, "mine", "x", mode: 0x1b6)); // relative: below home
        Assert.Equal("4252 4254 644\n", (await RunAsync(leases.DebianLease, Shell("stat -c '%u %g %a' /u/own/mine"))).Out);
        Assert.Equal((string?[])["root", "worker", null], (IEnumerable<string?>)(await tree.GetNamesAsync([0, 4252, 999_999], [4254], None)).Users);
        Assert.Equal((string?[])["team"], (IEnumerable<string?>)(await tree.GetNamesAsync([0], [4254], None)).Groups);

        foreach (var (path, real) in new[] { ("~", "/u/own"), ("~/x", "/u/own/x"), ("~root", "/root"), ("~worker/mine", "/u/own/mine"), ("mine", "/u/own/mine"), ("", "/u/own") })
        {
            Assert.Equal(real, Encoding.UTF8.GetString((await tree.ExpandPathAsync(B(path), None)).Value!));
        }

        Assert.Equal(FileError.NotFound, (await tree.ExpandPathAsync(B("~nobody-here/x"), None)).Error);
        Assert.Equal(("/root", null), (await tree.GetHomeAsync("root", None), await tree.GetHomeAsync("no:body", None)));

        // Root of the container is not root of the machine: a read-only mount stays one, and the kernel's files are not written.
        await using var root = await leases.DebianLease.OpenFilesAsync(null, Soon);
        Assert.Equal(FileError.ReadOnly, await WriteAsync(root, "/.shale/x", "x"));
        Assert.Equal(FileError.ReadOnly, await root.RemoveAsync(B("/.shale/helper"), None));
        Assert.NotEqual(FileError.None, await WriteAsync(root, "/proc/sys/kernel/hostname", "x", FileOpenFlags.Write));
        Assert.Equal(FileError.AccessDenied, await WriteAsync(root, "/proc/1/oom_score_adj", "1", FileOpenFlags.Write));
        Assert.Equal((FileError.None, "secret\n"), await ReadAsync(root, "/u/root/f"));
    }

    [Fact]
    public async Task Path_ThroughAnyLink_StaysInTheContainer()
    {
        var secret = Path.Combine(leases.Folder, "host-secret");
        await File.WriteAllTextAsync(secret, "of the host");
        await RunAsync(leases.DebianLease, Shell($"mkdir -p /esc && cd /esc && ln -sf {secret} abs && ln -sf ../../../../../..{secret} up && ln -sf / top && ln -sf /proc/1/root pr && ln -sf loop loop"));
        await using var tree = await leases.DebianLease.OpenFilesAsync(null, Soon);
        foreach (var path in new[] { "/esc/abs", "/esc/up", "/esc/top" + secret, "/esc/pr" + secret, "/../../.." + secret, "/proc/1/root" + secret, "/proc/self/root" + secret, "/proc/1/cwd/../.." + secret })
        {
            Assert.NotEqual("of the host", (await ReadAsync(tree, path)).Text);
            await WriteAsync(tree, path, "overwritten");
        }

        Assert.Equal(FileError.TooManyLinks, (await ReadAsync(tree, "/esc/loop")).Error);
        Assert.Equal("of the host", await File.ReadAllTextAsync(secret));
        Assert.Equal("12", (await ReadAsync(tree, "/esc/top/etc/debian_version")).Text[..2]);
        Assert.Equal(FileError.Invalid, (await ReadAsync(tree, "/etc/pass\0wd")).Error);
        Assert.Equal(FileError.NameTooLong, (await ReadAsync(tree, "/" + new string('a', 5000))).Error);
        Assert.Equal(FileError.NameTooLong, (await ReadAsync(tree, "/" + new string('a', 300))).Error);
    }

    [Fact]
    public async Task Path_WhoseFolderIsSwappedForALinkAllTheTime_NeverLeadsOut()
    {
        // The classic race: a folder and a symbolic link to the host's path take turns under one name.
        var outside = Directory.CreateDirectory(Path.Combine(leases.Folder, "race"));
        await File.WriteAllTextAsync(Path.Combine(outside.FullName, "f"), "of the host");
        var script = $"import os,sys\nos.makedirs('/race/real',exist_ok=True); open('/race/real/f','w').write('inside')\nos.symlink('{outside.FullName}','/race/link')\nos.symlink('../../../../../../../..{outside.FullName}','/race/link2')\nprint('go',flush=True)\nwhile True:\n  for l in ('link','link2'):\n    os.rename('/race/real','/race/x'); os.rename('/race/'+l,'/race/real'); os.rename('/race/real','/race/'+l); os.rename('/race/x','/race/real')\n";
        await using var racer = await leases.DebianLease.StartAsync(new Shale.Containers.Exec.ExecRequest { Arguments = ["python3", "-c", script] }, Soon);
        await ReadUntilAsync(racer.Stdout, "go");
        await using var tree = await leases.DebianLease.OpenFilesAsync(null, Soon);
        var (inside, failed) = (0, 0);
        // Two seconds at least, and until both were met: a busy machine runs only one of the two sides for long.
        var start = System.Diagnostics.Stopwatch.GetTimestamp();
        for (var i = 0; System.Diagnostics.Stopwatch.GetElapsedTime(start) is var raced && (raced.TotalSeconds < 2 || ((inside == 0 || failed == 0) && raced.TotalSeconds < 120)); i++)
        {
            var (error, text) = await ReadAsync(tree, i % 2 == 0 ? "/race/real/f" : "/race/real/../real/f");
            Assert.NotEqual("of the host", text);
            _ = error == FileError.None ? inside++ : failed++;
            await WriteAsync(tree, "/race/real/written", "x");
            await tree.RemoveAsync(B("/race/real/f2"), None);
        }

        Assert.True(inside > 0 && failed > 0, $"no race: {inside} inside, {failed} failed");
        Assert.Equal(["f"], outside.GetFiles().Select(f => f.Name));
        Assert.Equal("of the host", await File.ReadAllTextAsync(Path.Combine(outside.FullName, "f")));
    }

    [Fact]
    public async Task Open_OfWhatIsNoRegularFile_NeitherOpensNorHangs()
    {
        await RunAsync(leases.DebianLease, Shell("mkdir -p /odd && mkfifo /odd/fifo && python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"/odd/socket\")'"));
        // As an image's layer could bring it: a device node that the container's own device rules would refuse.
        var root = $"/proc/{await PidAsync()}/root";
        Assert.Equal(0, RunHost("mknod", root + "/odd/disk", "b", "259", "0"));
        Assert.Equal(0, RunHost("mknod", root + "/odd/mem", "c", "1", "1"));
        await using var tree = await leases.DebianLease.OpenFilesAsync(null, Soon);
        foreach (var name in new[] { "fifo", "socket", "disk", "mem" })
        {
            foreach (var flags in new[] { FileOpenFlags.Read, FileOpenFlags.Write, FileOpenFlags.Write | FileOpenFlags.Create | FileOpenFlags.Truncate })
            {
                Assert.Equal(FileError.NotSupported, (await tree.OpenAsync(B("/odd/" + name), flags, 0x1a4, None).AsTask().WaitAsync(Soon)).Error);
            }
        }

        Assert.Equal(FileError.IsAFolder, (await tree.OpenAsync(B("/odd"), FileOpenFlags.Read, 0, None)).Error);

        async Task<int> PidAsync() => (await leases.Host.Engine.InspectContainerAsync(leases.DebianLease.ContainerId, Soon)).State.Pid;

        static int RunHost(string program, params string[] arguments)
        {
            using var process = System.Diagnostics.Process.Start(program, arguments);
            process.WaitForExit();
            return process.ExitCode;
        }
    }

    [Fact]
    public async Task File_OfManyMegabytes_IsWrittenAndReadBack()
    {
        await using var tree = await leases.BusyboxLease.OpenFilesAsync(null, Soon);
        var file = (await tree.OpenAsync(B("/tmp/big"), FileOpenFlags.Read | FileOpenFlags.Write | FileOpenFlags.Create, 0x1a4, None)).Value!;
        var data = new byte[256 * 1024];
        new Random(1).NextBytes(data);
        for (var i = 0; i < 256; i++)
        {
            Assert.Equal(FileError.None, await file.WriteAsync(new(data), (long)i * data.Length, None));
        }

        var back = new byte[data.Length];
        for (var i = 0; i < 256; i++)
        {
            Assert.Equal(data.Length, (await file.ReadAsync(back, (long)i * data.Length, None)).Value);
            Assert.True(back.AsSpan().SequenceEqual(data));
        }

        Assert.Equal(0, (await file.ReadAsync(back, 256L * data.Length, None)).Value);
        await file.DisposeAsync();
        Assert.Equal(FileError.BadDescriptor, (await file.ReadAsync(back, 0, None)).Error);
    }

    [Theory]
    [InlineData("ln -sf /proc/kmsg /etc/passwd")]
    [InlineData("rm /etc/passwd; mkfifo /etc/passwd")]
    [InlineData("rm /etc/passwd; mkdir /etc/passwd")]
    [InlineData("head -c 3000000 /dev/zero >/etc/passwd")]
    [InlineData("ln -sf passwd /etc/passwd")]
    [InlineData("rm -rf /etc")]
    public async Task Passwd_OfAHostileContainer_IsNotWaitedForAndHarmsOnlyItself(string attack)
    {
        var lease = await leases.CreateAsync(new LeaseSpec { Image = Busybox });
        await RunAsync(lease, Shell(attack));
        Assert.Equal("ok\n", (await RunAsync(lease, new Exec.ExecRequest { Arguments = ["echo", "ok"] })).Out); // root needs no entry
        var e = await Assert.ThrowsAsync<Exec.ExecException>(() => lease.StartAsync(Shell("true") with { User = "somebody" }, Soon));
        Assert.Equal(Exec.ExecFailure.NoUser, e.Failure);
        await using var tree = await lease.OpenFilesAsync(null, Soon);
        Assert.Equal((string?[])[null], (IEnumerable<string?>)(await tree.GetNamesAsync([0], [], None)).Users);
    }

    /// <summary>The bytes in as many pieces of memory as a pipe may have them in, and more.</summary>
    private static ReadOnlySequence<byte> Pieces(byte[] bytes, Random random)
    {
        var first = new Piece(bytes.AsMemory(0, 0), null);
        var last = first;
        for (var at = 0; at < bytes.Length;)
        {
            var length = Math.Min(random.Next(random.Next(2) == 0 ? 60 : 2000), bytes.Length - at);
            last = new Piece(bytes.AsMemory(at, length), last);
            at += length;
        }

        return new ReadOnlySequence<byte>(first, 0, last, last.Memory.Length);
    }

    private sealed class Piece : ReadOnlySequenceSegment<byte>
    {
        public Piece(ReadOnlyMemory<byte> bytes, Piece? before)
        {
            Memory = bytes;
            RunningIndex = before is null ? 0 : before.RunningIndex + before.Memory.Length;
            before?.Next = this;
        }
    }

    [Fact]
    public async Task Reads_InARowBetweenWritesAndChanges_AlwaysSeeTheFileAsItIs()
    {
        await using var tree = await leases.BusyboxLease.OpenFilesAsync(null, Soon);
        const int Size = 3 << 20;
        var random = new Random(21);
        var expected = new byte[Size];
        random.NextBytes(expected);
        var reader = (await tree.OpenAsync(B("/tmp/ahead"), FileOpenFlags.Read | FileOpenFlags.Write | FileOpenFlags.Create, 0x1a4, None)).Value!;
        var writer = (await tree.OpenAsync(B("/tmp/ahead"), FileOpenFlags.Write, 0, None)).Value!;
        Assert.Equal(FileError.None, await writer.WriteAsync(new(expected), 0, None));
        var length = (long)Size;
        long at = 0;
        for (var i = 0; i < 6000; i++)
        {
            switch (random.Next(60))
            {
                case 0:
                    at = random.NextInt64(Size);
                    break;
                case 1:
                    var piece = new byte[random.Next(1, 5000)];
                    random.NextBytes(piece);
                    var to = random.NextInt64(length);
                    piece.CopyTo(expected.AsSpan((int)Math.Min(to, Size - piece.Length)));
                    Assert.Equal(FileError.None, await (random.Next(2) == 0 ? writer : reader).WriteAsync(Pieces(piece, random), Math.Min(to, Size - piece.Length), None));
                    length = Math.Max(length, Math.Min(to, Size - piece.Length) + piece.Length);
                    break;
                case 2:
                    length = random.NextInt64(Size / 2, Size);
                    expected.AsSpan((int)length).Clear();
                    Assert.Equal(FileError.None, await tree.ChangeAsync(B("/tmp/ahead"), new FileChange { Size = length }, true, None));
                    break;
            }

            var buffer = new byte[random.Next(4) == 0 ? random.Next(1, 70_000) : 32768];
            var read = await reader.ReadAsync(buffer, at, None);
            Assert.True(read.Ok);
            Assert.Equal(Math.Clamp(length - at, 0, buffer.Length), read.Value);
            Assert.True(buffer.AsSpan(0, read.Value).SequenceEqual(expected.AsSpan((int)Math.Min(at, Size), read.Value)));
            at = read.Value == buffer.Length ? at + read.Value : 0;
        }

        // And what the container itself writes, a moment later.
        await RunAsync(leases.BusyboxLease, Shell("head -c 1000000 /dev/zero >/tmp/ahead"));
        await Task.Delay(60);
        var zeros = new byte[32768];
        for (var i = 0; i < 20; i++)
        {
            Array.Fill(zeros, (byte)1);
            Assert.Equal(zeros.Length, (await reader.ReadAsync(zeros, (long)i * zeros.Length, None)).Value);
            Assert.True(zeros.AsSpan().IndexOfAnyExcept((byte)0) < 0);
        }

        await reader.DisposeAsync();
        Assert.Equal(FileError.BadDescriptor, (await reader.ReadAsync(zeros, 0, None)).Error);
        await writer.DisposeAsync();
    }
}
