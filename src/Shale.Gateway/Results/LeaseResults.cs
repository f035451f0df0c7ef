using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using Shale.Containers.Files;
using Shale.Data;
using Shale.Data.Cids;
using Shale.Data.Store;
using Shale.Data.UnixFs;

namespace Shale.Gateway.Results;

/// <summary>What leases produced and had packed: <c>STATE/results/LEASE/CID/</c> (docs/DATASETS.md). Safe for several processes.</summary>
/// <param name="stateDirectory">The gateway's state folder.</param>
/// <param name="time">The clock.</param>
[SuppressMessage("Design", "CA1001", Justification = "The semaphore has no handle, and lives as long as the gateway.")]
public sealed class LeaseResults(string stateDirectory, TimeProvider time)
{
    /// <summary>The most entries of one result: what lists a directory is in this process's memory, at some 300 bytes an entry.</summary>
    public const long MaxEntries = 1 << 20;

    // A full disk stops the voucher log, and with it all payment: so much stays free.
    private const long MinFreeBytes = 1L << 30;

    // As many CIDs as a meter statement has room for.
    private const int MaxNamed = 64;

    // Packing reads and hashes as fast as the disk: two at a time, others wait. The leases themselves run in their own limits.
    private readonly SemaphoreSlim _packing = new(2, 2);
    private readonly ConcurrentDictionary<ulong, bool> _busy = new();
    private readonly ConcurrentDictionary<ulong, (DateTime Changed, ImmutableArray<ImmutableArray<byte>> Cids)> _named = new();

    private string Root => Path.Combine(stateDirectory, "results");

    /// <summary>Where a lease's results are.</summary>
    public string Folder(ulong lease) => Path.Combine(Root, lease.ToString(CultureInfo.InvariantCulture));

    /// <summary>Removes what packing left that was killed, of all leases.</summary>
    public void Sweep()
    {
        foreach (var folder in Directory.Exists(Root) ? Directory.EnumerateDirectories(Root) : [])
        {
            ResultPacker.Sweep(folder);
        }
    }

    /// <summary>The newest results' CIDs in binary, version 1, oldest first, for the lease's meter statements.</summary>
    public ImmutableArray<ImmutableArray<byte>> Cids(ulong lease)
    {
        // A result appears by a rename, which changes its folder's time; every charge asks, so the folder is not read each time.
        var changed = Directory.GetLastWriteTimeUtc(Folder(lease));
        if (_named.TryGetValue(lease, out var known) && known.Changed == changed)
        {
            return known.Cids;
        }

        try
        {
            ImmutableArray<ImmutableArray<byte>> cids = [.. ResultPacker.List(Folder(lease)).TakeLast(MaxNamed).Select(m => Binary(m.PayloadCid))];
            _named[lease] = (changed, cids);
            return cids;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            // Whoever removes results by hand is in the middle of it; payment does not stop for that.
            return known.Cids.IsDefault ? [] : known.Cids;
        }
    }

    /// <summary>Packs a path of a lease's container. One at a time of a lease.</summary>
    /// <param name="files">The container's files, with the rights of the lease's user; stay the caller's.</param>
    /// <param name="path">The path, absolute, relative to the user's home, or beginning with <c>~</c>.</param>
    /// <param name="lease">The lease's record: how much its results may take, how many cores hash.</param>
    /// <param name="turn">Called before every read: waits while the lease is not served, throws when it is over.</param>
    /// <param name="preset">How files become blocks; null for the default.</param>
    /// <param name="progress">Told what is under way, on the packing thread.</param>
    /// <param name="cancellation">Stops; nothing stays.</param>
    /// <returns>The manifest, its CAR's path absolute; or why not.</returns>
    public async Task<DataResult<ResultManifest>> PackAsync(IContainerFileTree files, string path, LeaseRecord lease, Action turn, ImportPreset? preset, IProgress<AddProgress>? progress, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(files);
        ArgumentNullException.ThrowIfNull(lease);
        if (!_busy.TryAdd(lease.Id, true))
        {
            return new DataError(DataFault.InUse, "another result of this lease is being packed: wait for it");
        }

        try
        {
            progress?.Report(new AddProgress("waiting", 0));
            await _packing.WaitAsync(cancellation).ConfigureAwait(false);
            try
            {
                var real = await files.ExpandPathAsync(Encoding.UTF8.GetBytes(path), cancellation).ConfigureAwait(false);
                return real.Ok
                    ? await Task.Factory.StartNew(() => Pack(files, real.Value!, lease, turn, preset, progress, cancellation), cancellation, TaskCreationOptions.LongRunning, TaskScheduler.Default).ConfigureAwait(false)
                    : new DataError(DataFault.NotFound, real.Error == FileError.NotFound ? $"the lease has no {path}" : $"{path} can't be reached in the lease: {real.Error}");
            }
            finally
            {
                _packing.Release();
            }
        }
        finally
        {
            _busy.TryRemove(lease.Id, out _);
        }
    }

    /// <summary>Opens a packed result's CAR.</summary>
    public DataResult<FileStream> Open(ulong lease, Cid cid)
    {
        ArgumentNullException.ThrowIfNull(cid);
        var manifest = ResultPacker.Read(Folder(lease), cid);
        return manifest.Ok
            ? new FileStream(Path.Combine(Folder(lease), cid.ToString(), manifest.Value.CarPath), new FileStreamOptions { Access = FileAccess.Read, Share = FileShare.Read | FileShare.Delete, BufferSize = 0, Options = FileOptions.SequentialScan })
            : manifest.Error;
    }

    private static ImmutableArray<byte> Binary(string cid) => Cid.TryParse(cid, out var parsed).IsError ? throw new InvalidDataException($"{cid} is no CID") : [.. parsed!.ToV1().Bytes];

    private DataResult<ResultManifest> Pack(IContainerFileTree files, byte[] path, LeaseRecord lease, Action turn, ImportPreset? preset, IProgress<AddProgress>? progress, CancellationToken cancellation)
    {
        var folder = Folder(lease.Id);
        var room = lease.MaxResultBytes - ResultPacker.List(folder).Sum(m => m.CarSize);
        if (room <= 0)
        {
            return new DataError(DataFault.TooLarge, $"this lease's results may take {lease.MaxResultBytes} bytes, and do");
        }

        Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var threads = lease.Container.Cpus > 0 ? (int)Math.Ceiling(lease.Container.Cpus) : Environment.ProcessorCount;
        var options = new ImportOptions { MaxEntries = MaxEntries, Threads = Math.Clamp(threads, 1, Math.Min(Environment.ProcessorCount, 64)) };
        var tree = new ContainerTree(files, path, room, turn, cancellation);
        if (tree.Stat("") is null)
        {
            return new DataError(DataFault.NotFound, $"the lease has no {Encoding.UTF8.GetString(path)}");
        }

        var steps = new Steps(progress, turn);
        var packed = ResultPacker.Pack(tree, Encoding.UTF8.GetString(path), folder, preset, options, time, steps, new ResultLimits(room, MinFreeBytes), cancellation);
        return packed.Ok ? packed.Value with { CarPath = Path.Combine(folder, packed.Value.PayloadCid, packed.Value.CarPath) } : packed.Error;
    }

    /// <summary>What follows the reading, such as hashing the piece, is held up by the same turns.</summary>
    private sealed class Steps(IProgress<AddProgress>? progress, Action turn) : IProgress<AddProgress>
    {
        public void Report(AddProgress value)
        {
            turn();
            progress?.Report(value);
        }
    }
}
