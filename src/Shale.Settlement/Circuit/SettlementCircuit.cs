using System.Globalization;
using Shale.Bn254.Fields;
using Shale.Groth16.Constraints;
using Shale.Groth16.Constraints.Gadgets;

namespace Shale.Settlement.Circuit;

/// <summary>
/// The statement that one proof settles a page (docs/CIRCUIT.md): public signals C, r, d. For any number of slots that is a power of two;
/// deployments use 8, 64 and 256.
/// </summary>
public sealed class SettlementCircuit : ICircuit<SettlementStatement>
{
    private static readonly Fr[] PowersOfTwo = [Fr.One, Fr.FromUInt64(2), Fr.FromUInt64(4), Fr.FromUInt64(8)];

    /// <summary>A circuit for a page size.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The number of slots is no power of two up to 256.</exception>
    public SettlementCircuit(int slots)
    {
        if (slots is < 1 or > 256 || (slots & (slots - 1)) != 0)
        {
            throw new ArgumentOutOfRangeException(nameof(slots), slots, "A page has a power of two of slots, at most 256.");
        }

        Slots = slots;
    }

    /// <summary>The page sizes that deployments use.</summary>
    public static IReadOnlyList<int> PageSizes { get; } = [8, 64, 256];

    /// <summary>N.</summary>
    public int Slots { get; }

    /// <inheritdoc/>
    public SettlementStatement Blank =>
        new(default, default, [.. Enumerable.Repeat(SettlementSlot.Unlisted(Fr.Zero), Slots)], default, default, default);

    /// <inheritdoc/>
    public void Define(ConstraintSystem system, SettlementStatement input)
    {
        ArgumentNullException.ThrowIfNull(system);
        ArgumentNullException.ThrowIfNull(input);
        if (input.Slots.Count != Slots)
        {
            throw new ArgumentException($"{input.Slots.Count} slots for a page of {Slots}.", nameof(input));
        }

        Variable commitment = system.PublicOutput("C", input.C);
        Variable point = system.PublicInput("r", input.R);
        Variable value = system.PublicInput("d", input.D);
        Variable domain = system.PrivateInput("domain", input.Domain);
        Variable pageKey = system.PrivateInput("pageKey", input.PageKey);
        var inputs = new SlotWires[Slots];
        for (int i = 0; i < Slots; i++)
        {
            inputs[i] = SlotWires.Declare(system, string.Create(CultureInfo.InvariantCulture, $"slot[{i}]"), input.Slots[i]);
        }

        var outcomes = new SlotOutcome[Slots];
        system.ForEach(Slots, (part, i) => outcomes[i] = SlotGadget.Define(part, domain, inputs[i]));

        var leaves = new Variable[Slots];
        Variable oldRoot = Root(system, "old-root", outcomes, static o => o.OldHash, leaves);
        Variable newRoot = Root(system, "new-root", outcomes, static o => o.NewHash, leaves);
        Variable paid = Fr.Zero;
        var list = new Variable[PublicList.Length(Slots)];
        for (int i = 0; i < Slots; i++)
        {
            paid += outcomes[i].Paid;
            outcomes[i].PublicElements.CopyTo(list, PublicList.HeaderLength + (PublicList.SlotLength * i));
        }

        (list[0], list[1], list[2], list[3], list[4]) = (domain, pageKey, oldRoot, newRoot, paid);
        using (system.Enter("commitment"))
        {
            system.AssertEqual(PoseidonGadget.Sponge(system, PublicList.SpongeWidth, PublicList.Capacity(Slots), list), commitment, "C commits to the list");
        }

        using (system.Enter("evaluation"))
        {
            system.AssertEqual(HornerGadget.Evaluate(system, list, point), value, "d is the list's value at r");
        }
    }

    private static Variable Root(ConstraintSystem system, string name, SlotOutcome[] outcomes, Func<SlotOutcome, Variable> leaf, Variable[] leaves)
    {
        using GadgetScope scope = system.Enter(name);
        for (int i = 0; i < leaves.Length; i++)
        {
            leaves[i] = leaf(outcomes[i]);
        }

        return MerkleGadget.Root(system, leaves);
    }
}
