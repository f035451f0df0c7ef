using System.Diagnostics;
using System.Globalization;

namespace Shale.Containers.Probes;

/// <summary>A GPU as its driver names it.</summary>
/// <param name="Name">As nvidia-smi prints it, "NVIDIA H200".</param>
/// <param name="MemoryBytes">Its memory.</param>
/// <param name="Id">Its UUID, which Docker takes as a device.</param>
public sealed record HostGpu(string Name, long MemoryBytes, string Id);

/// <summary>What this machine has, for an offer: from /proc, the file system and nvidia-smi.</summary>
public sealed record HostResources
{
    private const int MaxOutput = 64 * 1024;

    private static readonly TimeSpan SmiLimit = TimeSpan.FromSeconds(20);

    /// <summary>The processor as it names itself, "AMD EPYC 7742 64-Core Processor"; "unknown" where it doesn't.</summary>
    public required string CpuModel { get; init; }

    /// <summary>Processors that this process may run on: a container's CPU limit counts these.</summary>
    public required int Cpus { get; init; }

    /// <summary>Bytes of memory.</summary>
    public required long MemoryBytes { get; init; }

    /// <summary>Bytes free in the file system of the folder that was named.</summary>
    public required long DiskBytes { get; init; }

    /// <summary>The NVIDIA GPUs; none where there is no driver.</summary>
    public required IReadOnlyList<HostGpu> Gpus { get; init; }

    /// <summary>Looks at this machine.</summary>
    /// <param name="folder">Where containers' data would lie; its file system's free space is reported.</param>
    /// <param name="cancellation">Ends the wait for nvidia-smi.</param>
    public static async Task<HostResources> ReadAsync(string folder, CancellationToken cancellation) => new()
    {
        CpuModel = ParseCpuModel(await File.ReadAllTextAsync("/proc/cpuinfo", cancellation).ConfigureAwait(false)) ?? "unknown",
        Cpus = Environment.ProcessorCount,
        MemoryBytes = ParseMemory(await File.ReadAllTextAsync("/proc/meminfo", cancellation).ConfigureAwait(false)) ?? GC.GetGCMemoryInfo().TotalAvailableMemoryBytes,
        DiskBytes = FreeSpace(folder),
        Gpus = await ReadGpusAsync("nvidia-smi", cancellation).ConfigureAwait(false),
    };

    /// <summary>The first <c>model name</c> of /proc/cpuinfo (x86), else <c>Model</c> or <c>Hardware</c> (ARM).</summary>
    internal static string? ParseCpuModel(string cpuinfo)
    {
        foreach (var name in new[] { "model name", "Model", "Hardware" })
        {
            foreach (var line in cpuinfo.Split('\n'))
            {
                var colon = line.IndexOf(':', StringComparison.Ordinal);
                if (colon > 0 && line.AsSpan(0, colon).Trim().SequenceEqual(name) && line[(colon + 1)..].Trim() is { Length: > 0 } model)
                {
                    return string.Join(' ', model.Split(' ', StringSplitOptions.RemoveEmptyEntries));
                }
            }
        }

        return null;
    }

    /// <summary>MemTotal of /proc/meminfo, which counts in KiB.</summary>
    internal static long? ParseMemory(string meminfo)
    {
        var line = meminfo.Split('\n').FirstOrDefault(l => l.StartsWith("MemTotal:", StringComparison.Ordinal));
        return line?.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [_, var number, "kB"] && long.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var kibibytes)
            ? kibibytes * 1024
            : null;
    }

    /// <summary>Lines of <c>name, MiB, UUID</c>. A line of another form is left out: a broken GPU is reported as text in its place.</summary>
    internal static IReadOnlyList<HostGpu> ParseGpus(string output)
    {
        var gpus = new List<HostGpu>();
        foreach (var line in output.Split('\n'))
        {
            if (line.Split(',', StringSplitOptions.TrimEntries) is [{ Length: > 0 } name, var memory, { Length: > 0 } id]
                && long.TryParse(memory, NumberStyles.None, CultureInfo.InvariantCulture, out var mebibytes) && id.StartsWith("GPU-", StringComparison.Ordinal))
            {
                gpus.Add(new HostGpu(name, mebibytes << 20, id));
            }
        }

        return gpus;
    }

    /// <summary>Asks nvidia-smi; none where it isn't installed, doesn't answer or fails.</summary>
    internal static async Task<IReadOnlyList<HostGpu>> ReadGpusAsync(string program, CancellationToken cancellation)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(SmiLimit);
        Process process;
        try
        {
            process = Process.Start(new ProcessStartInfo(program, ["--query-gpu=name,memory.total,uuid", "--format=csv,noheader,nounits"]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return [];
        }

        using (process)
        {
            try
            {
                var errors = process.StandardError.ReadToEndAsync(limit.Token);
                var buffer = new char[MaxOutput];
                var length = await process.StandardOutput.ReadBlockAsync(buffer, limit.Token).ConfigureAwait(false);
                await process.WaitForExitAsync(limit.Token).ConfigureAwait(false);
                _ = await errors.ConfigureAwait(false);
                return process.ExitCode == 0 ? ParseGpus(new string(buffer, 0, length)) : [];
            }
            catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
            {
                process.Kill(entireProcessTree: true);
                return [];
            }
        }
    }

    private static long FreeSpace(string folder)
    {
        for (var at = Path.GetFullPath(folder); at is not null; at = Path.GetDirectoryName(at))
        {
            if (Directory.Exists(at))
            {
                return new DriveInfo(at).AvailableFreeSpace;
            }
        }

        return 0;
    }
}
