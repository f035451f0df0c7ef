using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging;
using Shale.Agent.Control;
using Shale.Agent.Files;
using Shale.Payments.Channel;
using Shale.Payments.Metering;
using Shale.Payments.Policy;
using Shale.Payments.Vouchers;

namespace Shale.Agent;

/// <summary>
/// What goes on with each lease, for people to look at. Told by the policy under its lock: everything here returns at once, and
/// what goes to the disk goes there from <see cref="FlushSettlements"/>.
/// </summary>
internal sealed class LeaseActivity(AgentFolder folder, TimeProvider time, ILogger logger) : IPaymentEvents, IQualityJudge
{
    /// <summary>The probe that a gateway answers with what the container uses now: <c>cpu_percent</c>, <c>memory_bytes</c>, <c>memory_limit_bytes</c>.</summary>
    public const string UsageProbe = "usage";

    /// <summary>A gateway that is refused at every charge must not fill the disk with it.</summary>
    private static readonly TimeSpan RefusalLogInterval = TimeSpan.FromMinutes(1);

    /// <summary>Somebody who looked so lately still looks.</summary>
    private static readonly TimeSpan WatchTime = TimeSpan.FromSeconds(10);

    private readonly Lock _lock = new();
    private readonly Dictionary<ulong, State> _leases = [];

    public void Paid(ulong leaseId, SignedVoucher voucher, MeterStatement statement)
    {
        lock (_lock)
        {
            State state = Of(leaseId);
            state.PaidAt = time.GetTimestamp();
            state.Refusal = null;
            state.IsPaused = false;
            state.IsFinal |= statement.IsFinal;
        }
    }

    public void Refused(ulong leaseId, RefusalMessage refusal)
    {
        if (refusal.Reason == RefusalReason.StaleCheckpoint)
        {
            // Two connections paid in turn; the gateway asks again at once.
            return;
        }

        bool tell;
        lock (_lock)
        {
            State state = Of(leaseId);
            state.Refusal = refusal.Text;
            tell = state.RefusalLoggedAt is not { } at || time.GetElapsedTime(at) >= RefusalLogInterval;
            state.RefusalLoggedAt = tell ? time.GetTimestamp() : state.RefusalLoggedAt;
        }

        if (tell)
        {
            AgentLog.Refused(logger, leaseId, refusal.Text);
        }
    }

    public void Noticed(ulong leaseId, NoticeMessage notice)
    {
        bool tell;
        lock (_lock)
        {
            State state = Of(leaseId);
            tell = state.Notice?.Kind != notice.Kind;
            state.Notice = notice;
            switch (notice.Kind)
            {
                case NoticeKind.Paused:
                    state.IsPaused = true;
                    break;
                case NoticeKind.Resumed:
                    state.IsPaused = false;
                    break;
                case NoticeKind.Closing:
                    state.IsClosing = true;
                    break;
                default:
                    state.Settlement = SettlementFile.From(leaseId, notice);
                    break;
            }
        }

        if (tell)
        {
            AgentLog.Noticed(logger, leaseId, notice.Kind.ToString(), notice.Text);
        }
    }

    public void LogReplaced(ulong leaseId, string before, string now) => AgentLog.LogReplaced(logger, leaseId, before, now);

    /// <summary>Usage is asked for while somebody looks; it costs the gateway a call to its engine.</summary>
    public string NextProbe(ulong leaseId)
    {
        lock (_lock)
        {
            return _leases.TryGetValue(leaseId, out State? state) && state.WatchedAt is { } at && time.GetElapsedTime(at) < WatchTime ? UsageProbe : "";
        }
    }

    public VerdictMessage Judge(ulong leaseId, in ProbeMessage probe)
    {
        if (probe.Name == UsageProbe && TryReadUsage(probe.Report, out UsageView? usage))
        {
            lock (_lock)
            {
                State state = Of(leaseId);
                (state.Usage, state.UsageAt) = (usage, time.GetTimestamp());
            }
        }

        return new VerdictMessage(true, "");
    }

    public string? Objection(ulong leaseId) => null;

    /// <summary>Notes that somebody looks at a lease.</summary>
    public void Watch(ulong leaseId)
    {
        lock (_lock)
        {
            Of(leaseId).WatchedAt = time.GetTimestamp();
        }
    }

    /// <summary>Notes how the agent's own connection to a lease does; null: it has none.</summary>
    public void Kept(ulong leaseId, string? how)
    {
        lock (_lock)
        {
            Of(leaseId).Keep = how;
        }
    }

    /// <summary>Whether the gateway said that the lease ends, or its final statement was signed.</summary>
    public bool IsEnding(ulong leaseId)
    {
        lock (_lock)
        {
            return _leases.TryGetValue(leaseId, out State? state) && (state.IsClosing || state.IsFinal);
        }
    }

    /// <summary>What to show of a lease.</summary>
    public Snapshot Of(ulong leaseId, TimeSpan paidFor)
    {
        lock (_lock)
        {
            State state = _leases.GetValueOrDefault(leaseId) ?? new State();
            TimeSpan? since = state.PaidAt is { } at ? time.GetElapsedTime(at) : null;
            LeaseState now = state switch
            {
                { IsFinal: true } => LeaseState.Closed,
                { IsClosing: true } => LeaseState.Closing,
                { Refusal: not null } => LeaseState.Refused,
                { IsPaused: true } => LeaseState.Paused,
                _ => since < paidFor ? LeaseState.Paying : LeaseState.Idle,
            };
            UsageView? usage = state.UsageAt is { } seen && time.GetElapsedTime(seen) < 2 * WatchTime ? state.Usage : null;
            return new Snapshot(now, since, state.Refusal ?? (state.Notice is { Text.Length: > 0 } notice && now is LeaseState.Paused or LeaseState.Closing ? state.Notice?.Text : null), state.Keep, usage);
        }
    }

    /// <summary>Writes settlements that were told since the last call: the newest of each lease, whatever the number.</summary>
    public void FlushSettlements()
    {
        List<SettlementFile> waiting = [];
        lock (_lock)
        {
            foreach (State state in _leases.Values)
            {
                if (state.Settlement is { } settlement)
                {
                    waiting.Add(settlement);
                    state.Settlement = null;
                }
            }
        }

        foreach (SettlementFile settlement in waiting)
        {
            try
            {
                Directory.CreateDirectory(folder.Lease(settlement.LeaseId), AgentFolder.FolderMode);
                PrivateFile.Replace(folder.Settlement(settlement.LeaseId), JsonSerializer.SerializeToUtf8Bytes(settlement, AgentJson.Default.SettlementFile));
            }
            catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
            {
                AgentLog.SettlementNotWritten(logger, cause, settlement.LeaseId);
            }
        }
    }

    /// <summary>The report comes from the gateway: what isn't a sensible number is no figure.</summary>
    private static bool TryReadUsage(string report, out UsageView? usage)
    {
        usage = null;
        try
        {
            if (JsonNode.Parse(report) is JsonObject fields)
            {
                usage = new UsageView(Number(fields, "cpu_percent", 1e6), (long?)Number(fields, "memory_bytes", 1e15), (long?)Number(fields, "memory_limit_bytes", 1e15));
            }
        }
        catch (Exception cause) when (cause is JsonException or InvalidOperationException or FormatException or ArgumentException)
        {
            return false;
        }

        return usage is not null;
    }

    private static double? Number(JsonObject fields, string name, double most) =>
        fields[name] is JsonValue value && value.TryGetValue(out double number) && number >= 0 && number <= most ? number : null;

    private State Of(ulong leaseId)
    {
        if (!_leases.TryGetValue(leaseId, out State? state))
        {
            _leases.Add(leaseId, state = new State());
        }

        return state;
    }

    /// <summary>How a lease stands.</summary>
    /// <param name="State">In a word.</param>
    /// <param name="SincePaid">Since the last voucher of this run; null before the first.</param>
    /// <param name="Message">Why, in a sentence; null where there is nothing to say.</param>
    /// <param name="Keep">How the agent's own connection does.</param>
    /// <param name="Usage">What the container uses; null where the gateway doesn't tell.</param>
    internal sealed record Snapshot(LeaseState State, TimeSpan? SincePaid, string? Message, string? Keep, UsageView? Usage);

    private sealed class State
    {
        public long? PaidAt { get; set; }

        public string? Refusal { get; set; }

        public long? RefusalLoggedAt { get; set; }

        public NoticeMessage? Notice { get; set; }

        public bool IsPaused { get; set; }

        public bool IsClosing { get; set; }

        public bool IsFinal { get; set; }

        public string? Keep { get; set; }

        public long? WatchedAt { get; set; }

        public UsageView? Usage { get; set; }

        public long? UsageAt { get; set; }

        public SettlementFile? Settlement { get; set; }
    }
}
