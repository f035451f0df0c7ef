using System.Numerics;
using Shale.Bn254.Fields;
using Shale.Bn254.Ntt;
using Shale.Groth16.Files;

namespace Shale.Groth16.Setup;

/// <summary>
/// The values at τ of what the key's points are multiples of: for each wire its A and B polynomials and β·A + α·B + C (over δ for private
/// wires, over γ = 1 for public ones); for each row the odd Lagrange polynomials of the doubled domain over δ, which turn values of
/// A·B − C on the odd coset into the H sum (snarkjs' form: no division by the vanishing polynomial is left to the prover).
/// </summary>
internal sealed class WirePolynomials
{
    private WirePolynomials(Fr[] a, Fr[] b, Fr[] combined, Fr[] h)
    {
        A = a;
        B = b;
        Combined = combined;
        H = h;
    }

    public Fr[] A { get; }

    public Fr[] B { get; }

    public Fr[] Combined { get; }

    public Fr[] H { get; }

    public static WirePolynomials At(R1cs r1cs, int log, DevelopmentSetup.Secrets secrets, CancellationToken cancellation)
    {
        var lagrange = Lagrange(secrets.Tau, log, odd: false);
        var (a, b, c) = (new Fr[r1cs.WireCount], new Fr[r1cs.WireCount], new Fr[r1cs.WireCount]);
        Parallel.Invoke(
            new ParallelOptions { CancellationToken = cancellation },
            () => Accumulate(r1cs, r1cs.A, lagrange, a),
            () => Accumulate(r1cs, r1cs.B, lagrange, b),
            () => Accumulate(r1cs, r1cs.C, lagrange, c));

        // One more row for each public wire makes the A polynomials of the public wires independent, as Groth's proof wants.
        for (var i = 0; i <= r1cs.PublicCount; i++)
        {
            a[i] += lagrange[r1cs.ConstraintCount + i];
        }

        var deltaInverse = secrets.Delta.Inverse();
        for (var i = 0; i < c.Length; i++)
        {
            var sum = (secrets.Beta * a[i]) + (secrets.Alpha * b[i]) + c[i];
            c[i] = i <= r1cs.PublicCount ? sum : sum * deltaInverse;
        }

        cancellation.ThrowIfCancellationRequested();
        var h = Lagrange(secrets.Tau, log, odd: true);
        for (var i = 0; i < h.Length; i++)
        {
            h[i] *= deltaInverse;
        }

        return new WirePolynomials(a, b, c, h);
    }

    /// <summary>
    /// L_i(τ) = (τ^n − 1)/n · ω^i/(τ − ω^i) for the domain of 2^log elements; with <paramref name="odd"/> L_{2i+1}(τ) for that of
    /// twice as many.
    /// </summary>
    internal static Fr[] Lagrange(in Fr tau, int log, bool odd)
    {
        var count = 1 << log;
        var size = odd ? 2 * (BigInteger)count : count;
        var step = Domain.Root(log);
        var first = odd ? Domain.Root(log + 1) : Fr.One;
        var values = ScalarNtt.Powers(step, first, count);
        var differences = new Fr[count];
        for (var i = 0; i < count; i++)
        {
            differences[i] = tau - values[i];
        }

        Fr.BatchInverse(differences);
        var factor = (tau.Pow(size) - Fr.One) * Fr.FromBigInteger(size).Inverse();
        for (var i = 0; i < count; i++)
        {
            values[i] *= factor * differences[i];
        }

        return values;
    }

    private static void Accumulate(R1cs r1cs, R1csMatrix matrix, Fr[] lagrange, Fr[] sums)
    {
        for (var row = 0; row < matrix.RowCount; row++)
        {
            foreach (var term in matrix.Row(row))
            {
                sums[term.Wire] += r1cs.Coefficients[term.Coefficient] * lagrange[row];
            }
        }
    }
}
