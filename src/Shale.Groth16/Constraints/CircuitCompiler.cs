namespace Shale.Groth16.Constraints;

/// <summary>Derives a circuit's constraints by running its code once.</summary>
public static class CircuitCompiler
{
    /// <summary>Compiles a circuit. A page of 256 slots, 1.4 million constraints, takes seconds.</summary>
    public static CompiledCircuit<TInput> Compile<TInput>(ICircuit<TInput> circuit) => Compile(circuit, keepNames: false);

    /// <summary>The same; with <paramref name="keepNames"/> every wire and constraint is named after its gadgets, which takes memory.</summary>
    public static CompiledCircuit<TInput> Compile<TInput>(ICircuit<TInput> circuit, bool keepNames)
    {
        ArgumentNullException.ThrowIfNull(circuit);
        var recorder = new ConstraintRecorder(keepNames);
        var system = ConstraintSystem.Recording(recorder);
        circuit.Define(system, circuit.Blank);
        return new CompiledCircuit<TInput>(circuit, recorder, system.WireCount);
    }
}
