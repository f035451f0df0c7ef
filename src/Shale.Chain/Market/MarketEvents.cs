using System.Globalization;
using System.Runtime.CompilerServices;
using Shale.Chain.Contracts;
using Shale.Chain.Networks;
using Shale.Chain.Rpc;

namespace Shale.Chain.Market;

/// <summary>What is known of an event at the moment it is handed out.</summary>
public enum EventStatus
{
    /// <summary>It is final: handed out once, in the chain's order.</summary>
    Final,

    /// <summary>It is in a block that may still be taken back. It comes again as <see cref="Final"/>, or as <see cref="Removed"/>.</summary>
    Provisional,

    /// <summary>It was handed out as <see cref="Provisional"/> and its block was taken back.</summary>
    Removed,
}

/// <summary>An event of the market or its registry.</summary>
/// <param name="Event">One of the generated records, <see cref="ShaleMarket.LeaseCreatedEvent"/> for example.</param>
/// <param name="Status">What is known of it.</param>
/// <param name="Epoch">The block's number.</param>
/// <param name="BlockHash">The block's hash.</param>
/// <param name="LogIndex">Its place in the block. Epoch and place rise from one final event to the next, and name it.</param>
/// <param name="TransactionHash">The transaction.</param>
public sealed record MarketEvent(IContractEvent Event, EventStatus Status, ulong Epoch, Bytes32 BlockHash, ulong LogIndex, Bytes32 TransactionHash);

/// <summary>What became known in one reading.</summary>
/// <param name="Events">The events, in the chain's order; removed ones first. Often none.</param>
/// <param name="Cursor">Where to go on after these: to be stored when they are dealt with, with what they changed in one write if none may be dealt with twice.</param>
/// <param name="Final">The newest final block that the events were read up to.</param>
public sealed record EventBatch(IReadOnlyList<MarketEvent> Events, EventCursor Cursor, ulong Final);

/// <summary>How events are followed.</summary>
public sealed record MarketEventOptions
{
    /// <summary>Whether events are handed out before they are final, too. Default false. Nothing that costs money may depend on a provisional one.</summary>
    public bool Provisional { get; init; }

    /// <summary>Epochs asked for at once, at most; halved where a node refuses. 1 to 100,000; default 2,880, what public Filecoin nodes give.</summary>
    public ulong Window { get; init; } = 2880;

    /// <summary>How long to wait when there is nothing new. Default: half of an epoch, between 0.2 and 15 seconds.</summary>
    public TimeSpan? PollInterval { get; init; }

    /// <summary>Told when no node answers; following goes on by itself. Null: nobody is told.</summary>
    public Action<ChainException>? Trouble { get; init; }
}

/// <summary>
/// Follows the events of a market from a cursor on. Final events are handed out in the chain's order, each once; whoever stores the cursor of a batch together with what the
/// batch changed sees each exactly once, however often the process dies. Goes on through restarts of the node and through epochs without a block.
/// </summary>
public sealed class MarketEvents
{
    private const ulong MostWindow = 100_000;

    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(30);

    private readonly ChainClient _chain;
    private readonly Network _network;
    private readonly MarketEventOptions _options;
    private readonly Address[] _contracts;
    private readonly TimeSpan _poll;

    /// <summary>What was handed out as provisional and is neither final nor removed, by its place in the chain.</summary>
    private readonly SortedDictionary<(ulong Epoch, ulong LogIndex), MarketEvent> _provisional = [];

    private ulong _window;

    /// <summary>Follows a network's market.</summary>
    /// <param name="chain">The chain.</param>
    /// <param name="network">Where the contracts lie.</param>
    /// <param name="options">How.</param>
    /// <exception cref="NetworkException">The contracts are not deployed there.</exception>
    public MarketEvents(ChainClient chain, Network network, MarketEventOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(network);
        _options = options ?? new MarketEventOptions();
        ArgumentOutOfRangeException.ThrowIfZero(_options.Window, nameof(options));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(_options.Window, MostWindow, nameof(options));
        (_chain, _network, _window) = (chain, network, _options.Window);
        _contracts = [network.RequireMarket(), network.RequireRegistry()];
        _poll = _options.PollInterval ?? TimeSpan.FromSeconds(Math.Clamp(network.EpochSeconds / 2.0, 0.2, 15));
    }

    /// <summary>A cursor before the first event.</summary>
    public EventCursor Start => new(_network.ChainId, _network.RequireMarket(), _network.DeployedAt, null, default);

    /// <summary>Follows events without end.</summary>
    /// <param name="from">Where to go on; null from the first event on.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <returns>A batch for each reading in which something came or a block became final.</returns>
    /// <exception cref="ChainException">The chain is another one than the cursor's, or no node keeps events that old. A node that doesn't answer is waited for.</exception>
    public async IAsyncEnumerable<EventBatch> FollowAsync(EventCursor? from, [EnumeratorCancellation] CancellationToken cancellation = default)
    {
        var cursor = Check(from ?? Start);
        var wait = _poll;
        while (true)
        {
            EventBatch? batch = null;
            try
            {
                batch = await ReadAsync(cursor, cancellation).ConfigureAwait(false);
                wait = _poll;
            }
            catch (ChainException trouble) when (trouble.Kind is ChainErrorKind.Unreachable or ChainErrorKind.NotFound)
            {
                _options.Trouble?.Invoke(trouble);
                wait = wait * 2 < LongestWait ? wait * 2 : LongestWait;
            }

            if (batch is not null)
            {
                cursor = batch.Cursor;
                yield return batch;
                if (batch.Cursor.Next <= batch.Final)
                {
                    continue;
                }
            }

            await Task.Delay(wait, _chain.Time, cancellation).ConfigureAwait(false);
        }
    }

    /// <summary>Reads the events of a range of epochs, final or not, in windows; nothing is followed.</summary>
    /// <param name="from">The first epoch.</param>
    /// <param name="to">The last epoch.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <exception cref="ChainException">No node answers, or none keeps events that old.</exception>
    public async Task<IReadOnlyList<MarketEvent>> ReadRangeAsync(ulong from, ulong to, CancellationToken cancellation = default)
    {
        var events = new List<MarketEvent>();
        while (from <= to)
        {
            var (logs, last) = await ReadWindowAsync(from, to, cancellation).ConfigureAwait(false);
            events.AddRange(logs.Select(l => Decode(l, EventStatus.Provisional)));
            from = last + 1;
        }

        return events;
    }

    /// <summary>Reads once: the final events after the cursor, a window of them at most, and what is provisional beyond.</summary>
    /// <param name="cursor">Where to go on.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <returns>Null where nothing is new.</returns>
    internal async Task<EventBatch?> ReadAsync(EventCursor cursor, CancellationToken cancellation)
    {
        var final = await _chain.GetFinalizedAsync(cancellation).ConfigureAwait(false);
        var events = new List<MarketEvent>();
        var next = cursor;
        if (cursor.LastBlock > final.Number)
        {
            return null; // the node is behind the one that was asked before
        }

        if (final.Number >= cursor.Next)
        {
            await CheckChainAsync(cursor, final, cancellation).ConfigureAwait(false);
            var (logs, last) = await ReadWindowAsync(cursor.Next, final.Number, cancellation).ConfigureAwait(false);
            events.AddRange(logs.Select(l => Decode(l, EventStatus.Final)));

            // A window that ends before the final block has no hash of its own at hand; the final block's shows the same.
            next = cursor with { Next = last + 1, LastBlock = final.Number, LastHash = final.Hash };
            events.InsertRange(0, Settle(last, logs));
        }

        if (_options.Provisional && next.Next > final.Number)
        {
            await ReadProvisionalAsync(final.Number, events, cancellation).ConfigureAwait(false);
        }

        return next == cursor && events.Count == 0 ? null : new EventBatch(events, next, final.Number);
    }

    /// <summary>The cursor belongs to this market.</summary>
    private EventCursor Check(EventCursor cursor) => cursor.ChainId == _network.ChainId && cursor.Market == _network.Market
        ? cursor
        : throw new ChainException(
            ChainErrorKind.WrongChain,
            $"The stored position in the events is of the market {cursor.Market} on chain {cursor.ChainId}, not of {_network.Market} on chain {_network.ChainId}. Use the network that it belongs to, or a folder of its own for this one.");

    /// <summary>The block that was final at the last reading is still there: else all that was read may be void.</summary>
    private async Task CheckChainAsync(EventCursor cursor, BlockHeader final, CancellationToken cancellation)
    {
        if (cursor.LastBlock is not { } number)
        {
            return;
        }

        var now = number == final.Number ? final : await _chain.GetBlockAsync(BlockTag.At(number), cancellation).ConfigureAwait(false);
        if (now?.Hash != cursor.LastHash)
        {
            throw new ChainException(
                ChainErrorKind.WrongChain,
                string.Create(CultureInfo.InvariantCulture, $"Block {number} was final with hash {cursor.LastHash} and is now {now?.Hash.ToString() ?? "gone"}: the node is on another chain, or was set back. Point it to the right chain; if this is a devnet that was made anew, remove what was stored of the old one."));
        }
    }

    /// <summary>Logs of as many epochs as a node gives at once, up to <paramref name="to"/>.</summary>
    private async Task<(IReadOnlyList<LogEntry> Logs, ulong Last)> ReadWindowAsync(ulong from, ulong to, CancellationToken cancellation)
    {
        while (true)
        {
            var last = Math.Min(to, from + _window - 1);
            try
            {
                var logs = await GetLogsAsync(from, last, cancellation).ConfigureAwait(false);
                _window = Math.Min(_options.Window, _window * 2);
                return (logs, last);
            }
            catch (ChainException refused) when (refused.Kind == ChainErrorKind.TooMuch && _window > 1)
            {
                _window = Math.Max(1, Math.Min(_window, last - from + 1) / 2);
            }
        }
    }

    /// <summary>Logs of a range whose ends may be epochs without a block, which some nodes refuse: such an end has no events and is moved to the nearest epoch that has a block.</summary>
    private async Task<IReadOnlyList<LogEntry>> GetLogsAsync(ulong from, ulong to, CancellationToken cancellation)
    {
        try
        {
            return await _chain.GetLogsAsync(new LogFilter(from, to, _contracts), cancellation).ConfigureAwait(false);
        }
        catch (ChainException refused) when (refused.Kind == ChainErrorKind.NullRound)
        {
            var first = await _chain.GetBlockAtOrAfterAsync(from, cancellation).ConfigureAwait(false);
            var last = await _chain.GetBlockAtOrBeforeAsync(to, cancellation).ConfigureAwait(false);
            if (first is null || last is null || first.Number > last.Number)
            {
                return [];
            }

            return await _chain.GetLogsAsync(new LogFilter(first.Number, last.Number, _contracts), cancellation).ConfigureAwait(false);
        }
    }

    /// <summary>Takes what is final now out of what was provisional; what was taken back is handed out as removed.</summary>
    private List<MarketEvent> Settle(ulong last, IReadOnlyList<LogEntry> final)
    {
        var kept = final.Select(l => (l.BlockNumber, l.LogIndex, l.BlockHash)).ToHashSet();
        var removed = new List<MarketEvent>();
        foreach (var (place, old) in _provisional.TakeWhile(p => p.Key.Epoch <= last).ToList())
        {
            _provisional.Remove(place);
            if (!kept.Contains((old.Epoch, old.LogIndex, old.BlockHash)))
            {
                removed.Add(old with { Status = EventStatus.Removed });
            }
        }

        return removed;
    }

    /// <summary>Reads everything beyond the final block anew and hands out the difference to what was handed out.</summary>
    private async Task ReadProvisionalAsync(ulong final, List<MarketEvent> events, CancellationToken cancellation)
    {
        var head = await _chain.GetHeadAsync(cancellation).ConfigureAwait(false);
        var logs = new List<LogEntry>();
        for (var next = final + 1; next <= head;)
        {
            var (part, last) = await ReadWindowAsync(next, head, cancellation).ConfigureAwait(false);
            logs.AddRange(part);
            next = last + 1;
        }

        var found = logs.ToDictionary(l => (l.BlockNumber, l.LogIndex));
        foreach (var (place, old) in _provisional.ToList())
        {
            if (!found.TryGetValue(place, out var log) || log.BlockHash != old.BlockHash)
            {
                _provisional.Remove(place);
                events.Add(old with { Status = EventStatus.Removed });
            }
        }

        foreach (var log in logs)
        {
            if (!_provisional.ContainsKey((log.BlockNumber, log.LogIndex)))
            {
                var decoded = Decode(log, EventStatus.Provisional);
                _provisional.Add((log.BlockNumber, log.LogIndex), decoded);
                events.Add(decoded);
            }
        }
    }

    private MarketEvent Decode(LogEntry log, EventStatus status)
    {
        var read = log.Address == _contracts[0] ? ShaleMarket.TryDecodeEvent(log, out var decoded) : ShaleRegistry.TryDecodeEvent(log, out decoded);
        return read
            ? new MarketEvent(decoded!, status, log.BlockNumber, log.BlockHash, log.LogIndex, log.TransactionHash)
            : throw new ChainException(ChainErrorKind.Malformed, $"The contract {log.Address} wrote an event in transaction {log.TransactionHash} that is not the market's. Is its address right in the network file?");
    }
}
