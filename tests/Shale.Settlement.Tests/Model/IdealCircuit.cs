using Shale.Bn254.Fields;
using Shale.Bn254.Poseidon;
using Shale.Settlement.Batching;
using Shale.Settlement.Circuit;

namespace Shale.Settlement.Tests.Model;

/// <summary>A voucher that some client did sign.</summary>
internal readonly record struct SignedVoucher(ulong Lease, Fr Ax, Fr Ay, UInt128 Cumulative);

/// <summary>
/// The circuit's statement in plain words: points 1 to 4 of the design, with "the signature verifies" read as "the client did sign this". Written without
/// the circuit's own formulas, as its oracle in the ledger's game.
/// </summary>
internal static class IdealCircuit
{
    public static bool Accepts(SettlementSlot slot, IReadOnlySet<SignedVoucher> signed)
    {
        if (!IsBit(slot.Listed) || !IsBit(slot.Sync) || !IsBit(slot.Fresh) || !IsBit(slot.Pay))
        {
            return false;
        }

        (bool listed, bool sync, bool fresh, bool pay) = (Is(slot.Listed), Is(slot.Sync), Is(slot.Fresh), Is(slot.Pay));
        if (!listed)
        {
            return !sync && !fresh && !pay;
        }

        if (fresh && !sync)
        {
            return false;
        }

        UInt128 before = 0;
        if (!fresh)
        {
            if (slot.OldHash.IsZero || Hash(slot.Old) != slot.OldHash)
            {
                return false;
            }

            before = Amount(slot.Old.Claimed);
            if ((slot.New.LeaseId, slot.New.Ax, slot.New.Ay) != (slot.Old.LeaseId, slot.Old.Ax, slot.Old.Ay) || (!sync && slot.New.Deposit != slot.Old.Deposit))
            {
                return false;
            }
        }

        if (slot.New.Claimed.ToBigInteger() > Leaf.MaxAmount)
        {
            return false;
        }

        UInt128 after = Amount(slot.New.Claimed);
        return pay
            ? before <= after && after <= Amount(slot.New.Deposit) && signed.Contains(new SignedVoucher((ulong)slot.New.LeaseId.ToBigInteger(), slot.New.Ax, slot.New.Ay, after))
            : before == after;
    }

    private static bool Is(Fr bit) => !bit.IsZero;

    private static bool IsBit(Fr value) => value.IsZero || value == Fr.One;

    private static UInt128 Amount(Fr value) => (UInt128)value.ToBigInteger();

    private static Fr Hash(LeafFields f) => Poseidon.Hash(f.LeaseId, f.Ax, f.Ay, f.Deposit, f.Claimed);
}
