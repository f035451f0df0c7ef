using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using Shale.Containers.Exec;
using Shale.Containers.Files;
using Shale.Gateway.Scp;
using Shale.Gateway.Sftp;
using Shale.Wire;

namespace Shale.Fuzz.Ssh;

/// <summary>A whole SFTP session over a tree in memory: every request has one answer with its number, whatever is asked.</summary>
public sealed class SftpTarget : IFuzzTarget
{
    /// <inheritdoc/>
    public string Name => "sftp";

    /// <inheritdoc/>
    public IEnumerable<byte[]> Seeds
    {
        get
        {
            byte[] init = [0, 0, 0, 5, 1, 0, 0, 0, 3];
            byte[] path = String("/a"), handle = [0, 0, 0, 4, 0, 0, 0, 1], attributes = [0, 0, 0, 15, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 1, 0xa4, 0, 0, 0, 1, 0, 0, 0, 1];
            yield return [.. init, .. Packet(3, path, [0, 0, 0, 0x1b], attributes), .. Packet(6, handle, new byte[8], String("data")), .. Packet(5, handle, new byte[8], [0, 0, 16, 0]), .. Packet(8, handle), .. Packet(10, handle, attributes), .. Packet(4, handle)];
            yield return [.. init, .. Packet(11, path), .. Packet(12, handle), .. Packet(12, handle), .. Packet(4, handle)];
            yield return [.. init, .. Packet(7, path), .. Packet(17, path), .. Packet(9, path, attributes), .. Packet(13, path), .. Packet(14, path, attributes), .. Packet(15, path), .. Packet(16, path), .. Packet(18, path, path), .. Packet(19, path), .. Packet(20, path, path)];
            foreach (var name in new[] { "posix-rename@openssh.com", "hardlink@openssh.com" })
            {
                yield return [.. init, .. Packet(200, String(name), path, path)];
            }

            foreach (var name in new[] { "statvfs@openssh.com", "expand-path@openssh.com" })
            {
                yield return [.. init, .. Packet(200, String(name), path)];
            }

            yield return [.. init, .. Packet(3, path, [0, 0, 0, 0x1b], attributes), .. Packet(3, path, [0, 0, 0, 0x1b], attributes), .. Packet(200, String("copy-data"), handle, new byte[16], [0, 0, 0, 4, 0, 0, 0, 2], new byte[8])];
            yield return [.. init, .. Packet(3, path, [0, 0, 0, 0x1b], attributes), .. Packet(200, String("fstatvfs@openssh.com"), handle), .. Packet(200, String("fsync@openssh.com"), handle)];
            yield return [.. init, .. Packet(200, String("limits@openssh.com")), .. Packet(200, String("lsetstat@openssh.com"), path, attributes), .. Packet(200, String("users-groups-by-id@openssh.com"), [0, 0, 0, 4, 0, 0, 0, 0], [0, 0, 0, 4, 0, 0, 0, 0])];
        }
    }

    /// <inheritdoc/>
    public void Run(ReadOnlySpan<byte> input)
    {
        var answers = new List<byte[]>();
        var tree = new MemoryTree();
        var server = new SftpServer(tree, SshInput.Pipe(input), (_, _) => ValueTask.CompletedTask, Answered, TimeProvider.System);
        server.RunAsync(CancellationToken.None).GetAwaiter().GetResult();
        SshInput.Now(Disposed(server));
        if (tree.Open != 0)
        {
            throw new InvalidOperationException($"{tree.Open} files are open after the session.");
        }

        var rest = new ReadOnlySequence<byte>(input.ToArray());
        foreach (var answer in answers)
        {
            if (WireFrame.TryRead(ref rest, SftpLimits.MaxPacket, out var request) != WireFrameStatus.Complete || answer.Length > SftpLimits.MaxPacket + 4
                || BinaryPrimitives.ReadUInt32BigEndian(answer) != answer.Length - 4)
            {
                throw new InvalidOperationException("There is an answer too many, or one with a wrong length.");
            }

            if (answer[4] != (byte)SftpType.Version && !answer.AsSpan(5, 4).SequenceEqual(request.Slice(1, 4).ToArray()))
            {
                throw new InvalidOperationException("An answer has another number than its request.");
            }
        }

        ValueTask Answered(ReadOnlyMemory<byte> bytes, CancellationToken cancellation)
        {
            // Those of one turn come together, each whole.
            for (var rest = bytes.ToArray(); rest.Length > 0;)
            {
                var length = rest.Length < 4 ? rest.Length : (int)Math.Min((uint)rest.Length, 4 + BinaryPrimitives.ReadUInt32BigEndian(rest));
                answers.Add(rest[..length]);
                rest = rest[length..];
            }

            return ValueTask.CompletedTask;
        }

        static async ValueTask<bool> Disposed(SftpServer server)
        {
            await server.DisposeAsync();
            return true;
        }
    }

    private static byte[] String(string text) => [0, 0, 0, (byte)text.Length, .. Encoding.ASCII.GetBytes(text)];

    private static byte[] Packet(byte type, params byte[][] fields)
    {
        byte[] body = [type, 0, 0, 0, 7, .. fields.SelectMany(f => f)];
        var length = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(length, body.Length);
        return [.. length, .. body];
    }
}

/// <summary>A client of the old scp protocol: the first byte chooses the direction.</summary>
public sealed class ScpTarget : IFuzzTarget
{
    /// <inheritdoc/>
    public string Name => "scp";

    /// <inheritdoc/>
    public IEnumerable<byte[]> Seeds => new[]
    {
        "\u0001T1582977600 0 1582977600 0\nC0644 4 name\ndata\0", "\u0001D0755 0 folder\nC0600 0 empty\n\0E\n", "\u0001\u0001a warning\nC0644 1 x\ny\0", "\0\0\0\0\0\0\0\0", "\0\0\u0001no\n\0\0",
    }.Select(Encoding.Latin1.GetBytes);

    /// <inheritdoc/>
    public void Run(ReadOnlySpan<byte> input)
    {
        if (input.IsEmpty)
        {
            return;
        }

        var tree = new MemoryTree();
        var command = new ScpCommand(IsSink: (input[0] & 1) != 0, Recursive: (input[0] & 2) == 0, PreserveTimes: (input[0] & 4) != 0, TargetIsFolder: false, ["/target"u8.ToArray()]);
        var pipe = SshInput.Pipe(input[1..]);
        _ = command.IsSink
            ? new ScpSink(tree, command, pipe, (_, _) => ValueTask.CompletedTask, (_, _) => ValueTask.CompletedTask).RunAsync(CancellationToken.None).GetAwaiter().GetResult()
            : new ScpSource(tree, command, pipe, (_, _) => ValueTask.CompletedTask, (_, _) => ValueTask.CompletedTask).RunAsync(CancellationToken.None).GetAwaiter().GetResult();
        if (tree.Open != 0 || tree.Touched.Any(p => !p.StartsWith("/target", StringComparison.Ordinal) || p.Contains("/..", StringComparison.Ordinal)))
        {
            throw new InvalidOperationException("Files are open after the session, or a path is not below its target.");
        }
    }
}

/// <summary>A tree that has every path, holds a little in each file, and counts what is open.</summary>
internal sealed class MemoryTree : IContainerFileTree
{
    public int Open { get; private set; }

    public List<string> Touched { get; } = [];

    public ContainerUser User { get; } = new("root", 0, 0, [0], "/root", "/bin/sh");

    public Func<bool> CallerMayWait
    {
        set => _ = value;
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    public ValueTask<FileResult<IContainerFile>> OpenAsync(ReadOnlyMemory<byte> path, FileOpenFlags flags, uint mode, CancellationToken cancellationToken)
    {
        Touch(path);
        Open++;
        return ValueTask.FromResult(new FileResult<IContainerFile>(FileError.None, new MemoryFile(this)));
    }

    public ValueTask<FileResult<IContainerFolder>> OpenFolderAsync(ReadOnlyMemory<byte> path, CancellationToken cancellationToken)
    {
        Touch(path);
        Open++;
        return ValueTask.FromResult(new FileResult<IContainerFolder>(FileError.None, new MemoryFolder(this)));
    }

    public ValueTask<FileResult<FileStatus>> GetStatusAsync(ReadOnlyMemory<byte> path, bool followLink, CancellationToken cancellationToken) => ValueTask.FromResult(new FileResult<FileStatus>(FileError.None, default));

    public ValueTask<FileError> ChangeAsync(ReadOnlyMemory<byte> path, FileChange change, bool followLink, CancellationToken cancellationToken) => Touched_(path);

    public ValueTask<FileError> CreateFolderAsync(ReadOnlyMemory<byte> path, uint mode, CancellationToken cancellationToken) => Touched_(path);

    public ValueTask<FileError> RemoveFolderAsync(ReadOnlyMemory<byte> path, CancellationToken cancellationToken) => Touched_(path);

    public ValueTask<FileError> RemoveAsync(ReadOnlyMemory<byte> path, CancellationToken cancellationToken) => Touched_(path);

    public ValueTask<FileError> RenameAsync(ReadOnlyMemory<byte> from, ReadOnlyMemory<byte> to, bool replace, CancellationToken cancellationToken) => Touched_(to);

    public ValueTask<FileResult<byte[]>> ReadLinkAsync(ReadOnlyMemory<byte> path, CancellationToken cancellationToken) => ValueTask.FromResult(new FileResult<byte[]>(FileError.None, path.ToArray()));

    public ValueTask<FileError> CreateLinkAsync(ReadOnlyMemory<byte> contents, ReadOnlyMemory<byte> path, CancellationToken cancellationToken) => Touched_(path);

    public ValueTask<FileError> CreateHardLinkAsync(ReadOnlyMemory<byte> existing, ReadOnlyMemory<byte> path, CancellationToken cancellationToken) => Touched_(path);

    public ValueTask<FileResult<byte[]>> GetRealPathAsync(ReadOnlyMemory<byte> path, CancellationToken cancellationToken) => ReadLinkAsync(path, cancellationToken);

    public ValueTask<FileResult<byte[]>> ExpandPathAsync(ReadOnlyMemory<byte> path, CancellationToken cancellationToken) => ReadLinkAsync(path, cancellationToken);

    public ValueTask<string?> GetHomeAsync(string user, CancellationToken cancellationToken) => ValueTask.FromResult<string?>("/root");

    public ValueTask<FileResult<FileSystemStatus>> GetFileSystemAsync(ReadOnlyMemory<byte> path, CancellationToken cancellationToken) => ValueTask.FromResult(new FileResult<FileSystemStatus>(FileError.None, default));

    public ValueTask<(string?[] Users, string?[] Groups)> GetNamesAsync(IReadOnlyList<uint> users, IReadOnlyList<uint> groups, CancellationToken cancellationToken) =>
        ValueTask.FromResult((users.Select(u => u == 0 ? "root" : null).ToArray(), groups.Select(u => u == 0 ? "root" : null).ToArray()));

    private ValueTask<FileError> Touched_(ReadOnlyMemory<byte> path)
    {
        Touch(path);
        return ValueTask.FromResult(FileError.None);
    }

    private void Touch(ReadOnlyMemory<byte> path) => Touched.Add(Encoding.Latin1.GetString(path.Span));

    private sealed class MemoryFile(MemoryTree tree) : IContainerFile
    {
        private const int MaxSize = 4096;

        private byte[] _bytes = [];

        public ValueTask DisposeAsync()
        {
            tree.Open--;
            return ValueTask.CompletedTask;
        }

        public ValueTask<FileResult<int>> ReadAsync(Memory<byte> buffer, long offset, CancellationToken cancellationToken)
        {
            var count = offset < 0 || offset >= _bytes.Length ? 0 : Math.Min(buffer.Length, _bytes.Length - (int)offset);
            _bytes.AsMemory(count == 0 ? 0 : (int)offset, count).CopyTo(buffer);
            return ValueTask.FromResult(new FileResult<int>(FileError.None, count));
        }

        public ValueTask<FileError> WriteAsync(ReadOnlySequence<byte> data, long offset, CancellationToken cancellationToken)
        {
            if (offset < 0 || offset + data.Length > MaxSize)
            {
                return ValueTask.FromResult(FileError.NoSpace);
            }

            Array.Resize(ref _bytes, Math.Max(_bytes.Length, (int)(offset + data.Length)));
            data.CopyTo(_bytes.AsSpan((int)offset));
            return ValueTask.FromResult(FileError.None);
        }

        public ValueTask<FileResult<FileStatus>> GetStatusAsync(CancellationToken cancellationToken) => ValueTask.FromResult(new FileResult<FileStatus>(FileError.None, default));

        public ValueTask<FileError> ChangeAsync(FileChange change, CancellationToken cancellationToken) => ValueTask.FromResult(FileError.None);

        public ValueTask<FileError> SyncAsync(CancellationToken cancellationToken) => ValueTask.FromResult(FileError.None);

        public ValueTask<FileResult<FileSystemStatus>> GetFileSystemAsync(CancellationToken cancellationToken) => ValueTask.FromResult(new FileResult<FileSystemStatus>(FileError.None, default));

        public ValueTask<FileError> CopyToAsync(long offset, long length, IContainerFile target, long targetOffset, CancellationToken cancellationToken) => ValueTask.FromResult(FileError.None);
    }

    private sealed class MemoryFolder(MemoryTree tree) : IContainerFolder
    {
        private bool _read;

        public ValueTask DisposeAsync()
        {
            tree.Open--;
            return ValueTask.CompletedTask;
        }

        public ValueTask<FileResult<IReadOnlyList<FolderEntry>>> ReadAsync(int limit, CancellationToken cancellationToken)
        {
            IReadOnlyList<FolderEntry> names = _read ? [] : [new FolderEntry("."u8.ToArray(), default), new FolderEntry("näme"u8.ToArray(), default)];
            _read = true;
            return ValueTask.FromResult(new FileResult<IReadOnlyList<FolderEntry>>(FileError.None, names));
        }
    }
}
