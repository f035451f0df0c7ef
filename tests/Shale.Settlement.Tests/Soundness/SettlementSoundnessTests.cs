using System.Numerics;
using Shale.Bn254.BabyJubjub;
using Shale.Bn254.Fields;
using Shale.Bn254.Poseidon;
using Shale.Groth16.Constraints;
using Shale.Groth16.Files;
using Shale.Groth16.Tests.Constraints.Support;
using Shale.Settlement.Batching;
using Shale.Settlement.Circuit;
using Shale.Settlement.Tests.Differential;
using Shale.Settlement.Tests.Support;
using Xunit;

namespace Shale.Settlement.Tests.Soundness;

/// <summary>The whole circuit, on a page of one or two slots: inputs force every wire, and no constraint of a slot could be spared.</summary>
public sealed class SettlementSoundnessTests
{
    private static readonly CompiledCircuit<SettlementStatement> One = CircuitCompiler.Compile(new SettlementCircuit(1), keepNames: true);
    private static readonly CompiledCircuit<SettlementStatement> Two = CircuitCompiler.Compile(new SettlementCircuit(2), keepNames: true);

    /// <summary>Constraints that compare and compute nothing (see GadgetCase.Comparisons).</summary>
    private static readonly string[] Comparisons =
    [
        "slot/flags/listed is a bit",
        "slot/flags/sync is a bit",
        "slot/flags/fresh is a bit",
        "slot/flags/pay is a bit",
        "slot/flags/sync only where listed",
        "slot/flags/fresh only where synced",
        "slot/flags/pay only where listed",
        "slot/old-leaf/the old leaf opens",
        "slot/record/leaseId stays but for fresh",
        "slot/record/Ax stays but for fresh",
        "slot/record/Ay stays but for fresh",
        "slot/record/deposit stays but for sync",
        "slot/amounts/claimed stays but for pay",
        "commitment/C commits to the list",
        "evaluation/d is the list's value at r",
    ];

    /// <summary>Comparisons inside of gadgets, which have their own cases in GadgetSoundnessTests.</summary>
    private static readonly string[] OfGadgets =
    [
        "slot/voucher/eddsa/on-curve/on the curve",
        "slot/voucher/eddsa/signature: x",
        "slot/voucher/eddsa/signature: y",
    ];

    public static TheoryData<string> ComparisonNames => [.. Comparisons];

    [Fact]
    public void Circuit_AtRandomWitnesses_ForcesEveryWire()
    {
        var source = new StatementSource(11);
        int shown = 0;
        for (int attempt = 0; attempt < 20 && shown < 5; attempt++)
        {
            Fr[] witness = Two.Solve(source.Good(2)).Values.ToArray();
            string[] unforced = [.. Derivatives(Two, witness).Unforced.Select(w => Two.WireNames![FirstUnknown(Two) + w])];

            // Along a bound derivatives can't see a zero that b² = 0 forces: those bits alone may be missing, in one case of a hundred.
            Assert.All(unforced, name => Assert.EndsWith("bits-below/bit", name, StringComparison.Ordinal));
            shown += unforced.Length == 0 ? 1 : 0;
        }

        Assert.Equal(5, shown);
    }

    [Fact]
    public void Circuit_WithAWirePerturbed_HasNoSecondWitness()
    {
        SettlementStatement statement = SettlementCircuitSample.Paying();
        List<int> found = SecondWitness.Hunt(One, statement, FirstUnknown(One), new Random(12), _ => false);
        Assert.Empty(found.Select(w => One.WireNames![w]));
    }

    [Fact]
    public void Circuit_WithoutAnyOneConstraint_IsCaught()
    {
        HashSet<int> spare = [];
        for (int attempt = 0; attempt < 10; attempt++)
        {
            Fr[] witness = One.Solve(SettlementCircuitSample.Paying((ulong)attempt)).Values.ToArray();
            Jacobian derivatives = Derivatives(One, witness);
            if (derivatives.Unforced.Count == 0)
            {
                spare = [.. derivatives.NotNeeded(IsInsideOfADecomposition)];
                break;
            }
        }

        string[] left = [.. spare.Where(c => !IsInsideOfADecomposition(c)).Select(c => One.ConstraintNames![c])];
        Assert.NotEmpty(spare);
        Assert.Empty(left);
        Assert.Equal(Comparisons.Concat(OfGadgets).Order(), One.ConstraintNames!.Where(n => Comparisons.Contains(n) || OfGadgets.Contains(n)).Distinct().Order());
    }

    [Theory]
    [MemberData(nameof(ComparisonNames))]
    public void Comparison_TakenAlone_IsAllThatRefusesSomeForgery(string comparison)
    {
        CircuitWitness witness = One.Solve(SingleForgeries.Against(comparison));
        Assert.Equal([comparison], Broken(witness.Values.Span).Select(c => One.ConstraintNames![c]));
    }

    [Theory]
    [InlineData("an entry that doesn't pay: r8, s, statement")]
    [InlineData("a fresh entry: old leaf")]
    [InlineData("an entry that isn't listed: old and new leaf")]
    public void Input_ThatIsFreeByDesign_ChangesNoPublicSignal(string name)
    {
        (SettlementSlot slot, SettlementSlot other) = FreeInputs(name);
        SettlementStatement statement = Attempt.Of(SettlementCircuitSample.Domain, Fr.One, [slot]).Statement;
        Assert.Null(One.Solve(statement).Failure);
        Assert.Null(One.Solve(statement with { Slots = [other] }).Failure);
    }

    private static (SettlementSlot Slot, SettlementSlot Other) FreeInputs(string name)
    {
        Leaf leaf = SettlementCircuitSample.Leaf;
        var entry = new SettlementSlot { Listed = Fr.One, OldHash = leaf.Hash(), Old = leaf.ToFields(), New = leaf.ToFields() };
        SettlementSlot fresh = entry with { Sync = Fr.One, Fresh = Fr.One, New = leaf.ToFields() with { Claimed = Fr.Zero } };
        SettlementSlot unlisted = SettlementSlot.Unlisted(leaf.Hash());
        return name[..8] switch
        {
            "an entry" when name.Contains("pay", StringComparison.Ordinal) => (entry, entry with { R8 = BabyJubjubPoint.Base8.Multiply(77), S = Fr.FromUInt64(5), Statement = Fr.FromUInt64(9) }),
            "a fresh " => (fresh, fresh with { Old = new Leaf(9, TestKeys.Point(9), 1, 1).ToFields() }),
            _ => (unlisted, unlisted with { Old = leaf.ToFields(), New = leaf.ToFields() }),
        };
    }

    private static bool IsInsideOfADecomposition(int constraint) =>
        One.ConstraintNames![constraint] is { } name && (name.Contains("/bits/", StringComparison.Ordinal) || name.Contains("/bits-below/", StringComparison.Ordinal));

    private static int FirstUnknown(CompiledCircuit<SettlementStatement> circuit) => 1 + circuit.Constraints.PublicCount + circuit.Constraints.PrivateInputCount;

    private static Jacobian Derivatives(CompiledCircuit<SettlementStatement> circuit, Fr[] witness) =>
        new(circuit.Constraints, witness, FirstUnknown(circuit), c => Comparisons.Contains(circuit.ConstraintNames![c]) || OfGadgets.Contains(circuit.ConstraintNames![c]));

    private static List<int> Broken(ReadOnlySpan<Fr> witness)
    {
        R1cs r1cs = One.Constraints;
        var broken = new List<int>();
        for (int i = 0; i < r1cs.ConstraintCount; i++)
        {
            if (r1cs.Evaluate(r1cs.A, i, witness) * r1cs.Evaluate(r1cs.B, i, witness) != r1cs.Evaluate(r1cs.C, i, witness))
            {
                broken.Add(i);
            }
        }

        return broken;
    }
}
