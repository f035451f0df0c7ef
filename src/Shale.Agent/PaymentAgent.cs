using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Globalization;
using System.Net.Sockets;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Shale.Agent.Control;
using Shale.Agent.Files;
using Shale.Agent.Sockets;
using Shale.Bn254.BabyJubjub;
using Shale.Payments.Channel;
using Shale.Payments.Policy;
using Shale.Payments.Vouchers;

namespace Shale.Agent;

/// <summary>
/// The client's payment agent: one process a user, which holds the payment key and signs vouchers within the user's policy. It
/// serves a pay socket for each lease that costs something, the identity socket and the control socket, and keeps leases paid
/// by connections of its own.
/// </summary>
public sealed class PaymentAgent : IAsyncDisposable
{
    /// <summary>How the refusal begins that names another agent.</summary>
    internal const string RunsAlready = "A payment agent runs already on";

    private const int MaxControlRequest = 4096;

    private static readonly TimeSpan FlushInterval = TimeSpan.FromSeconds(1);

    private readonly PaymentAgentOptions _options;
    private readonly FileStream _lock;
    private readonly ILogger _logger;
    private readonly LeaseBook _book;
    private readonly LeaseActivity _activity;
    private readonly PaymentPolicy _policy;
    private readonly IAgentClock _clock;
    private readonly IdentityRelay _identities;
    private readonly SshHostKeys _hostKeys = new();
    private readonly List<VoucherJournal> _journals = [];
    private readonly SemaphoreSlim _reloading = new(1, 1);
    private readonly ConcurrentDictionary<ulong, SocketListener> _paySockets = new();
    private readonly Dictionary<ulong, Keeping> _keeping = [];
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _quit = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly DateTimeOffset _startedAt;
    private SocketListener? _identitySocket;
    private SocketListener? _controlSocket;
    private Task _flushing = Task.CompletedTask;
    private volatile PolicyFile _allowed;
    private bool _disposed;

    private PaymentAgent(PaymentAgentOptions options, FileStream held)
    {
        _options = options;
        _lock = held;
        _logger = options.LoggerFactory.CreateLogger<PaymentAgent>();
        _startedAt = options.Time.GetUtcNow();
        _clock = options.Clock ?? new SystemAgentClock(options.Time);
        _allowed = PolicyFile.Load(options.Folder);
        _book = new LeaseBook(options.Folder, options.Key.PublicKey.ToString());
        _activity = new LeaseActivity(options.Folder, options.Time, _logger);
        _identities = new IdentityRelay(options.IdentityAgent, options.Folder);
        _policy = new PaymentPolicy(options.Key, _book, _allowed.ToSpending(), _clock, OpenJournal, _activity, _activity);
    }

    /// <summary>Completes when a command asked the agent to end.</summary>
    public Task Quit => _quit.Task;

    /// <summary>Starts the agent; when this returns its sockets answer.</summary>
    /// <exception cref="AgentException">Another agent has the folder, or a file of it can't be used.</exception>
    public static async Task<PaymentAgent> StartAsync(PaymentAgentOptions options, CancellationToken cancellation)
    {
        options.Folder.Create();
        FileStream held = TakeLock(options.Folder);
        PaymentAgent? agent = null;
        try
        {
            agent = new PaymentAgent(options, held);
            await agent.StartAsync(cancellation).ConfigureAwait(false);
            return agent;
        }
        catch (Exception cause)
        {
            IAsyncDisposable begun = agent is null ? held : agent;
            await begun.DisposeAsync().ConfigureAwait(false);
            if (cause is IOException or SocketException or UnauthorizedAccessException)
            {
                throw new AgentException("The payment agent can't start: " + cause.Message);
            }

            throw;
        }
    }

    /// <summary>Reads leases and policy anew.</summary>
    /// <exception cref="AgentException">The policy can't be used; the one before stays in force.</exception>
    public async Task ReloadAsync(CancellationToken cancellation)
    {
        await _reloading.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            // First what forbids, then what opens.
            PolicyFile allowed = PolicyFile.Load(_options.Folder);
            _policy.Spending = allowed.ToSpending();
            _allowed = allowed;
            _book.Load();
            foreach (string problem in _book.Problems)
            {
                AgentLog.LeaseProblem(_logger, problem);
            }

            SshConfiguration.Write(_options.Folder, _book.All.Values);
            await ServeLeasesAsync().ConfigureAwait(false);
            await KeepLeasesAsync().ConfigureAwait(false);
        }
        finally
        {
            _reloading.Release();
        }
    }

    /// <summary>How everything stands.</summary>
    public AgentStatus Status() => Describe(_book.All);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        await _stop.CancelAsync().ConfigureAwait(false);
        foreach (SocketListener socket in new[] { _controlSocket, _identitySocket }.OfType<SocketListener>().Concat(_paySockets.Values))
        {
            await socket.DisposeAsync().ConfigureAwait(false);
        }

        foreach (Keeping keeping in _keeping.Values)
        {
            await keeping.DisposeAsync().ConfigureAwait(false);
        }

        await _flushing.ConfigureAwait(false);
        _activity.FlushSettlements();
        _options.Key.Dispose();
        lock (_journals)
        {
            _journals.ForEach(j => j.Dispose());
        }

        await _lock.DisposeAsync().ConfigureAwait(false);
    }

    private static FileStream TakeLock(AgentFolder folder)
    {
        try
        {
            // flock(2), which ends with the process however it ends.
            return new FileStream(folder.LockFile, new FileStreamOptions
            {
                Mode = FileMode.OpenOrCreate,
                Access = FileAccess.ReadWrite,
                Share = FileShare.None,
                UnixCreateMode = AgentFolder.FileMode,
            });
        }
        catch (IOException)
        {
            throw new AgentException($"{RunsAlready} {folder.Root}.", "shale agent status shows it; shale agent quit ends it.");
        }
    }

    private async Task StartAsync(CancellationToken cancellation)
    {
        // All leases that were ever paid count against the day's budget.
        _policy.OpenRecords(PaidLeases());
        await ReloadAsync(cancellation).ConfigureAwait(false);
        _identitySocket = SocketListener.Start(_options.Folder.IdentitySocket, _identities.ServeAsync, _logger);
        _flushing = FlushAsync();
        _controlSocket = SocketListener.Start(_options.Folder.ControlSocket, ControlAsync, _logger);
        AgentLog.Started(_logger, _options.Folder.Root, _options.Key.PublicKey.ToString());
    }

    private VoucherJournal OpenJournal(ulong leaseId)
    {
        VoucherJournal journal = VoucherJournal.Open(_options.Folder.Vouchers, leaseId);
        lock (_journals)
        {
            _journals.Add(journal);
        }

        return journal;
    }

    private ImmutableSortedSet<ulong> PaidLeases()
    {
        const string prefix = "lease-";
        var leases = ImmutableSortedSet.CreateBuilder<ulong>();
        foreach (string path in Directory.EnumerateFiles(_options.Folder.Vouchers, prefix + "*.vouchers"))
        {
            string name = Path.GetFileName(path);
            if (ulong.TryParse(name.AsSpan(prefix.Length, name.IndexOf('.', StringComparison.Ordinal) - prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out ulong id))
            {
                leases.Add(id);
            }
        }

        return leases.ToImmutable();
    }

    private PayerServer NewServer(ulong leaseId) => new(leaseId, _policy, _hostKeys);

    private async Task ServeLeasesAsync()
    {
        foreach (LeaseFile lease in _book.All.Values)
        {
            if (lease.Payment is not null && !_paySockets.ContainsKey(lease.Id))
            {
                ulong id = lease.Id;
                _paySockets[id] = SocketListener.Start(
                    _options.Folder.PaySocket(id),
                    async (stream, cancellation) =>
                    {
                        await using FrameConnection connection = FrameConnection.Over(stream);
                        await NewServer(id).ServeAgentSocketAsync(connection, cancellation).ConfigureAwait(false);
                    },
                    _logger);
            }
        }

        foreach (ulong gone in _paySockets.Keys.Where(id => _book.All.GetValueOrDefault(id)?.Payment is null).ToArray())
        {
            await _paySockets[gone].DisposeAsync().ConfigureAwait(false);
            _paySockets.TryRemove(gone, out _);
        }
    }

    private async Task KeepLeasesAsync()
    {
        foreach (ulong id in _keeping.Keys.Where(id => !_allowed.Keep.Contains(id) || !_keeping[id].IsFor(_book.All.GetValueOrDefault(id))).ToArray())
        {
            await _keeping[id].DisposeAsync().ConfigureAwait(false);
            _keeping.Remove(id);
            _activity.Kept(id, null);
        }

        foreach (ulong id in _allowed.Keep)
        {
            if (!_keeping.ContainsKey(id) && _book.All.TryGetValue(id, out LeaseFile? lease) && _book.Find(id) is not null && _policy.RecordOf(id)?.Newest.Statement.IsFinal != true)
            {
                var session = new KeepSession(_options.Folder, lease, _options.Ssh, () => NewServer(id), _activity, _options.Time, _logger);
                _keeping.Add(id, new Keeping(lease, session, _stop.Token));
            }
        }
    }

    private async Task FlushAsync()
    {
        using var timer = new PeriodicTimer(FlushInterval, _options.Time);
        try
        {
            while (await timer.WaitForNextTickAsync(_stop.Token).ConfigureAwait(false))
            {
                _activity.FlushSettlements();
            }
        }
        catch (OperationCanceledException)
        {
            // The agent stops; it flushes once more.
        }
    }

    private async Task ControlAsync(NetworkStream stream, CancellationToken cancellation)
    {
        if (await LineStream.ReadLineAsync(stream, MaxControlRequest, cancellation).ConfigureAwait(false) is not { } line)
        {
            return;
        }

        ControlReply reply = await AnswerAsync(line, cancellation).ConfigureAwait(false);
        await stream.WriteAsync((byte[])[.. JsonSerializer.SerializeToUtf8Bytes(reply, AgentLineJson.Default.ControlReply), (byte)'\n'], cancellation).ConfigureAwait(false);
    }

    private async Task<ControlReply> AnswerAsync(byte[] line, CancellationToken cancellation)
    {
        ControlRequest? request;
        try
        {
            request = JsonSerializer.Deserialize(line, AgentLineJson.Default.ControlRequest);
        }
        catch (JsonException cause)
        {
            return new ControlReply("The agent can't read the request: " + cause.Message);
        }

        switch (request)
        {
            case { Command: "status" }:
                return new ControlReply(Status: Status());
            case { Command: "watch", Lease: { } id }:
                if (!_book.All.TryGetValue(id, out LeaseFile? lease))
                {
                    return new ControlReply(Status: Describe([]));
                }

                _activity.Watch(id);
                return new ControlReply(Status: Describe(ImmutableSortedDictionary<ulong, LeaseFile>.Empty.Add(id, lease)));
            case { Command: "reload" }:
                try
                {
                    await ReloadAsync(cancellation).ConfigureAwait(false);
                    return new ControlReply();
                }
                catch (Exception cause) when (cause is AgentException or IOException or SocketException or UnauthorizedAccessException)
                {
                    return new ControlReply(cause.Message);
                }

            case { Command: "identity" }:
                await _identities.OfferAsync(request.Path, cancellation).ConfigureAwait(false);
                return new ControlReply();
            case { Command: "quit" }:
                _quit.TrySetResult();
                return new ControlReply();
            default:
                return new ControlReply("The agent that runs doesn't know this request: it is older or newer than this command. End it with: shale agent quit");
        }
    }

    private AgentStatus Describe(IEnumerable<KeyValuePair<ulong, LeaseFile>> leases)
    {
        ClockReading now = _clock.Read();
        return new AgentStatus
        {
            Pid = Environment.ProcessId,
            Folder = _options.Folder.Root,
            PaymentKey = _options.Key.PublicKey.ToString(),
            StartedAt = _startedAt,
            HasIdentityAgent = _identities.HasUpstream,
            Leases = [.. leases.Select(l => Describe(l.Value, now))],
            Problems = _book.Problems,
        };
    }

    private LeaseView Describe(LeaseFile lease, in ClockReading now)
    {
        PolicyFile allowed = _allowed;
        LeaseRecord? record = _policy.RecordOf(lease.Id);
        LeaseActivity.Snapshot seen = _activity.Of(lease.Id, TimeSpan.FromSeconds(allowed.PrepaySeconds) + _policy.Grace);
        LeaseState state = lease.Payment is null ? LeaseState.Free
            : record?.Newest.Statement.IsFinal == true ? LeaseState.Closed
            : allowed.StopAll || allowed.Stopped.Contains(lease.Id) ? LeaseState.Stopped
            : seen.State;
        bool sameDay = record is not null && record.Day == PaymentDay(now);
        return new LeaseView
        {
            Lease = lease.Id,
            Name = lease.Name,
            State = state,
            Message = seen.Message,
            Provider = lease.Provider,
            Host = lease.Host,
            Port = lease.Port,
            PricePerSecond = lease.Payment?.PricePerSecond,
            Deposit = lease.Payment?.Deposit,
            Authorised = lease.Payment is null ? null : (record?.Newest.Voucher.Voucher.Cumulative ?? AttoFil.Zero).ToString(),
            Today = lease.Payment is null ? null : (sameDay ? record!.SpentToday : AttoFil.Zero).ToString(),
            ActiveMilliseconds = record?.Newest.Statement.ActiveMilliseconds ?? 0,
            PausedMilliseconds = record?.Newest.Statement.PausedMilliseconds ?? 0,
            Results = [.. (record?.Newest.Statement.Results ?? []).Select(cid => BinaryCid.ToText(cid.AsSpan()))],
            SincePaidMilliseconds = (long?)seen.SincePaid?.TotalMilliseconds,
            Connections = _paySockets.TryGetValue(lease.Id, out SocketListener? socket) ? socket.Connections : 0,
            Keep = allowed.Keep.Contains(lease.Id) ? seen.Keep ?? "connecting" : null,
            Usage = seen.Usage,
        };
    }

    private static int PaymentDay(in ClockReading now) => (int)(Math.Max(0, now.WallMilliseconds) / 86_400_000);

    /// <summary>A lease that is kept, as it was when its connection was made: another address asks for another connection.</summary>
    private sealed class Keeping : IAsyncDisposable
    {
        private readonly CancellationTokenSource _stop;
        private readonly Task _running;
        private readonly LeaseFile _lease;

        public Keeping(LeaseFile lease, KeepSession session, CancellationToken cancellation)
        {
            _lease = lease;
            _stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            _running = Task.Run(() => session.RunAsync(_stop.Token), CancellationToken.None);
        }

        public bool IsFor(LeaseFile? lease) =>
            lease is not null && (lease.Host, lease.Port, lease.HostKeyAlias) == (_lease.Host, _lease.Port, _lease.HostKeyAlias);

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync().ConfigureAwait(false);
            await _running.ConfigureAwait(false);
            _stop.Dispose();
        }
    }
}
