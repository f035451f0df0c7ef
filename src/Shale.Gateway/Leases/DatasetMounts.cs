using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.Json;
using Shale.Containers.Leases;
using Shale.Data;
using Shale.Data.Cids;
using Shale.Data.Store;

namespace Shale.Gateway.Leases;

/// <summary>Finds what leases mount by CID in the provider's store and verifies it, before a container sees it.</summary>
/// <param name="store">The store's folder; it need not exist as long as nothing is mounted by CID.</param>
[SuppressMessage("Design", "CA1001", Justification = "The semaphore has no handle, and lives as long as the gateway.")]
internal sealed class DatasetMounts(string store)
{
    // Hashing uses all cores by itself; two at a time, so that a small data set need not wait for a large one.
    private readonly SemaphoreSlim _verifying = new(2, 2);

    /// <summary>Whether the gateway itself has to find and verify what is mounted.</summary>
    public static bool IsByCid(MountTerms mount) => mount.HostPath.Length == 0;

    /// <summary>What to bind for each mount, verified where it is by CID.</summary>
    /// <param name="mounts">The lease's mounts.</param>
    /// <param name="progress">Is told how far verification is, in words for a person.</param>
    /// <param name="cancellation">Stops between files.</param>
    /// <exception cref="IOException">A data set is not there or not what it was; the message says which and what to do.</exception>
    public async Task<IReadOnlyList<ReadOnlyMount>> ResolveAsync(IReadOnlyList<MountTerms> mounts, IProgress<string> progress, CancellationToken cancellation)
    {
        var resolved = new List<ReadOnlyMount>(mounts.Count);
        foreach (var mount in mounts)
        {
            resolved.Add(new ReadOnlyMount(IsByCid(mount) ? await VerifyAsync(mount.Source, progress, cancellation).ConfigureAwait(false) : mount.HostPath, mount.Target));
        }

        return resolved;
    }

    private async Task<string> VerifyAsync(string source, IProgress<string> progress, CancellationToken cancellation)
    {
        var slash = source.IndexOf('/', StringComparison.Ordinal);
        var (text, path) = slash < 0 ? (source, "") : (source[..slash], source[slash..]);
        var error = Cid.TryParse(text, out var cid);
        if (error.IsError)
        {
            // A host path among them: what a client asked for must never be one.
            throw new IOException($"The mount source '{source}' is not a data set's CID: {error.Detail}. Correct the lease's record, or give it a host_path.");
        }

        await _verifying.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            // Reading and hashing may take hours: on a thread of its own, so that no session waits for one of the pool's.
            return await Task.Factory.StartNew(() => Verify(cid!, path, progress, cancellation), cancellation, TaskCreationOptions.LongRunning, TaskScheduler.Default).ConfigureAwait(false);
        }
        catch (Exception broken) when (broken is UnauthorizedAccessException or InvalidDataException or JsonException)
        {
            throw new IOException($"The data set {cid} in {store} can't be read: {broken.Message}", broken);
        }
        finally
        {
            _verifying.Release();
        }
    }

    private string Verify(Cid cid, string path, IProgress<string> progress, CancellationToken cancellation)
    {
        if (!Directory.Exists(store))
        {
            throw new IOException($"The data set {cid} is not in this provider's store: there is no {store}. Add it with shale dataset add --store={store}, or name the store with --cache_dir.");
        }

        progress.Report($"verifying the data set {cid}");
        var opened = DatasetStore.Open(store);
        var mount = opened.Ok ? opened.Value.Mount(cid, path, new Bytes(cid, progress), cancellation) : opened.Error;
        if (mount.Ok)
        {
            return mount.Value.HostPath;
        }

        var advice = mount.Error.Fault switch
        {
            DataFault.NotFound => $"Add it with shale dataset add --store={store}.",
            DataFault.Changed => "Nothing that changed is served: restore the file, or remove the data set and add it again.",
            _ => $"Look at it with shale dataset show {cid} --store={store}.",
        };
        throw new IOException($"The data set {cid} can't be mounted: {mount.Error.Detail}. {advice}");
    }

    private sealed class Bytes(Cid cid, IProgress<string> progress) : IProgress<long>
    {
        public void Report(long value) => progress.Report(string.Create(CultureInfo.InvariantCulture, $"verifying the data set {cid}: {value >> 20} MiB"));
    }
}
