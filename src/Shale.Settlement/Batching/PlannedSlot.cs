using Shale.Bn254.Fields;
using Shale.Groth16.Constraints.Gadgets;
using Shale.Settlement.Circuit;
using Shale.Settlement.Claims;

namespace Shale.Settlement.Batching;

/// <summary>What becomes of one slot; the default is a slot that is not listed.</summary>
/// <param name="Flags">The entry's flags.</param>
/// <param name="Leaf">The new leaf.</param>
/// <param name="Paid">attoFIL that it adds to the sum.</param>
/// <param name="Voucher">The voucher that is collected.</param>
internal readonly record struct PlannedSlot(EntryFlags Flags, Leaf Leaf, UInt128 Paid, SettlementVoucher? Voucher)
{
    private const int WordFlags = (int)(EntryFlags.Listed | EntryFlags.Sync | EntryFlags.Fresh | EntryFlags.Pay);

    /// <summary>The slot's five elements of the public list.</summary>
    public void WriteTo(Span<Fr> elements)
    {
        elements.Clear();
        if (Flags == EntryFlags.None)
        {
            return;
        }

        elements[0] = Fr.FromUInt128((Leaf.Claimed << 8) + (UInt128)((int)Flags & WordFlags));
        if ((Flags & EntryFlags.Sync) != 0)
        {
            LeafFields fields = Leaf.ToFields();
            (elements[1], elements[2], elements[3], elements[4]) = (fields.LeaseId, fields.Ax, fields.Ay, fields.Deposit);
        }
    }

    /// <summary>The slot's part of the witness.</summary>
    public SettlementSlot ToWitness(PageState state, int slot) => new()
    {
        Listed = Fr.One,
        Sync = Bit(EntryFlags.Sync),
        Fresh = Bit(EntryFlags.Fresh),
        Pay = Bit(EntryFlags.Pay),
        OldHash = state.LeafHash(slot),
        Old = state.Leaves[slot]?.ToFields() ?? default,
        New = Leaf.ToFields(),
        Statement = Voucher?.Statement ?? Fr.Zero,
        R8 = Voucher?.Signature.R8 ?? EdDsaGadget.Idle.R8,
        S = Voucher is { } voucher ? Fr.FromBigInteger(voucher.Signature.S.ToBigInteger()) : EdDsaGadget.Idle.S,
    };

    private Fr Bit(EntryFlags flag) => (Flags & flag) == 0 ? Fr.Zero : Fr.One;
}
