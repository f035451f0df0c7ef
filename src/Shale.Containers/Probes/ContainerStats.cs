using Shale.Containers.Engine;

namespace Shale.Containers.Probes;

/// <summary>Counters of a container at one moment, from its control groups.</summary>
/// <param name="Time">When.</param>
/// <param name="CpuTime">Processor time of all its processes since it started.</param>
/// <param name="MemoryBytes">Memory in use without page cache that can be dropped, as docker stats shows it.</param>
/// <param name="MemoryLimitBytes">Its limit; the machine's memory where it has none.</param>
/// <param name="Processes">Processes and threads.</param>
/// <param name="ReceivedBytes">Bytes that came in over its network interfaces.</param>
/// <param name="SentBytes">Bytes that went out over them.</param>
/// <param name="ReadBytes">Bytes read from disks.</param>
/// <param name="WrittenBytes">Bytes written to disks.</param>
public sealed record ContainerStats(
    DateTimeOffset Time,
    TimeSpan CpuTime,
    long MemoryBytes,
    long MemoryLimitBytes,
    long Processes,
    long ReceivedBytes,
    long SentBytes,
    long ReadBytes,
    long WrittenBytes)
{
    /// <summary>Processors in use on average since <paramref name="earlier"/>: 1.5 is one and a half.</summary>
    public double CpusSince(ContainerStats earlier)
    {
        ArgumentNullException.ThrowIfNull(earlier);
        var elapsed = Time - earlier.Time;
        return elapsed > TimeSpan.Zero && CpuTime >= earlier.CpuTime ? (CpuTime - earlier.CpuTime) / elapsed : 0;
    }

    internal static ContainerStats From(StatsAnswer answer, DateTimeOffset now)
    {
        // What docker stats subtracts: inactive file pages, by the name that control groups version 1 and 2 give them.
        var details = answer.Memory?.Details;
        ulong inactive = 0;
        if (details is not null && !details.TryGetValue("total_inactive_file", out inactive))
        {
            details.TryGetValue("inactive_file", out inactive);
        }

        var usage = answer.Memory?.Usage ?? 0;
        var networks = answer.Networks?.Values ?? Enumerable.Empty<NetworkStats>();
        var disks = answer.Blkio?.ServiceBytes ?? [];
        return new ContainerStats(
            answer.Read is { Year: > 1 } read ? read : now,
            TimeSpan.FromTicks((long)((answer.Cpu?.Usage?.TotalUsage ?? 0) / 100)),
            Signed(usage > inactive ? usage - inactive : usage),
            Signed(answer.Memory?.Limit ?? 0),
            Signed(answer.Pids?.Current ?? 0),
            Signed(networks.Aggregate(0UL, (sum, n) => sum + n.RxBytes)),
            Signed(networks.Aggregate(0UL, (sum, n) => sum + n.TxBytes)),
            Sum("read"),
            Sum("write"));

        static long Signed(ulong value) => (long)Math.Min(value, long.MaxValue);

        long Sum(string operation) => Signed(disks.Where(d => string.Equals(d.Op, operation, StringComparison.OrdinalIgnoreCase)).Aggregate(0UL, (sum, d) => sum + d.Value));
    }
}
