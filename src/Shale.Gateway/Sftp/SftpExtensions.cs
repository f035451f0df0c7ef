using System.Buffers.Binary;
using Shale.Containers.Files;
using Shale.Wire;

namespace Shale.Gateway.Sftp;

/// <summary>OpenSSH's extensions (PROTOCOL, section 4).</summary>
internal sealed partial class SftpServer
{
    private static readonly (string Name, string Version)[] Extensions =
    [
        ("posix-rename@openssh.com", "1"),
        ("statvfs@openssh.com", "2"),
        ("fstatvfs@openssh.com", "2"),
        ("hardlink@openssh.com", "1"),
        ("fsync@openssh.com", "1"),
        ("lsetstat@openssh.com", "1"),
        ("limits@openssh.com", "1"),
        ("expand-path@openssh.com", "1"),
        ("copy-data", "1"),
        ("users-groups-by-id@openssh.com", "1"),
    ];

    private ValueTask ExtendedAsync(uint id, ReadOnlyMemory<byte> body, CancellationToken cancellation)
    {
        var reader = new WireReader(body.Span);
        if (!reader.TryReadAscii(64, out var name))
        {
            return BadMessage(id);
        }

        var rest = body[reader.Consumed..];
        return name switch
        {
            "posix-rename@openssh.com" => OnTwoPathsAsync(id, rest, (from, to, c) => _tree.RenameAsync(from, to, replace: true, c), cancellation),
            "hardlink@openssh.com" => OnTwoPathsAsync(id, rest, _tree.CreateHardLinkAsync, cancellation),
            "statvfs@openssh.com" => FileSystemAsync(id, rest, cancellation),
            "fstatvfs@openssh.com" => HandleFileSystemAsync(id, rest, cancellation),
            "fsync@openssh.com" => SyncAsync(id, rest, cancellation),
            "lsetstat@openssh.com" => ChangeAsync(id, rest, followLink: false, cancellation),
            "limits@openssh.com" => Limits(id),
            "expand-path@openssh.com" => ExpandPathAsync(id, rest, cancellation),
            "copy-data" => CopyDataAsync(id, rest, cancellation),
            "users-groups-by-id@openssh.com" => NamesByIdAsync(id, rest, cancellation),
            _ => Refuse(id, SftpStatus.OpUnsupported, "Unknown extension"),
        };
    }

    private ValueTask Limits(uint id)
    {
        var writer = _replies.Begin(SftpType.ExtendedReply, id);
        writer.WriteUInt64(SftpLimits.MaxPacket);
        writer.WriteUInt64(SftpLimits.MaxData);
        writer.WriteUInt64(SftpLimits.MaxData);
        writer.WriteUInt64(SftpLimits.MaxHandles);
        return ValueTask.CompletedTask;
    }

    private async ValueTask FileSystemAsync(uint id, ReadOnlyMemory<byte> body, CancellationToken cancellation)
    {
        if (!TryReadOnlyPath(body.Span, out var path))
        {
            await BadMessage(id).ConfigureAwait(false);
            return;
        }

        FileSystem(id, await _tree.GetFileSystemAsync(path, cancellation).ConfigureAwait(false));
    }

    private async ValueTask HandleFileSystemAsync(uint id, ReadOnlyMemory<byte> body, CancellationToken cancellation)
    {
        var (file, _) = Handle<IContainerFile>(body.Span, 0, out _);
        if (file is null)
        {
            await BadMessage(id).ConfigureAwait(false);
            return;
        }

        FileSystem(id, await file.GetFileSystemAsync(cancellation).ConfigureAwait(false));
    }

    private void FileSystem(uint id, FileResult<FileSystemStatus> status)
    {
        if (!status.Ok)
        {
            _replies.Status(id, status.Error);
            return;
        }

        var s = status.Value;
        var writer = _replies.Begin(SftpType.ExtendedReply, id);
        foreach (var value in new[] { s.BlockSize, s.FragmentSize, s.Blocks, s.FreeBlocks, s.AvailableBlocks, s.Files, s.FreeFiles, s.AvailableFiles, s.Id, s.Flags, s.MaxNameLength })
        {
            writer.WriteUInt64(value);
        }
    }

    private async ValueTask SyncAsync(uint id, ReadOnlyMemory<byte> body, CancellationToken cancellation)
    {
        var (file, _) = Handle<IContainerFile>(body.Span, 0, out _);
        if (file is null)
        {
            await BadMessage(id).ConfigureAwait(false);
            return;
        }

        _replies.Status(id, await file.SyncAsync(cancellation).ConfigureAwait(false));
    }

    private async ValueTask ExpandPathAsync(uint id, ReadOnlyMemory<byte> body, CancellationToken cancellation)
    {
        if (!TryReadOnlyPath(body.Span, out var path))
        {
            await BadMessage(id).ConfigureAwait(false);
            return;
        }

        if (path[0] == '~')
        {
            // Relative paths start at the user's home; another user's home is not for this one to know.
            var slash = Array.IndexOf(path, (byte)'/');
            var user = path.AsSpan(1, (slash < 0 ? path.Length : slash) - 1);
            if (!user.IsEmpty && !user.SequenceEqual(System.Text.Encoding.UTF8.GetBytes(_tree.User.Name ?? "")))
            {
                _replies.Status(id, FileError.NotFound);
                return;
            }

            path = slash < 0 || slash == path.Length - 1 ? [(byte)'.'] : path[(slash + 1)..];
        }

        OneName(id, await _tree.GetRealPathAsync(path, cancellation).ConfigureAwait(false));
    }

    private async ValueTask CopyDataAsync(uint id, ReadOnlyMemory<byte> body, CancellationToken cancellation)
    {
        // string from, u64 offset, u64 length, string to, u64 offset
        const int Head = 16;
        var (from, _) = Handle<IContainerFile>(body.Span, -1, out var rest);
        if (from is null || rest.Length < Head)
        {
            await BadMessage(id).ConfigureAwait(false);
            return;
        }

        var (to, _) = Handle<IContainerFile>(rest.AsSpan(Head), 8, out var target);
        if (to is null || ReferenceEquals(from, to))
        {
            await BadMessage(id).ConfigureAwait(false);
            return;
        }

        var error = await from.CopyToAsync(
            BinaryPrimitives.ReadInt64BigEndian(rest), BinaryPrimitives.ReadInt64BigEndian(rest.AsSpan(8)), to, BinaryPrimitives.ReadInt64BigEndian(target), cancellation).ConfigureAwait(false);
        _replies.Status(id, error);
    }

    private async ValueTask NamesByIdAsync(uint id, ReadOnlyMemory<byte> body, CancellationToken cancellation)
    {
        if (!TryReadIds(body.Span, out var users, out var groups))
        {
            await BadMessage(id).ConfigureAwait(false);
            return;
        }

        var (userNames, groupNames) = await _tree.GetNamesAsync(users, groups, cancellation).ConfigureAwait(false);
        var writer = _replies.Begin(SftpType.ExtendedReply, id);
        writer.WriteString(Strings(userNames));
        writer.WriteString(Strings(groupNames));

        static bool TryReadIds(ReadOnlySpan<byte> bytes, out uint[] users, out uint[] groups)
        {
            (users, groups) = ([], []);
            var reader = new WireReader(bytes);
            return reader.TryReadString(SftpLimits.MaxPath, out var first) && reader.TryReadString(SftpLimits.MaxPath, out var second) && reader.IsAtEnd &&
                TryNumbers(first, out users) && TryNumbers(second, out groups);
        }

        static bool TryNumbers(ReadOnlySpan<byte> bytes, out uint[] numbers)
        {
            numbers = new uint[bytes.Length / 4];
            for (var i = 0; i < numbers.Length; i++)
            {
                numbers[i] = BinaryPrimitives.ReadUInt32BigEndian(bytes[(4 * i)..]);
            }

            return bytes.Length % 4 == 0;
        }

        static byte[] Strings(string?[] names)
        {
            using var buffer = new PooledBufferWriter(SftpLimits.MaxPacket / 2);
            var writer = new WireWriter(buffer);
            foreach (var name in names)
            {
                writer.WriteString(name is { Length: <= 64 } ? name : "");
            }

            return buffer.WrittenSpan.ToArray();
        }
    }
}
