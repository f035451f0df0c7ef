namespace Shale.Containers.Exec;

/// <summary>
/// A process in a container. Disposing it is the end of its session: its terminal or pipes are closed, and whatever still runs in its
/// session gets SIGHUP, then after a grace period SIGKILL unless it ignores SIGHUP (nohup) or left the session (setsid, tmux).
/// </summary>
public abstract class ContainerProcess : IAsyncDisposable
{
    private protected ContainerProcess()
    {
    }

    /// <summary>
    /// What the process reads. Disposing it is the end of its input; with a terminal it does nothing (a terminal has no half-close).
    /// A write fails with <see cref="IOException"/> once nobody reads.
    /// </summary>
    public abstract Stream Stdin { get; }

    /// <summary>What the process writes; with a terminal, what the terminal shows. Ends when every holder of the other end has closed it.</summary>
    public abstract Stream Stdout { get; }

    /// <summary>What it writes to stderr; null with a terminal.</summary>
    public abstract Stream? Stderr { get; }

    /// <summary>Whether bytes go straight between this process and the container's (pipes, terminals), not through the engine.</summary>
    public abstract bool IsDirect { get; }

    /// <summary>How the process ended. Output that it wrote before may still be unread. Never fails: a container that is gone ends it by KILL.</summary>
    public abstract Task<ExitStatus> Exited { get; }

    /// <summary>Sets the terminal's size; the foreground process group gets SIGWINCH. Does nothing without a terminal.</summary>
    public abstract ValueTask ResizeAsync(TerminalSize size, CancellationToken cancellationToken);

    /// <summary>
    /// Sends a signal by its name without SIG (RFC 4254 section 6.9) to the process's group. False: the name is unknown or the process is
    /// gone.
    /// </summary>
    public abstract ValueTask<bool> SignalAsync(string name, CancellationToken cancellationToken);

    /// <summary>Ends the session as described above, without waiting for the grace period.</summary>
    public abstract ValueTask DisposeAsync();
}

/// <summary>Linux's signal numbers (x86-64 and arm64 agree) by the names of RFC 4254 and OpenSSH.</summary>
internal static class Signals
{
    public const int Hangup = 1, Kill = 9;

    private static readonly (string Name, int Number)[] Known =
    [
        ("HUP", 1), ("INT", 2), ("QUIT", 3), ("ILL", 4), ("TRAP", 5), ("ABRT", 6), ("BUS", 7), ("FPE", 8), ("KILL", 9), ("USR1", 10), ("SEGV", 11), ("USR2", 12),
        ("PIPE", 13), ("ALRM", 14), ("TERM", 15), ("CHLD", 17), ("CONT", 18), ("STOP", 19), ("TSTP", 20), ("TTIN", 21), ("TTOU", 22), ("WINCH", 28), ("SYS", 31),
    ];

    public static int Number(string name) => Array.Find(Known, k => k.Name == name).Number;

    public static string Name(int number) => Array.Find(Known, k => k.Number == number) is { Name: not null } known
        ? known.Name
        : string.Create(System.Globalization.CultureInfo.InvariantCulture, $"SIG{number}@shale");

    /// <summary>A status of waitpid(2).</summary>
    public static ExitStatus FromWait(int status) => (status & 0x7f) == 0
        ? new ExitStatus((status >> 8) & 0xff)
        : new ExitStatus(128 + (status & 0x7f), Name(status & 0x7f), (status & 0x80) != 0);
}
