using System.Text.Json;
using Shale.Data.Car;
using Shale.Data.Cids;
using Shale.Data.Pieces;
using Shale.Data.UnixFs;

namespace Shale.Data.Store;

/// <summary>What to add to a store, and how.</summary>
public sealed record AddRequest
{
    /// <summary>A file, a directory, or a CAR on this host or a mount of it.</summary>
    public required string Path { get; init; }

    /// <summary>Whether <see cref="Path"/> is a CAR whose tree is the data set; otherwise a CAR is a file like others.</summary>
    public bool IsCar { get; init; }

    /// <summary>Whether zeros may follow a CAR's last section, as they do in a piece.</summary>
    public bool ZeroPadded { get; init; }

    /// <summary>The root to take where a CAR names several; null to take the only one.</summary>
    public Cid? Root { get; init; }

    /// <summary>How files become blocks; not for a CAR, which has them.</summary>
    public ImportPreset Preset { get; init; } = ImportPreset.UnixFsV1;

    /// <summary>What differs from the preset.</summary>
    public ImportOptions Options { get; init; } = new();

    /// <summary>How the bytes come into the store.</summary>
    public PlacementRule Placement { get; init; } = PlacementRule.Auto;

    /// <summary>What people call it; null for the source's file name.</summary>
    public string? Name { get; init; }

    /// <summary>Where it came from, for people; null for the path.</summary>
    public string? Source { get; init; }

    /// <summary>Its piece and deal; null for none.</summary>
    public PieceRecord? Piece { get; init; }
}

/// <summary>What of adding is under way.</summary>
/// <param name="Stage">A word for people: copying, hashing, checking, extracting.</param>
/// <param name="Bytes">Bytes done in this stage.</param>
public readonly record struct AddProgress(string Stage, long Bytes);

/// <summary>What a lease mounts.</summary>
/// <param name="HostPath">The file or directory to bind, read-only.</param>
/// <param name="IsDirectory">Which of the two it is.</param>
/// <param name="HashedBytes">How many bytes were hashed for this mount; 0 where identities vouched for all.</param>
public readonly record struct VerifiedMount(string HostPath, bool IsDirectory, long HashedBytes);

/// <summary>
/// The data sets that a provider holds, by CID: a folder each below <c>datasets</c>, which appears complete by one rename.
/// What a killed process left in <c>staging</c> is removed when the store is opened next. Safe for several processes.
/// </summary>
public sealed class DatasetStore
{
    private const int FormatVersion = 1;

    /// <summary>An extraction that nobody resumed for this long is given up.</summary>
    private static readonly TimeSpan PartialLifetime = TimeSpan.FromDays(7);

    private readonly TimeProvider _time;

    private DatasetStore(string root, TimeProvider time)
    {
        Root = root;
        _time = time;
    }

    /// <summary>The store's folder.</summary>
    public string Root { get; }

    internal string Datasets => Path.Combine(Root, "datasets");

    internal string Staging => Path.Combine(Root, "staging");

    internal string Partials => Path.Combine(Root, "partial");

    /// <summary>Opens a store and makes it where there is none.</summary>
    /// <param name="root">Its folder.</param>
    /// <param name="time">The clock; null for the machine's.</param>
    /// <returns>The store, or <see cref="DataFault.Store"/> where the folder holds something else.</returns>
    public static DataResult<DatasetStore> Open(string root, TimeProvider? time = null)
    {
        var store = new DatasetStore(Path.GetFullPath(root), time ?? TimeProvider.System);
        var marker = Path.Combine(store.Root, "shale-store");
        if (File.Exists(marker))
        {
            if (File.ReadAllText(marker).Trim() != $"{FormatVersion}")
            {
                return new DataError(DataFault.Store, $"{root} is a store of another version of this program");
            }
        }
        else if (Directory.Exists(store.Root) && Directory.EnumerateFileSystemEntries(store.Root).Any(e => Path.GetFileName(e) is not ("datasets" or "staging" or "partial" or "shale-store.new")))
        {
            return new DataError(DataFault.Store, $"{root} is a folder with other files in it");
        }

        foreach (var folder in new[] { store.Datasets, store.Staging, store.Partials })
        {
            Directory.CreateDirectory(folder);
        }

        if (!File.Exists(marker))
        {
            File.WriteAllText(marker + ".new", $"{FormatVersion}\n");
            File.Move(marker + ".new", marker, overwrite: true);
        }

        store.Sweep();
        return store;
    }

    /// <summary>Lists the data sets, in the order in which they were added.</summary>
    /// <returns>The data sets; a folder whose manifest cannot be read is left out.</returns>
    public IReadOnlyList<Dataset> List() =>
        [.. Directory.EnumerateDirectories(Datasets).Select(f => Read(Path.GetFileName(f))).Where(r => r.Ok).Select(r => r.Value).OrderBy(d => d.Manifest.AddedAt).ThenBy(d => d.Manifest.Cid, StringComparer.Ordinal)];

    /// <summary>Finds a data set; the same CID in another version or base is the same data set.</summary>
    /// <param name="cid">Its CID.</param>
    /// <returns>The data set, or <see cref="DataFault.NotFound"/>.</returns>
    public DataResult<Dataset> Find(Cid cid)
    {
        ArgumentNullException.ThrowIfNull(cid);
        return Read(FolderName(cid));
    }

    /// <summary>Adds a data set.</summary>
    /// <param name="request">What and how.</param>
    /// <param name="progress">Told what is under way.</param>
    /// <param name="cancellationToken">Stops; nothing stays but a partial extraction, which the next try resumes.</param>
    /// <returns>The data set, or why it was refused; then nothing stays.</returns>
    public DataResult<Dataset> Add(AddRequest request, IProgress<AddProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        return new DatasetAdder(this, request, _time, progress).Run(cancellationToken);
    }

    /// <summary>Hashes a data set again, whatever is remembered of it.</summary>
    /// <param name="cid">Its CID.</param>
    /// <param name="progress">Told how many bytes were checked.</param>
    /// <param name="cancellationToken">Stops between files.</param>
    /// <returns>None, <see cref="DataFault.Changed"/>, or <see cref="DataFault.NotFound"/>.</returns>
    public DataError Verify(Cid cid, IProgress<long>? progress = null, CancellationToken cancellationToken = default)
    {
        var dataset = Find(cid);
        return dataset.Ok ? new ContentVerifier(dataset.Value).Check("", always: true, progress, cancellationToken) : dataset.Error;
    }

    /// <summary>
    /// Gives a lease the verified bytes of a data set, or of a path in it. The caller binds <see cref="VerifiedMount.HostPath"/>
    /// read-only, before anything else can run between; nothing is copied.
    /// </summary>
    /// <param name="cid">The data set's CID.</param>
    /// <param name="path">A path in it, with '/'; empty for all.</param>
    /// <param name="progress">Told how many bytes were checked.</param>
    /// <param name="cancellationToken">Stops between files.</param>
    /// <returns>What to bind, <see cref="DataFault.NotFound"/>, or <see cref="DataFault.Changed"/>.</returns>
    public DataResult<VerifiedMount> Mount(Cid cid, string path, IProgress<long>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(path);
        var dataset = Find(cid);
        if (!dataset.Ok)
        {
            return dataset.Error;
        }

        path = path.Trim('/');
        foreach (var name in path.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            var fault = TreeNames.CheckName(name);
            if (fault.IsError)
            {
                return fault;
            }
        }

        var verifier = new ContentVerifier(dataset.Value);
        var error = verifier.Check(path, always: false, progress, cancellationToken);
        if (error.IsError)
        {
            return error;
        }

        var full = path.Length == 0 ? dataset.Value.Content : Path.Combine(dataset.Value.Content, path);
        return HostFiles.Describe(full)?.Kind switch
        {
            EntryKind.Directory => new VerifiedMount(full, true, verifier.HashedBytes),
            EntryKind.File => new VerifiedMount(full, false, verifier.HashedBytes),
            _ => new DataError(DataFault.WrongType, $"{TreeNames.Printable(path)} is a link; mount what it leads to, or its directory"),
        };
    }

    /// <summary>Removes a data set. The caller makes sure that no lease has it mounted.</summary>
    /// <param name="cid">Its CID.</param>
    /// <returns>None, or <see cref="DataFault.NotFound"/>.</returns>
    public DataError Remove(Cid cid)
    {
        var dataset = Find(cid);
        if (!dataset.Ok)
        {
            return dataset.Error;
        }

        // Out of sight first, in one step; the sweep finishes what a kill interrupts.
        var grave = Path.Combine(Staging, Guid.NewGuid().ToString("n"));
        using var held = HostFiles.TryLock(grave + ".lock");
        Directory.Move(dataset.Value.Folder, grave);
        HostFiles.SyncDirectory(Datasets);
        Directory.Delete(grave, recursive: true);
        File.Delete(grave + ".lock");
        return DataError.None;
    }

    internal static string FolderName(Cid cid) => cid.ToV1().ToString();

    internal DataResult<Dataset> Read(string folder)
    {
        var path = Path.Combine(Datasets, folder, "manifest.json");
        if (!File.Exists(path))
        {
            return new DataError(DataFault.NotFound, $"the store has no data set {folder}");
        }

        try
        {
            var manifest = JsonSerializer.Deserialize(File.ReadAllBytes(path), StoreJson.Default.DatasetManifest);
            if (manifest is { Version: FormatVersion } && !Cid.TryParse(manifest.Cid, out var cid).IsError && FolderName(cid!) == folder)
            {
                return new Dataset(cid!, manifest, Path.Combine(Datasets, folder));
            }
        }
        catch (JsonException)
        {
            // Said below, as for the other ways in which a manifest can be wrong.
        }

        return new DataError(DataFault.Store, $"{path} is not a manifest of this version");
    }

    // Folders of processes that died: their locks are free. The lock file stands beside the folder, so it is removed last.
    private void Sweep()
    {
        foreach (var folder in Directory.EnumerateDirectories(Staging))
        {
            using var held = HostFiles.TryLock(folder + ".lock");
            if (held is not null)
            {
                Directory.Delete(folder, recursive: true);
                File.Delete(folder + ".lock");
            }
        }

        foreach (var lockFile in Directory.EnumerateFiles(Staging, "*.lock"))
        {
            using var held = HostFiles.TryLock(lockFile);
            if (held is not null && !Directory.Exists(lockFile[..^5]))
            {
                File.Delete(lockFile);
            }
        }

        foreach (var partial in Directory.EnumerateFileSystemEntries(Partials, "*" + TreeExtractor.PartialSuffix))
        {
            if (_time.GetUtcNow() - File.GetLastWriteTimeUtc(partial) < PartialLifetime)
            {
                continue;
            }

            using var held = HostFiles.TryLock(partial + ".lock");
            if (held is not null)
            {
                TreeExtractor.Forget(partial[..^TreeExtractor.PartialSuffix.Length]);
            }
        }
    }
}
