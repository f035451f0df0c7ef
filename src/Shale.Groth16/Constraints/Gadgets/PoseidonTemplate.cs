using System.Collections.Concurrent;
using Shale.Bn254.Fields;
using Shale.Bn254.Poseidon;

namespace Shale.Groth16.Constraints.Gadgets;

/// <summary>
/// The linear algebra of Poseidon's partial rounds for one width, done once. The wires there are the S-boxes' inputs x, not their
/// outputs y: x² and x⁴ then are products of single wires, and the long linear combination, which every round adds a term
/// to, stands once per round (y = x⁴·x, solved for in terms of the next x) in place of three times.
/// Symbols, in this order: the constant one; Y_0 … Y_{t−1}, the outputs of the full round before; x_1 … x_{P−1}; the last y.
/// </summary>
internal sealed class PoseidonTemplate
{
    private static readonly ConcurrentDictionary<int, PoseidonTemplate> Templates = new();

    private PoseidonTemplate(PoseidonParameters parameters)
    {
        Parameters = parameters;
        int t = parameters.Width, rounds = parameters.PartialRounds, first = parameters.FullRounds / 2;
        ReadOnlySpan<Fr> m = parameters.Matrix;
        SymbolCount = 1 + t + rounds;
        Outputs = new Fr[rounds - 1][];

        var state = new Fr[t][];
        for (int i = 0; i < t; i++)
        {
            state[i] = new Fr[SymbolCount];
            state[i][0] = parameters.RoundConstants[(first * t) + i];
            for (int j = 0; j < t; j++)
            {
                state[i][1 + j] = m[(i * t) + j];
            }
        }

        FirstInput = (Fr[])state[0].Clone();
        InverseCorner = m[0].Inverse();
        for (int round = 0; round < rounds; round++)
        {
            // Element 0 after this round: the next S-box's input, which is a wire of its own but for the last round.
            Fr[] rest = MixRest(m, state, 0, parameters.RoundConstants[(first + round + 1) * t]);
            var y = new Fr[SymbolCount];
            var next = new Fr[SymbolCount];
            if (round < rounds - 1)
            {
                next[InputSymbol(round + 1)] = Fr.One;
                for (int s = 0; s < SymbolCount; s++)
                {
                    y[s] = InverseCorner * (next[s] - rest[s]);
                }

                Outputs[round] = y;
            }
            else
            {
                y[^1] = Fr.One;
                AddScaled(next, rest, Fr.One);
                AddScaled(next, y, m[0]);
            }

            var updated = new Fr[t][];
            updated[0] = next;
            for (int i = 1; i < t; i++)
            {
                updated[i] = MixRest(m, state, i, parameters.RoundConstants[((first + round + 1) * t) + i]);
                AddScaled(updated[i], y, m[i * t]);
            }

            state = updated;
        }

        Exit = state;
    }

    public PoseidonParameters Parameters { get; }

    public int SymbolCount { get; }

    /// <summary>1/M[0][0]: what y changes by when the next x changes by one.</summary>
    public Fr InverseCorner { get; }

    /// <summary>x_0, over the symbols.</summary>
    public Fr[] FirstInput { get; }

    /// <summary>y of each partial round but the last, over the symbols.</summary>
    public Fr[][] Outputs { get; }

    /// <summary>The state that enters the full round after the partial ones, its round constants included.</summary>
    public Fr[][] Exit { get; }

    public static PoseidonTemplate ForWidth(int width) =>
        Templates.GetOrAdd(width, static w => new PoseidonTemplate(PoseidonParameters.ForWidth(w)));

    /// <summary>The symbol of x_round, round ≥ 1.</summary>
    public int InputSymbol(int round) => Parameters.Width + round;

    /// <summary>Σ over elements 1 … t − 1 of row i, and the next round's constant.</summary>
    private Fr[] MixRest(ReadOnlySpan<Fr> m, Fr[][] state, int i, in Fr constant)
    {
        int t = state.Length;
        var sum = new Fr[SymbolCount];
        sum[0] = constant;
        for (int k = 1; k < t; k++)
        {
            AddScaled(sum, state[k], m[(i * t) + k]);
        }

        return sum;
    }

    private static void AddScaled(Fr[] sum, Fr[] terms, in Fr scale)
    {
        for (int s = 0; s < sum.Length; s++)
        {
            sum[s] += scale * terms[s];
        }
    }
}
