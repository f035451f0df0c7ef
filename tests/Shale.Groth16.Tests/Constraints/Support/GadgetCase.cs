using Shale.Bn254.Fields;
using Shale.Groth16.Constraints;

namespace Shale.Groth16.Tests.Constraints.Support;

/// <summary>Inputs and forced wires that a gadget has to refuse.</summary>
/// <param name="Inputs">The gadget's inputs.</param>
/// <param name="Forced">Forced values of wires, counted from the gadget's first own wire.</param>
internal sealed record Forgery(Fr[] Inputs, IReadOnlyDictionary<int, Fr> Forced)
{
    public static Forgery OfInputs(params Fr[] inputs) => new(inputs, new Dictionary<int, Fr>());
}

/// <summary>A gadget as the soundness tests see it: a small circuit with inputs and outputs.</summary>
internal sealed record GadgetCase(string Name, int InputCount, Func<Random, Fr[]> ValidInputs, Func<ConstraintSystem, Variable[], Variable[]> Define)
    : ICircuit<Fr[]>
{
    /// <summary>What the outputs have to be, computed without the gadget.</summary>
    public Func<Fr[], Fr[]>? Expected { get; init; }

    /// <summary>Edge inputs beside random ones.</summary>
    public IReadOnlyList<Fr[]> EdgeInputs { get; init; } = [];

    /// <summary>What must be refused. Every constraint that the outputs' uniqueness does not need must be the only one broken by some forgery.</summary>
    public Func<Random, IEnumerable<Forgery>> Forgeries { get; init; } = _ => [];

    /// <summary>
    /// Constraints that compare and compute nothing, by name. The wires must be forced without them too: what only a comparison pinned
    /// down, a prover could choose so that the comparison holds.
    /// </summary>
    public IReadOnlyList<string> Comparisons { get; init; } = [];

    /// <summary>Wires that are free by design at some inputs, by the end of their name.</summary>
    public IReadOnlyList<string> FreeWires { get; init; } = [];

    public Fr[] Outputs { get; private set; } = [];

    public Fr[] Blank => new Fr[InputCount];

    void ICircuit<Fr[]>.Define(ConstraintSystem system, Fr[] input)
    {
        Variable[] wires = [.. input.Select((v, i) => system.PrivateInput($"in[{i}]", v))];
        Outputs = [.. Define(system, wires).Select(o => o.Value)];
    }

    public override string ToString() => Name;
}
