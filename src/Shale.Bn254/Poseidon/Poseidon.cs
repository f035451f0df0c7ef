using Shale.Bn254.Fields;

namespace Shale.Bn254.Poseidon;

/// <summary>Poseidon over Fr as circomlib and circomlibjs compute it (eprint 2019/458 with circomlib's rounds).</summary>
public static class Poseidon
{
    /// <summary>The hash of 1 to 16 elements: element 0 of the permuted state (0, inputs…).</summary>
    /// <exception cref="ArgumentOutOfRangeException">No input, or more than 16.</exception>
    public static Fr Hash(params ReadOnlySpan<Fr> inputs) => Hash(Fr.Zero, inputs);

    /// <summary>The same with an initial state in place of zero (circomlib's <c>PoseidonEx</c> with one output).</summary>
    /// <exception cref="ArgumentOutOfRangeException">No input, or more than 16.</exception>
    public static Fr Hash(in Fr initialState, ReadOnlySpan<Fr> inputs)
    {
        PoseidonParameters parameters = PoseidonParameters.ForWidth(inputs.Length + 1);
        Span<Fr> state = stackalloc Fr[inputs.Length + 1];
        state[0] = initialState;
        inputs.CopyTo(state[1..]);
        Permute(parameters, state);
        return state[0];
    }

    /// <summary>Many hashes of the same number of inputs, faster than one by one: hashes[i] is that of the i-th run of inputs.</summary>
    /// <param name="inputs">All inputs, run after run.</param>
    /// <param name="length">Inputs of one hash, 1 to 16.</param>
    /// <param name="hashes">One for each run.</param>
    /// <exception cref="ArgumentException">The numbers of inputs and of hashes don't fit.</exception>
    public static void HashMany(ReadOnlySpan<Fr> inputs, int length, Span<Fr> hashes)
    {
        PoseidonParameters parameters = PoseidonParameters.ForWidth(length + 1);
        if ((long)hashes.Length * length != inputs.Length)
        {
            throw new ArgumentException("As many runs of inputs are needed as there are hashes.", nameof(hashes));
        }

        if (Vector.Lanes.IsSupported && hashes.Length > 1)
        {
            PoseidonLanes.Hash(parameters, inputs, length, hashes);
            return;
        }

        for (int i = 0; i < hashes.Length; i++)
        {
            hashes[i] = Hash(inputs.Slice(i * length, length));
        }
    }

    /// <summary>The permutation of a state of 2 to 17 elements, in place.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Another number of elements.</exception>
    public static void Permute(Span<Fr> state) => Permute(PoseidonParameters.ForWidth(state.Length), state);

    private static void Permute(PoseidonParameters parameters, Span<Fr> state)
    {
        PoseidonSchedule schedule = parameters.Schedule;
        int t = state.Length, half = parameters.FullRounds / 2;
        ReadOnlySpan<Fr> matrix = parameters.Matrix;
        ReadOnlySpan<Fr> constants = schedule.FullConstants;
        Span<Fr> scratch = stackalloc Fr[t];
        for (int i = 0; i < t; i++)
        {
            state[i] += schedule.Initial[i];
        }

        for (int r = 0; r < half; r++)
        {
            FullRound(state, scratch, constants.Slice(r * t, t), r == half - 1 ? schedule.BeforePartial : matrix);
        }

        PartialRounds(state, schedule.PartialConstants, schedule.Sparse);
        for (int r = half; r < (2 * half) - 1; r++)
        {
            FullRound(state, scratch, constants.Slice(r * t, t), matrix);
        }

        FullRound(state, scratch, [], matrix);
    }

    private static void FullRound(Span<Fr> state, Span<Fr> scratch, ReadOnlySpan<Fr> constants, ReadOnlySpan<Fr> matrix)
    {
        int t = state.Length;
        for (int i = 0; i < t; i++)
        {
            scratch[i] = PowerOfFive(state[i]);
            if (!constants.IsEmpty)
            {
                scratch[i] += constants[i];
            }
        }

        for (int i = 0; i < t; i++)
        {
            state[i] = DotProduct(matrix.Slice(i * t, t), scratch);
        }
    }

    private static void PartialRounds(Span<Fr> state, ReadOnlySpan<Fr> constants, ReadOnlySpan<Fr> sparse)
    {
        int t = state.Length;
        for (int r = 0; r < constants.Length; r++)
        {
            Fr first = PowerOfFive(state[0]) + constants[r];
            state[0] = first;
            Fr sum = DotProduct(sparse[..t], state);
            for (int i = 1; i < t; i++)
            {
                state[i] += first * sparse[t + i - 1];
            }

            state[0] = sum;
            sparse = sparse[((2 * t) - 1)..];
        }
    }

    private static Fr DotProduct(ReadOnlySpan<Fr> a, ReadOnlySpan<Fr> b)
    {
        Fr sum = a[0] * b[0];
        for (int i = 1; i < a.Length; i++)
        {
            sum += a[i] * b[i];
        }

        return sum;
    }

    private static Fr PowerOfFive(in Fr x)
    {
        Fr square = x.Square();
        return square.Square() * x;
    }
}
