using System.Runtime.InteropServices;

namespace Shale.Payments.Policy;

/// <summary>A point in time that survives sleep and restarts as well as it can.</summary>
/// <param name="BootId">Tells one boot of the machine from another.</param>
/// <param name="BootMilliseconds">Time since that boot, sleep included.</param>
/// <param name="WallMilliseconds">Unix time.</param>
public readonly record struct ClockReading(Guid BootId, long BootMilliseconds, long WallMilliseconds)
{
    /// <summary>
    /// The time from an earlier reading to this one, in milliseconds: on the boot clock within one boot, on the wall clock across
    /// a restart. A negative step counts as 0.
    /// </summary>
    public ulong Since(in ClockReading earlier)
    {
        long elapsed = BootId == earlier.BootId
            ? BootMilliseconds - earlier.BootMilliseconds
            : WallMilliseconds - earlier.WallMilliseconds;
        return (ulong)Math.Max(0, elapsed);
    }
}

/// <summary>The agent's own clock.</summary>
public interface IAgentClock
{
    /// <summary>Now.</summary>
    ClockReading Read();
}

/// <summary>
/// CLOCK_BOOTTIME, which runs through sleep and which no user sets (TimeProvider's monotonic clock stands still in sleep), the
/// kernel's boot ID, and the wall clock of a <see cref="TimeProvider"/>.
/// </summary>
public sealed partial class SystemAgentClock : IAgentClock
{
    private const int BootTime = 7;
    private readonly TimeProvider _wall;
    private readonly Guid _bootId;

    /// <summary>Reads the boot ID.</summary>
    /// <exception cref="IOException">This is no Linux, or /proc isn't there.</exception>
    public SystemAgentClock(TimeProvider wall)
    {
        _wall = wall;
        _bootId = Guid.Parse(File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim());
    }

    /// <inheritdoc/>
    public ClockReading Read()
    {
        if (ClockGetTime(BootTime, out TimeSpec time) != 0)
        {
            throw new IOException($"CLOCK_BOOTTIME can't be read (error {Marshal.GetLastPInvokeError()}).");
        }

        return new ClockReading(
            _bootId, (time.Seconds * 1000) + (time.Nanoseconds / 1_000_000), _wall.GetUtcNow().ToUnixTimeMilliseconds());
    }

    [LibraryImport("libc", EntryPoint = "clock_gettime", SetLastError = true)]
    private static partial int ClockGetTime(int clock, out TimeSpec time);

    [StructLayout(LayoutKind.Sequential)]
    private struct TimeSpec
    {
        public long Seconds;
        public long Nanoseconds;
    }
}
