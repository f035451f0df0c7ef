using System.Numerics;
using Shale.Bn254.Fields;

namespace Shale.Groth16.Tests.Constraints.Support;

/// <summary>Forged decompositions, each of which exactly one constraint catches.</summary>
internal static class BitForgeries
{
    /// <summary>For every bit: that bit is 2, the others are bits, and the value is what they add up to.</summary>
    public static IEnumerable<Forgery> NotABit(Random random, int count)
    {
        for (int i = 0; i < count; i++)
        {
            Fr[] bits = TestField.BitsOf(TestField.Below(random, BigInteger.One << count), count);
            bits[i] = Fr.FromUInt64(2);
            yield return Of(bits, new Dictionary<int, Fr>());
        }
    }

    /// <summary>The same for a decomposition below a bound, and what only the comparison with the bound catches.</summary>
    public static IEnumerable<Forgery> NotBelow(Random random, BigInteger bound)
    {
        BigInteger largest = bound - 1;
        int count = (int)largest.GetBitLength();
        bool IsOne(int i) => !((largest >> i) & 1).IsZero;

        // Not a bit, while a zero at the topmost one (or the next) has settled the comparison.
        for (int i = 0; i < count; i++)
        {
            Fr[] bits = TestField.BitsOf(TestField.Below(random, BigInteger.One << (count - 3)), count);
            bits[count - 1] = bits[count - 2] = bits[count - 3] = Fr.Zero;
            bits[i] = Fr.FromUInt64(2);
            yield return Of(bits, new Dictionary<int, Fr>());
        }

        for (int z = 0; z < count; z++)
        {
            if (IsOne(z))
            {
                continue;
            }

            // Equal to the largest above bit z, and one there: too large. With the modulus as the bound this is x + r in place of x.
            Fr[] tooLarge = TestField.BitsOf(((largest >> z) | 1) << z, count);
            yield return Of(tooLarge, new Dictionary<int, Fr>());

            // The same, hidden by a running product that claims a difference further up.
            int products = 0;
            bool lowestZero = !Enumerable.Range(0, z).Any(i => !IsOne(i));
            for (int i = count - 2; lowestZero && i > z; i--)
            {
                if (IsOne(i))
                {
                    yield return Of(tooLarge, new Dictionary<int, Fr> { [count - 1 + products] = Fr.Zero });
                    products++;
                }
            }
        }
    }

    private static Forgery Of(Fr[] bits, Dictionary<int, Fr> forced)
    {
        Fr sum = Fr.Zero, power = Fr.One;
        for (int i = 0; i < bits.Length; i++)
        {
            sum += power * bits[i];
            power += power;
            if (i > 0)
            {
                forced[i - 1] = bits[i];
            }
        }

        return new Forgery([sum], forced);
    }
}
