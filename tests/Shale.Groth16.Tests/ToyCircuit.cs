using System.Globalization;
using Shale.Bn254.Fields;
using Shale.Groth16.Files;

namespace Shale.Groth16.Tests;

/// <summary>
/// Circuits for the tests of formats, keys and proofs: x ↦ x² + i in a chain, with one public output (the last value) and one public
/// input (the first), some linear rows, coefficients that are not small, a wire that only C names and one that nothing names.
/// </summary>
internal static class ToyCircuit
{
    public static (R1cs Circuit, Fr[] Witness) Chain(int steps, ulong start)
    {
        // 0 one, 1 output, 2 public input, 3 … chain values, then a boolean, then a wire that no constraint names.
        var builder = new R1csBuilder();
        var big = Fr.FromBigInteger(-7);
        var values = new List<Fr> { Fr.One, Fr.Zero, Fr.FromUInt64(start) };
        var current = 2;
        for (var i = 0; i < steps; i++)
        {
            // −7·x·(x + i) = next, so that A, B and C have different shapes.
            var next = i == steps - 1 ? 1 : values.Count;
            builder.AddConstraint([(current, big)], [(current, Fr.One), (0, Fr.FromUInt64((ulong)i))], [(next, Fr.One)]);
            var value = big * values[current] * (values[current] + Fr.FromUInt64((ulong)i));
            if (next == 1)
            {
                values[1] = value;
            }
            else
            {
                values.Add(value);
            }

            current = next;
        }

        var bit = values.Count;
        values.Add(Fr.One);
        builder.AddConstraint([(bit, Fr.One)], [(bit, Fr.One), (0, -Fr.One)], []);
        values.Add(Fr.FromUInt64(99));
        return (builder.Build(values.Count, outputs: 1, publicInputs: 1, privateInputs: 0), [.. values]);
    }

    public static string Text(this Fr value) => value.ToBigInteger().ToString(CultureInfo.InvariantCulture);
}
