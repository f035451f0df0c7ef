using System.Buffers;
using System.Net;
using Shale.Payments.Log;
using Shale.Wire;

namespace Shale.Payments.Audit;

/// <summary>Where a log is read from: a folder, or a URL that serves one (C2SP tlog-tiles).</summary>
public interface ILogSource
{
    /// <summary>Reads a file of the log by its path; false where there is none, and nothing is written then.</summary>
    /// <exception cref="IOException">It can't be read, or is larger than any file of a log.</exception>
    ValueTask<bool> TryReadAsync(string path, IBufferWriter<byte> destination, CancellationToken cancellation);
}

/// <summary>A log in a folder.</summary>
public sealed class FolderLogSource(string folder) : ILogSource
{
    /// <inheritdoc/>
    public async ValueTask<bool> TryReadAsync(string path, IBufferWriter<byte> destination, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(destination);
        var full = Path.Combine(folder, path);
        if (!File.Exists(full))
        {
            return false;
        }

        try
        {
            using var file = File.OpenHandle(full, options: FileOptions.Asynchronous);
            var length = RandomAccess.GetLength(file);
            if (length > LogSource.MaxFileBytes)
            {
                throw new IOException($"{full} is larger than any file of a log.");
            }

            for (long at = 0; at < length;)
            {
                var memory = destination.GetMemory((int)(length - at))[..(int)(length - at)];
                var read = await RandomAccess.ReadAsync(file, memory, at, cancellation).ConfigureAwait(false);
                if (read == 0)
                {
                    break;
                }

                destination.Advance(read);
                at += read;
            }

            return true;
        }
        catch (Exception gone) when (gone is FileNotFoundException or DirectoryNotFoundException)
        {
            // A partial tile goes when the full one is there.
            return false;
        }
    }
}

/// <summary>A log behind a URL.</summary>
public sealed class HttpLogSource(HttpClient http, Uri root) : ILogSource
{
    private const int ReadSize = 32 * 1024;

    /// <inheritdoc/>
    public async ValueTask<bool> TryReadAsync(string path, IBufferWriter<byte> destination, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(destination);
        var address = new Uri(root.AbsoluteUri.TrimEnd('/') + "/" + path);
        try
        {
            using var answer = await http.GetAsync(address, HttpCompletionOption.ResponseHeadersRead, cancellation).ConfigureAwait(false);
            if (answer.StatusCode == HttpStatusCode.NotFound)
            {
                return false;
            }

            answer.EnsureSuccessStatusCode();
            var content = await answer.Content.ReadAsStreamAsync(cancellation).ConfigureAwait(false);
            await using var closing = content.ConfigureAwait(false);
            for (var total = 0; ;)
            {
                var read = await content.ReadAsync(destination.GetMemory(ReadSize)[..ReadSize], cancellation).ConfigureAwait(false);
                total += read;
                if (total > LogSource.MaxFileBytes)
                {
                    throw new IOException($"{address} is larger than any file of a log.");
                }

                if (read == 0)
                {
                    return true;
                }

                destination.Advance(read);
            }
        }
        catch (HttpRequestException cause)
        {
            throw new IOException($"{address} can't be read: {cause.Message}", cause);
        }
    }
}

/// <summary>What is read from every source alike.</summary>
public static class LogSource
{
    // 256 entries of 65,535 bytes and their prefixes: the largest file that a log can have.
    internal const int MaxFileBytes = TilePath.Width * (VoucherLogWriter.MaxEntryBytes + 2);

    /// <summary>Reads the signed checkpoint, the first file of every log; null where there is none.</summary>
    /// <exception cref="IOException">It can't be read.</exception>
    public static async ValueTask<byte[]?> ReadCheckpointAsync(ILogSource source, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(source);
        using var buffer = Buffer();
        return await source.TryReadAsync("checkpoint", buffer, cancellation).ConfigureAwait(false) ? buffer.WrittenSpan.ToArray() : null;
    }

    /// <summary>A buffer for the files of a log: for one after the other, so that their memory is taken once.</summary>
    internal static PooledBufferWriter Buffer() => new(2 * MaxFileBytes);
}
