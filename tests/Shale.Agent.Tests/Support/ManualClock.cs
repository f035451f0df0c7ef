using Shale.Payments.Policy;

namespace Shale.Agent.Tests.Support;

/// <summary>A clock that only the test moves.</summary>
internal sealed class ManualClock : IAgentClock
{
    private readonly Guid _boot = Guid.NewGuid();
    private long _milliseconds = 1_000_000;

    public ClockReading Read() => new(_boot, _milliseconds, 1_795_000_000_000 + _milliseconds);

    public void Advance(double seconds) => Interlocked.Add(ref _milliseconds, (long)(seconds * 1000));
}
