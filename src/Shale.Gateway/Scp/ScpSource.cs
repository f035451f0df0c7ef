using System.Buffers;
using System.Globalization;
using System.IO.Enumeration;
using System.IO.Pipelines;
using System.Text;
using Shale.Containers.Files;

namespace Shale.Gateway.Scp;

/// <summary>Gives files to a client (<c>scp -f</c>).</summary>
internal sealed class ScpSource(
    IContainerFileTree tree, ScpCommand command, PipeReader input, Func<int, CancellationToken, ValueTask> received, Func<ReadOnlyMemory<byte>, CancellationToken, ValueTask> write)
    : ScpPeer(input, received, write)
{
    /// <summary>A file's bytes are sent in pieces of this size.</summary>
    private const int PieceSize = 128 * 1024;

    /// <summary>Matches of one pattern.</summary>
    private const int MaxMatches = 10_000;

    /// <summary>Runs until everything was sent.</summary>
    /// <returns>The exit status.</returns>
    public async Task<int> RunAsync(CancellationToken cancellation)
    {
        if (await AnswerAsync(cancellation).ConfigureAwait(false) is not true)
        {
            return 1;
        }

        foreach (var asked in command.Paths)
        {
            foreach (var path in await ExpandAsync(asked, cancellation).ConfigureAwait(false))
            {
                if (!await SendAsync(path, 0, cancellation).ConfigureAwait(false))
                {
                    return 1;
                }
            }
        }

        return Failed ? 1 : 0;
    }

    /// <summary>Does what the shell would have done: "~" and, in the last part of a path that is not there as it stands, patterns.</summary>
    private async ValueTask<IReadOnlyList<byte[]>> ExpandAsync(byte[] path, CancellationToken cancellation)
    {
        if (path is [(byte)'~', ..] && await tree.ExpandPathAsync(path, cancellation).ConfigureAwait(false) is { Ok: true, Value: { } expanded })
        {
            path = expanded;
        }

        var slash = path.AsSpan().LastIndexOf((byte)'/');
        var pattern = path[(slash + 1)..];
        if (!pattern.AsSpan().ContainsAny((byte)'*', (byte)'?') || (await tree.GetStatusAsync(path, followLink: false, cancellation).ConfigureAwait(false)).Ok)
        {
            return [path];
        }

        var matches = new List<byte[]>();
        var opened = await tree.OpenFolderAsync(slash < 0 ? "."u8.ToArray() : path[..(slash + 1)], cancellation).ConfigureAwait(false);
        if (opened is { Ok: true, Value: { } folder })
        {
            await using (folder)
            {
                // Names are bytes; as Latin-1 each byte is a character, so that none is lost.
                var expression = Encoding.Latin1.GetString(pattern);
                while (matches.Count < MaxMatches && await folder.ReadAsync(100, cancellation).ConfigureAwait(false) is { Ok: true, Value: { Count: > 0 } names })
                {
                    matches.AddRange(names
                        .Where(n => n.Name.Span[0] != '.' && FileSystemName.MatchesSimpleExpression(expression, Encoding.Latin1.GetString(n.Name.Span), ignoreCase: false))
                        .Select(n => (byte[])[.. path.AsSpan(0, slash + 1), .. n.Name.Span]));
                }
            }
        }

        return matches.Count == 0 ? [path] : [.. matches.OrderBy(Encoding.Latin1.GetString, StringComparer.Ordinal)];
    }

    private async ValueTask<bool> SendAsync(byte[] path, int depth, CancellationToken cancellation)
    {
        var status = await tree.GetStatusAsync(path, followLink: true, cancellation).ConfigureAwait(false);
        if (!status.Ok)
        {
            await FailAsync(path, status.Error, cancellation).ConfigureAwait(false);
            return true;
        }

        if (status.Value.IsFolder && command.Recursive && depth < MaxDepth)
        {
            return await SendFolderAsync(path, status.Value, depth, cancellation).ConfigureAwait(false);
        }

        if (!status.Value.IsRegular)
        {
            await FailAsync(Encoding.UTF8.GetString(path) + ": not a regular file", fatal: false, cancellation).ConfigureAwait(false);
            return true;
        }

        return await SendFileAsync(path, cancellation).ConfigureAwait(false);
    }

    private async ValueTask<bool> SendFolderAsync(byte[] path, FileStatus status, int depth, CancellationToken cancellation)
    {
        var opened = await tree.OpenFolderAsync(path, cancellation).ConfigureAwait(false);
        if (!opened.Ok || opened.Value is null)
        {
            await FailAsync(path, opened.Error, cancellation).ConfigureAwait(false);
            return true;
        }

        await using var folder = opened.Value;
        switch (await AnnounceAsync('D', path, status, 0, cancellation).ConfigureAwait(false))
        {
            case null:
                return false;
            case false:
                return true;
        }

        while (await folder.ReadAsync(100, cancellation).ConfigureAwait(false) is { Ok: true, Value: { Count: > 0 } names })
        {
            foreach (var entry in names)
            {
                var name = entry.Name.ToArray();
                if (name is not ([(byte)'.'] or [(byte)'.', (byte)'.']) && !await SendAsync(Join(path, name), depth + 1, cancellation).ConfigureAwait(false))
                {
                    return false;
                }
            }
        }

        await WriteAsync("E\n"u8.ToArray(), cancellation).ConfigureAwait(false);
        return await AnswerAsync(cancellation).ConfigureAwait(false) is not null;
    }

    private async ValueTask<bool> SendFileAsync(byte[] path, CancellationToken cancellation)
    {
        var opened = await tree.OpenAsync(path, FileOpenFlags.Read, 0, cancellation).ConfigureAwait(false);
        if (!opened.Ok || opened.Value is null)
        {
            await FailAsync(path, opened.Error, cancellation).ConfigureAwait(false);
            return true;
        }

        await using var file = opened.Value;
        var status = await file.GetStatusAsync(cancellation).ConfigureAwait(false);
        if (!status.Ok)
        {
            await FailAsync(path, status.Error, cancellation).ConfigureAwait(false);
            return true;
        }

        switch (await AnnounceAsync('C', path, status.Value, status.Value.Size, cancellation).ConfigureAwait(false))
        {
            case null:
                return false;
            case false:
                return true;
        }

        var error = await CopyAsync(file, status.Value.Size, cancellation).ConfigureAwait(false);
        await ConcludeAsync(path, error, cancellation).ConfigureAwait(false);
        return await AnswerAsync(cancellation).ConfigureAwait(false) is not null;
    }

    /// <summary>Sends exactly the announced length; a file that shrank or broke meanwhile is filled up with zeros and then told of.</summary>
    private async ValueTask<FileError> CopyAsync(IContainerFile file, long size, CancellationToken cancellation)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(PieceSize);
        var error = FileError.None;
        try
        {
            for (var at = 0L; at < size;)
            {
                var length = (int)Math.Min(PieceSize, size - at);
                var count = 0;
                if (error == FileError.None)
                {
                    var read = await file.ReadAsync(buffer.AsMemory(0, length), at, cancellation).ConfigureAwait(false);
                    count = read.Value;
                    error = !read.Ok ? read.Error : count == 0 ? FileError.InputOutput : FileError.None;
                }

                if (error != FileError.None)
                {
                    count = length;
                    buffer.AsSpan(0, length).Clear();
                }

                // Whoever does not take anything more while paused is not given anything more either.
                await ReceivedAsync(0, cancellation).ConfigureAwait(false);
                await WriteAsync(buffer.AsMemory(0, count), cancellation).ConfigureAwait(false);
                at += count;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        return error;
    }

    /// <summary>Sends the times, where asked for, and the line of a file or folder; each is answered.</summary>
    private async ValueTask<bool?> AnnounceAsync(char kind, byte[] path, FileStatus status, long size, CancellationToken cancellation)
    {
        if (command.PreserveTimes)
        {
            var times = string.Create(CultureInfo.InvariantCulture, $"T{Math.Max(0, status.ModifySeconds)} 0 {Math.Max(0, status.AccessSeconds)} 0\n");
            await WriteAsync(Encoding.ASCII.GetBytes(times), cancellation).ConfigureAwait(false);
            if (await AnswerAsync(cancellation).ConfigureAwait(false) is not true and var answer)
            {
                return answer;
            }
        }

        // A name with a line's end in it would be a line of its own.
        var trimmed = path.AsSpan().TrimEnd((byte)'/');
        byte[] name = [.. trimmed[(trimmed.LastIndexOf((byte)'/') + 1)..]];
        name.AsSpan().Replace((byte)'\n', (byte)'?');
        var head = string.Create(CultureInfo.InvariantCulture, $"{kind}{Convert.ToString(status.Mode & 0xfff, 8).PadLeft(4, '0')} {size} ");
        await WriteAsync((byte[])[.. Encoding.ASCII.GetBytes(head), .. name.Length == 0 ? "."u8 : name, (byte)'\n'], cancellation).ConfigureAwait(false);
        return await AnswerAsync(cancellation).ConfigureAwait(false);
    }
}
