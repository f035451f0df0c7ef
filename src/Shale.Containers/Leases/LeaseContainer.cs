using Shale.Containers.Bandwidth;
using Shale.Containers.Engine;
using Shale.Containers.Exec;
using Shale.Containers.Files;
using Shale.Containers.Probes;

namespace Shale.Containers.Leases;

/// <summary>The container of one lease. Safe for use by many sessions at once.</summary>
public sealed partial class LeaseContainer : IAsyncDisposable
{
    /// <summary>A machine that was too busy to start the helper is likely not any more.</summary>
    private static readonly TimeSpan HelperRetry = TimeSpan.FromSeconds(30);

    private readonly LeaseHost _host;
    private readonly LeaseRecord _record;
    private readonly SemaphoreSlim _attaching = new(1, 1);
    private volatile Attachment? _attachment;
    private volatile bool _pausedByUs;
    private bool _disposed;

    internal LeaseContainer(LeaseHost host, string leaseId, string containerId, LeaseRecord record)
    {
        _host = host;
        _record = record;
        Bandwidth = record.Bandwidth is { } limit && !host.Options.Beside ? new LeaseBandwidth(limit, host.Options.Time) : null;
        LeaseId = leaseId;
        ContainerId = containerId;
    }

    /// <summary>The lease.</summary>
    public string LeaseId { get; }

    /// <summary>The engine's id of the container.</summary>
    public string ContainerId { get; }

    /// <summary>The image's id (a digest), as it was when the container was made.</summary>
    public string ImageId => _record.Image;

    /// <summary>
    /// The limit each way over everything that the client sees; null: none. The container's network is held to it from the first start or
    /// command on; what passes over SSH is to be taken from its buckets.
    /// </summary>
    public LeaseBandwidth? Bandwidth { get; }

    private EngineClient Engine => _host.Engine;

    /// <summary>What it does now.</summary>
    /// <exception cref="EngineException">The engine does not answer.</exception>
    public async Task<LeaseContainerState> GetStateAsync(CancellationToken cancellationToken)
    {
        try
        {
            return State(await Engine.InspectContainerAsync(ContainerId, cancellationToken).ConfigureAwait(false));
        }
        catch (EngineException e) when (e.Failure == EngineFailure.NotFound)
        {
            return new LeaseContainerState(LeaseContainerStatus.Removed, 0, false, null, [], null);
        }
    }

    /// <summary>Starts it if it is not running (after a restart of the machine or of the engine), with its services. A paused one stays paused.</summary>
    /// <exception cref="EngineException">It is gone, or a port or GPU of its is not there any more.</exception>
    public async Task EnsureRunningAsync(CancellationToken cancellationToken)
    {
        var inspect = await Engine.InspectContainerAsync(ContainerId, cancellationToken).ConfigureAwait(false);
        if (State(inspect).Status is var status and (LeaseContainerStatus.Running or LeaseContainerStatus.Paused))
        {
            if (status == LeaseContainerStatus.Running)
            {
                await WarmUpAsync(cancellationToken).ConfigureAwait(false);
            }

            return;
        }

        if (Engine.Endpoint.IsLocal)
        {
            _host.PrepareFolder(LeaseId);
        }

        await Engine.StartContainerAsync(ContainerId, cancellationToken).ConfigureAwait(false);
        if (Bandwidth is not null)
        {
            inspect = await Engine.InspectContainerAsync(ContainerId, cancellationToken).ConfigureAwait(false);
            using var root = OpenRoot(inspect.State.Pid, out var reason)
                ?? throw new EngineException(EngineFailure.Failed, $"The container's network can't be held to its bandwidth: {reason}.");
            Bandwidth.Shape(root);
        }

        foreach (var service in _record.Services)
        {
            await StartServiceAsync(service, cancellationToken).ConfigureAwait(false);
        }

        await WarmUpAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Starts a process. Many may run at once.</summary>
    /// <exception cref="ExecException">It was not started; the message is for the SSH user.</exception>
    /// <exception cref="EngineException">The engine does not answer.</exception>
    public async Task<ContainerProcess> StartAsync(ExecRequest request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        if (request.Command is { } command && command.Span.Contains((byte)0))
        {
            throw new ExecException(ExecFailure.InvalidRequest, "The command has a NUL byte in it.");
        }

        if (_pausedByUs)
        {
            throw PausedFailure();
        }

        for (var attempt = 0; ; attempt++)
        {
            var attachment = await AttachAsync(cancellationToken).ConfigureAwait(false);
            try
            {
                return attachment.Agent is null
                    ? await AttachedProcess.StartAsync(Engine, ContainerId, attachment, _record.User, request, _host.Options.Time, cancellationToken).ConfigureAwait(false)
                    : await StartDirectlyAsync(attachment, request, cancellationToken).ConfigureAwait(false);
            }
            catch (ExecException e) when (e.Failure == ExecFailure.Unavailable && attachment.Agent is not null)
            {
                // The helper was killed or does not answer, or the container restarted under us: once more with a new one.
                Interlocked.CompareExchange(ref _attachment, null, attachment);
                attachment.Retire();
                if (attempt > 0)
                {
                    throw;
                }
            }
        }
    }

    /// <summary>Looks a user up in the container's own passwd and group files; null if there is none of that name.</summary>
    /// <param name="user"><c>name|uid[:group|gid]</c>; null: the lease's user.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="ExecException">The container does not run, or its files are not reachable from here (a remote engine).</exception>
    public async Task<ContainerUser?> FindUserAsync(string? user, CancellationToken cancellationToken)
    {
        var attachment = await AttachAsync(cancellationToken).ConfigureAwait(false);
        return attachment.Root is null
            ? throw new ExecException(ExecFailure.Unavailable, "The container's files can't be reached from this machine.")
            : ContainerUser.TryResolve(attachment.Root, user ?? _record.User);
    }

    /// <summary>
    /// Its file tree with the rights of a user, for one SFTP session; the caller disposes it. It holds a thread. A frozen container's is
    /// refused, one that is frozen later is the caller's to stop using.
    /// </summary>
    /// <param name="user"><c>name|uid[:group|gid]</c>; null: the lease's user.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="ExecException">The container is paused or does not run, has no such user, or is on another machine.</exception>
    public async Task<IContainerFileTree> OpenFilesAsync(string? user, CancellationToken cancellationToken)
    {
        if (_pausedByUs)
        {
            throw PausedFailure();
        }

        var attachment = await AttachAsync(cancellationToken).ConfigureAwait(false);
        var reason = "they could not when it was attached to";
        if (attachment.Root is null || OpenRoot(attachment.Root.Pid, out reason) is not { } root)
        {
            throw new ExecException(ExecFailure.Unavailable, $"The container's files can't be reached from this machine: {reason}.");
        }

        if (ContainerUser.TryResolve(root, user ?? _record.User) is not { } found)
        {
            root.Dispose();
            throw new ExecException(ExecFailure.NoUser, $"The container has no user '{user ?? _record.User}'.");
        }

        return new ContainerFileTree(root, found);
    }

    /// <summary>Freezes it: nothing in it runs until <see cref="ResumeAsync"/>, nothing is lost. Does nothing if it is frozen.</summary>
    public async Task PauseAsync(CancellationToken cancellationToken)
    {
        _pausedByUs = true;
        try
        {
            await Engine.PauseContainerAsync(ContainerId, cancellationToken).ConfigureAwait(false);
        }
        catch (EngineException e) when (e.Failure is EngineFailure.Conflict or EngineFailure.Failed)
        {
            var state = await GetStateAsync(cancellationToken).ConfigureAwait(false);
            if (state.Status != LeaseContainerStatus.Paused)
            {
                _pausedByUs = false;
                throw;
            }
        }
        catch (EngineException e) when (e.Failure == EngineFailure.NotFound)
        {
            _pausedByUs = false;
            throw;
        }
    }

    /// <summary>Lets a frozen container go on. Does nothing if it runs.</summary>
    public async Task ResumeAsync(CancellationToken cancellationToken)
    {
        try
        {
            await Engine.UnpauseContainerAsync(ContainerId, cancellationToken).ConfigureAwait(false);
        }
        catch (EngineException e) when (e.Failure is EngineFailure.Conflict or EngineFailure.Failed)
        {
            var state = await GetStateAsync(cancellationToken).ConfigureAwait(false);
            if (state.Status == LeaseContainerStatus.Paused)
            {
                throw;
            }
        }

        _pausedByUs = false;
    }

    /// <summary>Sends a signal to the container's first process; KILL ends everything in it at once.</summary>
    public Task KillAsync(string signal, CancellationToken cancellationToken) => Engine.KillContainerAsync(ContainerId, signal, cancellationToken);

    /// <summary>Ends and removes it with all that it wrote. Does nothing if it is gone already.</summary>
    public async Task RemoveAsync(CancellationToken cancellationToken)
    {
        try
        {
            await Engine.RemoveContainerAsync(ContainerId, cancellationToken).ConfigureAwait(false);
        }
        catch (EngineException e) when (e.Failure == EngineFailure.NotFound || (e.Failure == EngineFailure.Conflict && e.Message.Contains("already in progress", StringComparison.Ordinal)))
        {
            // Gone, or going.
        }

        if (_attachment is { } attachment)
        {
            await DetachAsync(attachment).ConfigureAwait(false);
        }

        Bandwidth?.Dispose();
        _host.DeleteFolder(LeaseId);
    }

    /// <summary>Its counters at this moment.</summary>
    public async Task<ContainerStats> GetStatsAsync(CancellationToken cancellationToken) =>
        ContainerStats.From(await Engine.StatsAsync(ContainerId, cancellationToken).ConfigureAwait(false), _host.Options.Time.GetUtcNow());

    /// <summary>Lets go of the container, which runs on: its SSH sessions end.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        Bandwidth?.Dispose();
        if (_attachment is { } attachment)
        {
            await DetachAsync(attachment).ConfigureAwait(false);
        }
    }

    internal static ExecException PausedFailure() => new(ExecFailure.Paused, "This lease is paused because it is not paid. It goes on when it is paid; nothing is lost.");

    /// <summary>The running container as this process reaches it; made once and again when it was lost.</summary>
    internal async ValueTask<Attachment> AttachAsync(CancellationToken cancellationToken)
    {
        if (_attachment is { } present && IsCurrent(present))
        {
            return present;
        }

        await _attaching.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (_attachment is { } made)
            {
                if (IsCurrent(made))
                {
                    return made;
                }

                _attachment = null;
                made.Retire();
            }

            var inspect = await InspectRunningAsync(cancellationToken).ConfigureAwait(false);
            var root = OpenRoot(inspect.State.Pid, out _);
            if (root is not null)
            {
                Bandwidth?.Shape(root);
            }

            ExecAgent? agent = null;
            if (root is not null && _host.Options is { AttachOnly: false, Beside: false })
            {
                try
                {
                    agent = await ExecAgent.StartAsync(Engine, ContainerId, _host.Folder(LeaseId), InspectRunningAsync, cancellationToken).ConfigureAwait(false);
                }
                catch (Exception e) when (e is ExecException or EngineException { Failure: EngineFailure.Refused or EngineFailure.Failed } || (e is IOException and not EngineException))
                {
                    // Docker's own exec and attach do it, only slower: the lease is served.
                }
                catch
                {
                    root.Dispose();
                    throw;
                }
            }

            return _attachment = new Attachment(root, agent, inspect.Config, _host.Options.Time.GetTimestamp());
        }
        finally
        {
            _attaching.Release();
        }
    }

    /// <summary>A dead helper or container is attached to anew; a helper that did not start is tried again after a while.</summary>
    private bool IsCurrent(Attachment attachment) => attachment switch
    {
        { Root: null } => true,
        { Root.IsAlive: false } or { Agent.IsAlive: false } => false,
        { Agent: null } => _host.Options.AttachOnly || _host.Options.Beside || _host.Options.Time.GetElapsedTime(attachment.MadeAt) < HelperRetry,
        _ => true,
    };

    private static LeaseContainerState State(ContainerInspect inspect)
    {
        var state = inspect.State;
        var status = state switch
        {
            { Paused: true } => LeaseContainerStatus.Paused,
            { Running: true } => LeaseContainerStatus.Running,
            { Status: "created" } => LeaseContainerStatus.Created,
            _ => LeaseContainerStatus.Stopped,
        };
        var ports = new List<(string, string, int)>();
        foreach (var (key, bindings) in inspect.NetworkSettings?.Ports ?? [])
        {
            foreach (var binding in bindings ?? [])
            {
                if (int.TryParse(binding.HostPort, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var port))
                {
                    ports.Add((key, binding.HostIp, port));
                }
            }
        }

        var address = inspect.NetworkSettings?.Networks?.Values.Select(n => n.IPAddress).FirstOrDefault(a => !string.IsNullOrEmpty(a));
        return new LeaseContainerState(status, state.ExitCode, state.OOMKilled, state.StartedAt, ports, address)
        {
            Mounts = [.. (inspect.HostConfig.Mounts ?? []).Where(m => m.Target != ExecAgent.MountPoint).Select(m => new ReadOnlyMount(m.Source, m.Target))],
        };
    }

    private async Task<ContainerInspect> InspectRunningAsync(CancellationToken cancellationToken)
    {
        ContainerInspect inspect;
        try
        {
            inspect = await Engine.InspectContainerAsync(ContainerId, cancellationToken).ConfigureAwait(false);
        }
        catch (EngineException e) when (e.Failure == EngineFailure.NotFound)
        {
            throw new ExecException(ExecFailure.NotRunning, "The container of this lease is gone.", e);
        }

        return State(inspect).Status switch
        {
            LeaseContainerStatus.Running => inspect,
            LeaseContainerStatus.Paused => throw PausedFailure(),
            _ => throw new ExecException(ExecFailure.NotRunning, "The container of this lease does not run."),
        };
    }

    private ContainerRoot? OpenRoot(int pid, out string reason)
    {
        if (!Engine.Endpoint.IsLocal)
        {
            reason = "its engine is another machine's";
            return null;
        }

        try
        {
            return ContainerRoot.TryOpen(pid, ExecAgent.MountPoint + "/" + LeaseHost.MarkerName, File.ReadAllBytes(Path.Combine(_host.Folder(LeaseId), LeaseHost.MarkerName)), out reason);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            reason = e.Message;
            return null;
        }
    }

    private async ValueTask DetachAsync(Attachment attachment)
    {
        Interlocked.CompareExchange(ref _attachment, null, attachment);
        await attachment.DisposeAsync().ConfigureAwait(false);
    }

    private async Task<ContainerProcess> StartDirectlyAsync(Attachment attachment, ExecRequest request, CancellationToken cancellationToken)
    {
        var root = attachment.Root!;
        var user = ContainerUser.TryResolve(root, request.User ?? _record.User)
            ?? throw new ExecException(ExecFailure.NoUser, $"The container has no user '{request.User ?? _record.User}'.");
        var plan = ExecPlan.Make(request, user, attachment.Config, root);
        var parameters = new ExecAgent.StartParameters
        {
            Terminal = request.Terminal is not null,
            Uid = user.Uid,
            Gid = user.Gid,
            Groups = user.Groups,
            Directory = plan.Directory,
            Program = plan.Program,
            Arguments = plan.Arguments,
            Environment = plan.Environment,
        };
        try
        {
            return request.Terminal is null
                ? await AgentProcess.StartWithPipesAsync(attachment.Agent!, parameters, _host.Options.Time, cancellationToken).ConfigureAwait(false)
                : await AgentProcess.StartWithTerminalAsync(attachment.Agent!, parameters, root.Handle, request.Terminal, user.TerminalGroup, _host.Options.Time, cancellationToken).ConfigureAwait(false);
        }
        catch (ExecException e) when (e.Failure is ExecFailure.NotFound or ExecFailure.NotExecutable)
        {
            throw new ExecException(e.Failure, $"{CommandLine.Text(plan.Program)}: {e.Message}", e);
        }
    }

    /// <summary>Starts the helper now, so that the first command need not wait for it.</summary>
    private async Task WarmUpAsync(CancellationToken cancellationToken)
    {
        try
        {
            await AttachAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (ExecException)
        {
            // It was paused or ended in this moment: whoever starts a command is told.
        }
    }

    private async Task StartServiceAsync(LeaseServiceRecord service, CancellationToken cancellationToken)
    {
        try
        {
            var exec = await Engine.CreateExecAsync(ContainerId, new CreateExec { Cmd = service.Arguments, User = _record.User }, cancellationToken).ConfigureAwait(false);
            await Engine.StartExecDetachedAsync(exec.Id, cancellationToken).ConfigureAwait(false);
            await Task.Delay(TimeSpan.FromMilliseconds(200), _host.Options.Time, cancellationToken).ConfigureAwait(false);
            var state = await Engine.InspectExecAsync(exec.Id, cancellationToken).ConfigureAwait(false);
            if (state is { Running: false, ExitCode: not (0 or null) })
            {
                throw new EngineException(EngineFailure.Failed, $"The service '{service.Name}' ({service.Arguments[0]}) ended at once with exit code {state.ExitCode}. Does the image have it?");
            }
        }
        catch (EngineException e) when (e.Failure is EngineFailure.Refused or EngineFailure.Failed && e.InnerException is null && !e.Message.StartsWith("The service", StringComparison.Ordinal))
        {
            throw new EngineException(e.Failure, $"The service '{service.Name}' could not be started; the image may lack {service.Arguments[0]}. {e.Message}", e);
        }
    }

    /// <summary>A running container as this process reaches it. Without an agent: through the engine only. Without a root: not even its files.</summary>
    internal sealed record Attachment(ContainerRoot? Root, ExecAgent? Agent, ContainerConfigAnswer Config, long MadeAt) : IAsyncDisposable
    {
        /// <summary>Without a root: the shell that the image has; empty: none; null: not asked yet.</summary>
        public string? RemoteShell { get; set; }

        /// <summary>Lets go of it without ending its sessions.</summary>
        public void Retire()
        {
            Agent?.Retire();
            Root?.Dispose();
        }

        public async ValueTask DisposeAsync()
        {
            if (Agent is not null)
            {
                await Agent.DisposeAsync().ConfigureAwait(false);
            }

            Root?.Dispose();
        }
    }
}
