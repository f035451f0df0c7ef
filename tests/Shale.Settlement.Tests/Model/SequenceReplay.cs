using System.Numerics;
using Shale.Bn254.Fields;
using Shale.Settlement.Batching;
using Shale.Settlement.Claims;
using Shale.Settlement.Tests.Vectors;

namespace Shale.Settlement.Tests.Model;

/// <summary>The market as it stands before a step of the published sequence, by replaying the steps before it.</summary>
internal static class SequenceReplay
{
    public static MarketModel Before(string stepName)
    {
        var market = new MarketModel(SettlementSequence.Slots, SettlementSequence.Domain, ((ulong)SettlementSequence.Provider << 32) + SettlementSequence.Page)
        {
            Root = PageState.Empty(SettlementSequence.Slots).Root,
        };
        foreach (SequenceStep step in SettlementSequence.Steps)
        {
            Prepare(market, step);
            if (step.Name == stepName)
            {
                return market;
            }

            ContractRefusal refusal = market.Settle(Honest(step), (c, r, d) => (c, r, d) == (step.Batch.Statement.C, step.Batch.Statement.R, step.Batch.Statement.D));
            if (refusal != ContractRefusal.None)
            {
                throw new InvalidOperationException($"{step.Name} was refused: {refusal}.");
            }
        }

        throw new ArgumentException($"No step {stepName}.", nameof(stepName));
    }

    public static SettleCall Honest(SequenceStep step) => Call(step.Batch.NewPage.Root, step.Batch.Paid, step.Batch.Entries, step.Batch.Statement.C);

    public static SettleCall Call(Fr newRoot, UInt128 paid, IReadOnlyList<SettlementEntry> entries, Fr c) => new(
        newRoot.ToBigInteger(), (BigInteger)paid, EntryEncoding.EncodeEntries(entries), EntryEncoding.EncodeLeaseIds(entries), c.ToBigInteger());

    private static void Prepare(MarketModel market, SequenceStep step)
    {
        for (int slot = 0; slot < step.Records.Count; slot++)
        {
            if (step.Records[slot] is not { } record)
            {
                continue;
            }

            if (!market.Leases.TryGetValue(record.LeaseId, out LeaseRecord? known))
            {
                market.Confirm(record.LeaseId, slot, record.Key, record.Deposit);
            }
            else if (known.Deposit < record.Deposit)
            {
                market.TopUp(record.LeaseId, record.Deposit - known.Deposit);
            }
        }
    }
}
