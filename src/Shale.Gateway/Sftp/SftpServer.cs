using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using System.Text;
using Shale.Containers.Files;
using Shale.Containers.Network;
using Shale.Wire;

namespace Shale.Gateway.Sftp;

/// <summary>
/// An SFTP version 3 server (draft-ietf-secsh-filexfer-02, with OpenSSH's extensions and OpenSSH's order of symlink's arguments) over a container's file tree.
/// One request at a time, in order: the kernel's page cache makes waiting for several at once not worth its disorder.
/// </summary>
internal sealed partial class SftpServer : IAsyncDisposable
{
    /// <summary>How much is handled before its answers are sent and its room is given back to the client: some writes, or many small requests.</summary>
    private const int MaxTurn = 128 * 1024;

    /// <summary>The largest answers that are sent on a thread that all sockets share.</summary>
    private const int MaxOnSharedThread = 16 * 1024;

    /// <summary>What a write has before its data: type, u32 id, string handle, u64 offset, and their length.</summary>
    private const int WriteHead = 1 + 4 + 4 + 4 + 8 + 4;

    private readonly IContainerFileTree _tree;
    private readonly PipeReader _input;
    private readonly Func<ReadOnlyMemory<byte>, CancellationToken, ValueTask> _write;
    private readonly Func<int, CancellationToken, ValueTask> _received;
    private readonly TimeProvider _time;
    private readonly Dictionary<uint, IAsyncDisposable> _handles = [];
    private readonly Dictionary<uint, string> _users = [];
    private readonly Dictionary<uint, string> _groups = [];
    private readonly SftpReplies _replies = new();
    private readonly byte[] _packet = ArrayPool<byte>.Shared.Rent(SftpLimits.MaxPacket);
    private uint _lastHandle;

    /// <summary>Serves a tree, which is the server's from then on.</summary>
    /// <param name="tree">The tree.</param>
    /// <param name="input">What the client sends.</param>
    /// <param name="received">Is told how long each packet was, and may wait before it is handled.</param>
    /// <param name="write">Sends to the client.</param>
    /// <param name="time">The clock.</param>
    public SftpServer(
        IContainerFileTree tree, PipeReader input, Func<int, CancellationToken, ValueTask> received, Func<ReadOnlyMemory<byte>, CancellationToken, ValueTask> write, TimeProvider time) =>
        (_tree, _input, _received, _write, _time) = (tree, input, received, write, time);

    /// <summary>Serves until the client is done.</summary>
    /// <returns>Whether it ended as it should; false after a packet that can't be followed.</returns>
    public async Task<bool> RunAsync(CancellationToken cancellation)
    {
        var greeted = false;
        while (true)
        {
            var read = await _input.ReadAsync(cancellation).ConfigureAwait(false);
            var buffer = read.Buffer;
            var whole = true;
            while (whole && read.Buffer.Length - buffer.Length < MaxTurn)
            {
                var status = WireFrame.TryRead(ref buffer, SftpLimits.MaxPacket, out var frame);
                if (status == WireFrameStatus.TooLong || (status == WireFrameStatus.Complete && frame.Length < 5))
                {
                    await SendAsync(cancellation).ConfigureAwait(false);
                    return false;
                }

                whole = status == WireFrameStatus.Complete;
                if (whole && !await AnswerAsync(frame, greeted, cancellation).ConfigureAwait(false))
                {
                    return false;
                }

                greeted |= whole;
            }

            await SendAsync(cancellation).ConfigureAwait(false);
            _input.AdvanceTo(buffer.Start, whole ? buffer.Start : buffer.End);
            if (read.IsCompleted && !whole)
            {
                return buffer.IsEmpty;
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var handle in _handles.Values)
        {
            await handle.DisposeAsync().ConfigureAwait(false);
        }

        _handles.Clear();
        await _tree.DisposeAsync().ConfigureAwait(false);
        _replies.Dispose();
        ArrayPool<byte>.Shared.Return(_packet);
    }

    /// <summary>Handles a request; its answer goes out with those of its turn.</summary>
    /// <returns>Whether it can be followed.</returns>
    private async ValueTask<bool> AnswerAsync(ReadOnlySequence<byte> frame, bool greeted, CancellationToken cancellation)
    {
        var received = _received((int)frame.Length, cancellation);
        if (!received.IsCompleted)
        {
            // A lease that is paused, or out of bandwidth, still gives the answers that it has.
            await SendAsync(cancellation).ConfigureAwait(false);
        }

        await received.ConfigureAwait(false);
        frame.Slice(0, Math.Min(frame.Length, WriteHead)).CopyTo(_packet);
        var type = (SftpType)_packet[0];
        if (type != SftpType.Write)
        {
            frame.CopyTo(_packet);
        }

        var packet = _packet.AsMemory(0, (int)frame.Length);
        if (!greeted)
        {
            if (type != SftpType.Init)
            {
                return false;
            }

            Greet();
        }
        else
        {
            if (type == SftpType.Extended)
            {
                // It may take long: a copy, a disk that is asked to be sure.
                await SendAsync(cancellation).ConfigureAwait(false);
            }

            var id = BinaryPrimitives.ReadUInt32BigEndian(packet.Span[1..]);
            if (type == SftpType.Write)
            {
                await WriteAsync(id, frame, cancellation).ConfigureAwait(false);
            }
            else
            {
                await HandleAsync(type, id, packet[5..], cancellation).ConfigureAwait(false);
            }
        }

        _replies.End();
        if (_replies.Ready.Length > MaxOnSharedThread && !PolledSocket.TryLeaveSharedThread())
        {
            // Data that were at hand: to encrypt them is not for such a thread.
            await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        }

        if (_replies.Ready.Length >= SftpReplies.Full)
        {
            await SendAsync(cancellation).ConfigureAwait(false);
        }

        return true;
    }

    private async ValueTask SendAsync(CancellationToken cancellation)
    {
        if (!_replies.Ready.IsEmpty)
        {
            await _write(_replies.Ready, cancellation).ConfigureAwait(false);
            _replies.Clear();
        }
    }

    private void Greet()
    {
        // The version packet has its number where others have a request id.
        var writer = _replies.Begin(SftpType.Version, SftpLimits.Version);
        foreach (var (name, version) in Extensions)
        {
            writer.WriteString(name);
            writer.WriteString(version);
        }
    }

    private ValueTask HandleAsync(SftpType type, uint id, ReadOnlyMemory<byte> body, CancellationToken cancellation) => type switch
    {
        SftpType.Open => OpenAsync(id, body, cancellation),
        SftpType.Close => CloseAsync(id, body),
        SftpType.Read => ReadAsync(id, body, cancellation),
        SftpType.Stat => StatusAsync(id, body, followLink: true, cancellation),
        SftpType.LStat => StatusAsync(id, body, followLink: false, cancellation),
        SftpType.FStat => HandleStatusAsync(id, body, cancellation),
        SftpType.SetStat => ChangeAsync(id, body, followLink: true, cancellation),
        SftpType.FSetStat => HandleChangeAsync(id, body, cancellation),
        SftpType.OpenDir => OpenFolderAsync(id, body, cancellation),
        SftpType.ReadDir => ReadFolderAsync(id, body, cancellation),
        SftpType.Remove => OnPathAsync(id, body, _tree.RemoveAsync, cancellation),
        SftpType.RmDir => OnPathAsync(id, body, _tree.RemoveFolderAsync, cancellation),
        SftpType.MkDir => MakeFolderAsync(id, body, cancellation),
        SftpType.RealPath => RealPathAsync(id, body, cancellation),
        SftpType.Rename => OnTwoPathsAsync(id, body, (from, to, c) => _tree.RenameAsync(from, to, replace: false, c), cancellation),
        SftpType.ReadLink => ReadLinkAsync(id, body, cancellation),
        SftpType.SymLink => OnTwoPathsAsync(id, body, _tree.CreateLinkAsync, cancellation),
        SftpType.Extended => ExtendedAsync(id, body, cancellation),
        _ => Refuse(id, SftpStatus.OpUnsupported, "Unknown request"),
    };

    private async ValueTask OpenAsync(uint id, ReadOnlyMemory<byte> body, CancellationToken cancellation)
    {
        if (!TryReadOpen(body.Span, out var path, out var flags, out var change))
        {
            await BadMessage(id).ConfigureAwait(false);
            return;
        }

        if (_handles.Count >= SftpLimits.MaxHandles)
        {
            _replies.Status(id, SftpStatus.Failure, "Too many open files");
            return;
        }

        var opened = await _tree.OpenAsync(path, flags, change.Mode ?? 0x1b6, cancellation).ConfigureAwait(false); // 0666
        Opened(id, opened.Error, opened.Value);
    }

    private static bool TryReadOpen(ReadOnlySpan<byte> body, out byte[] path, out FileOpenFlags flags, out FileChange change)
    {
        (path, flags, change) = ([], 0, new FileChange());
        var reader = new WireReader(body);
        if (!TryReadPath(ref reader, out path) || !reader.TryReadUInt32(out var wire) || !SftpAttributes.TryRead(ref reader, out change) || !reader.IsAtEnd)
        {
            return false;
        }

        flags |= (wire & 1) != 0 ? FileOpenFlags.Read : 0;
        flags |= (wire & 2) != 0 ? FileOpenFlags.Write : 0;
        flags |= (wire & 4) != 0 ? FileOpenFlags.Append : 0;
        flags |= (wire & 8) != 0 ? FileOpenFlags.Create : 0;
        flags |= (wire & 0x10) != 0 ? FileOpenFlags.Truncate : 0;
        flags |= (wire & 0x20) != 0 ? FileOpenFlags.Exclusive : 0;
        return (flags & (FileOpenFlags.Read | FileOpenFlags.Write)) != 0;
    }

    private void Opened(uint id, FileError error, IAsyncDisposable? opened)
    {
        if (error != FileError.None || opened is null)
        {
            _replies.Status(id, error);
            return;
        }

        while (!_handles.TryAdd(++_lastHandle, opened))
        {
            // Four billion handles ago one of this number was opened and is still there.
        }

        Span<byte> name = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(name, _lastHandle);
        _replies.Begin(SftpType.Handle, id).WriteString(name);
    }

    private async ValueTask CloseAsync(uint id, ReadOnlyMemory<byte> body)
    {
        var (handle, number) = Handle<IAsyncDisposable>(body.Span, 0, out _);
        if (handle is null)
        {
            await BadMessage(id).ConfigureAwait(false);
            return;
        }

        _handles.Remove(number);
        await handle.DisposeAsync().ConfigureAwait(false);
        _replies.Status(id, FileError.None);
    }

    private async ValueTask ReadAsync(uint id, ReadOnlyMemory<byte> body, CancellationToken cancellation)
    {
        var (file, _) = Handle<IContainerFile>(body.Span, 12, out var rest);
        if (file is null)
        {
            await BadMessage(id).ConfigureAwait(false);
            return;
        }

        var offset = BinaryPrimitives.ReadInt64BigEndian(rest);
        var length = (int)Math.Min(BinaryPrimitives.ReadUInt32BigEndian(rest.AsSpan(8)), SftpLimits.MaxData);
        var read = await file.ReadAsync(_replies.BeginData(id, length), offset, cancellation).ConfigureAwait(false);
        if (!read.Ok)
        {
            _replies.Status(id, read.Error);
        }
        else if (read.Value == 0 && length > 0)
        {
            _replies.Status(id, SftpStatus.Eof, "End of file");
        }
        else
        {
            _replies.EndData(read.Value);
        }
    }

    /// <summary>Writes a packet's data from where they lie; its head has been copied.</summary>
    private async ValueTask WriteAsync(uint id, ReadOnlySequence<byte> frame, CancellationToken cancellation)
    {
        var head = _packet.AsMemory(5, WriteHead - 5);
        var (file, _) = Handle<IContainerFile>(head.Span, -1, out _);
        if (file is null || frame.Length < WriteHead || BinaryPrimitives.ReadUInt32BigEndian(head.Span[^4..]) != frame.Length - WriteHead)
        {
            await BadMessage(id).ConfigureAwait(false);
            return;
        }

        var offset = BinaryPrimitives.ReadInt64BigEndian(head.Span[8..]);
        _replies.Status(id, await file.WriteAsync(frame.Slice(WriteHead), offset, cancellation).ConfigureAwait(false));
    }

    private async ValueTask StatusAsync(uint id, ReadOnlyMemory<byte> body, bool followLink, CancellationToken cancellation)
    {
        if (!TryReadOnlyPath(body.Span, out var path))
        {
            await BadMessage(id).ConfigureAwait(false);
            return;
        }

        Attributes(id, await _tree.GetStatusAsync(path, followLink, cancellation).ConfigureAwait(false));
    }

    private async ValueTask HandleStatusAsync(uint id, ReadOnlyMemory<byte> body, CancellationToken cancellation)
    {
        var (file, _) = Handle<IContainerFile>(body.Span, 0, out _);
        if (file is null)
        {
            await BadMessage(id).ConfigureAwait(false);
            return;
        }

        Attributes(id, await file.GetStatusAsync(cancellation).ConfigureAwait(false));
    }

    private void Attributes(uint id, FileResult<FileStatus> status)
    {
        if (!status.Ok)
        {
            _replies.Status(id, status.Error);
            return;
        }

        var writer = _replies.Begin(SftpType.Attrs, id);
        SftpAttributes.Write(ref writer, status.Value);
    }

    private async ValueTask ChangeAsync(uint id, ReadOnlyMemory<byte> body, bool followLink, CancellationToken cancellation)
    {
        if (!TryReadChange(body.Span, out var path, out var change))
        {
            await BadMessage(id).ConfigureAwait(false);
            return;
        }

        _replies.Status(id, await _tree.ChangeAsync(path, change, followLink, cancellation).ConfigureAwait(false));
    }

    private static bool TryReadChange(ReadOnlySpan<byte> body, out byte[] path, out FileChange change)
    {
        change = new FileChange();
        var reader = new WireReader(body);
        return TryReadPath(ref reader, out path) && SftpAttributes.TryRead(ref reader, out change) && reader.IsAtEnd;
    }

    private async ValueTask HandleChangeAsync(uint id, ReadOnlyMemory<byte> body, CancellationToken cancellation)
    {
        var (file, _) = Handle<IContainerFile>(body.Span, -1, out var rest);
        if (file is null || !TryReadAttributes(rest, out var change))
        {
            await BadMessage(id).ConfigureAwait(false);
            return;
        }

        _replies.Status(id, await file.ChangeAsync(change, cancellation).ConfigureAwait(false));

        static bool TryReadAttributes(ReadOnlySpan<byte> bytes, out FileChange change)
        {
            var reader = new WireReader(bytes);
            return SftpAttributes.TryRead(ref reader, out change) && reader.IsAtEnd;
        }
    }

    private async ValueTask OpenFolderAsync(uint id, ReadOnlyMemory<byte> body, CancellationToken cancellation)
    {
        if (!TryReadOnlyPath(body.Span, out var path))
        {
            await BadMessage(id).ConfigureAwait(false);
            return;
        }

        if (_handles.Count >= SftpLimits.MaxHandles)
        {
            _replies.Status(id, SftpStatus.Failure, "Too many open files");
            return;
        }

        var opened = await _tree.OpenFolderAsync(path, cancellation).ConfigureAwait(false);
        Opened(id, opened.Error, opened.Value);
    }

    private async ValueTask ReadFolderAsync(uint id, ReadOnlyMemory<byte> body, CancellationToken cancellation)
    {
        var (folder, _) = Handle<IContainerFolder>(body.Span, 0, out _);
        if (folder is null)
        {
            await BadMessage(id).ConfigureAwait(false);
            return;
        }

        var names = await folder.ReadAsync(SftpLimits.MaxNames, cancellation).ConfigureAwait(false);
        if (!names.Ok || names.Value is null)
        {
            _replies.Status(id, names.Error);
            return;
        }

        if (names.Value.Count == 0)
        {
            _replies.Status(id, SftpStatus.Eof, "End of file");
            return;
        }

        await LearnNamesAsync(names.Value, cancellation).ConfigureAwait(false);
        var writer = _replies.Begin(SftpType.Name, id);
        writer.WriteUInt32((uint)names.Value.Count);
        var now = _time.GetUtcNow();
        foreach (var entry in names.Value)
        {
            writer.WriteString(entry.Name.Span);
            writer.WriteString(SftpAttributes.LongName(entry.Name.Span, entry.Status, now, uid => _users[uid], gid => _groups[gid]));
            SftpAttributes.Write(ref writer, entry.Status);
        }
    }

    private async ValueTask LearnNamesAsync(IReadOnlyList<FolderEntry> entries, CancellationToken cancellation)
    {
        uint[] users = [.. entries.Select(e => e.Status.Uid).Distinct().Where(u => !_users.ContainsKey(u))];
        uint[] groups = [.. entries.Select(e => e.Status.Gid).Distinct().Where(g => !_groups.ContainsKey(g))];
        if (users.Length == 0 && groups.Length == 0)
        {
            return;
        }

        // A folder full of strange owners must not fill memory: names are for people, and start over.
        if (_users.Count + _groups.Count > SftpLimits.MaxHandles)
        {
            _users.Clear();
            _groups.Clear();
            users = [.. entries.Select(e => e.Status.Uid).Distinct()];
            groups = [.. entries.Select(e => e.Status.Gid).Distinct()];
        }

        var (userNames, groupNames) = await _tree.GetNamesAsync(users, groups, cancellation).ConfigureAwait(false);
        for (var i = 0; i < users.Length; i++)
        {
            _users[users[i]] = userNames[i] ?? users[i].ToString(System.Globalization.CultureInfo.InvariantCulture);
        }

        for (var i = 0; i < groups.Length; i++)
        {
            _groups[groups[i]] = groupNames[i] ?? groups[i].ToString(System.Globalization.CultureInfo.InvariantCulture);
        }
    }

    private async ValueTask MakeFolderAsync(uint id, ReadOnlyMemory<byte> body, CancellationToken cancellation)
    {
        if (!TryReadChange(body.Span, out var path, out var change))
        {
            await BadMessage(id).ConfigureAwait(false);
            return;
        }

        _replies.Status(id, await _tree.CreateFolderAsync(path, change.Mode ?? 0x1ff, cancellation).ConfigureAwait(false)); // 0777
    }

    private async ValueTask RealPathAsync(uint id, ReadOnlyMemory<byte> body, CancellationToken cancellation)
    {
        if (!TryReadOnlyPath(body.Span, out var path))
        {
            await BadMessage(id).ConfigureAwait(false);
            return;
        }

        var real = await _tree.GetRealPathAsync(path, cancellation).ConfigureAwait(false);
        if (real.Error == FileError.NotFound && path is [(byte)'.'])
        {
            // An image of one binary has no home: as sshd does then, the session starts at the root.
            real = new FileResult<byte[]>(FileError.None, "/"u8.ToArray());
        }

        OneName(id, real);
    }

    private async ValueTask ReadLinkAsync(uint id, ReadOnlyMemory<byte> body, CancellationToken cancellation)
    {
        if (!TryReadOnlyPath(body.Span, out var path))
        {
            await BadMessage(id).ConfigureAwait(false);
            return;
        }

        OneName(id, await _tree.ReadLinkAsync(path, cancellation).ConfigureAwait(false));
    }

    private void OneName(uint id, FileResult<byte[]> name)
    {
        if (!name.Ok || name.Value is null)
        {
            _replies.Status(id, name.Error);
            return;
        }

        var writer = _replies.Begin(SftpType.Name, id);
        writer.WriteUInt32(1);
        writer.WriteString(name.Value);
        writer.WriteString(name.Value);
        writer.WriteUInt32(0);
    }

    private async ValueTask OnPathAsync(uint id, ReadOnlyMemory<byte> body, Func<ReadOnlyMemory<byte>, CancellationToken, ValueTask<FileError>> action, CancellationToken cancellation)
    {
        if (!TryReadOnlyPath(body.Span, out var path))
        {
            await BadMessage(id).ConfigureAwait(false);
            return;
        }

        _replies.Status(id, await action(path, cancellation).ConfigureAwait(false));
    }

    private async ValueTask OnTwoPathsAsync(
        uint id, ReadOnlyMemory<byte> body, Func<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>, CancellationToken, ValueTask<FileError>> action, CancellationToken cancellation)
    {
        if (!TryReadTwoPaths(body.Span, out var first, out var second))
        {
            await BadMessage(id).ConfigureAwait(false);
            return;
        }

        _replies.Status(id, await action(first, second, cancellation).ConfigureAwait(false));
    }

    private static bool TryReadTwoPaths(ReadOnlySpan<byte> body, out byte[] first, out byte[] second)
    {
        second = [];
        var reader = new WireReader(body);
        return TryReadPath(ref reader, out first) && TryReadPath(ref reader, out second) && reader.IsAtEnd;
    }

    private static bool TryReadOnlyPath(ReadOnlySpan<byte> body, out byte[] path)
    {
        var reader = new WireReader(body);
        return TryReadPath(ref reader, out path) && reader.IsAtEnd;
    }

    private static bool TryReadPath(ref WireReader reader, out byte[] path)
    {
        path = [];
        if (!reader.TryReadString(SftpLimits.MaxPath, out var bytes) || bytes.Contains((byte)0))
        {
            return false;
        }

        path = bytes.IsEmpty ? [(byte)'.'] : bytes.ToArray();
        return true;
    }

    /// <summary>The handle that a body begins with, and what follows it; null where it is none of this kind, or not <paramref name="restLength"/> bytes follow (-1: any number).</summary>
    private (T? Handle, uint Number) Handle<T>(ReadOnlySpan<byte> body, int restLength, out byte[] rest)
        where T : class
    {
        rest = [];
        var reader = new WireReader(body);
        if (!reader.TryReadString(4, out var name) || name.Length != 4 || (restLength >= 0 && reader.Remaining.Length != restLength))
        {
            return (null, 0);
        }

        var number = BinaryPrimitives.ReadUInt32BigEndian(name);
        // The rest is copied only where it is short: a write's data are taken from the packet.
        rest = reader.Remaining.Length <= 4096 ? reader.Remaining.ToArray() : [];
        return (_handles.TryGetValue(number, out var handle) ? handle as T : null, number);
    }

    private ValueTask BadMessage(uint id) => Refuse(id, SftpStatus.BadMessage, "Bad message");

    private ValueTask Refuse(uint id, SftpStatus status, string message)
    {
        _replies.Status(id, status, message);
        return ValueTask.CompletedTask;
    }
}
