using System.Buffers.Binary;
using System.Globalization;
using System.IO.Pipelines;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using Shale.Containers.Engine;
using Shale.Containers.Leases;

namespace Shale.Containers.Exec;

/// <summary>
/// A process through Docker's own exec and attach, for engines on other machines and containers whose helper can't be used. Every byte
/// passes through the engine. Signals are sent from here where the process is this machine's, else by a second exec that finds the session by a
/// variable in its leader's environment.
/// </summary>
internal sealed class AttachedProcess : ContainerProcess
{
    /// <summary>What is kept of output that nobody reads yet, each of stdout and stderr; then the engine is not read any more.</summary>
    private const long MaxUnread = 1 << 20;

    private static readonly TimeSpan ShortestPoll = TimeSpan.FromMilliseconds(10), LongestPoll = TimeSpan.FromSeconds(1);

    private readonly EngineClient _engine;
    private readonly string _exec;
    private readonly string _container;
    private readonly string? _user;
    private readonly string _mark;
    private readonly Stream _stream;
    private readonly TimeProvider _time;
    private readonly Pipe _stdout = NewPipe();
    private readonly Pipe? _stderr;
    private readonly bool _terminal;
    private readonly CancellationTokenSource _stopping = new();
    private readonly TaskCompletionSource<ExitStatus> _exited = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _pid;
    private int _disposed;

    private AttachedProcess(EngineClient engine, string container, string exec, CreateExec create, string mark, Stream stream, bool terminal, TimeProvider time)
    {
        _engine = engine;
        _user = create.User;
        _mark = mark;
        _container = container;
        _exec = exec;
        _stream = stream;
        _terminal = terminal;
        _time = time;
        _stderr = terminal ? null : NewPipe();
        Stdin = new InputStream(this);
        Stdout = _stdout.Reader.AsStream();
        Stderr = _stderr?.Reader.AsStream();
    }

    public override Stream Stdin { get; }

    public override Stream Stdout { get; }

    public override Stream? Stderr { get; }

    public override bool IsDirect => false;

    public override Task<ExitStatus> Exited => _exited.Task;

    public static async Task<ContainerProcess> StartAsync(EngineClient engine, string container, LeaseContainer.Attachment attachment, string? leaseUser, ExecRequest request, TimeProvider time, CancellationToken cancellationToken)
    {
        // A lease's shell is looked for when it is first used: from afar the engine has to be asked for each candidate.
        if (attachment.Root is null && attachment.RemoteShell is null && request.Arguments is null)
        {
            attachment.RemoteShell = "";
            foreach (var candidate in ExecPlan.Shells)
            {
                if (await engine.PathExistsAsync(container, candidate, cancellationToken).ConfigureAwait(false))
                {
                    attachment.RemoteShell = candidate;
                    break;
                }
            }
        }

        return await StartAsync(engine, container, Describe(request, attachment, leaseUser), request.Terminal, time, cancellationToken).ConfigureAwait(false);
    }

    public override async ValueTask ResizeAsync(TerminalSize size, CancellationToken cancellationToken)
    {
        if (!_terminal || _exited.Task.IsCompleted)
        {
            return;
        }

        try
        {
            await _engine.ResizeExecAsync(_exec, size.Columns, size.Rows, cancellationToken).ConfigureAwait(false);
        }
        catch (EngineException e) when (e.Failure is EngineFailure.NotFound or EngineFailure.Conflict or EngineFailure.Failed)
        {
            // It has just ended.
        }
    }

    public override async ValueTask<bool> SignalAsync(string name, CancellationToken cancellationToken) =>
        Signals.Number(name) is > 0 and var number && !_exited.Task.IsCompleted
        && await SendAsync(number, ExecAgent.Scope.Group, cancellationToken).ConfigureAwait(false);

    public override async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }

        try
        {
            using var timer = new CancellationTokenSource(ExecAgent.AnswerTime, _time);
            await SendAsync(Signals.Hangup, ExecAgent.Scope.Session, timer.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is EngineException or OperationCanceledException or ObjectDisposedException)
        {
            // Without an answer from the engine nobody knows the process; its end is the lease's.
        }

        await _stream.DisposeAsync().ConfigureAwait(false);
        await _stopping.CancelAsync().ConfigureAwait(false);
        _ = EndSessionAsync();
    }

    private static CreateExec Describe(ExecRequest request, LeaseContainer.Attachment attachment, string? leaseUser)
    {
        var terminal = request.Terminal is not null;
        var create = new CreateExec { Cmd = [], AttachStdin = true, AttachStdout = true, AttachStderr = !terminal, Tty = terminal, User = request.User ?? leaseUser };
        if (attachment.Root is { } root)
        {
            var user = ContainerUser.TryResolve(root, create.User) ?? throw new ExecException(ExecFailure.NoUser, $"The container has no user '{create.User}'.");
            var plan = ExecPlan.Make(request, user, attachment.Config, root);
            plan.RequireExecutable(root);
            return create with
            {
                Cmd = Words(plan.Program, plan.Arguments),
                Env = [.. plan.Environment.Select(e => e.Key + "=" + e.Value)],
                WorkingDir = plan.Directory,
                User = create.User ?? "0:0",
            };
        }

        var (program, arguments) = ExecPlan.ChooseWords(request, string.IsNullOrEmpty(attachment.RemoteShell) ? null : attachment.RemoteShell);
        return create with
        {
            Cmd = Words(program, arguments),
            Env = [.. request.Environment.Select(e => e.Key + "=" + e.Value)],
            WorkingDir = request.WorkingDirectory,
            User = create.User ?? "0:0",
        };
    }

    /// <summary>Docker knows no argv[0] beside the program, so a login shell is asked for by -l.</summary>
    private static string[] Words(byte[] program, IReadOnlyList<byte[]> arguments) =>
        arguments is [[(byte)'-', ..]]
            ? [CommandLine.Text(program), "-l"]
            : [CommandLine.Text(program), .. arguments.Skip(1).Select(a => CommandLine.Text(a))];

    private static async Task<ContainerProcess> StartAsync(EngineClient engine, string container, CreateExec create, TerminalRequest? terminal, TimeProvider time, CancellationToken cancellationToken)
    {
        var mark = "SHALE_SESSION=" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8));
        create = create with { Env = [.. create.Env ?? [], mark] };
        uint[]? size = terminal is null ? null : [terminal.Size.Rows, terminal.Size.Columns];
        Stream stream;
        string exec;
        try
        {
            // Engines before 1.42 know no initial size; they are told right after the start.
            var early = engine.ApiVersion >= new Version(1, 42) ? size : null;
            exec = (await engine.CreateExecAsync(container, create with { ConsoleSize = early }, cancellationToken).ConfigureAwait(false)).Id;
            stream = await engine.StartExecAttachedAsync(exec, new StartExec(false, terminal is not null, early), cancellationToken).ConfigureAwait(false);
        }
        catch (EngineException e) when (e.Failure is EngineFailure.Conflict or EngineFailure.NotFound)
        {
            throw e.Message.Contains("paused", StringComparison.Ordinal) ? LeaseContainer.PausedFailure() : new ExecException(ExecFailure.NotRunning, "The container of this lease does not run.", e);
        }
        catch (EngineException e) when (e.Failure is EngineFailure.Refused or EngineFailure.Failed)
        {
            throw Refused(create, e);
        }

        var process = new AttachedProcess(engine, container, exec, create, mark, stream, terminal is not null, time);
        if (terminal is not null)
        {
            await process.ResizeAsync(terminal.Size, cancellationToken).ConfigureAwait(false);
        }

        _ = process.ReadAsync();
        _ = process.WaitAsync();
        return process;
    }

    private static ExecException Refused(CreateExec create, EngineException e) =>
        e.Message.Contains("no such file", StringComparison.Ordinal) || e.Message.Contains("not found", StringComparison.Ordinal)
            ? new ExecException(ExecFailure.NotFound, $"{create.Cmd[0]}: command not found", e)
            : e.Message.Contains("permission denied", StringComparison.Ordinal)
                ? new ExecException(ExecFailure.NotExecutable, $"{create.Cmd[0]}: Permission denied", e)
                : e.Message.Contains("unable to find user", StringComparison.Ordinal)
                    ? new ExecException(ExecFailure.NoUser, $"The container has no user '{create.User}'.", e)
                    : new ExecException(ExecFailure.Unavailable, e.Message, e);

    private static Pipe NewPipe() => new(new PipeOptions(pauseWriterThreshold: MaxUnread, resumeWriterThreshold: MaxUnread / 2, useSynchronizationContext: false));

    private async ValueTask<bool> SendAsync(int signal, ExecAgent.Scope scope, CancellationToken cancellationToken)
    {
        if (_engine.Endpoint.IsLocal)
        {
            var pid = await PidAsync(cancellationToken).ConfigureAwait(false);
            return scope == ExecAgent.Scope.Group
                ? HostSignals.SignalGroup(pid, _container, signal)
                : HostSignals.SignalSession(pid, _container, signal, scope == ExecAgent.Scope.SessionNotDetached);
        }

        // As the same user: another's environment can't be read.
        string[] command = [ExecAgent.HelperPath, "signal", _mark, signal.ToString(CultureInfo.InvariantCulture), ((int)scope).ToString(CultureInfo.InvariantCulture)];
        var exec = await _engine.CreateExecAsync(_container, new CreateExec { Cmd = command, User = _user }, cancellationToken).ConfigureAwait(false);
        await _engine.StartExecDetachedAsync(exec.Id, cancellationToken).ConfigureAwait(false);
        return true;
    }

    /// <summary>The process as this machine counts it; 0 if it is another machine's. The engine knows it only once it runs.</summary>
    private async ValueTask<int> PidAsync(CancellationToken cancellationToken)
    {
        for (var tries = 0; _pid == 0 && _engine.Endpoint.IsLocal && tries < 20; tries++)
        {
            var state = await _engine.InspectExecAsync(_exec, cancellationToken).ConfigureAwait(false);
            _pid = state.Pid;
            if (_pid == 0 && state.ExitCode is not null && !state.Running)
            {
                break;
            }

            if (_pid == 0)
            {
                await Task.Delay(ShortestPoll, _time, cancellationToken).ConfigureAwait(false);
            }
        }

        return _pid;
    }

    private async Task ReadAsync()
    {
        Exception? failure = null;
        try
        {
            if (_terminal)
            {
                await CopyAsync(_stdout.Writer, long.MaxValue).ConfigureAwait(false);
            }
            else
            {
                // Frames of the attach protocol: u8 stream (1 stdout, 2 stderr), three zero bytes, u32 length, big-endian.
                var header = new byte[8];
                while (await _stream.ReadAtLeastAsync(header, 8, false, _stopping.Token).ConfigureAwait(false) == 8)
                {
                    await CopyAsync(header[0] == 2 ? _stderr!.Writer : _stdout.Writer, BinaryPrimitives.ReadUInt32BigEndian(header.AsSpan(4))).ConfigureAwait(false);
                }
            }
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException or OperationCanceledException)
        {
            failure = e as IOException;
        }

        await _stdout.Writer.CompleteAsync(failure).ConfigureAwait(false);
        if (_stderr is not null)
        {
            await _stderr.Writer.CompleteAsync(failure).ConfigureAwait(false);
        }
    }

    private async Task CopyAsync(PipeWriter to, long length)
    {
        while (length > 0)
        {
            var memory = to.GetMemory(16384);
            var read = await _stream.ReadAsync(memory[..(int)Math.Min(memory.Length, length)], _stopping.Token).ConfigureAwait(false);
            if (read == 0)
            {
                return;
            }

            to.Advance(read);
            length -= read;
            await to.FlushAsync(_stopping.Token).ConfigureAwait(false);
        }
    }

    /// <summary>The engine has no call that waits for an exec: ask, often at first.</summary>
    private async Task WaitAsync()
    {
        var poll = ShortestPoll;
        while (true)
        {
            try
            {
                var state = await _engine.InspectExecAsync(_exec, CancellationToken.None).ConfigureAwait(false);
                _pid = state.Pid != 0 && _engine.Endpoint.IsLocal ? state.Pid : _pid;
                if (!state.Running && state.ExitCode is not null)
                {
                    _exited.TrySetResult(new ExitStatus(state.ExitCode ?? 255));
                    return;
                }
            }
            catch (EngineException e) when (e.Failure == EngineFailure.NotFound)
            {
                _exited.TrySetResult(new ExitStatus(128 + Signals.Kill, "KILL"));
                return;
            }
            catch (EngineException)
            {
                // The engine restarts: it forgets its execs then and says so.
            }
            catch (ObjectDisposedException)
            {
                _exited.TrySetResult(new ExitStatus(128 + Signals.Kill, "KILL"));
                return;
            }

            await Task.Delay(poll, _time).ConfigureAwait(false);
            poll = poll * 2 < LongestPoll ? poll * 2 : LongestPoll;
        }
    }

    private async Task EndSessionAsync()
    {
        await Task.Delay(AgentProcess.HangupGrace, _time).ConfigureAwait(false);
        try
        {
            using var timer = new CancellationTokenSource(ExecAgent.AnswerTime, _time);
            await SendAsync(Signals.Kill, ExecAgent.Scope.SessionNotDetached, timer.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is EngineException or OperationCanceledException or ObjectDisposedException)
        {
            // As above.
        }

        _stopping.Dispose();
    }

    /// <summary>The connection's write side, whose end is a half-close.</summary>
    private sealed class InputStream(AttachedProcess process) : Stream
    {
        private int _ended;

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => _ended == 0;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => process._stream.WriteAsync(buffer, cancellationToken);

        public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => process._stream.WriteAsync(buffer, offset, count, cancellationToken);

        public override void Write(byte[] buffer, int offset, int count) => process._stream.Write(buffer, offset, count);

        public override void Flush() => process._stream.Flush();

        public override Task FlushAsync(CancellationToken cancellationToken) => process._stream.FlushAsync(cancellationToken);

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (disposing && Interlocked.Exchange(ref _ended, 1) == 0 && !process._terminal)
            {
                try
                {
                    if (process._stream is NetworkStream network)
                    {
                        network.Socket.Shutdown(SocketShutdown.Send);
                    }
                    else if (process._stream is SslStream tls)
                    {
                        tls.ShutdownAsync().GetAwaiter().GetResult();
                    }
                }
                catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException or InvalidOperationException)
                {
                    // The other side is gone already.
                }
            }

            base.Dispose(disposing);
        }
    }
}
