using Shale.Bn254.Curve;
using Shale.Bn254.Fields;

namespace Shale.Bn254.Pairing;

/// <summary>
/// The optimal ate pairing on BN254 (Vercauteren 2008): Miller loop over 6x + 2 with lines in homogeneous coordinates (Costello, Lange,
/// Naehrig 2010; D-type twist), two Frobenius steps, final exponentiation after Fuentes-Castañeda, Knapp and Rodríguez-Henríquez
/// ("Faster hashing to G2"), which raises to 2x(6x² + 3x + 1)·(p¹² − 1)/r as libff, snarkjs and others do.
/// </summary>
public static class OptimalAte
{
    private const ulong CurveParameter = 4965661367192848881;

    // 6x + 2 in non-adjacent form, least significant digit first.
    private static readonly sbyte[] LoopCount = NonAdjacentForm((6 * (UInt128)CurveParameter) + 2);
    private static readonly Fp Half = Fp.FromUInt64(2).Inverse();

    /// <summary>True when the product of the pairings e(g1_i, g2_i) is one; pairs with infinity count as one. This is what EIP-197 checks.</summary>
    /// <exception cref="ArgumentException">Not as many points of the one group as of the other.</exception>
    public static bool ProductIsOne(ReadOnlySpan<G1Affine> g1, ReadOnlySpan<G2Affine> g2) => FinalExponentiation(MillerLoop(g1, g2)).IsOne;

    internal static Fp12 Pair(in G1Affine p, in G2Affine q) => FinalExponentiation(MillerLoop([p], [q]));

    internal static Fp12 MillerLoop(ReadOnlySpan<G1Affine> g1, ReadOnlySpan<G2Affine> g2)
    {
        if (g1.Length != g2.Length)
        {
            throw new ArgumentException("As many points of G1 as of G2.", nameof(g2));
        }

        var pairs = new List<PairState>(g1.Length);
        for (var i = 0; i < g1.Length; i++)
        {
            if (!g1[i].IsInfinity && !g2[i].IsInfinity)
            {
                pairs.Add(new PairState(g1[i], g2[i]));
            }
        }

        var f = Fp12.One;
        for (var i = LoopCount.Length - 2; i >= 0; i--)
        {
            f = f.Square();
            foreach (var pair in pairs)
            {
                f = pair.DoubleAndMultiply(f);
            }

            if (LoopCount[i] != 0)
            {
                foreach (var pair in pairs)
                {
                    f = pair.AddAndMultiply(f, LoopCount[i] > 0 ? pair.Q : -pair.Q);
                }
            }
        }

        foreach (var pair in pairs)
        {
            var first = pair.Q.Psi();
            f = pair.AddAndMultiply(f, first);
            f = pair.AddAndMultiply(f, -first.Psi());
        }

        return f;
    }

    internal static Fp12 FinalExponentiation(in Fp12 value)
    {
        // Easy part: to the (p⁶ − 1)(p² + 1).
        var f = value.Conjugate() * value.Inverse();
        f = f.Frobenius().Frobenius() * f;

        // Hard part. Inversion is conjugation from here on.
        var y0 = PowNegatedParameter(f);
        var y1 = y0.Square();
        var y2 = y1.Square();
        var y3 = y2 * y1;
        var y4 = PowNegatedParameter(y3);
        var y5 = y4.Square();
        var y6 = PowNegatedParameter(y5).Conjugate();
        y3 = y3.Conjugate();
        var y7 = y6 * y4;
        var y8 = y7 * y3;
        var y9 = y8 * y1;
        var y10 = y8 * y4;
        var y11 = y10 * f;
        var y13 = y9.Frobenius() * y11;
        var y14 = y8.Frobenius().Frobenius() * y13;
        return (f.Conjugate() * y9).Frobenius().Frobenius().Frobenius() * y14;
    }

    private static Fp12 PowNegatedParameter(in Fp12 value)
    {
        var result = value;
        for (var i = 61; i >= 0; i--)
        {
            result = result.Square();
            if (((CurveParameter >> i) & 1) != 0)
            {
                result *= value;
            }
        }

        return result.Conjugate();
    }

    private static sbyte[] NonAdjacentForm(UInt128 value)
    {
        var digits = new List<sbyte>();
        while (value != 0)
        {
            var digit = (value & 1) == 0 ? 0 : 2 - (int)(value & 3);
            digits.Add((sbyte)digit);
            value = (digit < 0 ? value + 1 : value - (UInt128)digit) >> 1;
        }

        return [.. digits];
    }

    /// <summary>One pair's running point T (homogeneous, on the twist) and its lines at P.</summary>
    private sealed class PairState(in G1Affine p, in G2Affine q)
    {
        private readonly Fp _px = p.X;
        private readonly Fp _py = p.Y;
        private Fp2 _x = q.X;
        private Fp2 _y = q.Y;
        private Fp2 _z = Fp2.One;

        public G2Affine Q { get; } = q;

        /// <summary>T ← 2T; multiplies f by the tangent at T, taken at P.</summary>
        public Fp12 DoubleAndMultiply(in Fp12 f)
        {
            var a = (_x * _y).Scale(Half);
            var b = _y.Square();
            var c = _z.Square();
            var e = G2Curve.B * (c.Double() + c);
            var g3 = e.Double() + e;
            var g = (b + g3).Scale(Half);
            var h = (_y + _z).Square() - (b + c);
            var i = e - b;
            var j = _x.Square();
            var ee = e.Square();
            _x = a * (b - g3);
            _y = g.Square() - (ee.Double() + ee);
            _z = b * h;
            return f.MultiplyBy034((-h).Scale(_py), (j.Double() + j).Scale(_px), i);
        }

        /// <summary>T ← T + Q'; multiplies f by the line through both, taken at P.</summary>
        public Fp12 AddAndMultiply(in Fp12 f, in G2Affine point)
        {
            var theta = _y - (point.Y * _z);
            var lambda = _x - (point.X * _z);
            var c = theta.Square();
            var d = lambda.Square();
            var e = lambda * d;
            var t = _z * c;
            var g = _x * d;
            var h = e + t - g.Double();
            _x = lambda * h;
            _y = (theta * (g - h)) - (e * _y);
            _z *= e;
            var j = (theta * point.X) - (lambda * point.Y);
            return f.MultiplyBy034(lambda.Scale(_py), (-theta).Scale(_px), j);
        }
    }
}
