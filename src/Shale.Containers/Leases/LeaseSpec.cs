using System.Net;

namespace Shale.Containers.Leases;

/// <summary>What a lease's container is: image, limits and what is mounted. Checked by <see cref="Validate"/> before anything is made.</summary>
public sealed record LeaseSpec
{
    /// <summary>Image name or digest, as docker names it; the digest may be the engine's own ID of the image.</summary>
    public required string Image { get; init; }

    /// <summary>Processors that it may use at most, in thousandths (1500: one and a half); 0: no limit.</summary>
    public long MilliCpus { get; init; }

    /// <summary>Memory in bytes (no swap on top); 0: no limit. At least 6 MiB, the engine's own minimum.</summary>
    public long MemoryBytes { get; init; }

    /// <summary>Processes and threads at most; default 4096: a build or a training run needs hundreds, a fork bomb is stopped.</summary>
    public long PidsLimit { get; init; } = 4096;

    /// <summary>GPUs; null: none.</summary>
    public GpuRequest? Gpus { get; init; }

    /// <summary>Files and folders of this machine that the container sees read-only.</summary>
    public IReadOnlyList<ReadOnlyMount> Mounts { get; init; } = [];

    /// <summary>Bytes a second each way over everything that the client sees: container network and SSH streams together; null: no limit.</summary>
    public long? BandwidthBytesPerSecond { get; init; }

    /// <summary>Ports of the container that this machine passes on.</summary>
    public IReadOnlyList<PublishedPort> Ports { get; init; } = [];

    /// <summary>Programs that run beside the SSH sessions from the container's start on, such as <see cref="LeaseService.Jupyter"/>.</summary>
    public IReadOnlyList<LeaseService> Services { get; init; } = [];

    /// <summary>A Docker network, or "none"; null: the host's default (<see cref="LeaseHostOptions.Network"/>).</summary>
    public string? Network { get; init; }

    /// <summary>Whom sessions run as, <c>name|uid[:group|gid]</c>; null: the image's user, else root.</summary>
    public string? User { get; init; }

    /// <summary>The host name inside; null: the lease's id.</summary>
    public string? Hostname { get; init; }

    /// <summary>Variables that every process of the container has.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();

    /// <summary>Whether the image's own entry point and command run beside the sessions; its end does not end the lease.</summary>
    public bool RunImageCommand { get; init; }

    /// <summary>Whether an image that this machine lacks is pulled from its registry.</summary>
    public bool PullMissingImage { get; init; } = true;

    /// <summary>Throws if a value can't be meant.</summary>
    /// <exception cref="ArgumentException">It says which and what is allowed.</exception>
    public void Validate()
    {
        Require(
            Image.Length is > 0 and <= 512 && Image.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-' or ':' or '/' or '@') && !Image.Split('/').Any(p => p is "" or "." or ".."),
            $"'{Image}' is not the name of an image, such as debian:12.");
        Require(
            Network is null || (Network.Length is > 0 and <= 128 && Network != "host" && Network.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-')),
            $"Network '{Network}': the name of a Docker network, or none. The machine's own network and other containers' are not leased.");
        Require(MilliCpus is 0 or >= 10, "CPUs: at least a hundredth of one.");
        Require(MemoryBytes is 0 or >= 6 << 20, "Memory: at least 6 MiB.");
        Require(PidsLimit is > 0 and <= 4_194_304, "Processes: 1 to 4194304.");
        Require(BandwidthBytesPerSecond is null or >= 8 * 1024, "Bandwidth: at least 8 KiB a second, or a shell can't be used.");
        Require(Gpus is null || Gpus.DeviceIds.Count > 0 || Gpus.Count is -1 or > 0, "GPUs: a positive number, all, or device ids.");
        foreach (var mount in Mounts)
        {
            Require(Path.IsPathRooted(mount.Source) && !mount.Source.Contains('\0', StringComparison.Ordinal), $"Mount source '{mount.Source}': an absolute path is needed.");
            Require(
                mount.Target.StartsWith('/') && mount.Target.Length > 1 && !mount.Target.Split('/').Contains("..") && !mount.Target.Contains('\0', StringComparison.Ordinal)
                && mount.Target != Exec.ExecAgent.MountPoint && !mount.Target.StartsWith(Exec.ExecAgent.MountPoint + "/", StringComparison.Ordinal),
                $"Mount target '{mount.Target}': an absolute path below / is needed, without '..' and outside {Exec.ExecAgent.MountPoint}.");
        }

        foreach (var port in Ports)
        {
            Require(port.ContainerPort is > 0 and <= 65535 && port.HostPort is >= 0 and <= 65535, "Ports: 1 to 65535 (0 on the host: any free one).");
        }

        foreach (var (name, value) in Environment)
        {
            Require(name.Length > 0 && name.IndexOfAny(['=', '\0']) < 0 && !value.Contains('\0', StringComparison.Ordinal), $"Environment variable '{name}': a name without '=' and no NUL are needed.");
        }

        foreach (var service in Services)
        {
            Require(service.Arguments.Count > 0, $"Service '{service.Name}' names no program.");
        }

        static void Require(bool holds, string message)
        {
            if (!holds)
            {
                throw new ArgumentException(message);
            }
        }
    }
}

/// <summary>GPUs through Docker device requests (needs NVIDIA's container toolkit on the machine).</summary>
/// <param name="Count">How many; -1: all; ignored where device ids are given.</param>
/// <param name="DeviceIds">UUIDs or indexes of nvidia-smi.</param>
public sealed record GpuRequest(int Count, IReadOnlyList<string> DeviceIds)
{
    /// <summary>All GPUs of the machine.</summary>
    public static GpuRequest All { get; } = new(-1, []);

    /// <summary>Any so many.</summary>
    public static GpuRequest Any(int count) => new(count, []);

    /// <summary>Those named.</summary>
    public static GpuRequest Devices(params IReadOnlyList<string> ids) => new(0, ids);
}

/// <summary>A file or folder of this machine in the container, read-only.</summary>
/// <param name="Source">Absolute path on this machine.</param>
/// <param name="Target">Absolute path in the container.</param>
public sealed record ReadOnlyMount(string Source, string Target);

/// <summary>A port of the container that this machine passes on.</summary>
/// <param name="ContainerPort">Port in the container.</param>
/// <param name="HostPort">Port here; 0: any free one.</param>
/// <param name="HostAddress">Address here; null: all.</param>
/// <param name="Udp">UDP instead of TCP.</param>
public sealed record PublishedPort(int ContainerPort, int HostPort = 0, IPAddress? HostAddress = null, bool Udp = false)
{
    internal string Key => $"{ContainerPort}/{(Udp ? "udp" : "tcp")}";
}

/// <summary>A program that runs in the container from its start on, beside the sessions, as the lease's user.</summary>
/// <param name="Name">For messages and logs.</param>
/// <param name="Arguments">Program and arguments.</param>
public sealed record LeaseService(string Name, IReadOnlyList<string> Arguments)
{
    /// <summary>
    /// JupyterLab on all of the container's addresses. The image has to have it. By its own name and not as "jupyter lab", which is there in images that have no more than notebooks, and ends too late to be noticed.
    /// </summary>
    /// <param name="port">Port in the container.</param>
    /// <param name="token">What the browser has to show; a secret.</param>
    public static LeaseService Jupyter(int port, string token) => new(
        "jupyter",
        ["jupyter-lab", "--ip=0.0.0.0", $"--port={port}", "--no-browser", "--allow-root", $"--ServerApp.token={token}"]);
}
