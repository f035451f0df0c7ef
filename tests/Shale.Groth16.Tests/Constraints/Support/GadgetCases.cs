using System.Numerics;
using Shale.Bn254.BabyJubjub;
using Shale.Bn254.Fields;
using Shale.Bn254.Poseidon;
using Shale.Groth16.Constraints;
using Shale.Groth16.Constraints.Gadgets;

namespace Shale.Groth16.Tests.Constraints.Support;

/// <summary>All gadgets, each as a circuit of its own.</summary>
internal static class GadgetCases
{
    public static IReadOnlyList<GadgetCase> All { get; } = [.. Simple(), .. Hashes(), .. Curve(), .. CurveCases.All()];

    public static Fr[] Randoms(Random random, int count) => [.. Enumerable.Range(0, count).Select(_ => TestField.Random(random))];

    private static Fr Small(ulong value) => Fr.FromUInt64(value);

    private static IEnumerable<GadgetCase> Simple()
    {
        foreach (int count in (int[])[1, 8, 96])
        {
            yield return new GadgetCase($"bits-{count}", 1, r => [Fr.FromBigInteger(TestField.Below(r, BigInteger.One << count))], (s, i) => Bits.Decompose(s, i[0], count))
            {
                Expected = i => TestField.BitsOf(i[0].ToBigInteger(), count),
                EdgeInputs = [[Fr.Zero], [Fr.FromBigInteger((BigInteger.One << count) - 1)]],
                Forgeries = r => [.. BitForgeries.NotABit(r, count), Forgery.OfInputs(Fr.FromBigInteger(BigInteger.One << count)), Forgery.OfInputs(-Fr.One)],
            };
        }

        foreach ((string name, BigInteger bound) in ((string, BigInteger)[])[("field", Fr.Modulus), ("subgroup", BabyJubjubScalar.Order), ("11", 11), ("16", 16)])
        {
            int count = (int)(bound - 1).GetBitLength();

            // Where all bits so far are those of the largest value, a zero is forced by b² = 0, which first derivatives can't see: inputs
            // that leave the largest value at its topmost bit avoid that.
            yield return new GadgetCase($"bits-below-{name}", 1, r => [Fr.FromBigInteger(TestField.Below(r, BigInteger.One << (count - 1)))], (s, i) => Bits.DecomposeBelow(s, i[0], bound))
            {
                Expected = i => TestField.BitsOf(i[0].ToBigInteger(), count),
                EdgeInputs = [[Fr.Zero], [Fr.FromBigInteger(bound - 1)]],
                Forgeries = r => [.. BitForgeries.NotBelow(r, bound), .. bound == Fr.Modulus ? (Forgery[])[] : [Forgery.OfInputs(Fr.FromBigInteger(bound))]],
            };
        }

        yield return new GadgetCase("select", 3, r => [Small((ulong)r.Next(2)), .. Randoms(r, 2)], (s, i) => [Logic.Select(s, i[0], i[1], i[2])])
        {
            Expected = i => [i[0].IsZero ? i[2] : i[1]],
        };
        yield return new GadgetCase("is-zero", 1, r => Randoms(r, 1), (s, i) => [Logic.IsZero(s, i[0])])
        {
            Expected = i => [i[0].IsZero ? Fr.One : Fr.Zero],
            EdgeInputs = [[Fr.Zero]],
            FreeWires = ["is-zero/inverse"],
            Forgeries = _ =>
            [
                new Forgery([Small(5)], new Dictionary<int, Fr> { [0] = Fr.Zero }), // no inverse: "it is zero"
                new Forgery([Small(5)], new Dictionary<int, Fr> { [1] = Fr.One + Fr.One }),
                new Forgery([Fr.Zero], new Dictionary<int, Fr> { [1] = Fr.One }), // "zero is not zero"
            ],
        };
        yield return new GadgetCase("non-zero", 1, r => Randoms(r, 1), (s, i) => { Logic.AssertNonZero(s, i[0], "not zero"); return []; })
        {
            Forgeries = _ => [Forgery.OfInputs(Fr.Zero)],
        };
        yield return new GadgetCase("boolean", 1, r => [Small((ulong)r.Next(2))], (s, i) => { s.AssertBoolean(i[0]); return []; })
        {
            Forgeries = _ => [Forgery.OfInputs(Small(2)), Forgery.OfInputs(-Fr.One)],
        };
        yield return new GadgetCase("equal-where", 3, r => [Fr.Zero, .. Randoms(r, 2)], (s, i) => { Logic.AssertEqualWhere(s, i[0], i[1], i[2], "equal"); return []; })
        {
            EdgeInputs = [[Fr.One, Small(7), Small(7)]],
            Forgeries = _ => [Forgery.OfInputs(Fr.One, Small(3), Small(4))],
        };
        yield return new GadgetCase("horner", 6, r => Randoms(r, 6), (s, i) => [HornerGadget.Evaluate(s, i.AsSpan(1), i[0])])
        {
            Expected = i => [Enumerable.Range(0, 5).Aggregate(Fr.Zero, (sum, k) => sum + (i[1 + k] * i[0].Pow(k)))],
        };
    }

    private static IEnumerable<GadgetCase> Hashes()
    {
        for (int inputs = 1; inputs <= 5; inputs++)
        {
            int n = inputs;
            yield return new GadgetCase($"poseidon-{n}", n, r => Randoms(r, n), (s, i) => [PoseidonGadget.Hash(s, i)])
            {
                Expected = i => [Poseidon.Hash(i)],
                EdgeInputs = [new Fr[n]],
            };
        }

        yield return new GadgetCase("poseidon-permutation-6", 6, r => Randoms(r, 6), (s, i) => { PoseidonGadget.Permute(s, i); return i; })
        {
            Expected = i => { Fr[] state = [.. i]; Poseidon.Permute(state); return state; },
        };
        yield return new GadgetCase("sponge-6", 12, r => Randoms(r, 12), (s, i) => [PoseidonGadget.Sponge(s, 6, Small(77), i)])
        {
            Expected = i => [NaiveSponge(Small(77), i)],
        };
        yield return new GadgetCase("merkle-root-4", 4, r => Randoms(r, 4), (s, i) => [MerkleGadget.Root(s, i)])
        {
            Expected = i => [Poseidon.Hash(Poseidon.Hash(i[0], i[1]), Poseidon.Hash(i[2], i[3]))],
        };
    }

    private static Fr NaiveSponge(Fr capacity, Fr[] elements)
    {
        var state = new Fr[6];
        state[0] = capacity;
        foreach (Fr[] block in elements.Chunk(5))
        {
            for (int k = 0; k < block.Length; k++)
            {
                state[k + 1] += block[k];
            }

            Poseidon.Permute(state);
        }

        return state[1];
    }

    private static IEnumerable<GadgetCase> Curve()
    {
        static Fr[] Coordinates(BabyJubjubPoint p) => [p.X, p.Y];
        yield return new GadgetCase("on-curve", 2, r => Coordinates(TestField.CurvePoint(r)), (s, i) => { EdwardsGadget.AssertOnCurve(s, new EdwardsPoint(i[0], i[1])); return []; })
        {
            EdgeInputs = [[Fr.Zero, Fr.One], [Fr.Zero, -Fr.One]],
            Comparisons = ["on-curve/on the curve"],
            Forgeries = r => [Forgery.OfInputs(Randoms(r, 2)), Forgery.OfInputs(Fr.Zero, Fr.Zero)],
        };
        yield return new GadgetCase("edwards-add", 4, r => [.. Coordinates(TestField.CurvePoint(r)), .. Coordinates(TestField.CurvePoint(r))],
            (s, i) => Pair(EdwardsGadget.Add(s, new EdwardsPoint(i[0], i[1]), new EdwardsPoint(i[2], i[3]))))
        {
            Expected = i => Coordinates(new BabyJubjubPoint(i[0], i[1]) + new BabyJubjubPoint(i[2], i[3])),
            EdgeInputs =
            [
                [Fr.Zero, Fr.One, Fr.Zero, Fr.One],
                [.. Coordinates(BabyJubjubPoint.Base8), .. Coordinates(BabyJubjubPoint.Base8)],
                [.. Coordinates(BabyJubjubPoint.Base8), .. Coordinates(-BabyJubjubPoint.Base8)],
                [.. Coordinates(BabyJubjubPoint.Generator), Fr.Zero, -Fr.One],
            ],
        };
        yield return new GadgetCase("edwards-add-constant", 2, r => Coordinates(TestField.CurvePoint(r)),
            (s, i) => Pair(EdwardsGadget.Add(s, new EdwardsPoint(i[0], i[1]), EdwardsPoint.Constant(BabyJubjubPoint.Base8))))
        {
            Expected = i => Coordinates(new BabyJubjubPoint(i[0], i[1]) + BabyJubjubPoint.Base8),
            EdgeInputs = [Coordinates(BabyJubjubPoint.Base8), Coordinates(-BabyJubjubPoint.Base8)],
        };
        yield return new GadgetCase("edwards-double", 2, r => Coordinates(TestField.CurvePoint(r)), (s, i) => Pair(EdwardsGadget.Double(s, new EdwardsPoint(i[0], i[1]))))
        {
            Expected = i => Coordinates(new BabyJubjubPoint(i[0], i[1]).Double()),
            EdgeInputs = [[Fr.Zero, Fr.One], [Fr.Zero, -Fr.One]],
        };
        yield return new GadgetCase("edwards-select", 5, r => [Small((ulong)r.Next(2)), .. Randoms(r, 4)],
            (s, i) => Pair(EdwardsGadget.Select(s, i[0], new EdwardsPoint(i[1], i[2]), new EdwardsPoint(i[3], i[4]))))
        {
            Expected = i => i[0].IsZero ? [i[3], i[4]] : [i[1], i[2]],
        };
    }

    private static Variable[] Pair(EdwardsPoint p) => [p.X, p.Y];
}
