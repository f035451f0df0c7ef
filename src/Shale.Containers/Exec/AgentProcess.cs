using Microsoft.Win32.SafeHandles;
using Shale.Containers.Engine;

namespace Shale.Containers.Exec;

/// <summary>A process that the resident helper forked; its streams are this process's own pipes, or a terminal's master side.</summary>
internal sealed class AgentProcess : ContainerProcess
{
    /// <summary>Pipes as large as Linux gives to anyone (fs.pipe-max-size): fewer turns per megabyte; pages are taken only when written.</summary>
    private const int BulkPipe = 1 << 20, ErrorPipe = 1 << 16;

    /// <summary>Between SIGHUP and SIGKILL for what stays in a session that is gone.</summary>
    internal static readonly TimeSpan HangupGrace = TimeSpan.FromSeconds(5);

    private readonly ExecAgent _agent;
    private readonly uint _id;
    private readonly PolledHandle? _terminal;
    private readonly TimeProvider _time;
    private readonly TaskCompletionSource _started = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<ExitStatus> _exited = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _disposed;

    private AgentProcess(ExecAgent agent, uint id, TimeProvider time, PolledHandle? terminal, Stream stdin, Stream stdout, Stream? stderr)
    {
        _agent = agent;
        _id = id;
        _time = time;
        _terminal = terminal;
        Stdin = stdin;
        Stdout = stdout;
        Stderr = stderr;
    }

    public override Stream Stdin { get; }

    public override Stream Stdout { get; }

    public override Stream? Stderr { get; }

    public override bool IsDirect => true;

    public override Task<ExitStatus> Exited => _exited.Task;

    internal Task StartedTask => _started.Task;

    /// <summary>Starts with three pipes whose far ends belong to the user, so that /dev/stdout can be opened again by name.</summary>
    public static async Task<AgentProcess> StartWithPipesAsync(ExecAgent agent, ExecAgent.StartParameters parameters, TimeProvider time, CancellationToken cancellationToken)
    {
        var handles = new List<SafeFileHandle>(6);
        var streams = new List<Stream>(3);
        try
        {
            (SafeFileHandle, SafeFileHandle) Pipe(bool readHere, int capacity)
            {
                var (reader, writer) = Native.CreatePipe(readHere, capacity);
                handles.Add(reader);
                handles.Add(writer);
                Native.Fchown(reader, parameters.Uid, parameters.Gid);
                return (reader, writer);
            }

            var (stdinFar, stdinNear) = Pipe(readHere: false, BulkPipe);
            var (stdoutNear, stdoutFar) = Pipe(readHere: true, BulkPipe);
            var (stderrNear, stderrFar) = Pipe(readHere: true, ErrorPipe);
            streams.Add(new DescriptorStream(new PolledHandle(stdinNear), false, true, true));
            streams.Add(new DescriptorStream(new PolledHandle(stdoutNear), true, false, true, runsInline: true));
            streams.Add(new DescriptorStream(new PolledHandle(stderrNear), true, false, true, runsInline: true));
            var process = await agent.StartAsync(parameters, [stdinFar, stdoutFar, stderrFar], id => new AgentProcess(agent, id, time, null, streams[0], streams[1], streams[2]), cancellationToken).ConfigureAwait(false);
            stdinFar.Dispose();
            stdoutFar.Dispose();
            stderrFar.Dispose();
            return process;
        }
        catch
        {
            streams.ForEach(s => s.Dispose());
            handles.ForEach(h => h.Dispose());
            throw;
        }
    }

    /// <summary>Starts with a terminal on the container's devpts.</summary>
    public static async Task<AgentProcess> StartWithTerminalAsync(ExecAgent agent, ExecAgent.StartParameters parameters, SafeFileHandle root, TerminalRequest terminal, uint ttyGroup, TimeProvider time, CancellationToken cancellationToken)
    {
        var (master, slave) = Terminal.Open(root, terminal, parameters.Uid, ttyGroup);
        PolledHandle? polled = null;
        try
        {
            polled = new PolledHandle(master);
            var stdin = new DescriptorStream(polled, false, true, ownsHandle: false);
            var stdout = new DescriptorStream(polled, true, false, ownsHandle: false, runsInline: true);
            return await agent.StartAsync(parameters, [slave], id => new AgentProcess(agent, id, time, polled, stdin, stdout, null), cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            polled?.Dispose();
            master.Dispose();
            throw;
        }
        finally
        {
            slave.Dispose();
        }
    }

    public override ValueTask ResizeAsync(TerminalSize size, CancellationToken cancellationToken)
    {
        if (_terminal is { IsClosed: false })
        {
            try
            {
                Terminal.Resize(_terminal.Fd, size);
            }
            catch (ObjectDisposedException)
            {
                // Closed in this moment: there is nobody left to tell.
            }
        }

        return ValueTask.CompletedTask;
    }

    public override ValueTask<bool> SignalAsync(string name, CancellationToken cancellationToken) =>
        Signals.Number(name) is > 0 and var number ? _agent.SignalAsync(_id, number, ExecAgent.Scope.Group, cancellationToken) : ValueTask.FromResult(false);

    public override async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }

        await Stdin.DisposeAsync().ConfigureAwait(false);
        await Stdout.DisposeAsync().ConfigureAwait(false);
        if (Stderr is not null)
        {
            await Stderr.DisposeAsync().ConfigureAwait(false);
        }

        _terminal?.Dispose();
        using (var timer = new CancellationTokenSource(ExecAgent.AnswerTime, _time))
        {
            try
            {
                await _agent.SignalAsync(_id, Signals.Hangup, ExecAgent.Scope.Session, timer.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                // A frozen container takes its signals when it is resumed: what was sent is kept by the kernel.
            }
        }

        _ = EndSessionAsync();
    }

    internal void OnStarted() => _started.TrySetResult();

    internal void OnFailed(int error, int stage) => _started.TrySetException(Failure(error, stage));

    internal void OnExited(ExitStatus status) => _exited.TrySetResult(status);

    internal void OnLost()
    {
        _started.TrySetException(new ExecException(ExecFailure.Unavailable, "The container's helper is gone."));
        _ = _started.Task.Exception;
        _exited.TrySetResult(new ExitStatus(128 + Signals.Kill, "KILL"));
    }

    private static ExecException Failure(int error, int stage)
    {
        var text = System.Runtime.InteropServices.Marshal.GetPInvokeErrorMessage(error);
        return (stage, error) switch
        {
            (4, Native.ENOENT or Native.ENOTDIR) => new ExecException(ExecFailure.NotFound, "command not found"),
            (4, Native.EACCES or Native.ENOEXEC or Native.EISDIR or Native.EPERM) => new ExecException(ExecFailure.NotExecutable, text),
            (4, Native.E2BIG) or (5, _) => new ExecException(ExecFailure.InvalidRequest, text),
            (2, _) => new ExecException(ExecFailure.InvalidRequest, "working directory: " + text),
            (_, Native.EAGAIN or Native.ENOMEM) => new ExecException(ExecFailure.OutOfResources, "The container is at its limit of processes or memory."),
            _ => new ExecException(ExecFailure.Unavailable, text),
        };
    }

    private async Task EndSessionAsync()
    {
        try
        {
            await Task.Delay(HangupGrace, _time).ConfigureAwait(false);
            using var timer = new CancellationTokenSource(ExecAgent.AnswerTime, _time);
            await _agent.SignalAsync(_id, Signals.Kill, ExecAgent.Scope.SessionNotDetached, timer.Token).ConfigureAwait(false);
            // The id names the session until here. What ignores SIGHUP may run on; then the helper keeps its small entry.
            await Task.WhenAny(_exited.Task, Task.Delay(HangupGrace, _time)).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // Frozen: nothing in it runs, and the lease's end takes all.
        }

        await _agent.ReleaseAsync(_id).ConfigureAwait(false);
    }
}
