using System.Globalization;
using System.Net;
using System.Text;
using Microsoft.Extensions.Logging;
using Shale.Containers.Exec;
using Shale.Gateway.Admin;
using Shale.Gateway.Forwarding;
using Shale.Gateway.Leases;
using Shale.Gateway.Scp;
using Shale.Ssh.Connection;
using Shale.Ssh.Session;

namespace Shale.Gateway.Sessions;

/// <summary>Serves a subsystem other than a process in the container: SFTP, payment.</summary>
public interface ISubsystem
{
    /// <summary>Its name.</summary>
    string Name { get; }

    /// <summary>Serves it until it ends.</summary>
    /// <returns>The exit status.</returns>
    Task<int> ServeAsync(LeaseService lease, SshSession session, CancellationToken cancellation);
}

/// <summary>Runs SSH sessions in the containers of their leases.</summary>
internal sealed class SessionHandler(IReadOnlyList<ISubsystem> subsystems, AgentForwarding agents, GatewayMetrics metrics, ISessionRecorder recorder, TimeProvider time, ILogger logger) : ISessionHandler
{
    // What ssh itself exits with when the fault isn't the command's.
    private const int GatewayFault = 255;

    // What a shell says of a command that SIGKILL ended.
    private const int Killed = 128 + 9;

    // The kernel's word that it was for memory comes by way of the engine, a little after the end itself.
    private static readonly TimeSpan ReasonPatience = TimeSpan.FromMilliseconds(500);

    // sshd's Debian default (LANG, LC_*), what git and terminals add, and Shale's own. Everything else a user sets inside.
    private static readonly HashSet<string> Accepted = new(StringComparer.Ordinal) { "LANG", "LANGUAGE", "TZ", "COLORTERM", "NO_COLOR", "TERM_PROGRAM", "GIT_PROTOCOL" };

    public bool AcceptsEnvironment(SshServerConnection connection, string name, string value) =>
        Accepted.Contains(name) || name.StartsWith("LC_", StringComparison.Ordinal);

    public bool Accepts(SshSession session) =>
        session.Kind != SessionKind.Subsystem || subsystems.Any(s => s.Name == session.Subsystem);

    public async ValueTask HandleSessionAsync(SshSession session, CancellationToken cancellationToken)
    {
        var lease = (LeaseService)session.User.Identity;
        using var scope = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, lease.Ended);
        try
        {
            if (session.Kind == SessionKind.Subsystem)
            {
                var subsystem = subsystems.First(s => s.Name == session.Subsystem);
                await session.ExitAsync(await subsystem.ServeAsync(lease, session, scope.Token).ConfigureAwait(false), scope.Token).ConfigureAwait(false);
                return;
            }

            if (await ScpServer.TryServeAsync(lease, session, metrics, scope.Token).ConfigureAwait(false) is { } status)
            {
                await session.ExitAsync(status, scope.Token).ConfigureAwait(false);
                return;
            }

            var asked = time.GetTimestamp();
            var outOfMemory = lease.OutOfMemory;
            await using var agent = await agents.StartAsync(lease, session, scope.Token).ConfigureAwait(false);
            await using var process = await lease.RunAsync(session.Connection, Request(lease, session, agent), scope.Token).ConfigureAwait(false);
            metrics.ProcessStarted(time.GetElapsedTime(asked).TotalSeconds);
            using (metrics.CountSession(session.Kind.ToString().ToLowerInvariant()))
            {
                using var observer = new RelayObserver(lease, metrics, recorder.Begin(lease, session));
                var exit = await new SessionRelay(session, process, lease.Container?.Bandwidth, observer).RunAsync(scope.Token).ConfigureAwait(false);
                if (exit.Code == Killed && lease.Record.Container.MemoryBytes > 0)
                {
                    await ExplainKillAsync(lease, session, outOfMemory, scope.Token).ConfigureAwait(false);
                }

                if (exit.Signal is { } signal)
                {
                    await session.ExitSignalAsync(signal, exit.CoreDumped, "", scope.Token).ConfigureAwait(false);
                }
                else
                {
                    await session.ExitAsync(exit.Code, scope.Token).ConfigureAwait(false);
                }
            }
        }
        catch (ExecException refusal)
        {
            metrics.Refused(refusal.Failure.ToString());
            GatewayLog.SessionRefused(logger, session.Connection.Info.Id, session.Kind.ToString(), lease.Id, refusal.Message);
            await TellAsync(session, refusal.Message, refusal.ExitCode, cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (scope.IsCancellationRequested)
        {
            // The client is gone, or the lease is over: its connections were told so.
        }
        catch (IOException) when (cancellationToken.IsCancellationRequested)
        {
            // As above, seen from a write.
        }
        catch (IOException error)
        {
            GatewayLog.SessionFailed(logger, error, session.Connection.Info.Id, lease.Id);
            await TellAsync(session, "the session failed: " + error.Message, GatewayFault, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task ExplainKillAsync(LeaseService lease, SshSession session, Task outOfMemory, CancellationToken cancellation)
    {
        if (await Task.WhenAny(outOfMemory, Task.Delay(ReasonPatience, time, cancellation)).ConfigureAwait(false) == outOfMemory)
        {
            var text = string.Create(CultureInfo.InvariantCulture, $"shale: killed because the container's memory ({lease.Record.Container.MemoryBytes >> 20} MiB) is used up");
            await session.WriteErrorAsync(Encoding.UTF8.GetBytes(text + (session.Terminal is null ? "\n" : "\r\n")), cancellation).ConfigureAwait(false);
        }
    }

    /// <summary>One line on the user's stderr, and an exit that isn't mistaken for the command's.</summary>
    private static async Task TellAsync(SshSession session, string message, int exitCode, CancellationToken cancellation)
    {
        try
        {
            // A terminal in raw mode needs the carriage return.
            var end = session.Terminal is null ? "\n" : "\r\n";
            await session.WriteErrorAsync(Encoding.UTF8.GetBytes("shale: " + message + end), cancellation).ConfigureAwait(false);
            await session.ExitAsync(exitCode, cancellation).ConfigureAwait(false);
        }
        catch (Exception error) when (error is IOException or OperationCanceledException)
        {
            // Nobody is left to tell.
        }
    }

    private static ExecRequest Request(LeaseService lease, SshSession session, AgentSocket? agent)
    {
        var environment = new Dictionary<string, string>(session.Environment, StringComparer.Ordinal)
        {
            ["SHALE_LEASE"] = lease.Id.ToString(CultureInfo.InvariantCulture),
        };
        if (session.Terminal is { TerminalType.Length: > 0 } terminal)
        {
            environment["TERM"] = terminal.TerminalType;
        }

        if (session.Connection.Info is { RemoteEndPoint: IPEndPoint remote, LocalEndPoint: IPEndPoint local })
        {
            environment["SSH_CLIENT"] = string.Create(CultureInfo.InvariantCulture, $"{remote.Address} {remote.Port} {local.Port}");
            environment["SSH_CONNECTION"] = string.Create(CultureInfo.InvariantCulture, $"{remote.Address} {remote.Port} {local.Address} {local.Port}");
        }

        if (agent is not null)
        {
            environment["SSH_AUTH_SOCK"] = agent.Path;
        }

        if (session.OriginalCommand is { Length: > 0 } original)
        {
            environment["SSH_ORIGINAL_COMMAND"] = Encoding.UTF8.GetString(original.Span);
        }

        return new ExecRequest
        {
            // Cast, or null would become an empty command: a null array converts to empty memory.
            Command = session.Kind == SessionKind.Exec ? session.Command : (ReadOnlyMemory<byte>?)null,
            Environment = environment,
            Terminal = session.Terminal is { } asked ? Terminals.Request(asked) : null,
        };
    }

    private sealed class RelayObserver(LeaseService lease, GatewayMetrics metrics, ISessionRecording? recording) : IRelayObserver, IDisposable
    {
        public bool WritesFiles => recording is not null;

        public void OnOutput(ReadOnlySpan<byte> bytes, bool isError)
        {
            lease.CountOut(bytes.Length);
            metrics.Transferred("out", bytes.Length);
            recording?.Output(bytes);
        }

        public void OnInput(ReadOnlySpan<byte> bytes)
        {
            lease.CountIn(bytes.Length);
            metrics.Transferred("in", bytes.Length);
        }

        public void OnResize(Ssh.Session.TerminalSize size) => recording?.Resize(size.Columns, size.Rows);

        public void Dispose() => recording?.Dispose();
    }
}

/// <summary>Records terminal sessions, where provider and lease both allow it.</summary>
internal interface ISessionRecorder
{
    /// <summary>Begins a recording, or none.</summary>
    ISessionRecording? Begin(LeaseService lease, SshSession session);
}

/// <summary>One recording.</summary>
internal interface ISessionRecording : IDisposable
{
    void Output(ReadOnlySpan<byte> bytes);

    void Resize(int columns, int rows);
}
