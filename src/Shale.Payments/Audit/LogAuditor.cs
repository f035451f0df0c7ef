using System.Text;
using Shale.Payments.Log;
using Shale.Payments.Metering;
using Shale.Payments.Vouchers;
using Shale.Wire;

namespace Shale.Payments.Audit;

/// <summary>
/// Audits a voucher log in one pass: tree and checkpoint, every signature (in batches, on all cores), amounts, time, pauses, settlements.
/// Memory grows with the number of leases and settlements, not of entries.
/// </summary>
public sealed class LogAuditor
{
    private readonly ILogSource _source;
    private readonly AuditOptions _options;
    private readonly Dictionary<ulong, LeaseAudit> _leases = [];
    private readonly List<LeaseSettled> _settlements = [];
    private readonly List<AuditFinding> _findings = [];
    private readonly MerkleFrontier _frontier = new();
    private readonly RecentRoots _roots = new();
    private readonly SignatureChecks _signatures;

    // The hashes of each level's last tile, as they come up.
    private readonly List<MerkleHash>[] _tiles = [.. Enumerable.Range(0, TilePath.MaxLevels).Select(_ => new List<MerkleHash>(TilePath.Width))];
    private readonly PooledBufferWriter _tile = LogSource.Buffer();
    private readonly List<AuditedResult> _results = [];

    // The two that every entry asks for: made once, not for each.
    private readonly Action<int, long, MerkleHash> _completed;
    private readonly Action<string, string> _problem;
    private (long Index, ulong Lease) _checking;
    private long _resultCount;
    private long _findingCount;
    private long _vouchers;
    private long _uncheckedRoots;
    private long _chainSettlements;

    private LogAuditor(ILogSource source, AuditOptions options)
    {
        (_source, _options) = (source, options);
        _signatures = new SignatureChecks((entry, lease) => Find("signature", entry, lease, "the voucher's signature is not the payment key's"));
        _problem = (code, message) => Find(code, _checking.Index, _checking.Lease, message);
        _completed = Completed;
    }

    /// <summary>Audits a log.</summary>
    /// <param name="source">The log.</param>
    /// <param name="verifier">The provider's log key, from a source that is trusted.</param>
    /// <param name="options">How.</param>
    /// <param name="progress">Is told how many entries were read.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="IOException">The log can't be read at all.</exception>
    public static Task<AuditReport> RunAsync(ILogSource source, NoteVerifier verifier, AuditOptions options, IProgress<long>? progress, CancellationToken cancellation) =>
        new LogAuditor(source, options).RunAsync(verifier, progress, cancellation);

    private async Task<AuditReport> RunAsync(NoteVerifier verifier, IProgress<long>? progress, CancellationToken cancellation)
    {
        using var tile = _tile;
        using var entries = new LogBundle();
        var note = await LogSource.ReadCheckpointAsync(_source, cancellation).ConfigureAwait(false)
            ?? throw new IOException("There is no checkpoint: this is not a voucher log, or it was never published.");
        if (!Checkpoint.TryOpen(Encoding.UTF8.GetString(note), verifier, out var checkpoint))
        {
            Find("checkpoint", null, null, $"the checkpoint is not one that {verifier.Name} signed");
            return Report(null);
        }

        var earlier = OpenEarlier(verifier, checkpoint);
        for (long bundle = 0; bundle * TilePath.Width < checkpoint.Size; bundle++)
        {
            var width = (int)Math.Min(TilePath.Width, checkpoint.Size - (bundle * TilePath.Width));
            if (!await entries.TryReadAsync(_source, bundle, width, cancellation).ConfigureAwait(false))
            {
                Find("missing", bundle * TilePath.Width, null, $"the entries from {bundle * TilePath.Width} on are missing or malformed ({TilePath.Entries(bundle, width)})");
                await _signatures.CompleteAsync(cancellation).ConfigureAwait(false);
                return Report(checkpoint);
            }

            for (var i = 0; i < entries.Count; i++)
            {
                CheckEarlier(earlier);
                Check(_frontier.Size, entries[i]);
                _frontier.Append(MerkleHash.Leaf(entries[i]), _completed);
                if (_signatures.IsFull)
                {
                    await _signatures.StartAsync(cancellation).ConfigureAwait(false);
                }
            }

            await CheckTilesAsync(TilePath.Width, cancellation).ConfigureAwait(false);
            progress?.Report(_frontier.Size);
        }

        CheckEarlier(earlier);
        await CheckTilesAsync(1, cancellation).ConfigureAwait(false);
        await _signatures.CompleteAsync(cancellation).ConfigureAwait(false);
        if (_frontier.Root() != checkpoint.Root)
        {
            Find("root", null, null, $"the entries have root {_frontier.Root()}, the signed checkpoint says {checkpoint.Root}: an entry was changed, added or removed");
        }

        await CheckChainAsync(cancellation).ConfigureAwait(false);
        return Report(checkpoint);
    }

    private Checkpoint? OpenEarlier(NoteVerifier verifier, Checkpoint checkpoint)
    {
        if (_options.EarlierCheckpoint is not { } text)
        {
            return null;
        }

        if (!Checkpoint.TryOpen(text, verifier, out var earlier))
        {
            Find("earlier", null, null, $"the earlier checkpoint is not one that {verifier.Name} signed");
            return null;
        }

        if (earlier.Size > checkpoint.Size)
        {
            Find("earlier", null, null, $"the log has {checkpoint.Size} entries, an earlier checkpoint has {earlier.Size}: entries were taken back");
        }

        return earlier;
    }

    private void CheckEarlier(Checkpoint? earlier)
    {
        if (earlier?.Size == _frontier.Size && earlier.Root != _frontier.Root())
        {
            Find("earlier", null, null, $"the log's first {earlier.Size} entries are not those of the earlier checkpoint: it was forked");
        }
    }

    private void Check(long index, ReadOnlySpan<byte> bytes)
    {
        if (!LogEntry.TryRead(bytes, out var entry))
        {
            Find("entry", index, null, "the entry can't be read");
            return;
        }

        _checking = (index, entry.LeaseId);
        if (!_leases.TryGetValue(entry.LeaseId, out var lease))
        {
            if (entry is LeaseOpened opened)
            {
                _leases[entry.LeaseId] = new LeaseAudit(opened, _options.ClockTolerance);
            }
            else
            {
                _problem("order", "the lease was never opened");
            }

            return;
        }

        var statement = lease.Apply(entry, _problem);
        switch (entry)
        {
            case VoucherAccepted voucher:
                _vouchers++;
                if (statement is not null)
                {
                    CheckStatementRoot(index, statement);
                }

                if (lease.Payer is { } payer)
                {
                    _signatures.Add(index, new VoucherCheck(voucher.Voucher, payer, lease.Domain));
                }

                break;
            case LeaseClosed when statement is not null:
                _resultCount += statement.Results.Length;
                _results.AddRange(statement.Results.Take(AuditReport.MaxResults - _results.Count).Select(cid => new AuditedResult(entry.LeaseId, cid.AsMemory())));
                break;
            case LeaseSettled settled:
                _settlements.Add(settled);
                break;
        }
    }

    /// <summary>The checkpoint that a client was shown with its charge must be one of this log's own.</summary>
    private void CheckStatementRoot(long index, MeterStatement statement)
    {
        var size = (long)Math.Min(statement.LogSize, long.MaxValue);
        if (size > index)
        {
            _problem("fork", $"the client was shown a log of {size} entries before it had them");
        }
        else if (size <= index - RecentRoots.Window)
        {
            _uncheckedRoots++;
        }
        else if (_roots.At(size) != statement.LogRoot)
        {
            _problem("fork", $"the client was shown another log: its root at {size} entries is not this log's");
        }
    }

    private void Completed(int height, long index, MerkleHash hash)
    {
        _roots.Add(height, index, hash);
        if (height % 8 == 0)
        {
            _tiles[height / 8].Add(hash);
        }
    }

    /// <summary>Checks the tiles of all levels that have at least so many hashes: full ones as they fill up, the others at the end.</summary>
    private async Task CheckTilesAsync(int width, CancellationToken cancellation)
    {
        for (var level = 0; level < _tiles.Length; level++)
        {
            var tile = _tiles[level];
            if (tile.Count >= width)
            {
                await CheckTileAsync(level, ((_frontier.Size >> (8 * level)) - 1) / TilePath.Width, tile, cancellation).ConfigureAwait(false);
                tile.Clear();
            }
        }
    }

    /// <summary>The hash tiles are what mirrors and proofs are served from: they must say what the entries say.</summary>
    private async Task CheckTileAsync(int level, long index, List<MerkleHash> expected, CancellationToken cancellation)
    {
        var path = TilePath.Hashes(level, index, expected.Count);
        _tile.Clear();
        var fits = (await _source.TryReadAsync(path, _tile, cancellation).ConfigureAwait(false) ||
            await _source.TryReadAsync(TilePath.Hashes(level, index), _tile, cancellation).ConfigureAwait(false)) &&
            _tile.WrittenCount >= expected.Count * MerkleHash.Size;
        for (var i = 0; fits && i < expected.Count; i++)
        {
            fits = new MerkleHash(_tile.WrittenSpan.Slice(i * MerkleHash.Size, MerkleHash.Size)) == expected[i];
        }

        if (!fits)
        {
            Find("tile", index * TilePath.Width << (8 * level), null, $"the tile {path} is missing or does not fit the entries");
        }
    }

    private async Task CheckChainAsync(CancellationToken cancellation)
    {
        if (_options.Chain is not { } chain)
        {
            return;
        }

        foreach (var settled in _settlements)
        {
            var lease = settled.LeaseId;
            _chainSettlements++;
            var onChain = await chain.FindSettlementAsync(settled.Transaction, lease, cancellation).ConfigureAwait(false);
            if (onChain is null)
            {
                Find("chain", null, lease, $"the chain has no final settlement of this lease in transaction 0x{Convert.ToHexStringLower(settled.Transaction.Span)}");
            }
            else if (onChain.ProofProblem is { } problem)
            {
                Find("proof", null, lease, $"the settlement in transaction 0x{Convert.ToHexStringLower(settled.Transaction.Span)} does not hold: {problem}");
            }
            else if (onChain.Claimed != settled.Claimed || !onChain.NewRoot.Span.SequenceEqual(settled.NewRoot.Span))
            {
                Find("chain", null, lease, $"the chain recorded {onChain.Claimed} attoFIL and root 0x{Convert.ToHexStringLower(onChain.NewRoot.Span)}, the log {settled.Claimed} and 0x{Convert.ToHexStringLower(settled.NewRoot.Span)}");
            }
        }

        foreach (var (id, lease) in _leases)
        {
            if (await chain.FindClaimedAsync(id, cancellation).ConfigureAwait(false) is { } claimed && claimed > lease.Authorised)
            {
                Find("chain", null, id, $"the chain paid {claimed} attoFIL where the log's vouchers authorise {lease.Authorised}");
            }
        }
    }

    private void Find(string code, long? entry, ulong? lease, string message)
    {
        lock (_findings)
        {
            _findingCount++;
            if (_findings.Count < AuditReport.MaxFindings)
            {
                _findings.Add(new AuditFinding(code, entry, lease, message));
            }
        }
    }

    private AuditReport Report(Checkpoint? checkpoint) => new(
        checkpoint,
        _leases.Count,
        _vouchers,
        _leases.Values.Aggregate(UInt128.Zero, (sum, l) => sum + l.Authorised.Value),
        _leases.Values.Aggregate(UInt128.Zero, (sum, l) => sum + l.Settled.Value),
        [.. _findings.OrderBy(f => f.Entry ?? long.MaxValue)],
        _findingCount,
        _uncheckedRoots)
    {
        Results = _results,
        ResultCount = _resultCount,
        ChainSettlements = _chainSettlements,
    };
}
