using Microsoft.Extensions.Logging;

namespace Shale.Gateway;

/// <summary>What the operator reads. Event ids are stable: 1000 leases, 1100 containers, 1200 sessions, 1300 payments, 1400 the gateway itself.</summary>
internal static partial class GatewayLog
{
    [LoggerMessage(1000, LogLevel.Error, "Lease file {File} is refused: {Problem}. The last good version stays in force.")]
    public static partial void LeaseFileRefused(ILogger logger, string file, string problem);

    [LoggerMessage(1001, LogLevel.Information, "Lease {Lease} is served from image {Image}.")]
    public static partial void LeaseServed(ILogger logger, ulong lease, string image);

    [LoggerMessage(1002, LogLevel.Information, "Lease {Lease} is over.")]
    public static partial void LeaseEnded(ILogger logger, ulong lease);

    [LoggerMessage(1003, LogLevel.Warning, "The status of lease {Lease} could not be written: {Problem}")]
    public static partial void StatusNotWritten(ILogger logger, ulong lease, string problem);

    [LoggerMessage(1004, LogLevel.Error, "Lease {Lease}: a line of its authorized keys is no key and lets nobody in: {Line}")]
    public static partial void KeyLineRefused(ILogger logger, ulong lease, string line);

    [LoggerMessage(1100, LogLevel.Error, "The container of lease {Lease} can't be made: {Problem} Tried again in {Seconds} s.")]
    public static partial void ContainerFailed(ILogger logger, ulong lease, string problem, double seconds);

    [LoggerMessage(1101, LogLevel.Warning, "The container of lease {Lease} stopped (killed for memory, or by a restart of the engine); it is started again.")]
    public static partial void ContainerStopped(ILogger logger, ulong lease);

    [LoggerMessage(1102, LogLevel.Warning, "The container of lease {Lease} could not be removed: {Problem} It is removed when the gateway starts next.")]
    public static partial void RemovalFailed(ILogger logger, ulong lease, string problem);

    [LoggerMessage(1103, LogLevel.Warning, "Containers of leases that are over may be left: {Problem}")]
    public static partial void StrayContainersLeft(ILogger logger, string problem);

    [LoggerMessage(1104, LogLevel.Warning, "Lease {Lease}: the kernel ended a process because the container's memory ({Bytes} bytes; 0: the machine's) is used up.")]
    public static partial void OutOfMemory(ILogger logger, ulong lease, long bytes);

    [LoggerMessage(1105, LogLevel.Warning, "The engine does not answer: {Problem} Sessions that run go on; it is asked again until it is back.")]
    public static partial void EngineLost(ILogger logger, string problem);

    [LoggerMessage(1204, LogLevel.Warning, "Connection {Connection}: the user's ssh-agent is not reachable from the container of lease {Lease}: {Reason}")]
    public static partial void AgentNotForwarded(ILogger logger, string connection, ulong lease, string reason);

    [LoggerMessage(1200, LogLevel.Information, "Connection {Connection} to lease {Lease} from {Remote} with key {Fingerprint}.")]
    public static partial void Connected(ILogger logger, string connection, ulong lease, string remote, string fingerprint);

    [LoggerMessage(1201, LogLevel.Information, "Connection {Connection} is over: {Reason}")]
    public static partial void Disconnected(ILogger logger, string connection, string reason);

    [LoggerMessage(1202, LogLevel.Information, "Connection {Connection}: {Kind} on lease {Lease} was turned away: {Reason}")]
    public static partial void SessionRefused(ILogger logger, string connection, string kind, ulong lease, string reason);

    [LoggerMessage(1203, LogLevel.Error, "Connection {Connection}: a session on lease {Lease} failed.")]
    public static partial void SessionFailed(ILogger logger, Exception exception, string connection, ulong lease);

    [LoggerMessage(1204, LogLevel.Information, "Lease {Lease} packed the result {Cid}, a CAR of {Bytes} bytes.")]
    public static partial void ResultPacked(ILogger logger, ulong lease, string cid, long bytes);

    [LoggerMessage(1300, LogLevel.Error, "Lease {Lease} is not served: its terms of payment are refused: {Problem}.")]
    public static partial void PaymentTermsRefused(ILogger logger, ulong lease, string problem);

    [LoggerMessage(1301, LogLevel.Warning, "Lease {Lease} was not paid: {Problem}")]
    public static partial void ChargeFailed(ILogger logger, ulong lease, string problem);

    [LoggerMessage(1302, LogLevel.Warning, "Lease {Lease} stayed unpaid too long and ends.")]
    public static partial void LeaseUnpaidTooLong(ILogger logger, ulong lease);

    [LoggerMessage(1303, LogLevel.Error, "Lease {Lease}: its container could not be frozen or let go on: {Problem} Tried again at once.")]
    public static partial void PaymentTickFailed(ILogger logger, ulong lease, string problem);

    [LoggerMessage(1304, LogLevel.Error, "Lease {Lease}: the entry {Entry} is not in the voucher log: {Problem}")]
    public static partial void LogEntryNotWritten(ILogger logger, ulong lease, string entry, string problem);

    [LoggerMessage(1305, LogLevel.Error, "Lease {Lease}: its meter was not saved: {Problem}")]
    public static partial void MeterNotSaved(ILogger logger, ulong lease, string problem);

    [LoggerMessage(1307, LogLevel.Error, "Lease {Lease}: a settlement of it is not in the voucher log: {Problem}")]
    public static partial void SettlementNotRecorded(ILogger logger, ulong lease, string problem);

    [LoggerMessage(1306, LogLevel.Warning, "The voucher log in {Folder} ended in {Bytes} bytes of an append that a crash cut short; nobody was told of it, and it was cut off.")]
    public static partial void LogCutOff(ILogger logger, string folder, long bytes);

    [LoggerMessage(1307, LogLevel.Warning, "Lease {Lease}: the probe {Probe} failed: {Problem}")]
    public static partial void ProbeFailed(ILogger logger, ulong lease, string probe, string problem);

    [LoggerMessage(1400, LogLevel.Information, "Serving SSH on {Endpoint}; host keys {Fingerprints}.")]
    public static partial void Listening(ILogger logger, string endpoint, string fingerprints);

    [LoggerMessage(1401, LogLevel.Information, "The voucher log is served read-only on {Address}.")]
    public static partial void LogServed(ILogger logger, string address);
}
