using System.Globalization;
using Microsoft.Extensions.Logging;
using Shale.Payments.Channel;
using Shale.Payments.Log;
using Shale.Payments.Vouchers;

namespace Shale.Gateway.Payments;

/// <summary>
/// Takes settlements from lease records into the voucher log and tells the client's agent of them. What is in the log is counted beside the lease's status; a
/// crash between the two writes an entry twice, which an audit accepts.
/// </summary>
internal sealed class SettlementRecorder(string root, PaymentGate gate, IVoucherLog log, TimeProvider time, ILogger logger)
{
    private const int WordSize = 32;

    private readonly Dictionary<ulong, int> _recorded = [];

    /// <summary>Records what a lease's record names and the log does not have yet. One call at a time: whoever follows the directory makes them.</summary>
    public async Task RecordAsync(LeaseRecord lease)
    {
        if (lease.Settlements.Count == 0 || lease.Payment is null)
        {
            return;
        }

        try
        {
            if (!_recorded.TryGetValue(lease.Id, out var recorded))
            {
                recorded = FileLeaseDirectory.ReadRecordedSettlements(root, lease.Id);
            }

            foreach (var note in lease.Settlements.Where(s => s.Number > recorded).OrderBy(s => s.Number))
            {
                var claimed = AttoFil.TryParse(note.Claimed, out var amount) ? amount : throw new FormatException($"claimed '{note.Claimed}' is not an amount in attoFIL");
                var (transaction, newRoot) = (Word(note.Transaction), Word(note.NewRoot));
                var entry = new LeaseSettled(lease.Id, time.GetUtcNow().ToUnixTimeMilliseconds(), transaction, note.Page, note.Slot, claimed, newRoot);
                await log.AppendAsync(entry.ToBytes(), CancellationToken.None).ConfigureAwait(false);
                FileLeaseDirectory.WriteRecordedSettlements(root, lease.Id, note.Number);
                _recorded[lease.Id] = note.Number;
                if (gate.Find(lease.Id) is { } paid)
                {
                    var text = string.Create(CultureInfo.InvariantCulture, $"{lease.Name}: {claimed.ToFilString()} FIL are settled on chain.");
                    paid.Tell(NoticeMessage.Plain(NoticeKind.Settled, text, time.GetUtcNow()) with
                    {
                        Transaction = transaction,
                        Leaf = note.Leaf.SelectMany(Word).ToArray(),
                        Siblings = [.. note.Siblings.Select(s => new MerkleHash(Word(s)))],
                    });
                }
            }
        }
        catch (Exception error) when (error is FormatException or IOException or VoucherLogException)
        {
            // Tried again when the record is read again, at the latest by the next gateway.
            GatewayLog.SettlementNotRecorded(logger, lease.Id, error.Message);
        }
    }

    private static byte[] Word(string text) => text.Length == 2 + (2 * WordSize) && text.StartsWith("0x", StringComparison.Ordinal)
        ? Convert.FromHexString(text.AsSpan(2))
        : throw new FormatException($"'{text}' is not a word of 32 bytes");
}
