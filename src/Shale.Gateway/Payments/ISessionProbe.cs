using Shale.Gateway.Leases;

namespace Shale.Gateway.Payments;

/// <summary>Measures a lease's quality: the probes that a payment agent asks for by name with its vouchers, and judges.</summary>
public interface ISessionProbe
{
    /// <summary>Runs a probe.</summary>
    /// <param name="lease">The lease.</param>
    /// <param name="name">What the agent asked for; text of a stranger's.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <returns>The report, JSON of at most 16,384 bytes in UTF-8; null for a probe that is not known.</returns>
    /// <exception cref="IOException">It failed; the agent hears nothing and asks again.</exception>
    ValueTask<string?> RunAsync(LeaseService lease, string name, CancellationToken cancellation);
}

/// <summary>Knows no probe.</summary>
internal sealed class NoSessionProbe : ISessionProbe
{
    public static readonly NoSessionProbe Instance = new();

    private NoSessionProbe()
    {
    }

    public ValueTask<string?> RunAsync(LeaseService lease, string name, CancellationToken cancellation) => ValueTask.FromResult<string?>(null);
}
