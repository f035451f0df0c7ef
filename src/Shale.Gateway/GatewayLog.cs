using Microsoft.Extensions.Logging;

namespace Shale.Gateway;

/// <summary>What the operator reads. Event ids are stable: 1000 leases, 1100 containers, 1200 sessions, 1300 payments.</summary>
internal static partial class GatewayLog
{
    [LoggerMessage(1000, LogLevel.Error, "Lease file {File} is refused: {Problem}. The last good version stays in force.")]
    public static partial void LeaseFileRefused(ILogger logger, string file, string problem);
}
