using Shale.Payments.Audit;
using Shale.Payments.Log;
using Shale.Payments.Vouchers;

namespace Shale.Operator.Log;

/// <summary>The newest voucher of every lease, from the gateway's log. Read anew at each start; a voucher counts for what its signature says, not for being here.</summary>
internal sealed class VoucherIndex(string stateDirectory)
{
    private readonly FolderLogSource _source = new(Path.Combine(stateDirectory, "log"));
    private readonly Dictionary<ulong, SignedVoucher> _newest = [];
    private readonly Dictionary<ulong, DateTimeOffset> _times = [];
    private readonly HashSet<ulong> _closed = [];
    private long _next;

    /// <summary>The newest voucher of a lease; null where none was accepted.</summary>
    public SignedVoucher? Newest(ulong lease) => _newest.GetValueOrDefault(lease);

    /// <summary>When the first voucher after the last settlement was accepted is bounded by this: the newest one's time.</summary>
    public DateTimeOffset? NewestAt(ulong lease) => _times.TryGetValue(lease, out var at) ? at : null;

    /// <summary>Whether the log says that the lease is over: no voucher follows.</summary>
    public bool IsClosed(ulong lease) => _closed.Contains(lease);

    /// <summary>Reads what the log got since the last call.</summary>
    /// <exception cref="IOException">The log can't be read.</exception>
    public async Task RefreshAsync(CancellationToken cancellation)
    {
        var keyFile = Path.Combine(stateDirectory, "log.pub");
        if (!File.Exists(keyFile))
        {
            // No gateway has started here yet.
            return;
        }

        var text = (await File.ReadAllTextAsync(keyFile, cancellation).ConfigureAwait(false)).Trim();
        var verifier = NoteVerifier.TryParse(text, out var parsed) ? parsed : throw new IOException($"{keyFile} does not hold a log's key.");
        await foreach (var (index, entry) in LogReader.ReadAsync(_source, verifier, _next, cancellation).ConfigureAwait(false))
        {
            switch (entry)
            {
                case VoucherAccepted accepted when !_newest.TryGetValue(entry.LeaseId, out var known) || accepted.Voucher.Voucher.Cumulative > known.Voucher.Cumulative:
                    _newest[entry.LeaseId] = accepted.Voucher;
                    _times[entry.LeaseId] = DateTimeOffset.FromUnixTimeMilliseconds(entry.UnixMilliseconds);
                    break;
                case LeaseClosed:
                    _closed.Add(entry.LeaseId);
                    break;
            }

            _next = index + 1;
        }
    }
}
