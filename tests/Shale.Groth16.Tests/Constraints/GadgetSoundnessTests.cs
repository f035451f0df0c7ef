using Shale.Bn254.Fields;
using Shale.Groth16.Constraints;
using Shale.Groth16.Files;
using Shale.Groth16.Tests.Constraints.Support;
using Xunit;

namespace Shale.Groth16.Tests.Constraints;

/// <summary>For every gadget: it computes what it should, its wires are forced by its inputs, and none of its constraints could be spared.</summary>
public sealed class GadgetSoundnessTests
{
    public static TheoryData<string> Names => [.. GadgetCases.All.Select(g => g.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Gadget_OnGoodInputs_GivesTheExpectedOutputs(string name)
    {
        (GadgetCase gadget, CompiledCircuit<Fr[]> circuit) = Get(name);
        var random = new Random(1);
        IEnumerable<Fr[]> inputs = gadget.EdgeInputs.Concat(Enumerable.Range(0, 5).Select(_ => gadget.ValidInputs(random)));
        foreach (Fr[] input in inputs)
        {
            CircuitWitness witness = circuit.Solve(input);
            Fr[] outputs = gadget.Outputs;
            Assert.Null(witness.Failure);
            Assert.Equal(-1, circuit.Constraints.FindUnsatisfied(witness.Values.Span));
            if (gadget.Expected is not null)
            {
                Assert.Equal(gadget.Expected(input), outputs);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Gadget_OnForgeries_RefusesEachAndSaysSo(string name)
    {
        (GadgetCase gadget, CompiledCircuit<Fr[]> circuit) = Get(name);
        foreach (Forgery forgery in gadget.Forgeries(new Random(2)))
        {
            CircuitWitness witness = Solve(gadget, circuit, forgery);
            Assert.NotEqual(-1, circuit.Constraints.FindUnsatisfied(witness.Values.Span));
            Assert.NotNull(witness.Failure);
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Gadget_AtRandomWitnesses_ForcesEveryWire(string name)
    {
        (GadgetCase gadget, CompiledCircuit<Fr[]> circuit) = Get(name);
        var random = new Random(3);
        for (int i = 0; i < 3; i++)
        {
            Fr[] input = UncoveredByDerivatives(gadget, circuit, random);
            Fr[] witness = circuit.Solve(input).Values.ToArray();
            Assert.Empty(Derivatives(gadget, circuit, witness).Unforced.Select(w => circuit.WireNames![1 + gadget.InputCount + w]));
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Gadget_WithAWirePerturbed_HasNoSecondWitness(string name)
    {
        (GadgetCase gadget, CompiledCircuit<Fr[]> circuit) = Get(name);
        var random = new Random(4);
        foreach (Fr[] input in gadget.EdgeInputs.Take(2).Append(gadget.ValidInputs(random)))
        {
            bool isEdge = gadget.EdgeInputs.Contains(input);
            List<int> found = SecondWitness.Hunt(circuit, input, 1 + gadget.InputCount, random, wire => isEdge && gadget.FreeWires.Any(f => circuit.WireNames![wire].EndsWith(f, StringComparison.Ordinal)));
            Assert.Empty(found.Select(w => circuit.WireNames![w]));
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Gadget_WithoutAnyOneConstraint_IsCaught(string name)
    {
        (GadgetCase gadget, CompiledCircuit<Fr[]> circuit) = Get(name);
        Fr[] input = UncoveredByDerivatives(gadget, circuit, new Random(5));

        // Without one of the needed constraints the rank falls. Each of the others must be the only one that some forgery breaks.
        var spare = Derivatives(gadget, circuit, circuit.Solve(input).Values.Span).NotNeeded(c => IsCoveredByOwnCase(name, circuit.ConstraintNames![c])).ToHashSet();
        spare.UnionWith(Enumerable.Range(0, circuit.Constraints.ConstraintCount).Where(c => gadget.Comparisons.Contains(circuit.ConstraintNames![c])));
        foreach (Forgery forgery in gadget.Forgeries(new Random(6)))
        {
            List<int> broken = Broken(circuit.Constraints, Solve(gadget, circuit, forgery).Values.Span);
            if (broken.Count == 1)
            {
                spare.Remove(broken[0]);
            }
        }

        // Inside of larger gadgets the smaller ones' constraints are those that their own cases cover.
        string[] spareHere = [.. spare.Select(c => circuit.ConstraintNames![c]).Where(n => !IsCoveredByOwnCase(name, n))];
        Assert.Empty(spareHere);
    }

    private static Jacobian Derivatives(GadgetCase gadget, CompiledCircuit<Fr[]> circuit, ReadOnlySpan<Fr> witness) =>
        new(circuit.Constraints, witness, 1 + gadget.InputCount, c => gadget.Comparisons.Contains(circuit.ConstraintNames![c]));

    private static bool IsCoveredByOwnCase(string gadget, string constraint)
    {
        string[] path = constraint.Split('/');
        return path[..^1].Any(part => part != gadget && (part is "bits" || part is "bits-below" || part is "on-curve") && !gadget.StartsWith(part, StringComparison.Ordinal));
    }

    private static (GadgetCase Gadget, CompiledCircuit<Fr[]> Circuit) Get(string name)
    {
        GadgetCase gadget = GadgetCases.All.Single(g => g.Name == name);
        return (gadget, CircuitCompiler.Compile(gadget, keepNames: true));
    }

    private static CircuitWitness Solve(GadgetCase gadget, CompiledCircuit<Fr[]> circuit, Forgery forgery) =>
        circuit.Solve(forgery.Inputs, forgery.Forced.ToDictionary(f => f.Key + 1 + gadget.InputCount, f => f.Value));

    private static List<int> Broken(R1cs r1cs, ReadOnlySpan<Fr> witness)
    {
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

    /// <summary>A random input at which no comparison of bits runs along its bound (see <see cref="GadgetCases"/>): one in two or better.</summary>
    private static Fr[] UncoveredByDerivatives(GadgetCase gadget, CompiledCircuit<Fr[]> circuit, Random random)
    {
        for (int attempt = 0; attempt < 200; attempt++)
        {
            Fr[] input = gadget.ValidInputs(random);
            if (gadget.Name != "eddsa" || Derivatives(gadget, circuit, circuit.Solve(input).Values.Span).Unforced.Count == 0)
            {
                return input;
            }
        }

        throw new InvalidOperationException("No input was found at which derivatives show every wire.");
    }
}
