using System.Collections.Concurrent;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using Shale.Containers.Engine;

namespace Shale.Containers.Exec;

/// <summary>
/// This side of the resident helper (docs/decisions/0061-container-helper.md): started through Docker exec once, so it lives in the
/// container's namespaces, control groups and capabilities, and then forks commands on request in about a millisecond. What it sends
/// is not trusted: frames of 16 bytes about processes of that container and nothing else. Keep in step with helper/shale-helper.c.
/// </summary>
internal sealed class ExecAgent : IAsyncDisposable
{
    /// <summary>Where the container sees its folder.</summary>
    public const string MountPoint = "/.shale";

    /// <summary>The helper in the container.</summary>
    public const string HelperPath = MountPoint + "/helper";

    /// <summary>How long the helper may take to come up or to start a command: it answers in a millisecond unless the machine is starved.</summary>
    public static readonly TimeSpan AnswerTime = TimeSpan.FromSeconds(30);

    /// <summary>After this one looks for a reason.</summary>
    private static readonly TimeSpan SlowTime = TimeSpan.FromSeconds(1);

    private const int FrameSize = 16;
    private const int OpStart = 1, OpSignal = 2, OpRelease = 3;
    private const int Started = 1, Failed = 2, Exited = 3;

    private readonly PolledHandle _control;
    private readonly DescriptorStream _stream;
    private readonly SemaphoreSlim _sending = new(1, 1);
    private readonly ConcurrentDictionary<uint, AgentProcess> _processes = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _reading;
    private uint _lastId;
    private int _dead;
    private int _retired;

    /// <summary>Takes a connection to a helper over.</summary>
    internal ExecAgent(SafeFileHandle control)
    {
        _control = new PolledHandle(control);
        _stream = new DescriptorStream(_control, true, true, ownsHandle: true);
        _reading = Task.Run(ReadAsync);
    }

    /// <summary>Which processes' sessions a signal reaches.</summary>
    internal enum Scope : uint
    {
        Process,
        Group,
        Session,
        SessionNotDetached,
    }

    /// <summary>Whether new commands can be started with it.</summary>
    public bool IsAlive => IsConnected && Volatile.Read(ref _retired) == 0;

    private bool IsConnected => Volatile.Read(ref _dead) == 0;

    /// <summary>Asked when a command does not start within <see cref="SlowTime"/>: throws if that is for a reason, such as a frozen container.</summary>
    public Func<CancellationToken, Task>? WhenSlow { get; init; }

    /// <summary>Starts the helper in a running container and waits for its connection on a socket in the lease's folder.</summary>
    public static async Task<ExecAgent> StartAsync(EngineClient engine, string container, string folder, Func<CancellationToken, Task> whenSlow, CancellationToken cancellationToken)
    {
        var name = "s" + Convert.ToHexStringLower(System.Security.Cryptography.RandomNumberGenerator.GetBytes(6));
        using var listener = new UnixListener(Path.Combine(folder, name));
        using var timer = new CancellationTokenSource(AnswerTime);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timer.Token);
        try
        {
            var exec = await engine.CreateExecAsync(container, new CreateExec { Cmd = [HelperPath, "agent", MountPoint + "/" + name], User = "0:0", WorkingDir = "/" }, linked.Token).ConfigureAwait(false);
            await engine.StartExecDetachedAsync(exec.Id, linked.Token).ConfigureAwait(false);
            var pid = (await engine.InspectExecAsync(exec.Id, linked.Token).ConfigureAwait(false)).Pid;
            while (true)
            {
                // The container's root can connect too; the kernel says who did, and only the process that the engine started counts.
                var accepted = await listener.AcceptAsync(linked.Token).ConfigureAwait(false);
                var peer = Native.PeerCredentials(accepted);
                if (pid > 0 && peer.Pid == pid)
                {
                    return new ExecAgent(accepted) { WhenSlow = whenSlow };
                }

                accepted.Dispose();
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new ExecException(ExecFailure.Unavailable, "The container's helper did not start in time.");
        }
    }

    /// <summary>
    /// Starts a process. <paramref name="given"/> are its descriptors (stdin, stdout, stderr, or a terminal's slave); the caller closes them
    /// afterwards. The process object is made by <paramref name="make"/> before the helper can report about it.
    /// </summary>
    public async Task<AgentProcess> StartAsync(StartParameters parameters, SafeFileHandle[] given, Func<uint, AgentProcess> make, CancellationToken cancellationToken)
    {
        var body = parameters.Encode();
        var id = Interlocked.Increment(ref _lastId);
        var process = make(id);
        _processes[id] = process;
        try
        {
            using var timer = new CancellationTokenSource(AnswerTime);
            using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timer.Token);
            try
            {
                await SendAsync(OpStart, id, 0, body, given, linked.Token).ConfigureAwait(false);
                try
                {
                    await process.StartedTask.WaitAsync(SlowTime, linked.Token).ConfigureAwait(false);
                }
                catch (TimeoutException)
                {
                    if (WhenSlow is not null)
                    {
                        await WhenSlow(linked.Token).ConfigureAwait(false);
                    }

                    await process.StartedTask.WaitAsync(linked.Token).ConfigureAwait(false);
                }

                return process;
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                throw new ExecException(ExecFailure.Unavailable, "The container did not start the command in time.");
            }
            catch (IOException e) when (e is not ExecException)
            {
                throw new ExecException(ExecFailure.Unavailable, "The container's helper is gone.", e);
            }
        }
        catch
        {
            // If it starts late after all, its report finds nobody and it is killed.
            _processes.TryRemove(id, out _);
            throw;
        }
    }

    public async ValueTask<bool> SignalAsync(uint id, int signal, Scope scope, CancellationToken cancellationToken)
    {
        if (!IsConnected)
        {
            return false;
        }

        var body = new byte[4];
        MemoryMarshal.Write(body, in scope);
        try
        {
            await SendAsync(OpSignal, id, (uint)signal, body, [], cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            return false;
        }
    }

    public async ValueTask ReleaseAsync(uint id)
    {
        _processes.TryRemove(id, out _);
        try
        {
            if (IsConnected)
            {
                await SendAsync(OpRelease, id, 0, [], [], _stopping.Token).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException or OperationCanceledException)
        {
            // The helper is gone, and its table with it.
        }

        EndIfUnused();
    }

    /// <summary>
    /// Starts nothing more with it, because it did not answer in time. Its sessions go on: a helper that is only slow must not take them with it.
    /// </summary>
    public void Retire()
    {
        Volatile.Write(ref _retired, 1);
        EndIfUnused();
    }

    /// <summary>Closes the connection: the helper ends all its sessions and itself.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _stream.DisposeAsync().ConfigureAwait(false);
        await _reading.ConfigureAwait(false);
        _stopping.Dispose();
    }

    private void EndIfUnused()
    {
        if (Volatile.Read(ref _retired) != 0 && _processes.IsEmpty)
        {
            _control.Dispose();
        }
    }

    private async Task SendAsync(uint operation, uint id, uint argument, byte[] body, SafeFileHandle[] rights, CancellationToken cancellationToken)
    {
        byte[] header = [.. BitConverter.GetBytes((uint)body.Length), .. BitConverter.GetBytes(operation), .. BitConverter.GetBytes(id), .. BitConverter.GetBytes(argument)];
        await _sending.WaitAsync(cancellationToken).ConfigureAwait(false);
        var begun = false;
        try
        {
            ObjectDisposedException.ThrowIf(_control.IsClosed, this);
            int sent;
            while ((sent = Native.SendWithRights(_control.Fd, header, rights)) < 0)
            {
                await _control.WaitWritableAsync(cancellationToken).ConfigureAwait(false);
            }

            // From here on half a request would garble the next one.
            begun = true;
            if (sent < FrameSize)
            {
                await _stream.WriteAsync(header.AsMemory(sent), cancellationToken).ConfigureAwait(false);
            }

            await _stream.WriteAsync(body, cancellationToken).ConfigureAwait(false);
        }
        catch when (begun)
        {
            _control.Dispose();
            throw;
        }
        finally
        {
            _sending.Release();
        }
    }

    private async Task ReadAsync()
    {
        var frame = new byte[FrameSize];
        try
        {
            while (true)
            {
                await _stream.ReadExactlyAsync(frame, _stopping.Token).ConfigureAwait(false);
                OnReport(BitConverter.ToInt32(frame, 0), BitConverter.ToUInt32(frame, 4), BitConverter.ToInt32(frame, 8), BitConverter.ToInt32(frame, 12));
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException or OperationCanceledException)
        {
            Volatile.Write(ref _dead, 1);
            _control.Dispose();
            foreach (var process in _processes.Values)
            {
                process.OnLost();
            }
        }
    }

    private void OnReport(int kind, uint id, int value, int detail)
    {
        if (!_processes.TryGetValue(id, out var process))
        {
            if (kind == Started)
            {
                _ = SignalAsync(id, Signals.Kill, Scope.Session, CancellationToken.None).AsTask();
                _ = ReleaseAsync(id).AsTask();
            }

            return;
        }

        switch (kind)
        {
            case Started: process.OnStarted(); break;
            case Failed: process.OnFailed(value, detail); break;
            case Exited: process.OnExited(Signals.FromWait(value)); break;
            default: _control.Dispose(); break;
        }
    }

    /// <summary>What the helper needs to know, resolved on this side.</summary>
    internal sealed record StartParameters
    {
        private const int MaxBody = 4 << 20;

        public required bool Terminal { get; init; }
        public required uint Uid { get; init; }
        public required uint Gid { get; init; }
        public required IReadOnlyList<uint> Groups { get; init; }
        public required string Directory { get; init; }
        public required byte[] Program { get; init; }
        public required IReadOnlyList<byte[]> Arguments { get; init; }
        public required IReadOnlyDictionary<string, string> Environment { get; init; }

        public byte[] Encode()
        {
            using var body = new MemoryStream();
            Word(Terminal ? 1u : 0);
            Word(Uid);
            Word(Gid);
            Word((uint)Groups.Count);
            Word((uint)Arguments.Count);
            Word((uint)Environment.Count);
            foreach (var group in Groups)
            {
                Word(group);
            }

            Text(Encoding.UTF8.GetBytes(Directory));
            Text(Program);
            foreach (var argument in Arguments)
            {
                Text(argument);
            }

            foreach (var (name, value) in Environment)
            {
                if (name.Length == 0 || name.Contains('=', StringComparison.Ordinal))
                {
                    throw new ExecException(ExecFailure.InvalidRequest, "An environment variable's name is empty or has '=' in it.");
                }

                Text(Encoding.UTF8.GetBytes(name + "=" + value));
            }

            return body.Length <= MaxBody ? body.ToArray() : throw new ExecException(ExecFailure.InvalidRequest, string.Create(CultureInfo.InvariantCulture, $"The command and its environment are longer than {MaxBody} bytes."));

            void Word(uint value) => body.Write(BitConverter.GetBytes(value));

            void Text(byte[] text)
            {
                if (text.AsSpan().Contains((byte)0))
                {
                    throw new ExecException(ExecFailure.InvalidRequest, "The command or its environment has a NUL byte in it.");
                }

                body.Write(text);
                body.WriteByte(0);
            }
        }
    }
}
