using System.Globalization;
using Shale.Bn254.Fields;
using Shale.Bn254.Poseidon;

namespace Shale.Groth16.Constraints.Gadgets;

/// <summary>
/// Poseidon over the scalar field with circomlib's parameters (eprint 2019/458). Three constraints for each S-box whose
/// input varies: 8t + P of them for width t; a hash of n inputs (t = n + 1) saves one, the constant capacity element's first.
/// </summary>
public static class PoseidonGadget
{
    /// <summary>The hash of 1 to 16 elements, as circomlib's <c>Poseidon(n)</c>.</summary>
    public static Variable Hash(ConstraintSystem system, params ReadOnlySpan<Variable> inputs)
    {
        ArgumentNullException.ThrowIfNull(system);
        var state = new Variable[inputs.Length + 1];
        inputs.CopyTo(state.AsSpan(1));
        Permute(system, state);
        return state[0];
    }

    /// <summary>
    /// A sponge of rate t − 1 over a list whose length is fixed by the circuit: the capacity, element 0, starts as the
    /// given constant, which must name the use and the length; blocks are added to the other elements, zeros fill the last
    /// block; the result is element 1 after the last permutation.
    /// </summary>
    public static Variable Sponge(ConstraintSystem system, int width, in Fr capacity, ReadOnlySpan<Variable> elements)
    {
        ArgumentNullException.ThrowIfNull(system);
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 2);
        using GadgetScope scope = system.Enter("sponge");
        var state = new Variable[width];
        state[0] = capacity;
        for (int at = 0; at < elements.Length; at += width - 1)
        {
            for (int i = 0; i < Math.Min(width - 1, elements.Length - at); i++)
            {
                state[i + 1] += elements[at + i];
            }

            Permute(system, state);
        }

        return state[1];
    }

    /// <summary>The permutation of 2 to 17 elements, in place.</summary>
    public static void Permute(ConstraintSystem system, Span<Variable> state)
    {
        ArgumentNullException.ThrowIfNull(system);
        PoseidonTemplate template = PoseidonTemplate.ForWidth(state.Length);
        PoseidonParameters parameters = template.Parameters;
        int t = state.Length, half = parameters.FullRounds / 2;
        using GadgetScope scope = system.Enter(string.Create(CultureInfo.InvariantCulture, $"poseidon-{t - 1}"));
        ReadOnlySpan<Fr> constants = parameters.RoundConstants;
        var outputs = new Variable[t];
        for (int i = 0; i < t; i++)
        {
            state[i] += constants[i];
        }

        for (int round = 0; round < half; round++)
        {
            SBoxes(system, state, outputs);
            if (round < half - 1)
            {
                Mix(parameters, outputs, state, constants.Slice((round + 1) * t, t));
            }
        }

        PartialRounds(system, template, outputs, state);
        for (int round = half + parameters.PartialRounds; round < (2 * half) + parameters.PartialRounds; round++)
        {
            SBoxes(system, state, outputs);
            int next = (round + 1) * t;
            Mix(parameters, outputs, state, next < constants.Length ? constants.Slice(next, t) : []);
        }
    }

    private static void SBoxes(ConstraintSystem system, Span<Variable> inputs, Span<Variable> outputs)
    {
        for (int i = 0; i < inputs.Length; i++)
        {
            outputs[i] = PowerOfFive(system, inputs[i]);
        }
    }

    private static Variable PowerOfFive(ConstraintSystem system, in Variable x)
    {
        if (x.IsConstant)
        {
            Fr square = x.Value.Square();
            return square.Square() * x.Value;
        }

        return system.Multiply(FourthPower(system, x), x, "x^5");
    }

    private static Variable FourthPower(ConstraintSystem system, in Variable x) => system.Square(system.Square(x, "x^2"), "x^4");

    /// <summary>state = M·outputs + constants.</summary>
    private static void Mix(PoseidonParameters parameters, ReadOnlySpan<Variable> outputs, Span<Variable> state, ReadOnlySpan<Fr> constants)
    {
        int t = state.Length;
        for (int i = 0; i < t; i++)
        {
            Variable sum = constants.IsEmpty ? Fr.Zero : constants[i];
            for (int j = 0; j < t; j++)
            {
                sum += parameters.Matrix[(i * t) + j] * outputs[j];
            }

            state[i] = sum;
        }
    }

    /// <summary>All partial rounds: from the S-box outputs of the full round before to the S-box inputs of the full round after.</summary>
    private static void PartialRounds(ConstraintSystem system, PoseidonTemplate template, ReadOnlySpan<Variable> before, Span<Variable> exit)
    {
        PoseidonParameters parameters = template.Parameters;
        int t = exit.Length, rounds = parameters.PartialRounds, first = parameters.FullRounds / 2;
        var values = new Fr[t];
        for (int i = 0; i < t; i++)
        {
            values[i] = before[i].Value;
        }

        var symbols = new PoseidonSymbols(template, before);
        MixValues(parameters, values, first);
        Variable x = symbols.Express(template.FirstInput, values[0]);
        for (int round = 0; round < rounds - 1; round++)
        {
            Variable fourth = FourthPower(system, x);
            values[0] = fourth.Value * x.Value;
            Fr y = values[0];
            MixValues(parameters, values, first + round + 1);
            Variable next = system.Hint("x", values[0]);
            symbols.Set(template.InputSymbol(round + 1), next);

            // Equal to y unless a test has forced the new wire to another value.
            Fr expressed = y + (template.InverseCorner * (next.Value - values[0]));
            system.AssertProduct(fourth, x, symbols.Express(template.Outputs[round], expressed), "x^5");
            values[0] = next.Value;
            x = next;
        }

        Variable last = PowerOfFive(system, x);
        symbols.Set(template.SymbolCount - 1, last);
        values[0] = last.Value;
        MixValues(parameters, values, first + rounds);
        for (int i = 0; i < t; i++)
        {
            exit[i] = symbols.Express(template.Exit[i], values[i]);
        }
    }

    private static void MixValues(PoseidonParameters parameters, Span<Fr> values, int nextRound)
    {
        int t = values.Length;
        Span<Fr> mixed = stackalloc Fr[t];
        ReadOnlySpan<Fr> m = parameters.Matrix;
        for (int i = 0; i < t; i++)
        {
            Fr sum = parameters.RoundConstants[(nextRound * t) + i];
            for (int j = 0; j < t; j++)
            {
                sum += m[(i * t) + j] * values[j];
            }

            mixed[i] = sum;
        }

        mixed.CopyTo(values);
    }
}
