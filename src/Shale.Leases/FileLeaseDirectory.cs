using System.Collections.Concurrent;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Threading.Channels;

namespace Shale.Leases;

/// <summary>
/// Leases as files: <c>ROOT/leases/ID.json</c> is a <see cref="LeaseRecord"/>, <c>ROOT/status/ID.json</c> a <see cref="LeaseStatus"/>.
/// Writers replace a file by rename, so a reader never sees half of one. A file that can't be read keeps the last good version in force.
/// </summary>
public sealed class FileLeaseDirectory : ILeaseDirectory
{
    // inotify tells of changes at once; the rescan catches what it lost (queue overflow, network file systems).
    private static readonly TimeSpan RescanInterval = TimeSpan.FromSeconds(5);

    // A lease file holds keys and mounts; what is larger is a mistake.
    private const int MaxFileBytes = 1 << 20;

    private readonly ConcurrentDictionary<ulong, (LeaseRecord Record, DateTime Changed, long Length)> _leases = new();
    private readonly ConcurrentDictionary<string, DateTime> _refused = new(StringComparer.Ordinal);
    private readonly Action<string, string> _refusedFile;

    /// <summary>Opens the directory, creating it (mode 0700) if needed.</summary>
    /// <param name="root">The directory.</param>
    /// <param name="refusedFile">Is told of a lease file that can't be used, with what is wrong; once a version of the file.</param>
    /// <exception cref="IOException">It can't be created or read.</exception>
    public FileLeaseDirectory(string root, Action<string, string> refusedFile)
    {
        Root = root;
        _refusedFile = refusedFile;
        Prepare(root);
        Scan();
    }

    /// <summary>The directory.</summary>
    public string Root { get; }

    /// <inheritdoc/>
    public IReadOnlyCollection<LeaseRecord> All => [.. _leases.Values.Select(v => v.Record).OrderBy(r => r.Id)];

    /// <inheritdoc/>
    public LeaseRecord? Find(ulong id) => _leases.TryGetValue(id, out var found) ? found.Record : null;

    /// <inheritdoc/>
    public async IAsyncEnumerable<LeaseRecord> FollowAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        // One pending wake-up is enough: a scan reads everything.
        var wake = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
        using var watcher = new FileSystemWatcher(LeaseFolder(Root), "*.json");
        watcher.Changed += (_, _) => wake.Writer.TryWrite(true);
        watcher.Created += (_, _) => wake.Writer.TryWrite(true);
        watcher.Renamed += (_, _) => wake.Writer.TryWrite(true);
        watcher.Deleted += (_, _) => wake.Writer.TryWrite(true);
        watcher.EnableRaisingEvents = true;

        // First what was removed since somebody looked at All.
        foreach (var lease in Scan().Where(l => l.State == LeaseState.Closed).Concat(All))
        {
            yield return lease;
        }

        while (true)
        {
            using (var rescan = CancellationTokenSource.CreateLinkedTokenSource(cancellation))
            {
                rescan.CancelAfter(RescanInterval);
                try
                {
                    await wake.Reader.ReadAsync(rescan.Token).ConfigureAwait(false);
                }
                catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
                {
                    // Time for a rescan.
                }
            }

            foreach (var lease in Scan())
            {
                yield return lease;
            }
        }
    }

    /// <summary>Writes a lease's record: whole, or not at all.</summary>
    /// <exception cref="IOException">The disk is full or the directory can't be written.</exception>
    public static void Write(string root, LeaseRecord lease)
    {
        Prepare(root);
        AtomicFile.WriteShared(LeasePath(root, lease.Id), JsonSerializer.SerializeToUtf8Bytes(lease, LeaseJson.Default.LeaseRecord));
    }

    /// <summary>The same, unless the file says it already.</summary>
    /// <exception cref="IOException">The disk is full or the directory can't be written.</exception>
    public static void WriteIfChanged(string root, LeaseRecord lease)
    {
        var path = LeasePath(root, lease.Id);
        if (!File.Exists(path) || !File.ReadAllBytes(path).AsSpan().SequenceEqual(JsonSerializer.SerializeToUtf8Bytes(lease, LeaseJson.Default.LeaseRecord)))
        {
            Write(root, lease);
        }
    }

    /// <summary>Removes a lease's record; the gateway then ends the lease.</summary>
    public static void Remove(string root, ulong id) => File.Delete(LeasePath(root, id));

    /// <summary>Writes what the gateway says of a lease.</summary>
    public static void WriteStatus(string root, LeaseStatus status) =>
        AtomicFile.WriteShared(StatusPath(root, status.Id), JsonSerializer.SerializeToUtf8Bytes(status, LeaseJson.Default.LeaseStatus));

    /// <summary>What the gateway last said of a lease, or null.</summary>
    public static LeaseStatus? ReadStatus(string root, ulong id)
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(StatusPath(root, id)), LeaseJson.Default.LeaseStatus);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException or JsonException)
        {
            return null;
        }
    }

    /// <summary>How many settlements of a lease are in the voucher log; 0 where nobody wrote it down.</summary>
    public static int ReadRecordedSettlements(string root, ulong id)
    {
        var path = SettledPath(root, id);
        return File.Exists(path) && int.TryParse(File.ReadAllText(path), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : 0;
    }

    /// <summary>Writes down that the settlements of a lease up to this number are in the voucher log.</summary>
    public static void WriteRecordedSettlements(string root, ulong id, int number) =>
        AtomicFile.WriteShared(SettledPath(root, id), System.Text.Encoding.ASCII.GetBytes(number.ToString(CultureInfo.InvariantCulture)));

    /// <summary>A number that no lease of this directory has or had: one above the highest, kept in the file <c>next</c>.</summary>
    public static ulong TakeId(string root)
    {
        Prepare(root);
        using var counter = new FileStream(Path.Combine(root, "next"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        using var reader = new StreamReader(counter, leaveOpen: true);
        var next = ulong.TryParse(reader.ReadToEnd(), NumberStyles.None, CultureInfo.InvariantCulture, out var kept) ? kept : 1;
        foreach (var file in Directory.GetFiles(LeaseFolder(root), "*.json"))
        {
            if (ulong.TryParse(Path.GetFileNameWithoutExtension(file), NumberStyles.None, CultureInfo.InvariantCulture, out var id))
            {
                next = Math.Max(next, id + 1);
            }
        }

        counter.SetLength(0);
        counter.Write(System.Text.Encoding.ASCII.GetBytes((next + 1).ToString(CultureInfo.InvariantCulture)));
        counter.Flush(flushToDisk: true);
        return next;
    }

    /// <summary>Makes the directory (mode 0700) if needed.</summary>
    /// <exception cref="IOException">It can't be made.</exception>
    public static void Prepare(string root)
    {
        foreach (var folder in new[] { root, LeaseFolder(root), StatusFolder(root) })
        {
            Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
    }

    private static string LeaseFolder(string root) => Path.Combine(root, "leases");

    private static string StatusFolder(string root) => Path.Combine(root, "status");

    private static string LeasePath(string root, ulong id) => Path.Combine(LeaseFolder(root), id.ToString(CultureInfo.InvariantCulture) + ".json");

    private static string StatusPath(string root, ulong id) => Path.Combine(StatusFolder(root), id.ToString(CultureInfo.InvariantCulture) + ".json");

    private static string SettledPath(string root, ulong id) => Path.Combine(StatusFolder(root), id.ToString(CultureInfo.InvariantCulture) + ".settled");

    private List<LeaseRecord> Scan()
    {
        var changed = new List<LeaseRecord>();
        lock (_leases)
        {
            var seen = new HashSet<ulong>();
            foreach (var file in new DirectoryInfo(LeaseFolder(Root)).GetFiles("*.json"))
            {
                if (!ulong.TryParse(Path.GetFileNameWithoutExtension(file.Name), NumberStyles.None, CultureInfo.InvariantCulture, out var id))
                {
                    continue;
                }

                seen.Add(id);
                if (_leases.TryGetValue(id, out var known) && known.Changed == file.LastWriteTimeUtc && known.Length == file.Length)
                {
                    continue;
                }

                if (TryRead(file, id, out var record))
                {
                    _leases[id] = (record, file.LastWriteTimeUtc, file.Length);
                    _refused.TryRemove(file.Name, out _);
                    changed.Add(record);
                }
            }

            foreach (var (id, gone) in _leases.Where(l => !seen.Contains(l.Key)).ToArray())
            {
                _leases.TryRemove(id, out _);
                changed.Add(gone.Record with { State = LeaseState.Closed });
            }
        }

        return changed;
    }

    private bool TryRead(FileInfo file, ulong id, out LeaseRecord record)
    {
        record = null!;
        string problem;
        try
        {
            if (file.Length > MaxFileBytes)
            {
                problem = $"it has {file.Length} bytes, more than the {MaxFileBytes} of a lease file";
            }
            else
            {
                var read = JsonSerializer.Deserialize(File.ReadAllBytes(file.FullName), LeaseJson.Default.LeaseRecord);
                problem = read is null ? "it is empty"
                    : read.Version != LeaseRecord.CurrentVersion ? $"its version is {read.Version}, this gateway reads {LeaseRecord.CurrentVersion}"
                    : read.Id != id ? $"it names lease {read.Id}"
                    : "";
                if (problem.Length == 0)
                {
                    record = read!;
                    return true;
                }
            }
        }
        catch (Exception e) when (e is JsonException or IOException or UnauthorizedAccessException)
        {
            problem = e.Message;
        }

        // Said once a version of the file, not at every rescan.
        if (_refused.TryGetValue(file.Name, out var when) && when == file.LastWriteTimeUtc)
        {
            return false;
        }

        _refused[file.Name] = file.LastWriteTimeUtc;
        _refusedFile(file.FullName, problem);
        return false;
    }
}
