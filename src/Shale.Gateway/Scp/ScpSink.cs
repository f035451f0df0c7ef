using System.IO.Pipelines;
using System.Text;
using Shale.Containers.Files;

namespace Shale.Gateway.Scp;

/// <summary>Takes files from a client (<c>scp -t</c>). Names are the client's: none may leave the folder that was named.</summary>
internal sealed class ScpSink(
    IContainerFileTree tree, ScpCommand command, PipeReader input, Func<int, CancellationToken, ValueTask> received, Func<ReadOnlyMemory<byte>, CancellationToken, ValueTask> write)
    : ScpPeer(input, received, write)
{
    private readonly Stack<Folder> _folders = new();
    private (long Modified, long Accessed)? _times;

    /// <summary>Runs until the client has no more.</summary>
    /// <returns>The exit status.</returns>
    public async Task<int> RunAsync(CancellationToken cancellation)
    {
        var target = command.Paths[0];
        if (target is [(byte)'~', ..] && await tree.ExpandPathAsync(target, cancellation).ConfigureAwait(false) is { Ok: true, Value: { } expanded })
        {
            target = expanded;
        }

        var status = await tree.GetStatusAsync(target, followLink: true, cancellation).ConfigureAwait(false);
        var isFolder = status is { Ok: true, Value.IsFolder: true };
        if (command.TargetIsFolder && !isFolder)
        {
            await FailAsync($"{Encoding.UTF8.GetString(target)}: Not a directory", fatal: true, cancellation).ConfigureAwait(false);
            return 1;
        }

        await AcknowledgeAsync(cancellation).ConfigureAwait(false);
        while (await ReadLineAsync(cancellation).ConfigureAwait(false) is { } line)
        {
            await ReceivedAsync(line.Length + 1, cancellation).ConfigureAwait(false);
            if (!await HandleAsync(line, target, isFolder, cancellation).ConfigureAwait(false))
            {
                return 1;
            }
        }

        return Failed || _folders.Count > 0 ? 1 : 0;
    }

    /// <summary>Deals with one line.</summary>
    /// <returns>Whether another may follow.</returns>
    private async ValueTask<bool> HandleAsync(byte[] line, byte[] target, bool targetIsFolder, CancellationToken cancellation)
    {
        switch (line)
        {
            case [1, ..]:
                // A file that the client could not send.
                return true;
            case [2, ..]:
                return false;
            case [(byte)'T', ..] when TryReadTimes(line, out var times):
                _times = times;
                await AcknowledgeAsync(cancellation).ConfigureAwait(false);
                return true;
            case [(byte)'E'] when _folders.TryPop(out var left):
                await LeaveAsync(left, cancellation).ConfigureAwait(false);
                return true;
            case [(byte)'C' or (byte)'D', ..] when TryReadEntry(line, out var mode, out var size, out var name):
                var path = _folders.TryPeek(out var within) ? Join(within.Path, name) : targetIsFolder ? Join(target, name) : target;
                var times2 = _times;
                _times = null;
                return line[0] == 'C'
                    ? await TakeFileAsync(path, mode, size, times2, cancellation).ConfigureAwait(false)
                    : await EnterAsync(path, mode, times2, cancellation).ConfigureAwait(false);
            default:
                await FailAsync("protocol error: unexpected message", fatal: true, cancellation).ConfigureAwait(false);
                return false;
        }
    }

    private async ValueTask<bool> EnterAsync(byte[] path, uint mode, (long Modified, long Accessed)? times, CancellationToken cancellation)
    {
        if (!command.Recursive || _folders.Count >= MaxDepth)
        {
            await FailAsync("received a directory without -r, or too deep", fatal: true, cancellation).ConfigureAwait(false);
            return false;
        }

        var status = await tree.GetStatusAsync(path, followLink: true, cancellation).ConfigureAwait(false);
        var error = FileError.None;
        var made = false;
        if (status.Ok)
        {
            error = status.Value.IsFolder ? FileError.None : FileError.NotAFolder;
        }
        else
        {
            // Writable for now whatever the client says: it has to be filled first.
            error = await tree.CreateFolderAsync(path, (Masked(mode) | 0x1c0) & 0xfff, cancellation).ConfigureAwait(false); // 0700
            made = error == FileError.None;
        }

        if (error != FileError.None)
        {
            // The client leaves this folder out.
            await FailAsync(path, error, cancellation).ConfigureAwait(false);
            return true;
        }

        _folders.Push(new Folder(path, made || command.PreserveTimes ? Masked(mode) : null, times));
        await AcknowledgeAsync(cancellation).ConfigureAwait(false);
        return true;
    }

    private async ValueTask LeaveAsync(Folder folder, CancellationToken cancellation)
    {
        var change = new FileChange { Mode = folder.Mode };
        var error = folder.Mode is null && folder.Times is null
            ? FileError.None
            : await tree.ChangeAsync(folder.Path, Timed(change, folder.Times), followLink: true, cancellation).ConfigureAwait(false);
        await ConcludeAsync(folder.Path, error, cancellation).ConfigureAwait(false);
    }

    private async ValueTask<bool> TakeFileAsync(byte[] path, uint mode, long size, (long Modified, long Accessed)? times, CancellationToken cancellation)
    {
        var opened = await tree.OpenAsync(path, FileOpenFlags.Write | FileOpenFlags.Create | FileOpenFlags.Truncate, Masked(mode), cancellation).ConfigureAwait(false);
        if (!opened.Ok || opened.Value is null)
        {
            await FailAsync(path, opened.Error, cancellation).ConfigureAwait(false);
            return true;
        }

        await using var file = opened.Value;
        await AcknowledgeAsync(cancellation).ConfigureAwait(false);
        if (await CopyAsync(file, size, cancellation).ConfigureAwait(false) is not { } error)
        {
            return false;
        }

        if (await AnswerAsync(cancellation).ConfigureAwait(false) is null)
        {
            return false;
        }

        if (error == FileError.None && (command.PreserveTimes || times is not null))
        {
            error = await file.ChangeAsync(Timed(new FileChange { Mode = command.PreserveTimes ? Masked(mode) : null }, times), cancellation).ConfigureAwait(false);
        }

        await ConcludeAsync(path, error, cancellation).ConfigureAwait(false);
        return true;
    }

    /// <summary>Writes so many bytes of input; what can't be written is read all the same. Null: the client went before its end.</summary>
    private async ValueTask<FileError?> CopyAsync(IContainerFile file, long size, CancellationToken cancellation)
    {
        var error = FileError.None;
        for (var at = 0L; at < size;)
        {
            var read = await Input.ReadAsync(cancellation).ConfigureAwait(false);
            var buffer = read.Buffer.Length > size - at ? read.Buffer.Slice(0, size - at) : read.Buffer;
            if (buffer.IsEmpty && read.IsCompleted)
            {
                Input.AdvanceTo(buffer.End);
                return null;
            }

            await ReceivedAsync((int)buffer.Length, cancellation).ConfigureAwait(false);
            if (error == FileError.None)
            {
                error = await file.WriteAsync(buffer, at, cancellation).ConfigureAwait(false);
            }

            at += buffer.Length;
            Input.AdvanceTo(buffer.End);
        }

        return error;
    }

    private uint Masked(uint mode) => command.PreserveTimes ? mode : mode & ~Umask;

    private static FileChange Timed(FileChange change, (long Modified, long Accessed)? times) =>
        times is var (modified, accessed) ? change with { Modified = (modified, 0), Accessed = (accessed, 0) } : change;

    /// <summary>C and D: four octal digits, a decimal length, a name without a slash.</summary>
    private static bool TryReadEntry(byte[] line, out uint mode, out long size, out byte[] name)
    {
        (mode, size, name) = (0, 0, []);
        if (line.Length < 8 || line[5] != ' ')
        {
            return false;
        }

        foreach (var digit in line.AsSpan(1, 4))
        {
            if (digit is < (byte)'0' or > (byte)'7')
            {
                return false;
            }

            mode = (mode << 3) | (uint)(digit - '0');
        }

        var rest = line.AsSpan(6);
        var space = rest.IndexOf((byte)' ');
        if (space < 1 || !TryReadNumber(rest[..space], out size))
        {
            return false;
        }

        name = rest[(space + 1)..].ToArray();
        return name is not ([] or [(byte)'.'] or [(byte)'.', (byte)'.']) && !name.AsSpan().ContainsAny((byte)'/', (byte)0);
    }

    /// <summary>T: seconds and microseconds of the last change, then of the last access.</summary>
    private static bool TryReadTimes(byte[] line, out (long Modified, long Accessed) times)
    {
        times = default;
        var fields = Encoding.Latin1.GetString(line.AsSpan(1)).Split(' ');
        return fields.Length == 4 && TryReadNumber(Encoding.Latin1.GetBytes(fields[0]), out times.Modified) && TryReadNumber(Encoding.Latin1.GetBytes(fields[2]), out times.Accessed);
    }

    private static bool TryReadNumber(ReadOnlySpan<byte> digits, out long number)
    {
        number = 0;
        if (digits.Length is 0 or > 18 || digits.ContainsAnyExceptInRange((byte)'0', (byte)'9'))
        {
            return false;
        }

        foreach (var digit in digits)
        {
            number = (10 * number) + digit - '0';
        }

        return true;
    }

    private sealed record Folder(byte[] Path, uint? Mode, (long Modified, long Accessed)? Times);
}
