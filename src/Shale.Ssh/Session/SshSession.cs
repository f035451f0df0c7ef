using System.IO.Pipelines;
using System.Threading.Channels;
using Shale.Ssh.Auth;
using Shale.Ssh.Connection;

namespace Shale.Ssh.Session;

/// <summary>What a session was asked to run.</summary>
public enum SessionKind
{
    /// <summary>The user's shell.</summary>
    Shell,

    /// <summary>One command.</summary>
    Exec,

    /// <summary>A named subsystem.</summary>
    Subsystem,
}

/// <summary>A session channel on which a shell, a command or a subsystem was asked for (RFC 4254 section 6). Members may be used from any thread.</summary>
public abstract class SshSession
{
    /// <summary>The connection it belongs to.</summary>
    public abstract SshServerConnection Connection { get; }

    /// <summary>The user of the connection.</summary>
    public AuthenticatedUser User => Connection.User;

    /// <summary>What to run. <see cref="SessionKind.Exec"/> also when a forced command replaced what was asked for.</summary>
    public abstract SessionKind Kind { get; }

    /// <summary>The command's bytes for <see cref="SessionKind.Exec"/>, without NUL, at most 256 KiB; otherwise empty. Meant for the user's shell, as <c>-c</c>.</summary>
    public abstract ReadOnlyMemory<byte> Command { get; }

    /// <summary>The subsystem's name for <see cref="SessionKind.Subsystem"/>; otherwise <see langword="null"/>.</summary>
    public abstract string? Subsystem { get; }

    /// <summary>What the client asked for where a forced command replaced it (SSH_ORIGINAL_COMMAND); empty for a shell, <see langword="null"/> where nothing was replaced.</summary>
    public abstract ReadOnlyMemory<byte>? OriginalCommand { get; }

    /// <summary>The terminal, if one was asked for and granted. Its size is the first one; later ones come as <see cref="WindowChanged"/>.</summary>
    public abstract PseudoTerminal? Terminal { get; }

    /// <summary>The variables that the handler accepted, at most 128.</summary>
    public abstract IReadOnlyDictionary<string, string> Environment { get; }

    /// <summary>Whether the client asked for agent forwarding on this session and was granted it.</summary>
    public abstract bool AgentForwardingGranted { get; }

    /// <summary>Standard input; completed after the client's EOF. Consuming it is what lets the client send more.</summary>
    public abstract PipeReader Input { get; }

    /// <summary>
    /// Whether whoever awaits <see cref="Input"/> never blocks: then bytes are handed over on the connection's reader rather than through the thread pool. Unset at first.
    /// </summary>
    public abstract bool TakesInputInline { get; set; }

    /// <summary>Whether the connection has no other channel now: then nobody else waits for what keeps its reader.</summary>
    public abstract bool IsOnlyChannel { get; }

    /// <summary>Resizes, signals and breaks, at most 64 waiting: a resize replaces an older one that waits, other events past that are dropped.</summary>
    public abstract ChannelReader<SessionEvent> Events { get; }

    /// <summary>Writes standard output and waits while the client's window is closed. The memory is the caller's again when the call completes.</summary>
    /// <param name="data">The bytes.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Done when all is with the transport.</returns>
    /// <exception cref="IOException">The session is closed, or its end of output was sent.</exception>
    public abstract ValueTask WriteOutputAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken);

    /// <summary>Writes standard error and waits while the client's window is closed. The memory is the caller's again when the call completes.</summary>
    /// <param name="data">The bytes.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Done when all is with the transport.</returns>
    /// <exception cref="IOException">The session is closed, or its end of output was sent.</exception>
    public abstract ValueTask WriteErrorAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken);

    /// <summary>Takes a buffer whose bytes lie where the packet is built, for bulk: read a file descriptor into it, send, and again.</summary>
    /// <returns>The buffer; dispose it to return its memory.</returns>
    public abstract OutputBuffer RentOutputBuffer();

    /// <summary>Tells the client that no more output follows, before the exit is known. Does nothing the second time.</summary>
    /// <param name="cancellationToken">Ends the wait for the transport.</param>
    /// <returns>Done when the message is with the transport.</returns>
    public abstract ValueTask SendEofAsync(CancellationToken cancellationToken);

    /// <summary>Reports the exit status; call it after the last output. The channel closes when the handler returns. Only the first exit counts.</summary>
    /// <param name="status">0 to 255 as a shell gives it; sent as four bytes.</param>
    /// <param name="cancellationToken">Ends the wait for the transport.</param>
    /// <returns>Done when the status is noted.</returns>
    public abstract ValueTask ExitAsync(int status, CancellationToken cancellationToken);

    /// <summary>Reports the end by a signal; call it after the last output. The channel closes when the handler returns. Only the first exit counts.</summary>
    /// <param name="signal">The signal's name without "SIG", as in RFC 4254 section 6.10: "KILL", "TERM", "SEGV".</param>
    /// <param name="coreDumped">Whether a core was dumped.</param>
    /// <param name="message">Words for the user; may be empty.</param>
    /// <param name="cancellationToken">Ends the wait for the transport.</param>
    /// <returns>Done when the signal is noted.</returns>
    public abstract ValueTask ExitSignalAsync(string signal, bool coreDumped, string message, CancellationToken cancellationToken);
}
