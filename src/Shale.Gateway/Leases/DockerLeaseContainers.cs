using System.Globalization;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using Shale.Containers.Bandwidth;
using Shale.Containers.Exec;
using Shale.Containers.Files;
using Shale.Containers.Leases;
using Shale.Containers.Network;
using Shale.Containers.Probes;

namespace Shale.Gateway.Leases;

/// <summary>Leases in the containers of a Docker Engine.</summary>
/// <param name="host">The engine.</param>
/// <param name="datasets">Finds and verifies what leases mount by CID.</param>
/// <param name="instance">Which gateway's leases: two on one engine may both have a lease 1, and neither touches the other's.</param>
internal sealed class DockerLeaseContainers(LeaseHost host, DatasetMounts datasets, string instance) : ILeaseContainers
{
    public async Task<ILeaseContainer> EnsureAsync(LeaseRecord lease, IProgress<string> progress, CancellationToken cancellation)
    {
        var id = LeaseId(lease.Id);
        var container = await host.FindAsync(id, cancellation).ConfigureAwait(false);
        if (container is null)
        {
            var spec = Spec(lease, await datasets.ResolveAsync(lease.Container.Mounts, progress, cancellation).ConfigureAwait(false));
            try
            {
                spec.Validate();
            }
            catch (ArgumentException invalid)
            {
                throw new IOException(invalid.Message, invalid);
            }

            var pull = new Progress<PullProgress>(p => progress.Report(Describe(lease.Container.Image, p)));
            container = await host.CreateAsync(id, spec, pull, cancellation).ConfigureAwait(false);
        }
        else
        {
            await CheckMountsAsync(container, lease, progress, cancellation).ConfigureAwait(false);
        }

        await container.EnsureRunningAsync(cancellation).ConfigureAwait(false);
        return new DockerLeaseContainer(container);
    }

    public async Task RemoveOthersAsync(IReadOnlySet<ulong> present, CancellationToken cancellation)
    {
        foreach (var container in await host.ListAsync(cancellation).ConfigureAwait(false))
        {
            if (TryNumber(container.LeaseId, out var id) && !present.Contains(id))
            {
                await container.RemoveAsync(cancellation).ConfigureAwait(false);
            }
        }
    }

    /// <summary>A stopped container sees its mounts anew when it starts, so they are verified anew. One that runs has them open since it started.</summary>
    private async Task CheckMountsAsync(LeaseContainer container, LeaseRecord lease, IProgress<string> progress, CancellationToken cancellation)
    {
        if (!lease.Container.Mounts.Any(DatasetMounts.IsByCid))
        {
            return;
        }

        var state = await container.GetStateAsync(cancellation).ConfigureAwait(false);
        if (state.Status is LeaseContainerStatus.Running or LeaseContainerStatus.Paused)
        {
            return;
        }

        foreach (var mount in await datasets.ResolveAsync(lease.Container.Mounts, progress, cancellation).ConfigureAwait(false))
        {
            // What was verified must be what the container binds: it was made when the store may have been elsewhere.
            if (!state.Mounts.Contains(mount))
            {
                throw new IOException($"The container of {lease.Name} was made with another folder at {mount.Target} than {mount.Source}, which is verified now. Bring the store back to where it was, or end the lease.");
            }
        }
    }

    public async IAsyncEnumerable<ContainerEvent> WatchAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        await foreach (var happened in host.WatchAsync(cancellation).ConfigureAwait(false))
        {
            ContainerEventKind? kind = happened.Kind switch
            {
                LeaseEventKind.Stopped => ContainerEventKind.Stopped,
                LeaseEventKind.OutOfMemory => ContainerEventKind.OutOfMemory,
                LeaseEventKind.EngineLost => ContainerEventKind.EngineLost,
                LeaseEventKind.EngineBack => ContainerEventKind.EngineBack,
                _ => null,
            };
            if (kind is ContainerEventKind.EngineLost or ContainerEventKind.EngineBack)
            {
                yield return new ContainerEvent(kind.Value, null, happened.Detail);
            }
            else if (kind is not null && TryNumber(happened.LeaseId, out var id))
            {
                yield return new ContainerEvent(kind.Value, id, happened.Detail);
            }
        }
    }

    internal static LeaseSpec Spec(LeaseRecord lease, IReadOnlyList<ReadOnlyMount> mounts) => new()
    {
        Image = lease.Container.Image,
        MilliCpus = (long)Math.Round(lease.Container.Cpus * 1000),
        MemoryBytes = lease.Container.MemoryBytes,
        Gpus = Gpus(lease.Container.Gpus),
        Mounts = mounts,
        BandwidthBytesPerSecond = lease.Container.BandwidthBytesPerSecond > 0 ? lease.Container.BandwidthBytesPerSecond : null,
        Ports = [.. lease.Container.Ports.Select(Port)],
        Services = lease.Container.Service.Count > 0 ? [new Containers.Leases.LeaseService("service", lease.Container.Service)] : [],
        Hostname = lease.Name,
    };

    /// <summary>The name of this state folder's gateway, made once: 8 hexadecimal digits in the file <c>instance</c>.</summary>
    public static string Instance(string stateDirectory)
    {
        var path = Path.Combine(stateDirectory, "instance");
        if (!File.Exists(path))
        {
            AtomicFile.Write(path, Encoding.ASCII.GetBytes(Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4))));
        }

        var instance = File.ReadAllText(path).Trim();
        return instance.Length == 8 && instance.All(char.IsAsciiHexDigitLower)
            ? instance
            : throw new IOException($"{path} does not hold 8 hexadecimal digits. Restore it, or remove it together with this gateway's containers.");
    }

    private bool TryNumber(string leaseId, out ulong id)
    {
        id = 0;
        return leaseId.StartsWith(instance + "-", StringComparison.Ordinal) &&
            ulong.TryParse(leaseId.AsSpan(instance.Length + 1), NumberStyles.None, CultureInfo.InvariantCulture, out id);
    }

    /// <summary>A lease's name on the engine.</summary>
    internal static string LeaseId(string instance, ulong id) => string.Create(CultureInfo.InvariantCulture, $"{instance}-{id}");

    private string LeaseId(ulong id) => LeaseId(instance, id);

    private static GpuRequest? Gpus(string text) => text switch
    {
        "" or "0" => null,
        "all" => GpuRequest.All,
        _ when int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var count) => GpuRequest.Any(count),
        _ => GpuRequest.Devices(text.Split(',')),
    };

    private static PublishedPort Port(string text)
    {
        var parts = text.Split(':');
        return parts.Length == 2 &&
            int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var host) &&
            int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var inside)
            ? new PublishedPort(inside, host)
            : throw new IOException($"The published port '{text}' is not HOST:CONTAINER.");
    }

    private static string Describe(string image, PullProgress progress) => progress is { Current: { } current, Total: > 0 and { } total }
        ? string.Create(CultureInfo.InvariantCulture, $"pulling {image}: {progress.Layer} {progress.Status} {100 * current / total} %")
        : $"pulling {image}: {progress.Status}";

    private sealed class DockerLeaseContainer(LeaseContainer container) : ILeaseContainer
    {
        public string Id => container.ContainerId;

        public async Task<bool> IsRunningAsync(CancellationToken cancellation) =>
            (await container.GetStateAsync(cancellation).ConfigureAwait(false)).Status is LeaseContainerStatus.Running or LeaseContainerStatus.Paused;

        public Task<ContainerProcess> StartAsync(ExecRequest request, CancellationToken cancellation) => container.StartAsync(request, cancellation);

        public LeaseBandwidth? Bandwidth => container.Bandwidth;

        public Task<IContainerFileTree> OpenFilesAsync(CancellationToken cancellation) => container.OpenFilesAsync(null, cancellation);

        public Task<Socket> ConnectTcpAsync(string host, int port, CancellationToken cancellation) => container.ConnectTcpAsync(host, port, cancellation);

        public Task<Socket> ConnectUnixAsync(string path, CancellationToken cancellation) => container.ConnectUnixAsync(Encoding.UTF8.GetBytes(path), null, cancellation);

        public Task<ContainerListener> ListenTcpAsync(string address, int port, CancellationToken cancellation) => container.ListenTcpAsync(address, port, cancellation);

        public Task<ContainerListener> ListenUnixAsync(string path, CancellationToken cancellation) => container.ListenUnixAsync(Encoding.UTF8.GetBytes(path), null, cancellation);

        public Task<ContainerStats> GetStatsAsync(CancellationToken cancellation) => container.GetStatsAsync(cancellation);

        public Task PauseAsync(CancellationToken cancellation) => container.PauseAsync(cancellation);

        public Task ResumeAsync(CancellationToken cancellation) => container.ResumeAsync(cancellation);

        public Task RemoveAsync(CancellationToken cancellation) => container.RemoveAsync(cancellation);
    }
}
