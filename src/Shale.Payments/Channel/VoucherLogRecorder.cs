using Shale.Payments.Log;
using Shale.Payments.Metering;
using Shale.Payments.Vouchers;

namespace Shale.Payments.Channel;

/// <summary>Records vouchers in the provider's voucher log.</summary>
public sealed class VoucherLogRecorder : IVoucherRecorder
{
    private readonly IVoucherLog _log;
    private readonly TimeProvider _time;

    /// <summary>Over a log, which stays the caller's.</summary>
    public VoucherLogRecorder(IVoucherLog log, TimeProvider time)
    {
        _log = log;
        _time = time;
    }

    /// <inheritdoc/>
    public async ValueTask RecordAsync(SignedVoucher voucher, MeterStatement statement, CancellationToken cancellation) =>
        await _log.AppendAsync(
            new VoucherAccepted(_time.GetUtcNow().ToUnixTimeMilliseconds(), voucher, statement.ToBytes()).ToBytes(), cancellation);

    /// <inheritdoc/>
    public (Checkpoint Checkpoint, string Signed) NewestCheckpoint()
    {
        // Other leases append meanwhile: what is signed may be newer than what was read a moment before.
        while (true)
        {
            Checkpoint checkpoint = _log.Current;
            string signed = _log.SignedCheckpoint();
            if (signed.StartsWith(checkpoint.Body, StringComparison.Ordinal))
            {
                return (checkpoint, signed);
            }
        }
    }

    /// <inheritdoc/>
    public IReadOnlyList<MerkleHash> ProveConsistency(long oldSize, long newSize) => _log.ProveConsistency(oldSize, newSize);
}
