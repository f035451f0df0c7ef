using System.Collections.ObjectModel;

namespace Shale.Containers.Exec;

/// <summary>
/// What to run in a container. With <see cref="Arguments"/>: that program, without a shell. With <see cref="Command"/>: the user's shell with
/// <c>-c</c>; where the image has no shell, the command is split into words by the shell's quoting rules and run. With neither: the user's login shell.
/// </summary>
public sealed record ExecRequest
{
    /// <summary>Program and arguments; the program is looked up in PATH unless it has a slash.</summary>
    public IReadOnlyList<string>? Arguments { get; init; }

    /// <summary>A shell command as bytes, as the SSH client sent it (no NUL).</summary>
    public ReadOnlyMemory<byte>? Command { get; init; }

    /// <summary>Variables on top of the container's and the user's own (HOME, USER, LOGNAME, SHELL, PATH).</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = ReadOnlyDictionary<string, string>.Empty;

    /// <summary>A terminal; null: three pipes.</summary>
    public TerminalRequest? Terminal { get; init; }

    /// <summary>As Docker's: <c>name|uid[:group|gid]</c>; null: the lease's user.</summary>
    public string? User { get; init; }

    /// <summary>Absolute; null: the user's home, or "/" where there is none.</summary>
    public string? WorkingDirectory { get; init; }
}

/// <summary>How a process ended.</summary>
/// <param name="Code">The exit code; 128 + n, as shells have it, when signal n ended it.</param>
/// <param name="Signal">The signal's name without SIG (RFC 4254 section 6.10), else null.</param>
/// <param name="CoreDumped">Whether it left a core dump.</param>
public readonly record struct ExitStatus(int Code, string? Signal = null, bool CoreDumped = false);

/// <summary>Why a process was not started.</summary>
public enum ExecFailure
{
    /// <summary>The request can't be run anywhere: NUL in it, too long, an environment name with "=".</summary>
    InvalidRequest,

    /// <summary>No such program (a shell says 127).</summary>
    NotFound,

    /// <summary>It is there and can't be executed (a shell says 126).</summary>
    NotExecutable,

    /// <summary>The image has no shell, and a shell was asked for.</summary>
    NoShell,

    /// <summary>No such user in the container.</summary>
    NoUser,

    /// <summary>The container is paused: an unpaid lease.</summary>
    Paused,

    /// <summary>The container does not run.</summary>
    NotRunning,

    /// <summary>The container is at its limit of processes or memory.</summary>
    OutOfResources,

    /// <summary>The engine or the container did not answer in time.</summary>
    Unavailable,
}

/// <summary>A process was not started; the message is for the SSH user.</summary>
public sealed class ExecException : IOException
{
    /// <summary>Makes one without details, for the conventions of exceptions.</summary>
    public ExecException()
        : this(ExecFailure.Unavailable, "The command was not started.")
    {
    }

    /// <summary>Makes one with a message alone.</summary>
    public ExecException(string message)
        : this(ExecFailure.Unavailable, message)
    {
    }

    /// <summary>Makes one with a message and its cause.</summary>
    public ExecException(string message, Exception innerException)
        : this(ExecFailure.Unavailable, message, innerException)
    {
    }

    /// <summary>Makes one with its kind.</summary>
    public ExecException(ExecFailure failure, string message, Exception? innerException = null)
        : base(message, innerException) => Failure = failure;

    /// <summary>The kind of failure.</summary>
    public ExecFailure Failure { get; }

    /// <summary>What a shell would exit with: 126, 127, or 255 as ssh has it for what is not the command's fault.</summary>
    public int ExitCode => Failure switch { ExecFailure.NotFound or ExecFailure.NoShell => 127, ExecFailure.NotExecutable => 126, _ => 255 };
}
