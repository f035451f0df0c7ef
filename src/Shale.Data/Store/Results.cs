using System.Text.Json;
using Shale.Data.Car;
using Shale.Data.Cids;
using Shale.Data.Pieces;
using Shale.Data.UnixFs;

namespace Shale.Data.Store;

/// <summary>A packed result, ready for a deal; <c>manifest.json</c> beside the CAR.</summary>
/// <param name="Version">The version of this format: 1.</param>
/// <param name="CarPath">The CAR, relative to the manifest.</param>
/// <param name="CarSize">Its length in bytes.</param>
/// <param name="PayloadCid">The root: what the client checks, and what the lease's final statement names.</param>
/// <param name="PieceCid">The piece CID of version 1, as a deal proposal has it.</param>
/// <param name="PieceCidV2">The piece CID of version 2.</param>
/// <param name="PieceSize">The piece's size on chain in bytes.</param>
/// <param name="FileBytes">Bytes of the files in it.</param>
/// <param name="Entries">Files, directories and links in it, the root included.</param>
/// <param name="Preset">How files became blocks.</param>
/// <param name="Path">What was packed, as the lease named it.</param>
/// <param name="PackedAt">When.</param>
public sealed record ResultManifest(
    int Version, string CarPath, long CarSize, string PayloadCid, string PieceCid, string PieceCidV2, long PieceSize, long FileBytes, long Entries, string Preset, string Path, DateTimeOffset PackedAt);

/// <summary>How much a result may take.</summary>
/// <param name="MaxCarSize">The longest CAR, in bytes.</param>
/// <param name="MinFreeBytes">What its file system must keep free, in bytes.</param>
public readonly record struct ResultLimits(long MaxCarSize, long MinFreeBytes);

/// <summary>Packs what a lease produced, on the provider's side.</summary>
public static class ResultPacker
{
    /// <summary>
    /// Packs a tree into <c>{folder}/{cid}/result.car</c> with its manifest. The folder appears complete or not at all; what a
    /// killed run left is removed by the next one.
    /// </summary>
    /// <param name="tree">Where to read: the path in the lease, as a tree whose root it is.</param>
    /// <param name="path">That path, for the manifest.</param>
    /// <param name="folder">Where results go.</param>
    /// <param name="preset">How files become blocks; null for the default.</param>
    /// <param name="options">What differs from the preset.</param>
    /// <param name="time">The clock; null for the machine's.</param>
    /// <param name="progress">Told what is under way: packing, then hashing the piece.</param>
    /// <param name="limits">How much it may take; null: as much as there is room for.</param>
    /// <param name="cancellationToken">Stops; nothing stays.</param>
    /// <returns>The manifest, or why the tree cannot be packed. Packing the same tree again gives the same CAR and is no error.</returns>
    public static DataResult<ResultManifest> Pack(
        IFileTree tree, string path, string folder, ImportPreset? preset = null, ImportOptions? options = null, TimeProvider? time = null, IProgress<AddProgress>? progress = null, ResultLimits? limits = null, CancellationToken cancellationToken = default)
    {
        preset ??= ImportPreset.UnixFsV1;
        options ??= new ImportOptions();
        Directory.CreateDirectory(folder);
        Sweep(folder);
        var staging = Path.Combine(folder, ".packing-" + Guid.NewGuid().ToString("n"));
        using var held = HostFiles.TryLock(staging + ".lock") ?? throw new IOException($"{staging} is new and locked already");
        Directory.CreateDirectory(staging);
        try
        {
            var car = Path.Combine(staging, "result.car");
            DataResult<ImportResult> imported;
            PieceCommitment piece;
            long size;
            using (var stream = new FileStream(car, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.ReadWrite, BufferSize = 0 }))
            {
                using var limited = new LimitedStream(stream, folder, limits ?? new ResultLimits(long.MaxValue, 0));
                var writer = new CarWriter(limited, [preset.RootPlaceholder]);
                imported = new TreeImporter(preset, writer, options, Stage(progress, "packing")).Import(tree, cancellationToken);
                if (!imported.Ok)
                {
                    return imported.Error;
                }

                writer.Finish([imported.Value.Root]);
                stream.Position = 0;
                piece = PieceHasher.Compute(stream, options.Threads, Stage(progress, "hashing the piece"), cancellationToken);
                size = stream.Length;
            }

            var root = imported.Value.Root;
            var manifest = new ResultManifest(
                1, "result.car", size, root.ToString(), piece.CidV1.ToString(), piece.CidV2.ToString(), piece.PieceSize, imported.Value.FileBytes, imported.Value.Entries, preset.Name, path, (time ?? TimeProvider.System).GetUtcNow());
            File.WriteAllBytes(Path.Combine(staging, "manifest.json"), JsonSerializer.SerializeToUtf8Bytes(manifest, StoreJson.ForPeople.ResultManifest));
            HostFiles.SyncFileSystem(staging);
            var final = Path.Combine(folder, root.ToString());
            if (Directory.Exists(final))
            {
                return Read(folder, root);
            }

            Directory.Move(staging, final);
            HostFiles.SyncDirectory(folder);
            return manifest;
        }
        catch (ResultTooLargeException refused)
        {
            return new DataError(DataFault.TooLarge, refused.Message);
        }
        finally
        {
            if (Directory.Exists(staging))
            {
                Directory.Delete(staging, recursive: true);
            }

            File.Delete(staging + ".lock");
        }
    }

    /// <summary>Reads a packed result's manifest.</summary>
    /// <param name="folder">Where results go.</param>
    /// <param name="root">The result's CID.</param>
    /// <returns>The manifest, <see cref="DataFault.NotFound"/>, or <see cref="DataFault.Store"/>.</returns>
    public static DataResult<ResultManifest> Read(string folder, Cid root)
    {
        ArgumentNullException.ThrowIfNull(root);
        var path = Path.Combine(folder, root.ToString(), "manifest.json");
        if (!File.Exists(path))
        {
            return new DataError(DataFault.NotFound, $"there is no result {root}");
        }

        try
        {
            var manifest = JsonSerializer.Deserialize(File.ReadAllBytes(path), StoreJson.Default.ResultManifest);
            return manifest is { Version: 1 } ? manifest : new DataError(DataFault.Store, $"{path} is of another version");
        }
        catch (JsonException)
        {
            return new DataError(DataFault.Store, $"{path} is not a manifest");
        }
    }

    /// <summary>Lists the packed results of a folder.</summary>
    /// <param name="folder">Where results go; need not exist.</param>
    /// <returns>The manifests, in the order in which they were packed; what is no result is left out.</returns>
    public static IReadOnlyList<ResultManifest> List(string folder)
    {
        var found = new List<ResultManifest>();
        foreach (var path in Directory.Exists(folder) ? Directory.EnumerateDirectories(folder) : [])
        {
            if (!Cid.TryParse(Path.GetFileName(path), out var cid).IsError && Read(folder, cid!) is { Ok: true } manifest)
            {
                found.Add(manifest.Value);
            }
        }

        found.Sort(static (a, b) => a.PackedAt != b.PackedAt ? a.PackedAt.CompareTo(b.PackedAt) : string.CompareOrdinal(a.PayloadCid, b.PayloadCid));
        return found;
    }

    /// <summary>Removes what a killed run left. What another process is at is left alone.</summary>
    /// <param name="folder">Where results go; must exist.</param>
    public static void Sweep(string folder)
    {
        foreach (var lockFile in Directory.EnumerateFiles(folder, ".packing-*.lock"))
        {
            using var held = HostFiles.TryLock(lockFile);
            if (held is null)
            {
                continue;
            }

            if (Directory.Exists(lockFile[..^5]))
            {
                Directory.Delete(lockFile[..^5], recursive: true);
            }

            File.Delete(lockFile);
        }
    }

    internal static IProgress<long>? Stage(IProgress<AddProgress>? progress, string name) => progress is null ? null : new StageProgress(progress, name);

    private sealed class StageProgress(IProgress<AddProgress> inner, string name) : IProgress<long>
    {
        public void Report(long value) => inner.Report(new AddProgress(name, value));
    }
}

/// <summary>Fetches a result on the client's side.</summary>
public static class ResultFetcher
{
    /// <summary>Takes a result's CAR from a stream, checks it against the CID that the lease's statement names, and extracts it.</summary>
    /// <param name="car">The CAR's bytes, from wherever; nothing of them is trusted.</param>
    /// <param name="expected">The CID.</param>
    /// <param name="destination">The file or directory to make; must not exist.</param>
    /// <param name="maxCarSize">The most bytes to take.</param>
    /// <param name="progress">Told what is under way.</param>
    /// <param name="cancellationToken">Stops; nothing stays.</param>
    /// <returns>What was extracted, or why the result is refused; then nothing stays.</returns>
    public static DataResult<ExtractProgress> Get(Stream car, Cid expected, string destination, long maxCarSize = 64L << 30, IProgress<AddProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(car);
        ArgumentNullException.ThrowIfNull(expected);
        destination = Path.GetFullPath(destination);
        var download = destination + ".shale-car";
        using var held = HostFiles.TryLock(download + ".lock");
        if (held is null)
        {
            return new DataError(DataFault.InUse, $"another process fetches {destination}");
        }

        try
        {
            var error = Download(car, download, maxCarSize, ResultPacker.Stage(progress, "fetching"), cancellationToken);
            if (error.IsError)
            {
                return error;
            }

            // Every block is checked, also those that nothing links to: the statement's CID covers the tree only, and a
            // provider has no business to send more.
            var opened = CarBlockSource.Open(download, zeroPadded: false, verify: true, ResultPacker.Stage(progress, "checking"), cancellationToken);
            if (!opened.Ok)
            {
                return opened.Error;
            }

            using var blocks = opened.Value;
            if (blocks.Roots.Count != 1 || blocks.Roots[0] != expected)
            {
                return new DataError(DataFault.CarRoots, $"the CAR is of {string.Join(", ", blocks.Roots)} and {expected} was promised");
            }

            var extract = new TreeExtractor(blocks);
            return extract.Extract(expected, destination, null, cancellationToken);
        }
        finally
        {
            File.Delete(download);
            File.Delete(download + ".lock");
        }
    }

    private static DataError Download(Stream car, string path, long maxSize, IProgress<long>? progress, CancellationToken cancellationToken)
    {
        using var file = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
        var buffer = new byte[1 << 20];
        long length = 0;
        int n;
        while ((n = car.Read(buffer)) > 0)
        {
            cancellationToken.ThrowIfCancellationRequested();
            length += n;
            if (length > maxSize)
            {
                return new DataError(DataFault.TooLarge, $"the result is larger than {maxSize} bytes");
            }

            file.Write(buffer, 0, n);
            progress?.Report(length);
        }

        return DataError.None;
    }
}
