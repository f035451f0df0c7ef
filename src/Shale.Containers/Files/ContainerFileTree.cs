using System.Text;
using Microsoft.Win32.SafeHandles;
using Shale.Containers.Exec;

namespace Shale.Containers.Files;

/// <summary>
/// The file tree of a running container, worked on from outside with the user's rights, so that it serves any image
/// (docs/decisions/0063-files-from-outside.md). Names are resolved below the container's root by the kernel. What a name turns out to be is
/// looked at before it is opened, by a descriptor that can't change what it names: a device that the image or the container's root put
/// there would be opened with this machine's rights, not the container's.
/// </summary>
internal sealed class ContainerFileTree : IContainerFileTree
{
    private readonly SafeFileHandle _root;
    private readonly ContainerRoot _container;
    private readonly UserCalls _calls;

    /// <summary>Takes the root over.</summary>
    public ContainerFileTree(ContainerRoot root, ContainerUser user)
    {
        _container = root;
        _root = root.Handle;
        _calls = new UserCalls(user, "shale-files");
    }

    public ContainerUser User => _calls.User;

    public Func<bool> CallerMayWait
    {
        set => _calls.CallerMayWait = value;
    }

    public ValueTask DisposeAsync()
    {
        _calls.Dispose();
        _container.Dispose();
        return ValueTask.CompletedTask;
    }

    public ValueTask<FileResult<IContainerFile>> OpenAsync(ReadOnlyMemory<byte> path, FileOpenFlags flags, uint mode, CancellationToken cancellationToken) =>
        OnPath<FileResult<IContainerFile>>(path, p => Open(p, flags, mode), e => new(e, null), cancellationToken);

    public ValueTask<FileResult<IContainerFolder>> OpenFolderAsync(ReadOnlyMemory<byte> path, CancellationToken cancellationToken) =>
        OnPath<FileResult<IContainerFolder>>(
            path,
            p =>
            {
                // O_DIRECTORY: nothing but a folder is opened, so there is nothing to look at before.
                var folder = Native.TryOpenInRoot(_root, p.Full, Native.O_RDONLY | Native.O_DIRECTORY, 0, out var error);
                return folder is null ? new((FileError)error, null) : new(FileError.None, new ContainerFolder(folder, _calls));
            },
            e => new(e, null),
            cancellationToken);

    public ValueTask<FileResult<FileStatus>> GetStatusAsync(ReadOnlyMemory<byte> path, bool followLink, CancellationToken cancellationToken) =>
        OnFile(path, followLink, f => FileStatus.TryRead(f, out var status) ? new FileResult<FileStatus>(FileError.None, status) : new(FileCalls.Error(-1), default), e => new(e, default), cancellationToken);

    public ValueTask<FileError> ChangeAsync(ReadOnlyMemory<byte> path, FileChange change, bool followLink, CancellationToken cancellationToken) =>
        OnFile(
            path,
            followLink,
            f =>
            {
                var error = ContainerFile.Change(f, change);
                _calls.NoteChange();
                return error;
            },
            e => e,
            cancellationToken);

    public unsafe ValueTask<FileError> CreateFolderAsync(ReadOnlyMemory<byte> path, uint mode, CancellationToken cancellationToken) =>
        OnName(path, (folder, name) => FileCalls.MkDirAt(folder, name, mode & 0xfff), FileError.Exists, cancellationToken);

    public unsafe ValueTask<FileError> RemoveFolderAsync(ReadOnlyMemory<byte> path, CancellationToken cancellationToken) =>
        OnName(path, (folder, name) => FileCalls.UnlinkAt(folder, name, FileCalls.AT_REMOVEDIR), FileError.Invalid, cancellationToken);

    public unsafe ValueTask<FileError> RemoveAsync(ReadOnlyMemory<byte> path, CancellationToken cancellationToken) =>
        OnName(path, (folder, name) => FileCalls.UnlinkAt(folder, name, 0), FileError.IsAFolder, cancellationToken);

    public unsafe ValueTask<FileError> RenameAsync(ReadOnlyMemory<byte> from, ReadOnlyMemory<byte> to, bool replace, CancellationToken cancellationToken) =>
        OnTwoNames(
            from,
            to,
            (fromFolder, fromName, toFolder, toName) => replace
                ? FileCalls.RenameAt(fromFolder, fromName, toFolder, toName)
                : FileCalls.RenameAt2(RenameAt2Number, fromFolder, fromName, toFolder, toName, FileCalls.RENAME_NOREPLACE),
            cancellationToken);

    public unsafe ValueTask<FileResult<byte[]>> ReadLinkAsync(ReadOnlyMemory<byte> path, CancellationToken cancellationToken) =>
        OnFile(
            path,
            followLink: false,
            f =>
            {
                var buffer = stackalloc byte[4096];
                byte empty = 0;
                var length = FileCalls.ReadLinkAt(f, &empty, buffer, 4096);
                if (length >= 0)
                {
                    return new FileResult<byte[]>(FileError.None, new Span<byte>(buffer, (int)length).ToArray());
                }

                // ENOENT is the kernel's word for "not a symbolic link" when the name is empty.
                var error = FileCalls.Error(-1);
                return new(error == FileError.NotFound ? FileError.Invalid : error, null);
            },
            e => new(e, null),
            cancellationToken);

    public unsafe ValueTask<FileError> CreateLinkAsync(ReadOnlyMemory<byte> contents, ReadOnlyMemory<byte> path, CancellationToken cancellationToken)
    {
        if (contents.Span.Contains((byte)0))
        {
            return ValueTask.FromResult(FileError.Invalid);
        }

        byte[] text = [.. contents.Span, 0];
        return OnName(
            path,
            (folder, name) =>
            {
                fixed (byte* bytes = text)
                {
                    return FileCalls.SymLinkAt(bytes, folder, name);
                }
            },
            FileError.Exists,
            cancellationToken);
    }

    public unsafe ValueTask<FileError> CreateHardLinkAsync(ReadOnlyMemory<byte> existing, ReadOnlyMemory<byte> path, CancellationToken cancellationToken) =>
        OnTwoNames(existing, path, (fromFolder, fromName, toFolder, toName) => FileCalls.LinkAt(fromFolder, fromName, toFolder, toName, 0), cancellationToken);

    public ValueTask<FileResult<byte[]>> GetRealPathAsync(ReadOnlyMemory<byte> path, CancellationToken cancellationToken) =>
        OnPath<FileResult<byte[]>>(
            path,
            p =>
            {
                using var found = Native.TryOpenInRoot(_root, p.Full, Native.O_PATH, 0, out var error);
                if (found is not null)
                {
                    return RealPath(found) is { } real ? new(FileError.None, real) : new(FileError.InputOutput, null);
                }

                if ((FileError)error != FileError.NotFound || !p.HasName)
                {
                    return new((FileError)error, null);
                }

                using var folder = Native.TryOpenInRoot(_root, p.Folder, Native.O_PATH | Native.O_DIRECTORY, 0, out error);
                if (folder is null)
                {
                    return new((FileError)error, null);
                }

                return RealPath(folder) is { } parent
                    ? new(FileError.None, [.. parent, .. parent is [(byte)'/'] ? [] : "/"u8, .. p.Name.AsSpan(0, p.Name.Length - 1)])
                    : new(FileError.InputOutput, null);
            },
            e => new(e, null),
            cancellationToken);

    public async ValueTask<FileResult<byte[]>> ExpandPathAsync(ReadOnlyMemory<byte> path, CancellationToken cancellationToken)
    {
        if (path.Span is [(byte)'~', ..])
        {
            var end = path.Span.IndexOf((byte)'/');
            var name = path[1..(end < 0 ? path.Length : end)];
            var home = name.IsEmpty ? User.Home : await GetHomeAsync(CommandLine.Text(name.Span), cancellationToken).ConfigureAwait(false);
            if (home is null)
            {
                return new(FileError.NotFound, null);
            }

            path = (byte[])[.. Encoding.UTF8.GetBytes(home), .. path.Span[(end < 0 ? path.Length : end)..]];
        }

        return await GetRealPathAsync(path, cancellationToken).ConfigureAwait(false);
    }

    public async ValueTask<string?> GetHomeAsync(string user, CancellationToken cancellationToken) =>
        string.IsNullOrEmpty(user) || user.Contains(':', StringComparison.Ordinal)
            ? null
            : (await _calls.RunAsync(() => ContainerUser.TryResolve(_container, user), cancellationToken).ConfigureAwait(false))?.Home;

    public ValueTask<FileResult<FileSystemStatus>> GetFileSystemAsync(ReadOnlyMemory<byte> path, CancellationToken cancellationToken) =>
        OnFile(path, followLink: true, f => FileCalls.FileSystem(f) is { } status ? new FileResult<FileSystemStatus>(FileError.None, status) : new(FileCalls.Error(-1), default), e => new(e, default), cancellationToken);

    public async ValueTask<(string?[] Users, string?[] Groups)> GetNamesAsync(IReadOnlyList<uint> users, IReadOnlyList<uint> groups, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(users);
        ArgumentNullException.ThrowIfNull(groups);
        return await _calls.RunAsync(() => (Names("/etc/passwd", users), Names("/etc/group", groups)), cancellationToken).ConfigureAwait(false);
    }

    private static nint RenameAt2Number => System.Runtime.InteropServices.RuntimeInformation.ProcessArchitecture == System.Runtime.InteropServices.Architecture.X64 ? 316 : 276;

    /// <summary>Both files have name:password:number:... in common (passwd(5), group(5)).</summary>
    private string?[] Names(string file, IReadOnlyList<uint> numbers)
    {
        var names = new Dictionary<uint, string>();
        foreach (var line in Encoding.UTF8.GetString(_container.TryReadSmallFile(file, 1 << 20) ?? []).Split('\n'))
        {
            var fields = line.Split(':', 4);
            if (fields.Length >= 3 && uint.TryParse(fields[2], System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var number))
            {
                names.TryAdd(number, fields[0]);
            }
        }

        return [.. numbers.Select(n => names.GetValueOrDefault(n))];
    }

    /// <summary>The kernel's own name for an open file, which for a file below the container's root starts there.</summary>
    private static unsafe byte[]? RealPath(SafeFileHandle file)
    {
        var buffer = stackalloc byte[4096];
        var length = FileCalls.ReadLink(ContainerRoot.DescriptorPath(file), buffer, 4096);
        return length > 0 && buffer[0] == (byte)'/' ? new Span<byte>(buffer, (int)length).ToArray() : null;
    }

    private FileResult<IContainerFile> Open(ContainerPath path, FileOpenFlags flags, uint mode)
    {
        var access = (flags & (FileOpenFlags.Read | FileOpenFlags.Write)) switch
        {
            FileOpenFlags.Read => Native.O_RDONLY,
            FileOpenFlags.Write => Native.O_WRONLY,
            FileOpenFlags.Read | FileOpenFlags.Write => Native.O_RDWR,
            _ => -1,
        };
        if (access < 0)
        {
            return new(FileError.Invalid, null);
        }

        access |= (flags.HasFlag(FileOpenFlags.Append) ? Native.O_APPEND : 0) | (flags.HasFlag(FileOpenFlags.Truncate) ? Native.O_TRUNC : 0);

        // Made or found: which of the two can change between the looks when the container plays with the name, so a few times.
        for (var attempt = 0; attempt < 8; attempt++)
        {
            if (flags.HasFlag(FileOpenFlags.Create))
            {
                var made = Native.TryOpenInRoot(_root, path.Full, (access & ~Native.O_TRUNC) | Native.O_CREAT | Native.O_EXCL, mode & 0xfff, out var refused);
                if (made is not null)
                {
                    return Opened(made, flags);
                }

                if ((FileError)refused != FileError.Exists || flags.HasFlag(FileOpenFlags.Exclusive))
                {
                    return new((FileError)refused, null);
                }
            }

            using var found = Native.TryOpenInRoot(_root, path.Full, Native.O_PATH, 0, out var missing);
            if (found is null)
            {
                if ((FileError)missing == FileError.NotFound && flags.HasFlag(FileOpenFlags.Create))
                {
                    continue;
                }

                return new((FileError)missing, null);
            }

            if (!FileStatus.TryRead(found, out var status))
            {
                return new(FileCalls.Error(-1), null);
            }

            if (Refusal(found, status, flags) is var refusal and not FileError.None)
            {
                return new(refusal, null);
            }

            var file = ContainerRoot.Reopen(found, access);
            var error = file is null ? FileCalls.Error(-1) : FileError.None;
            if (flags.HasFlag(FileOpenFlags.Truncate))
            {
                _calls.NoteChange();
            }

            return file is null ? new(error, null) : Opened(file, flags);
        }

        return new(FileError.NotFound, null);
    }

    private FileResult<IContainerFile> Opened(SafeFileHandle file, FileOpenFlags flags) => new(FileError.None, new ContainerFile(file, _calls, flags.HasFlag(FileOpenFlags.Append)));

    private static FileError Refusal(SafeFileHandle found, FileStatus status, FileOpenFlags flags)
    {
        if (status.IsFolder)
        {
            return FileError.IsAFolder;
        }

        // /dev/null and /dev/zero are the same everywhere (devices.txt: memory devices 3 and 5).
        if (!status.IsRegular && !(status.IsCharacterDevice && status.DeviceMajor == 1 && status.DeviceMinor is 3 or 5))
        {
            return FileError.NotSupported;
        }

        // Files of the kernel act on who writes them, and here that would be this process.
        return flags.HasFlag(FileOpenFlags.Write) && ContainerRoot.IsKernels(found)
            ? FileError.AccessDenied
            : FileError.None;
    }

    private unsafe delegate nint NameCall(SafeFileHandle folder, byte* name);

    private unsafe delegate nint TwoNamesCall(SafeFileHandle fromFolder, byte* fromName, SafeFileHandle toFolder, byte* toName);

    private unsafe ValueTask<FileError> OnName(ReadOnlyMemory<byte> path, NameCall call, FileError withoutName, CancellationToken cancellationToken) =>
        OnPath(
            path,
            p =>
            {
                if (!p.HasName)
                {
                    return withoutName;
                }

                using var folder = Native.TryOpenInRoot(_root, p.Folder, Native.O_PATH | Native.O_DIRECTORY, 0, out var error);
                if (folder is null)
                {
                    return (FileError)error;
                }

                fixed (byte* name = p.Name)
                {
                    return FileCalls.Error(call(folder, name));
                }
            },
            e => e,
            cancellationToken);

    private unsafe ValueTask<FileError> OnTwoNames(ReadOnlyMemory<byte> from, ReadOnlyMemory<byte> to, TwoNamesCall call, CancellationToken cancellationToken) =>
        OnPath(
            from,
            f =>
            {
                var bad = ContainerPath.TryParse(to.Span, User.Home, out var t);
                if (bad != FileError.None || !f.HasName || !t.HasName)
                {
                    return bad != FileError.None ? bad : FileError.Invalid;
                }

                using var fromFolder = Native.TryOpenInRoot(_root, f.Folder, Native.O_PATH | Native.O_DIRECTORY, 0, out var error);
                if (fromFolder is null)
                {
                    return (FileError)error;
                }

                using var toFolder = Native.TryOpenInRoot(_root, t.Folder, Native.O_PATH | Native.O_DIRECTORY, 0, out error);
                if (toFolder is null)
                {
                    return (FileError)error;
                }

                fixed (byte* fromName = f.Name, toName = t.Name)
                {
                    return FileCalls.Error(call(fromFolder, fromName, toFolder, toName));
                }
            },
            e => e,
            cancellationToken);

    private ValueTask<T> OnFile<T>(ReadOnlyMemory<byte> path, bool followLink, Func<SafeFileHandle, T> call, Func<FileError, T> failed, CancellationToken cancellationToken) =>
        OnPath(
            path,
            p =>
            {
                using var found = Native.TryOpenInRoot(_root, p.Full, Native.O_PATH | (followLink ? 0 : Native.O_NOFOLLOW), 0, out var error);
                return found is null ? failed((FileError)error) : call(found);
            },
            failed,
            cancellationToken);

    private async ValueTask<T> OnPath<T>(ReadOnlyMemory<byte> path, Func<ContainerPath, T> call, Func<FileError, T> failed, CancellationToken cancellationToken)
    {
        var bad = ContainerPath.TryParse(path.Span, User.Home, out var parsed);
        return bad != FileError.None ? failed(bad) : await _calls.RunAsync(() => call(parsed), cancellationToken).ConfigureAwait(false);
    }
}
