using System.Numerics;
using Shale.Bn254.BabyJubjub;
using Shale.Bn254.Fields;
using Shale.Bn254.Poseidon;
using Shale.Groth16.Constraints;
using Shale.Groth16.Constraints.Gadgets;

namespace Shale.Groth16.Tests.Constraints.Support;

/// <summary>Montgomery form, scalar multiplication and signatures.</summary>
internal static class CurveCases
{
    private static readonly BigInteger Order = BabyJubjubScalar.Order;

    public static IEnumerable<GadgetCase> All()
    {
        yield return new GadgetCase("to-montgomery", 2, r => Edwards(TestField.SubgroupPoint(r)), (s, i) => Pair(MontgomeryGadget.FromEdwards(s, new EdwardsPoint(i[0], i[1]))))
        {
            Expected = i => Montgomery(new BabyJubjubPoint(i[0], i[1])),
            Forgeries = _ => [Forgery.OfInputs(Fr.Zero, Fr.One)],
        };
        yield return new GadgetCase("to-edwards", 2, r => Montgomery(TestField.SubgroupPoint(r)), (s, i) => Pair(MontgomeryGadget.ToEdwards(s, new MontgomeryPoint(i[0], i[1]))))
        {
            Expected = i => [i[0] * i[1].Inverse(), (i[0] - Fr.One) * (i[0] + Fr.One).Inverse()],
        };
        yield return new GadgetCase("montgomery-add", 4, r => [.. Montgomery(TestField.SubgroupPoint(r)), .. Montgomery(TestField.SubgroupPoint(r))],
            (s, i) => Pair(MontgomeryGadget.Add(s, Of(i, 0), Of(i, 2))))
        {
            Expected = i => Montgomery(FromMontgomery(i[0], i[1]) + FromMontgomery(i[2], i[3])),
            Forgeries = _ => [Forgery.OfInputs([.. Montgomery(BabyJubjubPoint.Base8), .. Montgomery(-BabyJubjubPoint.Base8)])],
        };
        yield return new GadgetCase("montgomery-double", 2, r => Montgomery(TestField.SubgroupPoint(r)), (s, i) => Pair(MontgomeryGadget.Double(s, Of(i, 0))))
        {
            Expected = i => Montgomery(FromMontgomery(i[0], i[1]).Double()),
        };
        yield return new GadgetCase("montgomery-add-twice", 4, r => [.. Montgomery(TestField.SubgroupPoint(r)), .. Montgomery(TestField.SubgroupPoint(r))],
            (s, i) => Pair(MontgomeryGadget.AddTwice(s, Of(i, 0), Of(i, 2))))
        {
            Expected = i => Montgomery(FromMontgomery(i[0], i[1]).Double() + FromMontgomery(i[2], i[3])),
        };
        yield return new GadgetCase("fixed-base", 251, r => TestField.BitsOf(TestField.Below(r, Order), 251), (s, i) => Pair(ScalarMultiplication.FixedBase8(s, i)))
        {
            Expected = i => Edwards(BabyJubjubPoint.Base8.Multiply(FromBits(i))),
            EdgeInputs = [.. EdgeScalars().Where(k => k < Order).Select(k => TestField.BitsOf(k, 251))],
        };
        yield return new GadgetCase("variable-base", 256, r => [.. Edwards(TestField.SubgroupPoint(r)), .. TestField.BitsOf(TestField.Below(r, Fr.Modulus), 254)],
            (s, i) => Pair(ScalarMultiplication.VariableBase(s, i.AsSpan(2), new EdwardsPoint(i[0], i[1]))))
        {
            Expected = i => Edwards(new BabyJubjubPoint(i[0], i[1]).Multiply(FromBits(i[2..]))),
            EdgeInputs = [.. EdgeScalars().Select(k => (Fr[])[.. Edwards(BabyJubjubPoint.Base8), .. TestField.BitsOf(k, 254)])],
            Forgeries = _ => [Forgery.OfInputs([Fr.Zero, Fr.One, .. TestField.BitsOf(5, 254)])],
        };
        yield return Signature();
    }

    /// <summary>enabled, A, M, R8, S.</summary>
    private static GadgetCase Signature() => new("eddsa", 7, r => Signed(r), (s, i) =>
    {
        EdDsaGadget.Verify(s, i[0], new EdwardsPoint(i[1], i[2]), i[3], new EdwardsPoint(i[4], i[5]), i[6]);
        return [];
    })
    {
        EdgeInputs = [[Fr.Zero, Fr.One, Fr.One, Fr.Zero, BabyJubjubPoint.Base8.X, BabyJubjubPoint.Base8.Y, Fr.Zero]],
        Comparisons = ["eddsa/on-curve/on the curve", "eddsa/signature: x", "eddsa/signature: y"],
        Forgeries = SignatureForgeries,
    };

    private static IEnumerable<Forgery> SignatureForgeries(Random random)
    {
        Fr[] good = Signed(random);
        Fr[] With(params (int At, Fr Value)[] changes)
        {
            Fr[] bad = [.. good];
            foreach ((int at, Fr value) in changes)
            {
                bad[at] = value;
            }

            return bad;
        }

        BabyJubjubPoint other = TestField.SubgroupPoint(random);
        yield return Forgery.OfInputs(With((3, good[3] + Fr.One)));
        yield return Forgery.OfInputs(With((1, other.X), (2, other.Y)));
        yield return Forgery.OfInputs(With((6, good[6] + Fr.One)));

        // S + l: the same point, another number.
        yield return Forgery.OfInputs(With((6, good[6] + Fr.FromBigInteger(Order))));

        // Keys off the curve and of small order; R8 off the curve.
        yield return Forgery.OfInputs(With((1, good[1] + Fr.One)));
        yield return Forgery.OfInputs(With((1, Fr.Zero), (2, Fr.One)));
        yield return Forgery.OfInputs(With((1, Fr.Zero), (2, -Fr.One)));
        yield return Forgery.OfInputs(With((4, good[4] + Fr.One)));

        // l − S: the sum has the right y, and only its x is wrong.
        yield return Forgery.OfInputs(With((6, Fr.FromBigInteger(Order - good[6].ToBigInteger()))));

        // R8 plus the point of order two: with −S the sum has the right x, and only its y is wrong.
        BigInteger a = TestField.Below(random, Order), k = TestField.Below(random, Order);
        BabyJubjubPoint key = BabyJubjubPoint.Base8.Multiply(a), torsion = BabyJubjubPoint.Base8.Multiply(k) + new BabyJubjubPoint(Fr.Zero, -Fr.One);
        BigInteger h = Poseidon.Hash(torsion.X, torsion.Y, key.X, key.Y, good[3]).ToBigInteger();
        Fr s = Fr.FromBigInteger(Order - ((k + (8 * a * h)) % Order));
        yield return Forgery.OfInputs(Fr.One, key.X, key.Y, good[3], torsion.X, torsion.Y, s);

        // R8 the neutral element: S = 8·a·h satisfies the equation, and tells the key.
        BigInteger neutral = Poseidon.Hash(Fr.Zero, Fr.One, key.X, key.Y, good[3]).ToBigInteger();
        yield return Forgery.OfInputs(Fr.One, key.X, key.Y, good[3], Fr.Zero, Fr.One, Fr.FromBigInteger(8 * a * neutral % Order));
    }

    private static Fr[] Signed(Random random)
    {
        var seed = new byte[32];
        random.NextBytes(seed);
        Fr message = TestField.Random(random);
        BabyJubjubPoint key = EdDsa.PublicKey(seed).Point;
        EdDsaSignature signature = EdDsa.Sign(seed, message);
        return [Fr.One, key.X, key.Y, message, signature.R8.X, signature.R8.Y, Fr.FromBigInteger(signature.S.ToBigInteger())];
    }

    /// <summary>Where the sizes in the proofs of <see cref="ScalarMultiplication"/> matter: ends of ranges, around multiples of l, long runs of zeros and ones.</summary>
    private static IEnumerable<BigInteger> EdgeScalars()
    {
        yield return 0;
        yield return 1;
        yield return 2;
        yield return 3;
        yield return 4;
        for (int i = 1; i <= 8; i++)
        {
            BigInteger multiple = i * Order;
            foreach (BigInteger near in (BigInteger[])[multiple - 3, multiple - 2, multiple - 1, multiple, multiple + 1, multiple + 2, multiple + 3, multiple / 2, (multiple / 2) + 1, multiple / 4, multiple / 16])
            {
                if (near < Fr.Modulus)
                {
                    yield return near;
                }
            }
        }

        yield return Fr.Modulus - 1;
        yield return Fr.Modulus - 2;
        for (int bit = 247; bit < 254; bit++)
        {
            foreach (BigInteger k in (BigInteger[])[BigInteger.One << bit, (BigInteger.One << bit) - 1])
            {
                if (k < Fr.Modulus)
                {
                    yield return k;
                }
            }
        }
    }

    private static Fr[] Edwards(BabyJubjubPoint p) => [p.X, p.Y];

    private static Fr[] Montgomery(BabyJubjubPoint p)
    {
        (Fr u, Fr v) = TestField.ToMontgomery(p);
        return [u, v];
    }

    private static BabyJubjubPoint FromMontgomery(Fr u, Fr v) => new(u * v.Inverse(), (u - Fr.One) * (u + Fr.One).Inverse());

    private static MontgomeryPoint Of(Variable[] i, int at) => new(i[at], i[at + 1]);

    private static Variable[] Pair(MontgomeryPoint p) => [p.U, p.V];

    private static Variable[] Pair(EdwardsPoint p) => [p.X, p.Y];

    private static BigInteger FromBits(Fr[] bits) => bits.Select((b, i) => b.IsZero ? BigInteger.Zero : BigInteger.One << i).Aggregate(BigInteger.Add);
}
