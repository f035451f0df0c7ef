using System.Numerics;
using Shale.Bn254.BabyJubjub;
using Shale.Bn254.Fields;

namespace Shale.Groth16.Tests.Constraints.Support;

/// <summary>Random elements from a seeded source, so that a failure comes again.</summary>
internal static class TestField
{
    public static Fr Random(Random random)
    {
        var bytes = new byte[48];
        random.NextBytes(bytes);
        return Fr.ReduceBigEndian(bytes);
    }

    public static BigInteger Below(Random random, BigInteger bound)
    {
        var bytes = new byte[48];
        random.NextBytes(bytes);
        return new BigInteger(bytes, isUnsigned: true) % bound;
    }

    /// <summary>A point of the prime subgroup, not the neutral one.</summary>
    public static BabyJubjubPoint SubgroupPoint(Random random) =>
        BabyJubjubPoint.Base8.Multiply(1 + Below(random, BabyJubjubScalar.Order - 1));

    /// <summary>A point of the whole curve.</summary>
    public static BabyJubjubPoint CurvePoint(Random random) =>
        BabyJubjubPoint.Generator.Multiply(1 + Below(random, (8 * BabyJubjubScalar.Order) - 1));

    public static (Fr U, Fr V) ToMontgomery(BabyJubjubPoint p)
    {
        Fr u = (Fr.One + p.Y) * (Fr.One - p.Y).Inverse();
        return (u, u * p.X.Inverse());
    }

    public static Fr[] BitsOf(BigInteger value, int count) =>
        [.. Enumerable.Range(0, count).Select(i => ((value >> i) & 1).IsZero ? Fr.Zero : Fr.One)];
}
