using System.Text.Json;
using System.Text.Json.Serialization;

namespace Shale.Containers.Engine;

// The parts of the Docker Engine API's objects that Shale uses; names are the API's, so that its reference reads along.
// https://docs.docker.com/reference/api/engine/

internal sealed record EngineVersion(string? Version, string ApiVersion, string? MinAPIVersion, string? Os, string? Arch, string? KernelVersion);

internal sealed record IdAnswer(string Id, string[]? Warnings);

internal sealed record DeviceRequest(string Driver, int Count, string[]? DeviceIDs, string[][] Capabilities);

internal sealed record MountPoint(string Type, string Source, string Target, bool ReadOnly, BindOptions? BindOptions = null);

internal sealed record BindOptions(string Propagation, bool CreateMountpoint = false);

internal sealed record PortBinding(string HostIp, string HostPort);

internal sealed record LogConfig(string Type, Dictionary<string, string>? Config = null);

internal sealed record RestartPolicy(string Name);

internal sealed record ExposedPort;

internal sealed record HostConfig
{
    public long NanoCpus { get; init; }
    public long Memory { get; init; }
    public long MemorySwap { get; init; }
    public long? PidsLimit { get; init; }
    public long ShmSize { get; init; }
    public int OomScoreAdj { get; init; }
    public bool Privileged { get; init; }
    public bool? Init { get; init; }
    public string[]? CapAdd { get; init; }
    public string[]? CapDrop { get; init; }
    public string[]? SecurityOpt { get; init; }
    public MountPoint[]? Mounts { get; init; }
    public DeviceRequest[]? DeviceRequests { get; init; }
    public Dictionary<string, PortBinding[]>? PortBindings { get; init; }
    public string? NetworkMode { get; init; }
    public LogConfig? LogConfig { get; init; }
    public RestartPolicy? RestartPolicy { get; init; }
}

internal sealed record CreateContainer
{
    public required string Image { get; init; }
    public string? Hostname { get; init; }
    public string? User { get; init; }
    public string[]? Env { get; init; }
    public string[]? Entrypoint { get; init; }
    public string[]? Cmd { get; init; }
    public string? WorkingDir { get; init; }
    public Dictionary<string, string>? Labels { get; init; }
    public Dictionary<string, ExposedPort>? ExposedPorts { get; init; }
    public HostConfig? HostConfig { get; init; }
}

internal sealed record ContainerStateAnswer(string? Status, bool Running, bool Paused, bool OOMKilled, bool Dead, int Pid, int ExitCode, string? Error, DateTimeOffset? StartedAt);

internal sealed record ContainerConfigAnswer(string? Hostname, string? User, string[]? Env, string? WorkingDir, Dictionary<string, string>? Labels, string? Image, string[]? Entrypoint, string[]? Cmd);

internal sealed record EndpointAnswer(string? IPAddress, string? GlobalIPv6Address, string? NetworkID);

internal sealed record NetworkSettingsAnswer(Dictionary<string, PortBinding[]?>? Ports, Dictionary<string, EndpointAnswer>? Networks);

internal sealed record ContainerInspect(string Id, string? Name, string? Image, DateTimeOffset? Created, ContainerStateAnswer State, ContainerConfigAnswer Config, HostConfig HostConfig, NetworkSettingsAnswer? NetworkSettings);

internal sealed record ContainerSummary(string Id, string[]? Names, string? State, Dictionary<string, string>? Labels);

internal sealed record ImageInspect(string Id, string[]? RepoTags, string[]? RepoDigests, string? Architecture, string? Os, ContainerConfigAnswer? Config);


internal sealed record PullProgressDetail(
    [property: JsonPropertyName("current")] long? Current,
    [property: JsonPropertyName("total")] long? Total);

internal sealed record PullLine(
    [property: JsonPropertyName("status")] string? Status,
    [property: JsonPropertyName("id")] string? Id,
    [property: JsonPropertyName("progressDetail")] PullProgressDetail? ProgressDetail,
    [property: JsonPropertyName("error")] string? Error);

internal sealed record CreateExec
{
    public bool AttachStdin { get; init; }
    public bool AttachStdout { get; init; }
    public bool AttachStderr { get; init; }
    public bool Tty { get; init; }
    public uint[]? ConsoleSize { get; init; }
    public string[]? Env { get; init; }
    public required string[] Cmd { get; init; }
    public string? User { get; init; }
    public string? WorkingDir { get; init; }
    public bool Privileged { get; init; }
}

internal sealed record StartExec(bool Detach, bool Tty, uint[]? ConsoleSize = null);

internal sealed record ExecInspect(string ID, bool Running, int? ExitCode, int Pid);

internal sealed record CpuUsage(
    [property: JsonPropertyName("total_usage")] ulong TotalUsage);

internal sealed record CpuStats(
    [property: JsonPropertyName("cpu_usage")] CpuUsage? Usage,
    [property: JsonPropertyName("online_cpus")] uint OnlineCpus);

internal sealed record MemoryStats(
    [property: JsonPropertyName("usage")] ulong Usage,
    [property: JsonPropertyName("limit")] ulong Limit,
    [property: JsonPropertyName("stats")] Dictionary<string, ulong>? Details);

internal sealed record PidsStats([property: JsonPropertyName("current")] ulong Current);

internal sealed record NetworkStats(
    [property: JsonPropertyName("rx_bytes")] ulong RxBytes,
    [property: JsonPropertyName("tx_bytes")] ulong TxBytes);

internal sealed record BlkioEntry(
    [property: JsonPropertyName("op")] string? Op,
    [property: JsonPropertyName("value")] ulong Value);

internal sealed record BlkioStats(
    [property: JsonPropertyName("io_service_bytes_recursive")] BlkioEntry[]? ServiceBytes);

internal sealed record StatsAnswer(
    [property: JsonPropertyName("read")] DateTimeOffset? Read,
    [property: JsonPropertyName("cpu_stats")] CpuStats? Cpu,
    [property: JsonPropertyName("memory_stats")] MemoryStats? Memory,
    [property: JsonPropertyName("pids_stats")] PidsStats? Pids,
    [property: JsonPropertyName("networks")] Dictionary<string, NetworkStats>? Networks,
    [property: JsonPropertyName("blkio_stats")] BlkioStats? Blkio);

internal sealed record EventActor(string? ID, Dictionary<string, string>? Attributes);

internal sealed record EventLine(string? Type, string? Action, EventActor? Actor, [property: JsonPropertyName("timeNano")] long TimeNano);

internal sealed record CreateNetwork(string Name, string Driver, bool CheckDuplicate, Dictionary<string, string>? Options, Dictionary<string, string>? Labels);

internal sealed record NetworkInspect(string Id, string Name, Dictionary<string, string>? Options);

[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, PropertyNameCaseInsensitive = false)]
[JsonSerializable(typeof(EngineVersion))]
[JsonSerializable(typeof(EngineMessageWire))]
[JsonSerializable(typeof(IdAnswer))]
[JsonSerializable(typeof(CreateContainer))]
[JsonSerializable(typeof(ContainerInspect))]
[JsonSerializable(typeof(ContainerSummary[]))]
[JsonSerializable(typeof(ImageInspect))]
[JsonSerializable(typeof(PullLine))]
[JsonSerializable(typeof(CreateExec))]
[JsonSerializable(typeof(StartExec))]
[JsonSerializable(typeof(ExecInspect))]
[JsonSerializable(typeof(StatsAnswer))]
[JsonSerializable(typeof(EventLine))]
[JsonSerializable(typeof(CreateNetwork))]
[JsonSerializable(typeof(NetworkInspect))]
[JsonSerializable(typeof(Dictionary<string, string[]>))]
internal sealed partial class EngineJson : JsonSerializerContext;

internal sealed record EngineMessageWire([property: JsonPropertyName("message")] string? Message);
