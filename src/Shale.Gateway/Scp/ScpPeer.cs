using System.Buffers;
using System.IO.Pipelines;
using System.Text;
using Shale.Containers.Files;
using Shale.Gateway.Sftp;

namespace Shale.Gateway.Scp;

/// <summary>What both directions of the old scp protocol have in common: lines, acknowledgements, errors. Bounds come before buffering.</summary>
internal abstract class ScpPeer(PipeReader input, Func<int, CancellationToken, ValueTask> received, Func<ReadOnlyMemory<byte>, CancellationToken, ValueTask> write)
{
    /// <summary>A name of 255 bytes, its numbers, or a message; no client sends more.</summary>
    protected const int MaxLine = 8 * 1024;

    /// <summary>Folders within folders; what is deeper is a loop of links.</summary>
    protected const int MaxDepth = 128;

    /// <summary>The umask that the tree makes files with, for a mode that is set later.</summary>
    protected const uint Umask = 0x12; // 022

    /// <summary>Whether anything failed: then scp's own exit is 1.</summary>
    protected bool Failed { get; private set; }

    protected PipeReader Input => input;

    protected ValueTask ReceivedAsync(int bytes, CancellationToken cancellation) => received(bytes, cancellation);

    protected ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellation) => write(bytes, cancellation);

    protected ValueTask AcknowledgeAsync(CancellationToken cancellation) => write(new byte[1], cancellation);

    /// <summary>Tells the client that a file, or (<paramref name="fatal"/>) everything, failed.</summary>
    protected ValueTask FailAsync(string message, bool fatal, CancellationToken cancellation)
    {
        Failed = true;
        return write(Encoding.UTF8.GetBytes((fatal ? "\u0002" : "\u0001") + "scp: " + message.Replace('\n', '?') + "\n"), cancellation);
    }

    protected ValueTask FailAsync(ReadOnlyMemory<byte> path, FileError error, CancellationToken cancellation) =>
        FailAsync(Encoding.UTF8.GetString(path.Span) + ": " + SftpReplies.Describe(error), fatal: false, cancellation);

    /// <summary>Acknowledges, or tells what failed.</summary>
    protected ValueTask ConcludeAsync(ReadOnlyMemory<byte> path, FileError error, CancellationToken cancellation) =>
        error == FileError.None ? AcknowledgeAsync(cancellation) : FailAsync(path, error, cancellation);

    /// <summary>Reads one byte; -1 at the end.</summary>
    protected async ValueTask<int> ReadByteAsync(CancellationToken cancellation)
    {
        var read = await input.ReadAsync(cancellation).ConfigureAwait(false);
        if (read.Buffer.IsEmpty)
        {
            input.AdvanceTo(read.Buffer.Start, read.Buffer.End);
            return -1;
        }

        // A sequence may begin with an empty segment.
        int value = read.Buffer.Slice(0, 1).ToArray()[0];
        input.AdvanceTo(read.Buffer.GetPosition(1));
        return value;
    }

    /// <summary>Reads to a line's end, which is taken and not given; null at the end of input or where the line is too long.</summary>
    protected async ValueTask<byte[]?> ReadLineAsync(CancellationToken cancellation)
    {
        while (true)
        {
            var read = await input.ReadAsync(cancellation).ConfigureAwait(false);
            if (read.Buffer.PositionOf((byte)'\n') is { } end)
            {
                var line = read.Buffer.Slice(0, end);
                var fits = line.Length <= MaxLine;
                var bytes = fits ? line.ToArray() : null;
                input.AdvanceTo(read.Buffer.GetPosition(1, end));
                return bytes;
            }

            var tooLong = read.Buffer.Length > MaxLine;
            input.AdvanceTo(read.Buffer.Start, read.Buffer.End);
            if (tooLong || read.IsCompleted)
            {
                return null;
            }
        }
    }

    /// <summary>Reads the client's answer: true to go on, false where it failed at this file, null where nothing more can come of it.</summary>
    protected async ValueTask<bool?> AnswerAsync(CancellationToken cancellation)
    {
        var code = await ReadByteAsync(cancellation).ConfigureAwait(false);
        if (code == 0)
        {
            return true;
        }

        // 1 and a line: a warning of the client; 2 and a line: its end. Anything else is no answer.
        Failed = true;
        return code == 1 && await ReadLineAsync(cancellation).ConfigureAwait(false) is not null ? false : null;
    }

    protected static byte[] Join(byte[] folder, ReadOnlySpan<byte> name) => folder is [.., (byte)'/'] ? [.. folder, .. name] : [.. folder, (byte)'/', .. name];
}
