using System.Globalization;

namespace Shale.Payments.Log;

/// <summary>What opening a log found.</summary>
/// <param name="Entries">Entries that the log holds.</param>
/// <param name="CutOffBytes">Bytes behind the last whole record: an append that a crash cut short, and that nobody was told of.</param>
public sealed record LogRecovery(long Entries, long CutOffBytes)
{
    /// <summary>The file name of the segment that begins with entry <paramref name="first"/>.</summary>
    internal static string SegmentName(long first) => first.ToString("D20", CultureInfo.InvariantCulture);

    /// <summary>The segments of a log's journal, oldest first.</summary>
    internal static List<(string Path, long First)> Segments(string folder) =>
        [.. Directory.GetFiles(Path.Combine(folder, "journal"))
            .Select(path => (Path: path, First: long.TryParse(Path.GetFileName(path), NumberStyles.None, CultureInfo.InvariantCulture, out var first) ? first : -1))
            .Where(s => s.First >= 0)
            .OrderBy(s => s.First)];

    /// <summary>
    /// Rebuilds the tree from tiles and journal. The tiles below the first segment were flushed before the segments that made them went; those above are written
    /// again from the journal, so it does not matter which of them a crash left behind.
    /// </summary>
    internal static (Journal Journal, LogRecovery Recovery) Run(string folder, NoteVerifier verifier, TileTree tree)
    {
        var published = ReadPublished(folder, verifier);
        var journals = Path.Combine(folder, "journal");
        var segments = Segments(folder);
        if (segments.Count == 0)
        {
            if (published is { Size: > 0 })
            {
                throw Lost(folder, published.Size, 0);
            }

            return (Journal.Create(journals, 0), new LogRecovery(0, 0));
        }

        tree.Restore(segments[0].First);
        CheckPublished(folder, published, tree);
        var (journal, cutOff) = ((Journal?)null, 0L);
        foreach (var (path, first) in segments)
        {
            if (first != tree.Size || journal is not null)
            {
                throw new VoucherLogException($"{path} begins at entry {first}, but the log before it ends at {tree.Size}. Restore the missing segment from a mirror, or begin a new log under a new origin.");
            }

            var (length, behind) = Journal.Read(path, first, entry =>
            {
                tree.Append(entry.Span);
                CheckPublished(folder, published, tree);
            });
            if (length == 0)
            {
                File.Delete(path);
                journal = Journal.Create(journals, first);
                cutOff = behind;
            }
            else if (tree.Size - first < VoucherLogWriter.SegmentEntries)
            {
                journal = Journal.Reopen(path, length);
                cutOff = behind;
            }
        }

        if (published is not null && published.Size > tree.Size)
        {
            journal?.Dispose();
            throw Lost(folder, published.Size, tree.Size);
        }

        // Killed between a full segment and the next one.
        journal ??= Journal.Create(journals, tree.Size);
        return (journal, new LogRecovery(tree.Size, cutOff));
    }

    /// <summary>The published checkpoint covers acknowledged entries only: what the journal says must agree with it.</summary>
    private static void CheckPublished(string folder, Checkpoint? published, TileTree tree)
    {
        if (published?.Size == tree.Size && published.Root != tree.Root())
        {
            throw new VoucherLogException($"The first {tree.Size} entries of the voucher log in {folder} are not those of its checkpoint: an entry was changed. Run shale audit on it, and restore it from a mirror.");
        }
    }

    private static Checkpoint? ReadPublished(string folder, NoteVerifier verifier)
    {
        var path = Path.Combine(folder, "checkpoint");
        if (!File.Exists(path))
        {
            return null;
        }

        return Checkpoint.TryOpen(File.ReadAllText(path), verifier, out var published)
            ? published
            : throw new VoucherLogException($"{path} is not a checkpoint signed by {verifier.Name}. The log belongs to another key or origin, or was damaged: use its own key, or begin a new log in another folder.");
    }

    private static VoucherLogException Lost(string folder, long published, long found) =>
        new($"The voucher log in {folder} ends at entry {found}, but its checkpoint covers {published}: acknowledged entries are missing. Restore the folder from a mirror or backup, or begin a new log under a new origin.");
}
