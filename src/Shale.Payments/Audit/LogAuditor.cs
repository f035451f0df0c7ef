using System.Text;
using Shale.Payments.Log;
using Shale.Payments.Metering;
using Shale.Payments.Vouchers;

namespace Shale.Payments.Audit;

/// <summary>
/// Audits a voucher log in one pass: tree and checkpoint, every signature (in batches, on all cores), amounts, time, pauses, settlements.
/// Memory grows with the number of leases and settlements, not of entries.
/// </summary>
public sealed class LogAuditor
{
    // A batch is one random linear combination, and every payment key in it costs a point of its own: long enough that hundreds of leases in turn cost little beside their vouchers.
    private const int BatchSize = 4096;

    // How far back a statement's checkpoint may lie: 2 MiB of roots. A gateway names its newest, some entries back.
    private const int RootWindow = 1 << 16;

    private readonly ILogSource _source;
    private readonly AuditOptions _options;
    private readonly Dictionary<ulong, LeaseAudit> _leases = [];
    private readonly List<LeaseSettled> _settlements = [];
    private readonly List<AuditFinding> _findings = [];
    private readonly MerkleHash[] _roots = new MerkleHash[RootWindow];
    private readonly MerkleFrontier _frontier = new();
    private readonly List<MerkleHash> _tileRoots = [];
    private readonly List<Task> _verifying = [];
    private List<(long Entry, VoucherCheck Check)> _batch = new(BatchSize);
    private readonly List<AuditedResult> _results = [];
    private long _resultCount;
    private long _findingCount;
    private long _vouchers;
    private long _uncheckedRoots;
    private long _chainSettlements;

    private LogAuditor(ILogSource source, AuditOptions options) => (_source, _options) = (source, options);

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
        var note = await _source.ReadAsync("checkpoint", cancellation).ConfigureAwait(false)
            ?? throw new IOException("There is no checkpoint: this is not a voucher log, or it was never published.");
        if (!Checkpoint.TryOpen(Encoding.UTF8.GetString(note), verifier, out var checkpoint))
        {
            Find("checkpoint", null, null, $"the checkpoint is not one that {verifier.Name} signed");
            return Report(null);
        }

        var earlier = OpenEarlier(verifier, checkpoint);
        var leaves = new List<MerkleHash>(TilePath.Width);
        for (long bundle = 0; bundle * TilePath.Width < checkpoint.Size; bundle++)
        {
            var width = (int)Math.Min(TilePath.Width, checkpoint.Size - (bundle * TilePath.Width));
            var entries = await LogSource.ReadBundleAsync(_source, bundle, width, cancellation).ConfigureAwait(false);
            if (entries is null)
            {
                Find("missing", bundle * TilePath.Width, null, $"the entries from {bundle * TilePath.Width} on are missing or malformed ({TilePath.Entries(bundle, width)})");
                await Task.WhenAll(_verifying).ConfigureAwait(false);
                return Report(checkpoint);
            }

            leaves.Clear();
            foreach (var entry in entries)
            {
                CheckEarlier(earlier);
                _roots[_frontier.Size % RootWindow] = _frontier.Root();
                Check(_frontier.Size, entry.Span);
                leaves.Add(MerkleHash.Leaf(entry.Span));
                _frontier.Append(leaves[^1]);
                if (_batch.Count == BatchSize)
                {
                    await VerifyBatchAsync(cancellation).ConfigureAwait(false);
                }
            }

            await CheckTileAsync(0, bundle, leaves, cancellation).ConfigureAwait(false);
            if (width == TilePath.Width)
            {
                _tileRoots.Add(Root(leaves));
            }

            progress?.Report(_frontier.Size);
        }

        CheckEarlier(earlier);
        await VerifyBatchAsync(cancellation).ConfigureAwait(false);
        await Task.WhenAll(_verifying).ConfigureAwait(false);
        if (_frontier.Root() != checkpoint.Root)
        {
            Find("root", null, null, $"the entries have root {_frontier.Root()}, the signed checkpoint says {checkpoint.Root}: an entry was changed, added or removed");
        }

        await CheckUpperTilesAsync(cancellation).ConfigureAwait(false);
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

        void Problem(string code, string message) => Find(code, index, entry.LeaseId, message);
        if (!_leases.TryGetValue(entry.LeaseId, out var lease))
        {
            if (entry is LeaseOpened opened)
            {
                _leases[entry.LeaseId] = new LeaseAudit(opened, _options.ClockTolerance);
            }
            else
            {
                Problem("order", "the lease was never opened");
            }

            return;
        }

        lease.Apply(entry, Problem);
        if (entry is LeaseClosed closed && MeterStatement.TryRead(closed.FinalStatement.Span, out var final))
        {
            _resultCount += final.Results.Length;
            _results.AddRange(final.Results.Take(AuditReport.MaxResults - _results.Count).Select(cid => new AuditedResult(entry.LeaseId, cid.AsMemory())));
        }

        if (entry is VoucherAccepted voucher)
        {
            _vouchers++;
            CheckStatementRoot(index, voucher);
            if (lease.Payer is { } payer)
            {
                _batch.Add((index, new VoucherCheck(voucher.Voucher, payer, lease.Domain)));
            }
        }
        else if (entry is LeaseSettled settled)
        {
            _settlements.Add(settled);
        }
    }

    /// <summary>The checkpoint that a client was shown with its charge must be one of this log's own.</summary>
    private void CheckStatementRoot(long index, VoucherAccepted voucher)
    {
        if (!MeterStatement.TryRead(voucher.Statement.Span, out var statement))
        {
            return;
        }

        var size = (long)Math.Min(statement.LogSize, long.MaxValue);
        if (size > index)
        {
            Find("fork", index, voucher.LeaseId, $"the client was shown a log of {size} entries before it had them");
        }
        else if (size <= index - RootWindow)
        {
            _uncheckedRoots++;
        }
        else if (_roots[size % RootWindow] != statement.LogRoot)
        {
            Find("fork", index, voucher.LeaseId, $"the client was shown another log: its root at {size} entries is not this log's");
        }
    }

    private async Task VerifyBatchAsync(CancellationToken cancellation)
    {
        if (_batch.Count == 0)
        {
            return;
        }

        var batch = _batch;
        _batch = new List<(long, VoucherCheck)>(BatchSize);
        while (_verifying.Count >= Environment.ProcessorCount)
        {
            _verifying.Remove(await Task.WhenAny(_verifying).ConfigureAwait(false));
        }

        _verifying.Add(Task.Run(() => VerifyBatch(batch), cancellation));
    }

    private void VerifyBatch(List<(long Entry, VoucherCheck Check)> batch)
    {
        var checks = batch.ConvertAll(b => b.Check).ToArray();
        if (VoucherBatch.Verify(checks))
        {
            return;
        }

        foreach (var bad in VoucherBatch.FindInvalid(checks))
        {
            Find("signature", batch[bad].Entry, checks[bad].Voucher.Voucher.LeaseId, "the voucher's signature is not the payment key's");
        }
    }

    /// <summary>The hash tiles are what mirrors and proofs are served from: they must say what the entries say.</summary>
    private async Task CheckTileAsync(int level, long index, List<MerkleHash> expected, CancellationToken cancellation)
    {
        var path = TilePath.Hashes(level, index, expected.Count);
        var bytes = await _source.ReadAsync(path, cancellation).ConfigureAwait(false)
            ?? await _source.ReadAsync(TilePath.Hashes(level, index), cancellation).ConfigureAwait(false);
        var fits = bytes is not null && bytes.Length >= expected.Count * MerkleHash.Size;
        for (var i = 0; fits && i < expected.Count; i++)
        {
            fits = new MerkleHash(bytes.AsSpan(i * MerkleHash.Size, MerkleHash.Size)) == expected[i];
        }

        if (!fits)
        {
            Find("tile", index * TilePath.Width << (8 * level), null, $"the tile {path} is missing or does not fit the entries");
        }
    }

    /// <summary>Levels above the first, each from the one below.</summary>
    private async Task CheckUpperTilesAsync(CancellationToken cancellation)
    {
        var below = _tileRoots;
        for (var level = 1; below.Count > 0; level++)
        {
            var above = new List<MerkleHash>();
            for (var first = 0; first < below.Count; first += TilePath.Width)
            {
                var tile = below.GetRange(first, Math.Min(TilePath.Width, below.Count - first));
                await CheckTileAsync(level, first / TilePath.Width, tile, cancellation).ConfigureAwait(false);
                if (tile.Count == TilePath.Width)
                {
                    above.Add(Root(tile));
                }
            }

            below = above;
        }
    }

    private static MerkleHash Root(List<MerkleHash> hashes)
    {
        var tree = new MerkleFrontier();
        foreach (var hash in hashes)
        {
            tree.Append(hash);
        }

        return tree.Root();
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
