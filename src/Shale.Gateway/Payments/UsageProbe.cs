using System.Text.Json.Nodes;
using Shale.Containers.Probes;
using Shale.Gateway.Leases;

namespace Shale.Gateway.Payments;

/// <summary>What a lease's container uses now (docs/AGENT.md): the probe <c>usage</c>, for the client's panel. Shown, not judged.</summary>
internal sealed class UsageProbe(LeaseService lease, PaymentServices services)
{
    /// <summary>What agents call it.</summary>
    public const string Name = "usage";

    // Processor use is an average since the question before; where that is long ago, over this time from now.
    private static readonly TimeSpan ShortSpan = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan LongSpan = TimeSpan.FromSeconds(30);

    private ContainerStats? _before;
    private int _running;

    /// <summary>Asks the engine. Null: there is no container yet, or the question before is not answered yet.</summary>
    /// <exception cref="IOException">The engine doesn't answer.</exception>
    public async Task<string?> RunAsync(CancellationToken cancellation)
    {
        if (lease.Container is not { } container || Interlocked.Exchange(ref _running, 1) != 0)
        {
            return null;
        }

        try
        {
            var now = await container.GetStatsAsync(cancellation).ConfigureAwait(false);
            if (_before is null || now.Time - _before.Time > LongSpan)
            {
                _before = now;
                await Task.Delay(ShortSpan, services.Time, cancellation).ConfigureAwait(false);
                now = await container.GetStatsAsync(cancellation).ConfigureAwait(false);
            }

            var report = new JsonObject
            {
                ["cpu_percent"] = Math.Round(100 * now.CpusSince(_before), 1),
                ["memory_bytes"] = now.MemoryBytes,
                ["memory_limit_bytes"] = now.MemoryLimitBytes,
            };
            _before = now;
            return report.ToJsonString();
        }
        finally
        {
            Volatile.Write(ref _running, 0);
        }
    }
}
