using System.Runtime.CompilerServices;
using System.Text;
using Shale.Payments.Log;

namespace Shale.Payments.Audit;

/// <summary>Reads a log's entries in their order, for those who act on them: it checks the checkpoint's signature and the entries' form, not the tree. An audit checks all.</summary>
public static class LogReader
{
    /// <summary>Reads the entries from an index on, up to the newest checkpoint.</summary>
    /// <param name="source">The log.</param>
    /// <param name="verifier">Its key.</param>
    /// <param name="from">The first index.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="IOException">The log can't be read, its checkpoint is not the key's, or an entry is missing or malformed.</exception>
    public static async IAsyncEnumerable<(long Index, LogEntry Entry)> ReadAsync(ILogSource source, NoteVerifier verifier, long from, [EnumeratorCancellation] CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentOutOfRangeException.ThrowIfNegative(from);
        if (await LogSource.ReadCheckpointAsync(source, cancellation).ConfigureAwait(false) is not { } note)
        {
            yield break;
        }

        if (!Checkpoint.TryOpen(Encoding.UTF8.GetString(note), verifier, out var checkpoint))
        {
            throw new IOException($"The voucher log's checkpoint is not one that {verifier.Name} signed.");
        }

        using var entries = new LogBundle();
        for (var bundle = from / TilePath.Width; bundle * TilePath.Width < checkpoint.Size; bundle++)
        {
            var first = bundle * TilePath.Width;
            var width = (int)Math.Min(TilePath.Width, checkpoint.Size - first);
            if (!await entries.TryReadAsync(source, bundle, width, cancellation).ConfigureAwait(false))
            {
                throw new IOException($"The voucher log's entries from {first} on are missing or malformed.");
            }

            for (var i = (int)Math.Max(0, from - first); i < entries.Count; i++)
            {
                yield return LogEntry.TryRead(entries[i], out var entry)
                    ? (first + i, entry)
                    : throw new IOException($"The voucher log's entry {first + i} can't be read.");
            }
        }
    }
}
