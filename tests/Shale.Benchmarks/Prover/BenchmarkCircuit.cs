using Shale.Bn254.Fields;
using Shale.Groth16.Files;

namespace Shale.Benchmarks.Prover;

/// <summary>
/// A chain of x ↦ (x + i)·(x + 3) with values of full size, the worst case for multi-scalar sums: every wire is in A, in B and in C. It
/// fills its domain, with one public output.
/// </summary>
internal static class BenchmarkCircuit
{
    public static (R1cs Circuit, Fr[] Witness) Chain(int log)
    {
        var constraints = (1 << log) - 2;
        var builder = new R1csBuilder();
        var witness = new Fr[constraints + 2];
        witness[0] = Fr.One;
        witness[2] = Fr.FromUInt64(7).Pow(1000);
        for (var i = 0; i < constraints; i++)
        {
            // Wires 2, 3, …, and at the end wire 1, the output.
            var (from, to) = (i + 2, i == constraints - 1 ? 1 : i + 3);
            var summand = Fr.FromUInt64((ulong)(i & 15));
            builder.AddConstraint([(from, Fr.One), (0, summand)], [(from, Fr.One), (0, Fr.FromUInt64(3))], [(to, Fr.One)]);
            witness[to] = (witness[from] + summand) * (witness[from] + Fr.FromUInt64(3));
        }

        return (builder.Build(witness.Length, outputs: 1, publicInputs: 0, privateInputs: 1), witness);
    }
}
