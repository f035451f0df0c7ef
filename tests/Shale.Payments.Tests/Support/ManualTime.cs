using Shale.Payments.Policy;

namespace Shale.Payments.Tests.Support;

/// <summary>A monotonic clock, a boot clock and a wall clock that only the test moves; the wall clock may also jump.</summary>
internal sealed class ManualTime : TimeProvider, IAgentClock
{
    private long _milliseconds;
    private long _wallOffset = DateTimeOffset.Parse("2026-11-21T12:00:00Z").ToUnixTimeMilliseconds();
    private long _bootOffset = 1_000_000;

    public Guid BootId { get; private set; } = Guid.NewGuid();

    public override long TimestampFrequency => 1000;

    public override long GetTimestamp() => _milliseconds;

    public override DateTimeOffset GetUtcNow() => DateTimeOffset.FromUnixTimeMilliseconds(_wallOffset + _milliseconds);

    public ClockReading Read() => new(BootId, _bootOffset + _milliseconds, _wallOffset + _milliseconds);

    public void Advance(double seconds) => _milliseconds += (long)(seconds * 1000);

    public void JumpWall(double seconds) => _wallOffset += (long)(seconds * 1000);

    /// <summary>The boot clock begins again; the wall clock goes on.</summary>
    public void Reboot()
    {
        BootId = Guid.NewGuid();
        _bootOffset = -_milliseconds;
    }
}
