using Shale.Bn254.Fields;

namespace Shale.Bn254.Poseidon;

/// <summary>Square matrices over Fr in row-major order; for set-up, not for speed.</summary>
internal static class DenseMatrix
{
    public static void Multiply(Fr[] matrix, ReadOnlySpan<Fr> vector, Span<Fr> result)
    {
        int n = vector.Length;
        for (int i = 0; i < n; i++)
        {
            Fr sum = Fr.Zero;
            for (int j = 0; j < n; j++)
            {
                sum += matrix[(i * n) + j] * vector[j];
            }

            result[i] = sum;
        }
    }

    public static Fr[] Multiply(Fr[] a, Fr[] b, int n)
    {
        var product = new Fr[n * n];
        for (int i = 0; i < n; i++)
        {
            for (int k = 0; k < n; k++)
            {
                Fr factor = a[(i * n) + k];
                for (int j = 0; j < n; j++)
                {
                    product[(i * n) + j] += factor * b[(k * n) + j];
                }
            }
        }

        return product;
    }

    /// <summary>Gauss and Jordan.</summary>
    /// <exception cref="InvalidOperationException">The matrix is singular.</exception>
    public static Fr[] Invert(Fr[] matrix, int n)
    {
        Fr[] work = [.. matrix];
        var inverse = new Fr[n * n];
        for (int i = 0; i < n; i++)
        {
            inverse[(i * n) + i] = Fr.One;
        }

        for (int column = 0; column < n; column++)
        {
            int pivot = column;
            while (pivot < n && work[(pivot * n) + column].IsZero)
            {
                pivot++;
            }

            if (pivot == n)
            {
                throw new InvalidOperationException("The matrix is singular.");
            }

            SwapRows(work, n, pivot, column);
            SwapRows(inverse, n, pivot, column);
            Fr scale = work[(column * n) + column].Inverse();
            for (int j = 0; j < n; j++)
            {
                work[(column * n) + j] *= scale;
                inverse[(column * n) + j] *= scale;
            }

            for (int row = 0; row < n; row++)
            {
                Fr factor = work[(row * n) + column];
                if (row == column || factor.IsZero)
                {
                    continue;
                }

                for (int j = 0; j < n; j++)
                {
                    work[(row * n) + j] -= factor * work[(column * n) + j];
                    inverse[(row * n) + j] -= factor * inverse[(column * n) + j];
                }
            }
        }

        return inverse;
    }

    private static void SwapRows(Fr[] matrix, int n, int a, int b)
    {
        if (a != b)
        {
            for (int j = 0; j < n; j++)
            {
                (matrix[(a * n) + j], matrix[(b * n) + j]) = (matrix[(b * n) + j], matrix[(a * n) + j]);
            }
        }
    }
}
