using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Shale.Containers.Engine;
using Shale.Containers.Exec;

namespace Shale.Containers.Leases;

/// <summary>The leases' containers on one Docker Engine: makes them, finds them again after a restart, tells what happens to them.</summary>
public sealed class LeaseHost : IAsyncDisposable
{
    /// <summary>The label whose value is the lease's id; every container that Shale made has it.</summary>
    public const string LeaseLabel = "com.shaleprotocol.lease";

    internal const string RecordLabel = "com.shaleprotocol.record";
    internal const string MarkerName = "lease";

    /// <summary>
    /// What is left of Docker's default capabilities: enough for apt-get (which changes owners and users), a build and a web server below
    /// port 1024. Dropped: NET_RAW (forged packets to neighbours), MKNOD, AUDIT_WRITE, SETPCAP. docs/decisions/0062-lease-rights.md
    /// </summary>
    internal static readonly string[] Capabilities =
        ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETUID", "SYS_CHROOT"];

    private static readonly TimeSpan ShortestRetry = TimeSpan.FromMilliseconds(200), LongestRetry = TimeSpan.FromSeconds(5);

    private readonly LeaseHostOptions _options;

    /// <summary>Makes a host; nothing is contacted before the first call.</summary>
    public LeaseHost(LeaseHostOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options;
        Engine = new EngineClient(options.Engine, options.EngineTimeout, options.Time);
    }

    internal EngineClient Engine { get; }

    internal LeaseHostOptions Options => _options;

    /// <summary>Asks the engine for its version, to say early what is wrong with it.</summary>
    /// <returns>Its version and the API version that is used, for logs.</returns>
    /// <exception cref="EngineException">It does not answer, or is too old.</exception>
    public async Task<string> CheckAsync(CancellationToken cancellationToken)
    {
        var version = await Engine.VersionAsync(cancellationToken).ConfigureAwait(false);
        await Engine.ListContainersAsync([LeaseLabel], cancellationToken).ConfigureAwait(false);
        return $"Docker Engine {version.Version}, API {Engine.ApiVersion}";
    }

    /// <summary>Makes and starts a lease's container.</summary>
    /// <param name="leaseId">1 to 48 letters, digits, '-', '_' or '.', a letter or digit first.</param>
    /// <param name="spec">What it is.</param>
    /// <param name="progress">Sees how a pull goes on, if one is needed.</param>
    /// <param name="cancellationToken">Ends the wait; what was made is removed.</param>
    /// <exception cref="ArgumentException">The id or the spec can't be meant.</exception>
    /// <exception cref="EngineException">The image is not there, the lease has a container already, a port is taken, there is no such GPU.</exception>
    public async Task<LeaseContainer> CreateAsync(string leaseId, LeaseSpec spec, IProgress<PullProgress>? progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(spec);
        CheckId(leaseId);
        spec.Validate();
        foreach (var mount in spec.Mounts)
        {
            if (Engine.Endpoint.IsLocal && !Path.Exists(mount.Source))
            {
                throw new ArgumentException($"Mount source '{mount.Source}' does not exist.", nameof(spec));
            }
        }

        var (image, imageName) = await FindImageAsync(spec, progress, cancellationToken).ConfigureAwait(false);
        var network = spec.Network ?? _options.Network;
        if (network == _options.Network)
        {
            await EnsureNetworkAsync(network, cancellationToken).ConfigureAwait(false);
        }

        if (Engine.Endpoint.IsLocal)
        {
            PrepareFolder(leaseId);
        }

        string? id = null;
        LeaseContainer? container = null;
        try
        {
            var made = await Engine.CreateContainerAsync(ContainerName(leaseId), Describe(leaseId, spec, image, imageName, network), cancellationToken).ConfigureAwait(false);
            id = made.Id;
            if (!Engine.Endpoint.IsLocal)
            {
                await Engine.PutArchiveAsync(id, "/", HelperBinary.Archive(), cancellationToken).ConfigureAwait(false);
            }

            container = new LeaseContainer(this, leaseId, id, LeaseRecord.Of(spec, image));
            await container.EnsureRunningAsync(cancellationToken).ConfigureAwait(false);
            return container;
        }
        catch (Exception e)
        {
            if (container is not null)
            {
                await container.DisposeAsync().ConfigureAwait(false);
            }

            if (id is not null)
            {
                await RemoveQuietlyAsync(id).ConfigureAwait(false);
            }

            // The folder of a lease whose container was there already is that container's.
            if (id is not null || e is not EngineException { Failure: EngineFailure.Conflict })
            {
                DeleteFolder(leaseId);
            }

            if (e is EngineException { Failure: EngineFailure.Failed } failed && spec.Gpus is not null && failed.Message.Contains("device driver", StringComparison.Ordinal))
            {
                throw new EngineException(EngineFailure.Failed, "This machine has no GPU that Docker can give to a container. Install the NVIDIA driver and nvidia-container-toolkit, restart Docker, or lease without GPUs.", e);
            }

            throw;
        }
    }

    /// <summary>The container of a lease; null if there is none. It may be stopped: see <see cref="LeaseContainer.EnsureRunningAsync"/>.</summary>
    public async Task<LeaseContainer?> FindAsync(string leaseId, CancellationToken cancellationToken)
    {
        CheckId(leaseId);
        var found = await Engine.ListContainersAsync([$"{LeaseLabel}={leaseId}"], cancellationToken).ConfigureAwait(false);
        return found.Select(Adopt).FirstOrDefault(c => c is not null);
    }

    /// <summary>All containers that Shale made on this engine, running or not.</summary>
    public async Task<IReadOnlyList<LeaseContainer>> ListAsync(CancellationToken cancellationToken)
    {
        var found = await Engine.ListContainersAsync([LeaseLabel], cancellationToken).ConfigureAwait(false);
        return [.. found.Select(Adopt).OfType<LeaseContainer>()];
    }

    /// <summary>
    /// What happens to leases' containers, until cancelled. An engine that goes away and comes back is waited for, and what it remembers
    /// of the time between is told then.
    /// </summary>
    public async IAsyncEnumerable<LeaseEvent> WatchAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        long since = 0;
        var retry = ShortestRetry;
        while (true)
        {
            var connected = false;
            EngineException? lost = null;
            var lines = Engine.EventsAsync([LeaseLabel], ["start", "die", "pause", "unpause", "oom", "destroy"], since, () => connected = true, cancellationToken).GetAsyncEnumerator(cancellationToken);
            try
            {
                var told = false;
                while (true)
                {
                    // The engine sends its headers at once, the first event perhaps never: say that it is back as soon as it is.
                    var moving = lines.MoveNextAsync().AsTask();
                    while (!told && !moving.IsCompleted && !connected)
                    {
                        await Task.WhenAny(moving, Task.Delay(20, cancellationToken)).ConfigureAwait(false);
                    }

                    if (!told && connected)
                    {
                        told = true;
                        retry = ShortestRetry;
                        yield return new LeaseEvent(LeaseEventKind.EngineBack, "", _options.Time.GetUtcNow());
                    }

                    if (!await MoveAsync(moving).ConfigureAwait(false))
                    {
                        break;
                    }

                    since = Math.Max(since, lines.Current.TimeNano + 1);
                    var next = Translate(lines.Current);
                    if (next is not null)
                    {
                        yield return next;
                    }
                }
            }
            finally
            {
                await lines.DisposeAsync().ConfigureAwait(false);
            }

            yield return new LeaseEvent(LeaseEventKind.EngineLost, "", _options.Time.GetUtcNow(), lost?.Message);
            await Task.Delay(retry, _options.Time, cancellationToken).ConfigureAwait(false);
            retry = retry * 2 < LongestRetry ? retry * 2 : LongestRetry;

            async Task<bool> MoveAsync(Task<bool> moving)
            {
                try
                {
                    return await moving.ConfigureAwait(false);
                }
                catch (EngineException e)
                {
                    lost = e;
                    return false;
                }
            }
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => Engine.DisposeAsync();

    internal static string ContainerName(string leaseId) => "shale-" + leaseId;

    internal string Folder(string leaseId) => Path.Combine(_options.StateDirectory, leaseId);

    /// <summary>Makes what a container mounts at /.shale. Safe to repeat: a running container keeps seeing the same folder.</summary>
    internal void PrepareFolder(string leaseId)
    {
        var folder = Folder(leaseId);
        Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        foreach (var stale in Directory.EnumerateFiles(folder, "s*"))
        {
            File.Delete(stale);
        }

        HelperBinary.WriteTo(Path.Combine(folder, "helper"));
        var marker = Path.Combine(folder, MarkerName);
        if (!File.Exists(marker))
        {
            File.WriteAllText(marker + ".new", Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32)));
            File.SetUnixFileMode(marker + ".new", UnixFileMode.UserRead);
            File.Move(marker + ".new", marker);
        }
    }

    internal void DeleteFolder(string leaseId)
    {
        try
        {
            Directory.Delete(Folder(leaseId), recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Never made, or not ours: it holds nothing that another lease could meet.
        }
    }

    private static void CheckId(string leaseId)
    {
        ArgumentNullException.ThrowIfNull(leaseId);
        if (leaseId.Length is 0 or > 48 || !char.IsAsciiLetterOrDigit(leaseId[0]) || leaseId.Any(c => !char.IsAsciiLetterOrDigit(c) && c is not ('-' or '_' or '.')))
        {
            throw new ArgumentException($"'{leaseId}' is not a lease id: 1 to 48 letters, digits, '-', '_' or '.', a letter or digit first.", nameof(leaseId));
        }
    }

    private static LeaseEvent? Translate(EventLine line)
    {
        if (line.Actor?.Attributes is not { } attributes || !attributes.TryGetValue(LeaseLabel, out var lease))
        {
            return null;
        }

        LeaseEventKind? kind = line.Action switch
        {
            "start" => LeaseEventKind.Started,
            "die" => LeaseEventKind.Stopped,
            "pause" => LeaseEventKind.Paused,
            "unpause" => LeaseEventKind.Resumed,
            "oom" => LeaseEventKind.OutOfMemory,
            "destroy" => LeaseEventKind.Removed,
            _ => null,
        };
        return kind is null ? null : new LeaseEvent(kind.Value, lease, DateTimeOffset.UnixEpoch.AddTicks(line.TimeNano / 100), attributes.GetValueOrDefault("exitCode"));
    }

    private LeaseContainer? Adopt(ContainerSummary summary)
    {
        if (summary.Labels is null || !summary.Labels.TryGetValue(LeaseLabel, out var leaseId) || !summary.Labels.TryGetValue(RecordLabel, out var text))
        {
            return null;
        }

        try
        {
            CheckId(leaseId);
            return JsonSerializer.Deserialize(text, LeaseJson.Default.LeaseRecord) is { } record ? new LeaseContainer(this, leaseId, summary.Id, record) : null;
        }
        catch (Exception e) when (e is JsonException or ArgumentException)
        {
            // Someone else's container with our label: not ours to touch.
            return null;
        }
    }

    /// <summary>
    /// Finds an image, or pulls it. NAME@sha256:DIGEST is looked up as the registry's digest, then as this engine's own ID: an image that
    /// was imported or built here never was in a registry and has no other digest.
    /// </summary>
    /// <returns>The image, and how a container names it.</returns>
    private async Task<(ImageInspect Image, string Name)> FindImageAsync(LeaseSpec spec, IProgress<PullProgress>? progress, CancellationToken cancellationToken)
    {
        var at = spec.Image.IndexOf("@sha256:", StringComparison.Ordinal);
        string[] names = at < 0 ? [spec.Image] : [spec.Image, spec.Image[(at + 1)..]];
        EngineException? missing = null;
        foreach (var name in names)
        {
            try
            {
                return (await Engine.InspectImageAsync(name, cancellationToken).ConfigureAwait(false), name);
            }
            catch (EngineException e) when (e.Failure == EngineFailure.NotFound)
            {
                missing = e;
            }
        }

        if (!spec.PullMissingImage)
        {
            throw new EngineException(EngineFailure.NotFound, $"The image {spec.Image} is not on this machine. Get it with 'docker pull {spec.Image}', or build it; 'docker images' lists what is there.", missing!) { Status = missing!.Status };
        }

        await Engine.PullImageAsync(spec.Image, line => progress?.Report(new PullProgress(line.Status ?? "", line.Id, line.ProgressDetail?.Current, line.ProgressDetail?.Total)), cancellationToken).ConfigureAwait(false);
        return (await Engine.InspectImageAsync(spec.Image, cancellationToken).ConfigureAwait(false), spec.Image);
    }

    private async Task EnsureNetworkAsync(string name, CancellationToken cancellationToken)
    {
        if (name is "bridge" or "host" or "none" or "default")
        {
            return;
        }

        try
        {
            await Engine.InspectNetworkAsync(name, cancellationToken).ConfigureAwait(false);
        }
        catch (EngineException e) when (e.Failure == EngineFailure.NotFound)
        {
            try
            {
                await Engine.CreateNetworkAsync(
                    new CreateNetwork(name, "bridge", true, new Dictionary<string, string> { ["com.docker.network.bridge.enable_icc"] = "false" }, new Dictionary<string, string> { ["com.shaleprotocol.network"] = "leases" }),
                    cancellationToken).ConfigureAwait(false);
            }
            catch (EngineException race) when (race.Failure == EngineFailure.Conflict)
            {
                // Another lease made it in this moment.
            }
        }
    }

    private CreateContainer Describe(string leaseId, LeaseSpec spec, ImageInspect image, string imageName, string network)
    {
        var mounts = spec.Mounts.Select(m => new MountPoint("bind", m.Source, m.Target, true, new BindOptions("rprivate"))).ToList();
        if (Engine.Endpoint.IsLocal)
        {
            mounts.Add(new MountPoint("bind", Folder(leaseId), ExecAgent.MountPoint, true, new BindOptions("rprivate")));
        }

        string[] command = [];
        if (spec.RunImageCommand)
        {
            command = [.. image.Config?.Entrypoint ?? [], .. image.Config?.Cmd ?? []];
        }

        return new CreateContainer
        {
            Image = imageName,
            Hostname = spec.Hostname ?? leaseId,
            User = "0:0", // process 1 and the helper; sessions get the lease's user
            Env = [.. spec.Environment.Select(e => e.Key + "=" + e.Value)],
            Entrypoint = [ExecAgent.HelperPath, "init"],
            Cmd = command,
            Labels = new Dictionary<string, string>
            {
                [LeaseLabel] = leaseId,
                [RecordLabel] = JsonSerializer.Serialize(LeaseRecord.Of(spec, image), LeaseJson.Default.LeaseRecord),
            },
            ExposedPorts = spec.Ports.Count == 0 ? null : spec.Ports.Select(p => p.Key).Distinct().ToDictionary(k => k, _ => new ExposedPort()),
            HostConfig = new HostConfig
            {
                NanoCpus = spec.MilliCpus * 1_000_000,
                Memory = spec.MemoryBytes,
                MemorySwap = spec.MemoryBytes, // the same: no swap on top
                ShmSize = spec.MemoryBytes > 0 ? spec.MemoryBytes / 2 : 1 << 30, // counts against the memory; Docker's 64 MiB breaks data loaders
                PidsLimit = spec.PidsLimit,
                OomScoreAdj = 500, // when the machine runs out of memory, a lease's process goes before the gateway's
                Privileged = false,
                Init = false,
                CapDrop = ["ALL"],
                CapAdd = Capabilities,
                SecurityOpt = ["no-new-privileges"],
                Mounts = [.. mounts],
                DeviceRequests = spec.Gpus is null
                    ? null
                    : [new DeviceRequest("", spec.Gpus.DeviceIds.Count > 0 ? 0 : spec.Gpus.Count, spec.Gpus.DeviceIds.Count > 0 ? [.. spec.Gpus.DeviceIds] : null, [["gpu"]])],
                PortBindings = spec.Ports.Count == 0
                    ? null
                    : spec.Ports.GroupBy(p => p.Key).ToDictionary(g => g.Key, g => g.Select(p => new PortBinding(p.HostAddress?.ToString() ?? "", p.HostPort == 0 ? "" : $"{p.HostPort}")).ToArray()),
                NetworkMode = network,
                LogConfig = new LogConfig(spec.RunImageCommand ? "json-file" : "none", spec.RunImageCommand ? new Dictionary<string, string> { ["max-size"] = "10m" } : null),
                RestartPolicy = new RestartPolicy("no"), // it only runs while a gateway looks at its lease
            },
        };
    }

    private async Task RemoveQuietlyAsync(string id)
    {
        try
        {
            await Engine.RemoveContainerAsync(id, CancellationToken.None).ConfigureAwait(false);
        }
        catch (EngineException)
        {
            // The first failure is the one to tell; what is left is found by its label.
        }
    }
}

/// <summary>What has to be known about a lease's container after a restart; kept in its label.</summary>
internal sealed record LeaseRecord(string? User, long? Bandwidth, LeaseServiceRecord[] Services, string Image)
{
    public static LeaseRecord Of(LeaseSpec spec, ImageInspect image) => new(
        spec.User ?? (string.IsNullOrEmpty(image.Config?.User) ? null : image.Config.User),
        spec.BandwidthBytesPerSecond,
        [.. spec.Services.Select(s => new LeaseServiceRecord(s.Name, [.. s.Arguments]))],
        image.Id);
}

internal sealed record LeaseServiceRecord(string Name, string[] Arguments);

[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(LeaseRecord))]
internal sealed partial class LeaseJson : JsonSerializerContext;
