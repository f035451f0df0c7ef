using System.Buffers;
using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;
using Shale.Containers.Exec;

namespace Shale.Containers.Files;

/// <summary>An open regular file. Bytes that are in memory are read at once; all else is a call of the session's.</summary>
internal sealed class ContainerFile(SafeFileHandle file, UserCalls calls, bool append) : IContainerFile
{
    /// <summary>A copy is done in pieces of this size, so that it can be cancelled.</summary>
    private const long CopyPiece = 64L << 20;

    /// <summary>A longer write takes as long as opening the packets of the next one, which then goes on beside it.</summary>
    private const int BulkWrite = 64 * 1024;

    /// <summary>So many pieces of memory are written in one call: a write of 255 KiB has three.</summary>
    private const int MaxPieces = 8;

    private readonly ReadAhead _ahead = new();
    private bool _noWait = true;

    private SafeFileHandle Handle { get; } = file;

    public async ValueTask DisposeAsync()
    {
        // To close a file that has no name any more is to free it, which takes the disk's time.
        if (!await CallAsync(Close, closed: false, CancellationToken.None).ConfigureAwait(false))
        {
            Close();
        }
    }

    public unsafe ValueTask<FileResult<int>> ReadAsync(Memory<byte> buffer, long offset, CancellationToken cancellationToken)
    {
        if (offset < 0)
        {
            return ValueTask.FromResult(new FileResult<int>(FileError.Invalid, 0));
        }

        if (Handle.IsClosed)
        {
            return ValueTask.FromResult(new FileResult<int>(FileError.BadDescriptor, 0));
        }

        var changes = calls.Changes;
        if (_ahead.TryRead(buffer.Span, offset, changes, out var toRead))
        {
            return ValueTask.FromResult(new FileResult<int>(FileError.None, buffer.Length));
        }

        try
        {
            // RWF_NOWAIT gives what the page cache has, without a call. Data sets' file systems know it, overlayfs does not.
            fixed (byte* bytes = buffer.Span)
            {
                var vector = stackalloc nint[2] { (nint)bytes, buffer.Length };
                var read = _noWait ? FileCalls.ReadAt2(Handle, vector, 1, offset, FileCalls.RWF_NOWAIT) : 0;
                if (read == buffer.Length)
                {
                    return ValueTask.FromResult(new FileResult<int>(FileError.None, (int)read));
                }

                _noWait &= read >= 0 || FileCalls.Error(read) != FileError.NotSupported;
            }
        }
        catch (ObjectDisposedException)
        {
            return ValueTask.FromResult(new FileResult<int>(FileError.BadDescriptor, 0));
        }

        return CallAsync(() => toRead > buffer.Length ? ReadBlock(buffer.Span, offset, changes) : ReadAt(buffer.Span, offset), new(FileError.BadDescriptor, 0), cancellationToken);
    }

    public ValueTask<FileError> WriteAsync(ReadOnlySequence<byte> data, long offset, CancellationToken cancellationToken) =>
        offset < 0 && !append
            ? ValueTask.FromResult(FileError.Invalid)
            : CallAsync(() => Write(data, Math.Max(offset, 0)), FileError.BadDescriptor, cancellationToken, isBulk: data.Length > BulkWrite);

    public ValueTask<FileResult<FileStatus>> GetStatusAsync(CancellationToken cancellationToken) =>
        CallAsync(
            () => FileStatus.TryRead(Handle, out var status) ? new FileResult<FileStatus>(FileError.None, status) : new(FileCalls.Error(-1), default),
            new(FileError.BadDescriptor, default),
            cancellationToken);

    public ValueTask<FileError> ChangeAsync(FileChange change, CancellationToken cancellationToken) =>
        CallAsync(() => ChangeAndNote(change), FileError.BadDescriptor, cancellationToken);

    public ValueTask<FileError> SyncAsync(CancellationToken cancellationToken) =>
        CallAsync(() => FileCalls.Error(FileCalls.Sync(Handle)), FileError.BadDescriptor, cancellationToken);

    public ValueTask<FileResult<FileSystemStatus>> GetFileSystemAsync(CancellationToken cancellationToken) =>
        CallAsync(
            () => FileCalls.FileSystem(Handle) is { } status ? new FileResult<FileSystemStatus>(FileError.None, status) : new(FileCalls.Error(-1), default),
            new(FileError.BadDescriptor, default),
            cancellationToken);

    public async ValueTask<FileError> CopyToAsync(long offset, long length, IContainerFile target, long targetOffset, CancellationToken cancellationToken)
    {
        if (target is not ContainerFile other || offset < 0 || targetOffset < 0 || length < 0)
        {
            return FileError.Invalid;
        }

        var left = length == 0 ? long.MaxValue : length;
        while (left > 0)
        {
            var (at, to, piece) = (offset, targetOffset, Math.Min(left, CopyPiece));
            var copied = await CallAsync(
                () => CopyPieceTo(at, other, to, piece),
                new FileResult<long>(FileError.BadDescriptor, 0),
                cancellationToken).ConfigureAwait(false);
            if (!copied.Ok || copied.Value == 0)
            {
                return copied.Error;
            }

            offset += copied.Value;
            targetOffset += copied.Value;
            left -= copied.Value;
        }

        return FileError.None;
    }

    private bool Close()
    {
        Handle.Dispose();
        _ahead.Clear();
        return true;
    }

    private FileError ChangeAndNote(FileChange change)
    {
        var error = Change(Handle, change);
        calls.NoteChange();
        return error;
    }

    private FileResult<int> ReadBlock(Span<byte> buffer, long offset, long changes)
    {
        var block = ArrayPool<byte>.Shared.Rent(ReadAhead.BlockSize);
        var read = ReadAt(block.AsSpan(0, ReadAhead.BlockSize), offset);
        var length = Math.Min(buffer.Length, read.Value);
        block.AsSpan(0, length).CopyTo(buffer);
        if (read.Value > length)
        {
            _ahead.Keep(block, read.Value, offset, changes);
        }
        else
        {
            ArrayPool<byte>.Shared.Return(block);
        }

        return read with { Value = length };
    }

    private unsafe FileError Write(ReadOnlySequence<byte> data, long offset)
    {
        calls.NoteChange();
        var vector = stackalloc nint[2 * MaxPieces];
        Span<MemoryHandle> pins = new MemoryHandle[MaxPieces];
        while (!data.IsEmpty)
        {
            var count = 0;
            foreach (var piece in data)
            {
                if (count == MaxPieces)
                {
                    break;
                }

                pins[count] = piece.Pin();
                vector[2 * count] = (nint)pins[count].Pointer;
                vector[(2 * count) + 1] = piece.Length;
                count++;
            }

            // With O_APPEND Linux writes at the end whatever the offset is.
            nint written;
            int error;
            try
            {
                written = FileCalls.WriteAt(Handle, vector, count, offset);
                error = written < 0 ? Native.LastError : 0;
            }
            finally
            {
                foreach (var pin in pins[..count])
                {
                    pin.Dispose();
                }
            }

            if (error is not (0 or Native.EINTR))
            {
                return (FileError)error;
            }

            data = data.Slice(Math.Max(written, 0));
            offset += Math.Max(written, 0);
        }

        return FileError.None;
    }

    private unsafe FileResult<int> ReadAt(Span<byte> buffer, long offset)
    {
        fixed (byte* bytes = buffer)
        {
            long read;
            do
            {
                read = FileCalls.ReadAt(Handle, bytes, (nuint)buffer.Length, offset);
            }
            while (read < 0 && Native.LastError == Native.EINTR);
            return new FileResult<int>(FileCalls.Error(read), (int)Math.Max(read, 0));
        }
    }

    private unsafe FileResult<long> CopyPieceTo(long offset, ContainerFile target, long targetOffset, long length)
    {
        var done = FileCalls.CopyRange(Handle, &offset, target.Handle, &targetOffset, (nuint)length, 0);
        var error = FileCalls.Error(done);
        calls.NoteChange();
        return new FileResult<long>(error, done);
    }

    /// <summary>Changes what a descriptor names, which may be one that only names (O_PATH) and may be a symbolic link.</summary>
    internal static unsafe FileError Change(SafeFileHandle file, FileChange change)
    {
        byte empty = 0;
        if (!FileStatus.TryRead(file, out var status))
        {
            return FileCalls.Error(-1);
        }

        // /proc/self/fd/N is that very file, for calls that take no such descriptor; a symbolic link would be followed by them.
        var path = ContainerRoot.DescriptorPath(file);
        if (change.Size is { } size && (status.IsRegular ? FileCalls.Error(FileCalls.Truncate(path, size)) : FileError.Invalid) is var truncated and not FileError.None)
        {
            return truncated;
        }

        if ((change.Uid is not null || change.Gid is not null)
            && FileCalls.Error(FileCalls.ChangeOwnerAt(file, &empty, change.Uid ?? uint.MaxValue, change.Gid ?? uint.MaxValue, FileCalls.AT_EMPTY_PATH)) is var owned and not FileError.None)
        {
            return owned;
        }

        if (change.Mode is { } mode && (status.IsLink ? FileError.NotSupported : FileCalls.Error(FileCalls.ChangeMode(path, mode & 0xfff))) is var allowed and not FileError.None)
        {
            return allowed;
        }

        if (change.Accessed is null && change.Modified is null)
        {
            return FileError.None;
        }

        const long Omit = (1L << 30) - 2; // UTIME_OMIT
        var times = stackalloc long[4]
        {
            change.Accessed?.Seconds ?? 0, change.Accessed?.Nanoseconds ?? Omit,
            change.Modified?.Seconds ?? 0, change.Modified?.Nanoseconds ?? Omit,
        };
        return FileCalls.Error(FileCalls.SetTimesAt(file, &empty, times, FileCalls.AT_EMPTY_PATH));
    }

    private async ValueTask<T> CallAsync<T>(Func<T> call, T closed, CancellationToken cancellationToken, bool isBulk = false)
    {
        try
        {
            return await calls.RunAsync(call, cancellationToken, isBulk).ConfigureAwait(false);
        }
        catch (ObjectDisposedException)
        {
            return closed;
        }
    }
}

/// <summary>An open folder.</summary>
internal sealed class ContainerFolder(SafeFileHandle folder, UserCalls calls) : IContainerFolder
{
    private const int BufferSize = 32 * 1024;

    private readonly Queue<byte[]> _names = new();

    public ValueTask DisposeAsync()
    {
        folder.Dispose();
        return ValueTask.CompletedTask;
    }

    public async ValueTask<FileResult<IReadOnlyList<FolderEntry>>> ReadAsync(int limit, CancellationToken cancellationToken)
    {
        try
        {
            return await calls.RunAsync(() => Read(limit), cancellationToken).ConfigureAwait(false);
        }
        catch (ObjectDisposedException)
        {
            return new(FileError.BadDescriptor, null);
        }
    }

    private unsafe FileResult<IReadOnlyList<FolderEntry>> Read(int limit)
    {
        var entries = new List<FolderEntry>();
        while (entries.Count < limit)
        {
            if (_names.Count == 0)
            {
                var buffer = new byte[BufferSize];
                fixed (byte* bytes = buffer)
                {
                    var read = FileCalls.GetEntries(FileCalls.GetEntriesNumber, folder, bytes, BufferSize);
                    if (read < 0 && entries.Count == 0)
                    {
                        return new(FileCalls.Error(-1), null);
                    }

                    if (read <= 0)
                    {
                        break;
                    }

                    // struct linux_dirent64: u64 inode, s64 offset, u16 length, u8 type, name with NUL (getdents(2)).
                    for (var at = 0; at + 19 < read;)
                    {
                        int length = BinaryPrimitives.ReadUInt16LittleEndian(buffer.AsSpan(at + 16));
                        var name = buffer.AsSpan(at + 19, length - 19);
                        _names.Enqueue(name[..(name.IndexOf((byte)0) + 1)].ToArray());
                        at += length;
                    }
                }
            }

            while (entries.Count < limit && _names.TryDequeue(out var name))
            {
                FileStatus.TryRead(folder, name, out var status);
                entries.Add(new FolderEntry(name.AsMemory(0, name.Length - 1), status));
            }
        }

        return new(FileError.None, entries);
    }
}
