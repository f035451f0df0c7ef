using System.Globalization;
using Shale.Containers.Engine;
using Shale.Containers.Leases;
using Shale.Data;
using Shale.Data.Store;
using Shale.Data.UnixFs;
using Shale.Gateway.Leases;

namespace Shale.Gateway.Results;

/// <summary>Packs a lease's result on the provider's machine, beside the gateway that serves it and without SSH.</summary>
public static class ProviderResults
{
    /// <summary>Packs a path of a lease's container, as the lease's client could.</summary>
    /// <param name="stateDirectory">The gateway's state folder.</param>
    /// <param name="lease">The lease.</param>
    /// <param name="path">The path in it.</param>
    /// <param name="preset">How files become blocks; null for the default.</param>
    /// <param name="progress">Told what is under way.</param>
    /// <param name="cancellation">Stops; nothing stays.</param>
    /// <returns>The manifest, its CAR's path absolute; or why not.</returns>
    /// <exception cref="IOException">The engine or the container can't be reached, or is paused.</exception>
    public static async Task<DataResult<ResultManifest>> PackAsync(string stateDirectory, ulong lease, string path, ImportPreset? preset, IProgress<AddProgress>? progress, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(stateDirectory);
        if (!Directory.Exists(Path.Combine(stateDirectory, "leases")) || new FileLeaseDirectory(stateDirectory, (_, _) => { }).Find(lease) is not { } record)
        {
            return new DataError(DataFault.NotFound, string.Create(CultureInfo.InvariantCulture, $"{stateDirectory} has no lease {lease}"));
        }

        await using var host = new LeaseHost(new LeaseHostOptions { StateDirectory = Path.Combine(stateDirectory, "run"), Engine = EngineEndpoint.FromEnvironment(), Beside = true });
        await using var container = await host.FindAsync(DockerLeaseContainers.LeaseId(DockerLeaseContainers.Instance(stateDirectory), lease), cancellation).ConfigureAwait(false);
        if (container is null)
        {
            return new DataError(DataFault.NotFound, $"{record.Name} has no container: its gateway has not made it yet, or serves another state folder");
        }

        await using var files = await container.OpenFilesAsync(null, cancellation).ConfigureAwait(false);
        return await new LeaseResults(stateDirectory, TimeProvider.System).PackAsync(files, path, record, cancellation.ThrowIfCancellationRequested, preset, progress, cancellation).ConfigureAwait(false);
    }
}
