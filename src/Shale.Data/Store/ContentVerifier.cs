using System.Text;
using System.Text.Json;
using Shale.Data.Car;
using Shale.Data.Cids;
using Shale.Data.UnixFs;

namespace Shale.Data.Store;

/// <summary>
/// Tells whether a data set's content is still what was verified. Where the file system's identities can be trusted a file
/// that was hashed once is known by its identity; elsewhere, and after a change, it is hashed again.
/// </summary>
internal sealed class ContentVerifier
{
    /// <summary>
    /// A change that follows within one tick of the kernel's clock may leave the change time as it was. A tick is at most
    /// 10 ms; identities younger than five of them, counted from before hashing started, are not remembered.
    /// </summary>
    public static readonly TimeSpan TickMargin = TimeSpan.FromMilliseconds(50);

    private readonly Dataset _dataset;
    private readonly bool _trusted;
    private readonly ulong? _device;
    private readonly Dictionary<string, FileIdentity> _known;
    private bool _changed;

    public ContentVerifier(Dataset dataset)
    {
        _dataset = dataset;
        _trusted = HostFiles.TrustsIdentity(dataset.Content);
        _device = HostFiles.Identity(dataset.Content)?.Device;
        _known = _trusted ? Load(dataset.Folder) : [];
    }

    /// <summary>How many bytes were hashed, because no identity vouched for them.</summary>
    public long HashedBytes { get; private set; }

    /// <summary>Checks everything at or below a path.</summary>
    /// <param name="path">The path in the data set; empty for all.</param>
    /// <param name="always">Whether to hash whatever identities say.</param>
    /// <param name="progress">Told how many bytes were checked.</param>
    /// <param name="cancellationToken">Stops between files.</param>
    public DataError Check(string path, bool always, IProgress<long>? progress, CancellationToken cancellationToken)
    {
        long done = 0;
        var prefix = path.Length == 0 ? "" : path + "/";
        var names = new Dictionary<string, HashSet<string>>(StringComparer.Ordinal);
        var found = false;
        foreach (var entry in _dataset.Entries())
        {
            if (path.Length > 0 && entry.Path != path && !entry.Path.StartsWith(prefix, StringComparison.Ordinal))
            {
                continue;
            }

            found = true;
            cancellationToken.ThrowIfCancellationRequested();
            var error = CheckEntry(entry, always, cancellationToken);
            if (error.IsError)
            {
                return error;
            }

            if (entry.Kind == EntryKind.Directory)
            {
                names.TryAdd(entry.Path, []);
            }

            if (entry.Path.Length > 0)
            {
                var slash = entry.Path.LastIndexOf('/');
                var parent = slash < 0 ? "" : entry.Path[..slash];
                if (!names.TryGetValue(parent, out var siblings))
                {
                    names[parent] = siblings = [];
                }

                siblings.Add(entry.Path[(slash + 1)..]);
            }

            done += entry.Length;
            progress?.Report(done);
        }

        if (!found)
        {
            return new DataError(DataFault.NotFound, $"the data set {_dataset.Cid} has no {TreeNames.Printable(path)}");
        }

        var extra = CheckNames(path, names);
        Save();
        return extra;
    }

    private DataError CheckEntry(DatasetEntry entry, bool always, CancellationToken cancellationToken)
    {
        var full = entry.Path.Length == 0 ? _dataset.Content : Path.Combine(_dataset.Content, entry.Path);
        var now = HostFiles.Describe(full);
        if (now?.Kind != entry.Kind)
        {
            return new DataError(DataFault.Changed, $"{full} is gone or of another kind since it was added");
        }

        switch (entry.Kind)
        {
            case EntryKind.Symlink:
                return LinkCheck(new FileInfo(full).LinkTarget ?? "") == entry.Check ? DataError.None
                    : new DataError(DataFault.Changed, $"the link {full} has another target since it was added");
            case EntryKind.Directory:
                return DataError.None;
        }

        if (now.Value.Length != entry.Length)
        {
            return new DataError(DataFault.Changed, $"{full} has {now.Value.Length} bytes and had {entry.Length} when it was added");
        }

        if (_trusted && !always && _known.TryGetValue(entry.Path, out var known) && HostFiles.Identity(full) == known)
        {
            return DataError.None;
        }

        var start = DateTime.UtcNow;
        using var stream = HostFiles.OpenRead(full);
        var before = HostFiles.Identity(stream.SafeFileHandle);
        var actual = new TreeImporter(ImportPreset.UnixFsV1, NoBlockSink.Instance).ImportStream(stream, cancellationToken);
        HashedBytes += entry.Length;
        if (actual.Root.ToString() != entry.Check)
        {
            return new DataError(DataFault.Changed, $"{full} has other bytes than when it was added");
        }

        if (HostFiles.Identity(stream.SafeFileHandle) != before || HostFiles.Identity(full) != before)
        {
            return new DataError(DataFault.Changed, $"{full} changed while it was hashed");
        }

        Remember(entry.Path, before, start);
        return DataError.None;
    }

    /// <summary>Remembers an identity that a hash vouches for, if hashing started late enough after its last change.</summary>
    public void Remember(string path, FileIdentity identity, DateTime hashingStarted)
    {
        var changedAt = DateTime.UnixEpoch.AddTicks(identity.ChangedNs / 100);

        // What is mounted below the data set is another file system, of which nothing is known.
        if (_trusted && identity.Device == _device && changedAt + TickMargin < hashingStarted)
        {
            _known[path] = identity;
            _changed = true;
        }
        else
        {
            _changed |= _known.Remove(path);
        }
    }

    public void Save()
    {
        if (!_changed)
        {
            return;
        }

        // Beside the data set and swapped in: a reader sees the old list or the new one. Under fixed names, so that a killed
        // process leaves nothing that the next one does not replace. Who finds another at it remembers nothing this time.
        var path = Path.Combine(_dataset.Folder, "verified.json");
        using var held = HostFiles.TryLock(path + ".lock");
        if (held is null)
        {
            return;
        }

        File.WriteAllBytes(path + ".new", JsonSerializer.SerializeToUtf8Bytes(_known, StoreJson.Default.DictionaryStringFileIdentity));
        File.Move(path + ".new", path, overwrite: true);
        File.Delete(path + ".lock");
        _changed = false;
    }

    /// <summary>What a link's target is verified against.</summary>
    public static string LinkCheck(string target) => Cid.OfBlock(1, Codec.Raw, Encoding.UTF8.GetBytes(target)).ToString();

    // A file more would be served unverified, so a directory must have exactly the names that it had.
    private DataError CheckNames(string path, Dictionary<string, HashSet<string>> names)
    {
        foreach (var (directory, expected) in names)
        {
            if (path.Length > 0 && directory != path && !directory.StartsWith(path + "/", StringComparison.Ordinal))
            {
                continue;
            }

            var full = directory.Length == 0 ? _dataset.Content : Path.Combine(_dataset.Content, directory);
            if (!Directory.Exists(full))
            {
                continue;
            }

            var count = 0;
            foreach (var child in Directory.EnumerateFileSystemEntries(full, "*", new EnumerationOptions { AttributesToSkip = 0, IgnoreInaccessible = false }))
            {
                count++;
                if (!expected.Contains(Path.GetFileName(child)))
                {
                    return new DataError(DataFault.Changed, $"{child} was not there when the data set was added");
                }
            }

            if (count != expected.Count)
            {
                return new DataError(DataFault.Changed, $"{full} has {count} entries and had {expected.Count} when it was added");
            }
        }

        return DataError.None;
    }

    private static Dictionary<string, FileIdentity> Load(string folder)
    {
        var path = Path.Combine(folder, "verified.json");
        if (!File.Exists(path))
        {
            return [];
        }

        // A list that cannot be read vouches for nothing, and everything is hashed again.
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(path), StoreJson.Default.DictionaryStringFileIdentity) ?? [];
        }
        catch (JsonException)
        {
            return [];
        }
    }
}
