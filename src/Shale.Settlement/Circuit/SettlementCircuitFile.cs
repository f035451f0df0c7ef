using System.Globalization;
using Shale.Groth16.Constraints;
using Shale.Groth16.Files;

namespace Shale.Settlement.Circuit;

/// <summary>The settlement circuits as files, for setups and for people.</summary>
public static class SettlementCircuitFile
{
    /// <summary>Writes the constraints of a page size as .r1cs. Everybody gets the same bytes, which a ceremony starts by comparing.</summary>
    /// <exception cref="ArgumentOutOfRangeException">No such page size.</exception>
    /// <exception cref="IOException">The file can't be written.</exception>
    public static void Write(int slots, string path) => R1csFile.Write(path, CircuitCompiler.Compile(new SettlementCircuit(slots)).Constraints);

    /// <summary>What the circuit of a page size costs: its sizes, then a table of its gadgets in Markdown.</summary>
    /// <exception cref="ArgumentOutOfRangeException">No such page size.</exception>
    public static IReadOnlyList<string> Describe(int slots)
    {
        CompiledCircuit<SettlementStatement> circuit = CircuitCompiler.Compile(new SettlementCircuit(slots));
        R1cs constraints = circuit.Constraints;
        int rows = constraints.ConstraintCount + constraints.PublicCount + 1;
        int domain = 64 - (int)ulong.LeadingZeroCount((ulong)rows - 1);
        return
        [
            string.Create(CultureInfo.InvariantCulture, $"{slots} slots: {constraints.ConstraintCount} constraints, {constraints.WireCount} wires, {constraints.PublicCount} of them public (C, r, d); fits 2^{domain} rows"),
            string.Empty,
            .. GadgetReport.Lines(circuit.Gadgets, slots, "slot"),
        ];
    }
}
