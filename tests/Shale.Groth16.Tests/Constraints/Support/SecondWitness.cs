using Shale.Bn254.Fields;
using Shale.Groth16.Constraints;
using Shale.Groth16.Files;

namespace Shale.Groth16.Tests.Constraints.Support;

/// <summary>Looks for a second witness to the same inputs: gives each wire other values in turn and solves again what depends on it.</summary>
internal static class SecondWitness
{
    /// <summary>The wires for which one was found, as far as <paramref name="mayDiffer"/> does not excuse them.</summary>
    public static List<int> Hunt<TInput>(CompiledCircuit<TInput> circuit, TInput input, int firstUnknown, Random random, Func<int, bool> mayDiffer)
    {
        R1cs r1cs = circuit.Constraints;
        Fr[] witness = circuit.Solve(input).Values.ToArray();
        List<int>[] closing = ClosingConstraints(r1cs);
        var found = new List<int>();
        for (int wire = firstUnknown; wire < r1cs.WireCount; wire++)
        {
            if (mayDiffer(wire))
            {
                continue;
            }

            Fr value = witness[wire];
            Fr[] others = [Fr.One - value, -value, value + Fr.One, value + value, Fr.Zero, TestField.Random(random)];
            foreach (Fr other in others.Where(o => o != value).Distinct())
            {
                if (!IsClosed(r1cs, closing[wire], witness, wire, other) && IsSatisfied(circuit, input, wire, other))
                {
                    found.Add(wire);
                }
            }
        }

        return found;
    }

    /// <summary>Per wire, the constraints that name no later one: solving again can't mend those.</summary>
    private static List<int>[] ClosingConstraints(R1cs r1cs)
    {
        var closing = new List<int>[r1cs.WireCount];
        for (int i = 0; i < closing.Length; i++)
        {
            closing[i] = [];
        }

        for (int row = 0; row < r1cs.ConstraintCount; row++)
        {
            int last = 0;
            foreach (R1csMatrix matrix in (R1csMatrix[])[r1cs.A, r1cs.B, r1cs.C])
            {
                foreach (R1csTerm term in matrix.Row(row))
                {
                    last = Math.Max(last, term.Wire);
                }
            }

            closing[last].Add(row);
        }

        return closing;
    }

    private static bool IsClosed(R1cs r1cs, List<int> rows, Fr[] witness, int wire, Fr other)
    {
        Fr kept = witness[wire];
        witness[wire] = other;
        bool closed = rows.Exists(row =>
            r1cs.Evaluate(r1cs.A, row, witness) * r1cs.Evaluate(r1cs.B, row, witness) != r1cs.Evaluate(r1cs.C, row, witness));
        witness[wire] = kept;
        return closed;
    }

    private static bool IsSatisfied<TInput>(CompiledCircuit<TInput> circuit, TInput input, int wire, Fr other) =>
        circuit.Constraints.FindUnsatisfied(circuit.Solve(input, new Dictionary<int, Fr> { [wire] = other }).Values.Span) < 0;
}
