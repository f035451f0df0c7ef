using Shale.Bn254.Fields;

namespace Shale.Groth16.Constraints;

/// <summary>A circuit's constraints, and the code that computes its witnesses. Immutable and thread-safe.</summary>
/// <typeparam name="TInput">What a witness is made from.</typeparam>
public sealed class CompiledCircuit<TInput>
{
    private readonly ICircuit<TInput> _circuit;

    internal CompiledCircuit(ICircuit<TInput> circuit, ConstraintRecorder recorder, int wireCount)
    {
        _circuit = circuit;
        Recorder = recorder;
        WireCount = wireCount;
    }

    /// <summary>All wires with the constant one.</summary>
    public int WireCount { get; }

    /// <summary>The number of constraints.</summary>
    public int ConstraintCount => Recorder.A.Count;

    /// <summary>Public outputs: wires 1 and following.</summary>
    public int PublicOutputCount => Recorder.CountOf(WireKind.PublicOutput);

    /// <summary>Public inputs: the wires after the outputs.</summary>
    public int PublicInputCount => Recorder.CountOf(WireKind.PublicInput);

    /// <summary>Private inputs: the wires after the public ones.</summary>
    public int PrivateInputCount => Recorder.CountOf(WireKind.PrivateInput);

    /// <summary>Constraints and wires per gadget.</summary>
    public GadgetNode Gadgets => Recorder.Root;

    /// <summary>Terms that are not zero in the matrices A, B and C.</summary>
    public (long A, long B, long C) TermCounts => (Recorder.A.TermCount, Recorder.B.TermCount, Recorder.C.TermCount);

    internal ConstraintRecorder Recorder { get; }

    /// <summary>Computes all wires. What the input breaks is named by <see cref="CircuitWitness.Failure"/>; nothing is thrown for it.</summary>
    public CircuitWitness Solve(TInput input) => Solve(input, null);

    /// <summary>The same with some wires forced: what is computed after them follows from the forced values.</summary>
    internal CircuitWitness Solve(TInput input, IReadOnlyDictionary<int, Fr>? overrides)
    {
        var system = ConstraintSystem.Solving(WireCount, overrides);
        _circuit.Define(system, input);
        return system.TakeWitness();
    }

    /// <summary>The constraints that a witness breaks, by evaluating all of them.</summary>
    internal IEnumerable<int> BrokenConstraints(ReadOnlyMemory<Fr> witness)
    {
        for (int i = 0; i < ConstraintCount; i++)
        {
            ReadOnlySpan<Fr> w = witness.Span;
            if (Recorder.A.Evaluate(i, w) * Recorder.B.Evaluate(i, w) != Recorder.C.Evaluate(i, w))
            {
                yield return i;
            }
        }
    }
}
