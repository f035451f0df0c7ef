using Shale.Bn254.Fields;
using Shale.Groth16.Files;

namespace Shale.Groth16.Constraints;

/// <summary>A circuit's constraints, and the code that computes its witnesses. Immutable and thread-safe.</summary>
/// <typeparam name="TInput">What a witness is made from.</typeparam>
public sealed class CompiledCircuit<TInput>
{
    private readonly ICircuit<TInput> _circuit;
    private readonly ConstraintRecorder _recorder;

    internal CompiledCircuit(ICircuit<TInput> circuit, ConstraintRecorder recorder, int wireCount)
    {
        _circuit = circuit;
        _recorder = recorder;
        Constraints = recorder.Rows.Build(
            wireCount, recorder.CountOf(WireKind.PublicOutput), recorder.CountOf(WireKind.PublicInput), recorder.CountOf(WireKind.PrivateInput));
    }

    /// <summary>The constraints, as setup, prover and <see cref="R1csFile"/> take them.</summary>
    public R1cs Constraints { get; }

    /// <summary>Constraints and wires per gadget.</summary>
    public GadgetNode Gadgets => _recorder.Root;

    /// <summary>Each wire's gadgets and name; null unless names were asked for.</summary>
    public IReadOnlyList<string>? WireNames => _recorder.WireNames;

    /// <summary>Each constraint's gadgets and assertion; null unless names were asked for.</summary>
    public IReadOnlyList<string>? ConstraintNames => _recorder.ConstraintNames;

    /// <summary>Computes all wires. What the input breaks is named by <see cref="CircuitWitness.Failure"/>; nothing is thrown for it.</summary>
    public CircuitWitness Solve(TInput input) => Solve(input, null);

    /// <summary>
    /// The same with some wires forced, as a dishonest prover would: what is computed after them follows from the forced values. For tests
    /// that hunt for second witnesses.
    /// </summary>
    public CircuitWitness Solve(TInput input, IReadOnlyDictionary<int, Fr>? overrides)
    {
        var system = ConstraintSystem.Solving(Constraints.WireCount, overrides);
        _circuit.Define(system, input);
        return system.TakeWitness();
    }
}
