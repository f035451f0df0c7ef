using Shale.Bn254.Fields;
using Shale.Groth16.Constraints;
using Shale.Groth16.Constraints.Gadgets;

namespace Shale.Settlement.Circuit;

/// <summary>A leaf's five elements as wires.</summary>
internal readonly record struct LeafWires(Variable LeaseId, Variable Ax, Variable Ay, Variable Deposit, Variable Claimed)
{
    public Variable Hash(ConstraintSystem system) => PoseidonGadget.Hash(system, LeaseId, Ax, Ay, Deposit, Claimed);
}

/// <summary>A slot's private inputs as wires.</summary>
internal sealed record SlotWires(
    Variable Listed, Variable Sync, Variable Fresh, Variable Pay, Variable OldHash, LeafWires Old, LeafWires New, Variable Statement, EdwardsPoint R8, Variable S)
{
    public static SlotWires Declare(ConstraintSystem system, string name, SettlementSlot slot)
    {
        Variable Wire(string field, in Fr value) => system.PrivateInput($"{name}.{field}", value);
        LeafWires Leaf(string leaf, in LeafFields fields) => new(
            Wire(leaf + ".leaseId", fields.LeaseId), Wire(leaf + ".ax", fields.Ax), Wire(leaf + ".ay", fields.Ay),
            Wire(leaf + ".deposit", fields.Deposit), Wire(leaf + ".claimed", fields.Claimed));

        return new SlotWires(
            Wire("listed", slot.Listed), Wire("sync", slot.Sync), Wire("fresh", slot.Fresh), Wire("pay", slot.Pay),
            Wire("oldHash", slot.OldHash), Leaf("old", slot.Old), Leaf("new", slot.New), Wire("statement", slot.Statement),
            new EdwardsPoint(Wire("r8x", slot.R8.X), Wire("r8y", slot.R8.Y)), Wire("s", slot.S));
    }
}

/// <summary>What a slot contributes to the page: both leaf hashes, the amount paid, and its five elements of the public list.</summary>
internal readonly record struct SlotOutcome(Variable OldHash, Variable NewHash, Variable Paid, Variable[] PublicElements);

/// <summary>What must hold for one slot (settlement.md, "Settlement circuit: one page", points 1 to 4).</summary>
internal static class SlotGadget
{
    /// <summary>Bits of an amount in attoFIL: a u96, as in the contract.</summary>
    public const int AmountBits = 96;

    public static SlotOutcome Define(ConstraintSystem system, in Variable domain, SlotWires slot)
    {
        using GadgetScope scope = system.Enter("slot");
        AssertFlags(system, slot);

        using (system.Enter("old-leaf"))
        {
            // fresh implies sync, and sync implies listed, so this difference is a bit: listed and not fresh. A zero leaf does not
            // open: that would take fields whose Poseidon hash is zero.
            Variable opens = slot.Listed - slot.Fresh;
            Logic.AssertEqualWhere(system, opens, slot.Old.Hash(system), slot.OldHash, "the old leaf opens");
        }

        Variable[] elements = Records(system, slot);
        Variable paid = Amounts(system, slot);
        Voucher(system, domain, slot);

        Variable newHash;
        using (system.Enter("new-leaf"))
        {
            newHash = Logic.Select(system, slot.Listed, slot.New.Hash(system), slot.OldHash);
        }

        Variable claimedWhereListed = system.Multiply(slot.Listed, slot.New.Claimed, "claimed where listed");
        elements[0] = slot.Listed + (Fr.FromUInt64(2) * slot.Sync) + (Fr.FromUInt64(4) * slot.Fresh) + (Fr.FromUInt64(8) * slot.Pay)
            + (Fr.FromUInt64(256) * claimedWhereListed);
        return new SlotOutcome(slot.OldHash, newHash, paid, elements);
    }

    private static void AssertFlags(ConstraintSystem system, SlotWires slot)
    {
        using GadgetScope scope = system.Enter("flags");
        system.AssertBoolean(slot.Listed, "listed is a bit");
        system.AssertBoolean(slot.Sync, "sync is a bit");
        system.AssertBoolean(slot.Fresh, "fresh is a bit");
        system.AssertBoolean(slot.Pay, "pay is a bit");
        system.AssertProduct(slot.Sync, Fr.One - slot.Listed, Fr.Zero, "sync only where listed");
        system.AssertProduct(slot.Fresh, Fr.One - slot.Sync, Fr.Zero, "fresh only where synced");
        system.AssertProduct(slot.Pay, Fr.One - slot.Listed, Fr.Zero, "pay only where listed");
    }

    /// <summary>Lease, key and deposit of the new leaf: the old leaf's, or the public list's where it syncs; the list has zeros elsewhere.</summary>
    private static Variable[] Records(ConstraintSystem system, SlotWires slot)
    {
        using GadgetScope scope = system.Enter("record");
        Variable notFresh = Fr.One - slot.Fresh, notSync = Fr.One - slot.Sync;
        system.AssertProduct(notFresh, slot.New.LeaseId - slot.Old.LeaseId, Fr.Zero, "leaseId stays but for fresh");
        system.AssertProduct(notFresh, slot.New.Ax - slot.Old.Ax, Fr.Zero, "Ax stays but for fresh");
        system.AssertProduct(notFresh, slot.New.Ay - slot.Old.Ay, Fr.Zero, "Ay stays but for fresh");
        system.AssertProduct(notSync, slot.New.Deposit - slot.Old.Deposit, Fr.Zero, "deposit stays but for sync");
        return
        [
            default,
            system.Multiply(slot.Sync, slot.New.LeaseId, "listed leaseId"),
            system.Multiply(slot.Sync, slot.New.Ax, "listed Ax"),
            system.Multiply(slot.Sync, slot.New.Ay, "listed Ay"),
            system.Multiply(slot.Sync, slot.New.Deposit, "listed deposit"),
        ];
    }

    /// <summary>claimed₀ ≤ claimed₁, and ≤ deposit where something is paid; returns claimed₁ − claimed₀.</summary>
    private static Variable Amounts(ConstraintSystem system, SlotWires slot)
    {
        using GadgetScope scope = system.Enter("amounts");
        Variable before = system.Multiply(Fr.One - slot.Fresh, slot.Old.Claimed, "claimed before");
        Variable paid = slot.New.Claimed - before;
        system.AssertProduct(Fr.One - slot.Pay, paid, Fr.Zero, "claimed stays but for pay");
        using (system.Enter("claimed"))
        {
            Bits.AssertRange(system, slot.New.Claimed, AmountBits);
        }

        using (system.Enter("paid"))
        {
            Bits.AssertRange(system, paid, AmountBits);
        }

        Variable headroom = system.Multiply(slot.Pay, slot.New.Deposit - slot.New.Claimed, "left where paid");
        using (system.Enter("left"))
        {
            Bits.AssertRange(system, headroom, AmountBits);
        }

        return paid;
    }

    private static void Voucher(ConstraintSystem system, in Variable domain, SlotWires slot)
    {
        using GadgetScope scope = system.Enter("voucher");
        Variable message = PoseidonGadget.Hash(system, domain, slot.New.LeaseId, slot.New.Claimed, slot.Statement);
        EdDsaGadget.Verify(system, slot.Pay, new EdwardsPoint(slot.New.Ax, slot.New.Ay), message, slot.R8, slot.S);
    }
}
