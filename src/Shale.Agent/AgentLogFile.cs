using System.Globalization;
using System.Text;
using Microsoft.Extensions.Logging;
using Shale.Agent.Files;

namespace Shale.Agent;

/// <summary>
/// The log of an agent in the background: a line an event, at most two files of 1 MiB.
/// </summary>
public sealed class AgentLogFile : ILoggerProvider, ILogger
{
    private const long MaxSize = 1 << 20;

    private readonly Lock _lock = new();
    private readonly string _path;
    private readonly TimeProvider _time;

    /// <summary>For an agent's folder.</summary>
    public AgentLogFile(AgentFolder folder, TimeProvider time)
    {
        _path = folder.LogFile;
        _time = time;
    }

    /// <inheritdoc/>
    public ILogger CreateLogger(string categoryName) => this;

    /// <inheritdoc/>
    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    /// <inheritdoc/>
    public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

    /// <inheritdoc/>
    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (!IsEnabled(logLevel))
        {
            return;
        }

        string line = string.Create(CultureInfo.InvariantCulture, $"{_time.GetUtcNow():yyyy-MM-ddTHH:mm:ssZ} {logLevel} [{eventId.Id}] {formatter(state, exception)}{(exception is null ? "" : ": " + exception)}\n");
        lock (_lock)
        {
            try
            {
                using (var file = new FileStream(_path, new FileStreamOptions { Mode = FileMode.Append, Access = FileAccess.Write, Share = FileShare.ReadWrite, UnixCreateMode = AgentFolder.FileMode }))
                {
                    file.Write(Encoding.UTF8.GetBytes(line));
                    if (file.Length <= MaxSize)
                    {
                        return;
                    }
                }

                File.Move(_path, _path + ".1", overwrite: true);
            }
            catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
            {
                // A full disk must not stop payment; what is signed has its own record, which does.
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
    }
}
