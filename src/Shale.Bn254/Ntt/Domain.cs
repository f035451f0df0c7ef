using System.Numerics;
using Shale.Bn254.Fields;

namespace Shale.Bn254.Ntt;

/// <summary>
/// The roots of unity of Fr: r − 1 = 2^28·t with t odd, so that a domain has at most 2^28 elements. The generator of the largest is
/// 5^((r−1)/2^28), as in snarkjs (5 is the least quadratic non-residue); each smaller one is its power.
/// </summary>
internal static class Domain
{
    public const int MaximumLog = 28;

    private static readonly Fr[] Roots = CreateRoots();

    /// <summary>The generator of the domain of 2^log elements.</summary>
    public static Fr Root(int log) => Roots[log];

    /// <summary>The domain that snarkjs takes for so many rows (constraints, one for each public wire and the constant).</summary>
    public static int LogFor(int rows) => rows <= 1 ? 1 : BitOperations.Log2((uint)(rows - 1)) + 1;

    private static Fr[] CreateRoots()
    {
        var roots = new Fr[MaximumLog + 1];
        roots[MaximumLog] = Fr.FromUInt64(5).Pow((Fr.Modulus - 1) >> MaximumLog);
        for (var i = MaximumLog; i > 0; i--)
        {
            roots[i - 1] = roots[i].Square();
        }

        return roots;
    }
}
