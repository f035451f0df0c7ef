using Microsoft.Extensions.Logging;

namespace Shale.Agent;

/// <summary>What the agent logs; event ids are stable.</summary>
internal static partial class AgentLog
{
    [LoggerMessage(1, LogLevel.Information, "the agent serves {Folder} with payment key {Key}")]
    public static partial void Started(ILogger logger, string folder, string key);

    [LoggerMessage(2, LogLevel.Warning, "{Path} accepts no connections for now")]
    public static partial void AcceptFailed(ILogger logger, Exception cause, string path);

    [LoggerMessage(3, LogLevel.Error, "a connection to {Path} failed")]
    public static partial void ConnectionFailed(ILogger logger, Exception cause, string path);

    [LoggerMessage(4, LogLevel.Warning, "lease {Lease}: not paid: {Text}")]
    public static partial void Refused(ILogger logger, ulong lease, string text);

    [LoggerMessage(5, LogLevel.Information, "lease {Lease}: {Kind}: {Text}")]
    public static partial void Noticed(ILogger logger, ulong lease, string kind, string text);

    [LoggerMessage(6, LogLevel.Warning, "lease {Lease}: the provider's voucher log was {Before} and is {Now}: what it showed before can't be compared any more")]
    public static partial void LogReplaced(ILogger logger, ulong lease, string before, string now);

    [LoggerMessage(7, LogLevel.Information, "lease {Lease}: kept paid over a connection of its own")]
    public static partial void Keeping(ILogger logger, ulong lease);

    [LoggerMessage(8, LogLevel.Warning, "lease {Lease}: the connection that keeps it paid ended: {Text}; the next try is in {Seconds} s")]
    public static partial void KeepLost(ILogger logger, ulong lease, string text, double seconds);

    [LoggerMessage(9, LogLevel.Warning, "{Problem}")]
    public static partial void LeaseProblem(ILogger logger, string problem);

    [LoggerMessage(10, LogLevel.Error, "lease {Lease}: its settlement can't be written")]
    public static partial void SettlementNotWritten(ILogger logger, Exception cause, ulong lease);
}
