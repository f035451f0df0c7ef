using System.Net;
using Shale.Payments.Log;

namespace Shale.Payments.Audit;

/// <summary>Where a log is read from: a folder, or a URL that serves one (C2SP tlog-tiles).</summary>
public interface ILogSource
{
    /// <summary>Reads a file of the log by its path; null where there is none.</summary>
    /// <exception cref="IOException">It can't be read, or is larger than any file of a log.</exception>
    ValueTask<byte[]?> ReadAsync(string path, CancellationToken cancellation);
}

/// <summary>A log in a folder.</summary>
public sealed class FolderLogSource(string folder) : ILogSource
{
    /// <inheritdoc/>
    public async ValueTask<byte[]?> ReadAsync(string path, CancellationToken cancellation)
    {
        var full = Path.Combine(folder, path);
        if (!File.Exists(full))
        {
            return null;
        }

        return new FileInfo(full).Length <= LogSource.MaxFileBytes
            ? await File.ReadAllBytesAsync(full, cancellation).ConfigureAwait(false)
            : throw new IOException($"{full} is larger than any file of a log.");
    }
}

/// <summary>A log behind a URL.</summary>
public sealed class HttpLogSource(HttpClient http, Uri root) : ILogSource
{
    /// <inheritdoc/>
    public async ValueTask<byte[]?> ReadAsync(string path, CancellationToken cancellation)
    {
        var address = new Uri(root.AbsoluteUri.TrimEnd('/') + "/" + path);
        try
        {
            using var answer = await http.GetAsync(address, HttpCompletionOption.ResponseHeadersRead, cancellation).ConfigureAwait(false);
            if (answer.StatusCode == HttpStatusCode.NotFound)
            {
                return null;
            }

            answer.EnsureSuccessStatusCode();
            await answer.Content.LoadIntoBufferAsync(LogSource.MaxFileBytes, cancellation).ConfigureAwait(false);
            return await answer.Content.ReadAsByteArrayAsync(cancellation).ConfigureAwait(false);
        }
        catch (HttpRequestException cause)
        {
            throw new IOException($"{address} can't be read: {cause.Message}", cause);
        }
    }
}

/// <summary>Reads bundles of entries.</summary>
internal static class LogSource
{
    // 256 entries of 65,535 bytes and their prefixes: the largest file that a log can have.
    public const int MaxFileBytes = TilePath.Width * (VoucherLogWriter.MaxEntryBytes + 2);

    /// <summary>The entries of a bundle, as slices of its file; null where the bundle is missing or malformed.</summary>
    public static async ValueTask<List<ReadOnlyMemory<byte>>?> ReadBundleAsync(ILogSource source, long index, int width, CancellationToken cancellation)
    {
        // A log that has grown since its checkpoint was read has the full bundle where the partial one was.
        var bytes = (width == TilePath.Width ? null : await source.ReadAsync(TilePath.Entries(index, width), cancellation).ConfigureAwait(false))
            ?? await source.ReadAsync(TilePath.Entries(index), cancellation).ConfigureAwait(false);
        if (bytes is null)
        {
            return null;
        }

        var entries = new List<ReadOnlyMemory<byte>>(width);
        for (var at = 0; entries.Count < width;)
        {
            if (bytes.Length - at < 2)
            {
                return null;
            }

            var length = (bytes[at] << 8) | bytes[at + 1];
            if (bytes.Length - at - 2 < length)
            {
                return null;
            }

            entries.Add(bytes.AsMemory(at + 2, length));
            at += 2 + length;
        }

        return entries;
    }
}
