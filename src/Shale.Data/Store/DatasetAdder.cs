using System.Text.Json;
using Shale.Data.Car;
using Shale.Data.Cids;
using Shale.Data.UnixFs;

namespace Shale.Data.Store;

/// <summary>Adds one data set: places, hashes, describes and then shows it, in a staging folder that only this process uses.</summary>
internal sealed class DatasetAdder
{
    private readonly DatasetStore _store;
    private readonly AddRequest _request;
    private readonly TimeProvider _time;
    private readonly IProgress<AddProgress>? _progress;
    private readonly string _staging;
    private readonly string _content;
    private readonly List<DatasetEntry> _entries = [];

    public DatasetAdder(DatasetStore store, AddRequest request, TimeProvider time, IProgress<AddProgress>? progress)
    {
        _store = store;
        _request = request;
        _time = time;
        _progress = progress;
        _staging = Path.Combine(store.Staging, Guid.NewGuid().ToString("n"));
        _content = Path.Combine(_staging, "content");
    }

    public DataResult<Dataset> Run(CancellationToken cancellationToken)
    {
        using var held = HostFiles.TryLock(_staging + ".lock") ?? throw new IOException($"{_staging} is new and locked already");
        Directory.CreateDirectory(_staging);
        try
        {
            return _request.IsCar ? AddCar(cancellationToken) : AddTree(cancellationToken);
        }
        finally
        {
            if (Directory.Exists(_staging))
            {
                Directory.Delete(_staging, recursive: true);
            }

            File.Delete(_staging + ".lock");
        }
    }

    private DataResult<Dataset> AddTree(CancellationToken cancellationToken)
    {
        var source = Path.GetFullPath(_request.Path);
        var inPlace = _request.Placement == PlacementRule.InPlace;
        var placement = Placement.InPlace;
        if (!inPlace)
        {
            var placed = ContentPlacer.Place(source, _content, _request.Placement, Stage("copying"), cancellationToken);
            if (!placed.Ok)
            {
                return placed.Error;
            }

            placement = placed.Value;
            WaitForTheClock();
        }

        var started = DateTime.UtcNow;
        var root = inPlace ? source : _content;
        var tree = new HostFileTree(root);
        var options = _request.Options with { OnEntry = e => _entries.Add(Describe(root, e)) };
        var imported = new TreeImporter(_request.Preset, NoBlockSink.Instance, options, Stage("hashing")).Import(tree, cancellationToken);
        if (!imported.Ok)
        {
            return imported.Error;
        }

        return Publish(imported.Value.Root, imported.Value.FileBytes, placement, inPlace ? source : null, _request.Preset.Name, root, started, cancellationToken);
    }

    private DataResult<Dataset> AddCar(CancellationToken cancellationToken)
    {
        // The CAR itself is not kept: the data set is its tree. Where the provider keeps the CAR for its deal, the manifest says so.
        var opened = CarBlockSource.Open(_request.Path, _request.ZeroPadded, verify: true, Stage("checking"), cancellationToken);
        if (!opened.Ok)
        {
            return opened.Error;
        }

        using var car = opened.Value;
        var root = _request.Root ?? (car.Roots.Count == 1 ? car.Roots[0] : null);
        if (root is null)
        {
            return new DataError(DataFault.CarRoots, $"the CAR names {car.Roots.Count} roots: say which one is the data set");
        }

        if (_store.Find(root).Ok)
        {
            return new DataError(DataFault.AlreadyExists, $"the store has {root} already");
        }

        // Under a name that the next try finds again.
        var partial = Path.Combine(_store.Partials, DatasetStore.FolderName(root));
        var progress = _progress is null ? null : new Relay<ExtractProgress>(p => _progress.Report(new AddProgress("extracting", p.Bytes)));
        var extracted = HostFiles.Describe(partial) is null
            ? new TreeExtractor(car, Limits(), 0, progress).Extract(root, partial, null, cancellationToken)
            : default(ExtractProgress);
        if (!extracted.Ok)
        {
            return extracted.Error;
        }

        if (Directory.Exists(partial))
        {
            Directory.Move(partial, _content);
        }
        else
        {
            File.Move(partial, _content);
        }

        WaitForTheClock();
        return DescribeExtracted(car, root, cancellationToken);
    }

    // A link takes 40 bytes of a directory's block, so that a CAR of this length has no more entries than that unless the same
    // directory stands in it many times; a million for those that mean it.
    private TreeLimits Limits() =>
        new(new DriveInfo(_store.Root).AvailableFreeSpace, 1_000_000 + (new FileInfo(_request.Path).Length / 40));

    // What was extracted is hashed once more where it stands, so that what is remembered is what the disk gives.
    private DataResult<Dataset> DescribeExtracted(CarBlockSource car, Cid root, CancellationToken cancellationToken)
    {
        var started = DateTime.UtcNow;
        long bytes = 0;
        var reader = new UnixFsReader(car);
        var stage = Stage("checking");
        var error = reader.Walk(root, TreeLimits.Default, (path, entry) =>
        {
            var full = path.Length == 0 ? _content : Path.Combine(_content, path);
            string? check = null;
            if (entry.Kind == EntryKind.Symlink)
            {
                check = ContentVerifier.LinkCheck(entry.Target!);
            }
            else if (entry.Kind == EntryKind.File)
            {
                using var stream = HostFiles.OpenRead(full);
                var compare = new CompareLeaves(reader, entry, stream);
                var fault = compare.Run(out check, cancellationToken);
                if (fault.IsError)
                {
                    return fault;
                }

                bytes += entry.Length;
                stage?.Report(bytes);
            }

            _entries.Add(new DatasetEntry(path, entry.Kind, entry.Cid.ToString(), entry.Length, check));
            return DataError.None;
        }, cancellationToken);
        return error.IsError ? error : Publish(root, bytes, Placement.Extracted, null, null, _content, started, cancellationToken);
    }

    private DataResult<Dataset> Publish(Cid root, long fileBytes, Placement placement, string? contentPath, string? preset, string content, DateTime started, CancellationToken cancellationToken)
    {
        var final = Path.Combine(_store.Datasets, DatasetStore.FolderName(root));
        if (Directory.Exists(final))
        {
            return new DataError(DataFault.AlreadyExists, $"the store has {root} already");
        }

        cancellationToken.ThrowIfCancellationRequested();
        var manifest = new DatasetManifest
        {
            Version = 1,
            Cid = root.ToString(),
            Name = _request.Name ?? Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(_request.Path))),
            Kind = Directory.Exists(content) ? "directory" : "file",
            Preset = preset,
            Source = _request.Source ?? Path.GetFullPath(_request.Path),
            Placement = placement,
            ContentPath = contentPath,
            FileBytes = fileBytes,
            Entries = _entries.Count,
            AddedAt = _time.GetUtcNow(),
            Piece = _request.Piece,
        };
        using (var files = new StreamWriter(Path.Combine(_staging, "files.jsonl")))
        {
            foreach (var entry in _entries)
            {
                files.Write(JsonSerializer.Serialize(entry, StoreJson.Default.DatasetEntry));
                files.Write('\n');
            }
        }

        var staged = new Dataset(root, manifest, _staging);
        var verifier = new ContentVerifier(staged);
        foreach (var entry in _entries.Where(e => e.Kind == EntryKind.File))
        {
            if (HostFiles.Identity(entry.Path.Length == 0 ? content : Path.Combine(content, entry.Path)) is { } identity && identity.Length == entry.Length)
            {
                verifier.Remember(entry.Path, identity, started);
            }
        }

        verifier.Save();
        File.WriteAllBytes(Path.Combine(_staging, "manifest.json"), JsonSerializer.SerializeToUtf8Bytes(manifest, StoreJson.ForPeople.DatasetManifest));
        HostFiles.SyncFileSystem(_staging);
        try
        {
            Directory.Move(_staging, final);
        }
        catch (IOException) when (Directory.Exists(final))
        {
            return new DataError(DataFault.AlreadyExists, $"the store has {root} already");
        }

        HostFiles.SyncDirectory(_store.Datasets);
        return staged with { Folder = final };
    }

    private DatasetEntry Describe(string root, ImportedEntry entry)
    {
        var full = entry.Path.Length == 0 ? root : Path.Combine(root, entry.Path);
        var check = entry.Kind switch
        {
            EntryKind.Symlink => ContentVerifier.LinkCheck(new FileInfo(full).LinkTarget ?? ""),
            // Under the default preset without metadata the file's own CID is the check; under others it is hashed for it.
            EntryKind.File when _request.Preset == ImportPreset.UnixFsV1 && _request.Options is { KeepModes: false, KeepTimes: false } => entry.Cid.ToString(),
            EntryKind.File => Check(full),
            _ => null,
        };
        return new DatasetEntry(entry.Path, entry.Kind, entry.Cid.ToString(), entry.Length, check);
    }

    private static string Check(string full)
    {
        using var stream = HostFiles.OpenRead(full);
        return new TreeImporter(ImportPreset.UnixFsV1, NoBlockSink.Instance).ImportStream(stream).Root.ToString();
    }

    // Links and copies have a change time of this very moment; see ContentVerifier.TickMargin.
    private static void WaitForTheClock() => Thread.Sleep(ContentVerifier.TickMargin + TimeSpan.FromMilliseconds(10));

    private Relay<long>? Stage(string name) => _progress is null ? null : new Relay<long>(n => _progress.Report(new AddProgress(name, n)));

    /// <summary>Progress without a synchronisation context: reports arrive in order, on the thread that makes them.</summary>
    private sealed class Relay<T>(Action<T> action) : IProgress<T>
    {
        public void Report(T value) => action(value);
    }

    /// <summary>Hashes a file under the default preset and compares it, leaf by leaf, with the tree that it was extracted from.</summary>
    private sealed class CompareLeaves(UnixFsReader reader, UnixFsEntry entry, FileStream stream)
    {
        public DataError Run(out string? check, CancellationToken cancellationToken)
        {
            check = new TreeImporter(ImportPreset.UnixFsV1, NoBlockSink.Instance).ImportStream(stream, cancellationToken).Root.ToString();

            // A tree of raw leaves of the default size gives the default preset's CID, which says it all.
            if (entry.Cid.ToV1().ToString() == check)
            {
                return DataError.None;
            }

            return reader.Leaves(entry, (offset, length, cid, bytes) =>
            {
                cancellationToken.ThrowIfCancellationRequested();
                var actual = new byte[length];
                for (var at = 0; at < length;)
                {
                    var n = RandomAccess.Read(stream.SafeFileHandle, actual.AsSpan(at), offset + at);
                    if (n == 0)
                    {
                        return new DataError(DataFault.Changed, $"{stream.Name} became shorter");
                    }

                    at += n;
                }

                var same = cid is null ? bytes.Span.SequenceEqual(actual) : !cid.Verify(actual).IsError;
                return same ? DataError.None : new DataError(DataFault.Changed, $"{stream.Name} does not read back as it was written");
            });
        }
    }
}
