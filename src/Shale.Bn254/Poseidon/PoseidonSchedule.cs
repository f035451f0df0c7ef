using Shale.Bn254.Fields;

namespace Shale.Bn254.Poseidon;

/// <summary>
/// The permutation rewritten so that a partial round costs 2t − 1 multiplications in its linear layer instead of t² (Poseidon
/// paper, appendix B). Two steps, each exact:
/// constants move backward through the linear layers, so that they are added after the S-box and in a partial round only to
/// element 0; and M is split as sparse × block, where the block leaves element 0 alone, commutes with a partial round's S-box and
/// is absorbed by the layer before.
/// </summary>
internal sealed class PoseidonSchedule
{
    /// <summary>Added to the state before anything else; t elements.</summary>
    public readonly Fr[] Initial;

    /// <summary>Added after the S-boxes of each full round but the last, t elements each, in order of the rounds.</summary>
    public readonly Fr[] FullConstants;

    /// <summary>Added to element 0 after its S-box, one per partial round.</summary>
    public readonly Fr[] PartialConstants;

    /// <summary>The linear layer of the last full round before the partial ones, row-major.</summary>
    public readonly Fr[] BeforePartial;

    /// <summary>Per partial round 2t − 1 elements: the first row of the sparse matrix, then its first column without the corner.</summary>
    public readonly Fr[] Sparse;

    public PoseidonSchedule(PoseidonParameters parameters)
    {
        int t = parameters.Width, half = parameters.FullRounds / 2, partial = parameters.PartialRounds;
        ReadOnlySpan<Fr> c = parameters.RoundConstants;
        Fr[] m = parameters.Matrix.ToArray();
        Fr[] inverse = DenseMatrix.Invert(m, t);

        Initial = c[..t].ToArray();
        FullConstants = new Fr[((2 * half) - 1) * t];
        PartialConstants = new Fr[partial];

        // What round r adds before its S-boxes, M⁻¹ takes behind the S-boxes of round r − 1.
        for (int r = 1; r < half; r++)
        {
            DenseMatrix.Multiply(inverse, c.Slice(r * t, t), FullConstants.AsSpan((r - 1) * t, t));
        }

        // From the last partial round to the first; `carried` is what round r adds before its S-box, all told. The first full
        // round after them hands its constants to the last partial round in the same way.
        Fr[] carried = c.Slice((half + partial) * t, t).ToArray();
        var moved = new Fr[t];
        for (int r = partial - 1; r >= 0; r--)
        {
            DenseMatrix.Multiply(inverse, carried, moved);
            PartialConstants[r] = moved[0];
            c.Slice((half + r) * t, t).CopyTo(carried);
            for (int i = 1; i < t; i++)
            {
                carried[i] += moved[i];
            }
        }

        DenseMatrix.Multiply(inverse, carried, FullConstants.AsSpan((half - 1) * t, t));
        for (int r = 1; r < half; r++)
        {
            DenseMatrix.Multiply(inverse, c.Slice((half + partial + r) * t, t), FullConstants.AsSpan((half - 1 + r) * t, t));
        }

        Sparse = new Fr[partial * ((2 * t) - 1)];
        Fr[] layer = m;
        for (int r = partial - 1; r >= 0; r--)
        {
            Fr[] block = SplitSparse(layer, t, Sparse.AsSpan(r * ((2 * t) - 1), (2 * t) - 1));
            layer = DenseMatrix.Multiply(block, m, t);
        }

        BeforePartial = layer;
    }

    /// <summary>layer = sparse × block; writes the sparse factor and returns the block as a full matrix.</summary>
    private static Fr[] SplitSparse(Fr[] layer, int t, Span<Fr> sparse)
    {
        int n = t - 1;
        var corner = new Fr[n * n];
        var block = new Fr[t * t];
        block[0] = Fr.One;
        for (int i = 0; i < n; i++)
        {
            for (int j = 0; j < n; j++)
            {
                corner[(i * n) + j] = block[((i + 1) * t) + j + 1] = layer[((i + 1) * t) + j + 1];
            }

            sparse[t + i] = layer[(i + 1) * t];
        }

        Fr[] inverse = DenseMatrix.Invert(corner, n);
        sparse[0] = layer[0];
        for (int j = 0; j < n; j++)
        {
            Fr sum = Fr.Zero;
            for (int k = 0; k < n; k++)
            {
                sum += layer[k + 1] * inverse[(k * n) + j];
            }

            sparse[j + 1] = sum;
        }

        return block;
    }
}
