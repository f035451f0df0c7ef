using Shale.Bn254.Vector;

namespace Shale.Bn254.Fields;

/// <summary>
/// Square roots modulo r, where r − 1 = 2^28·t: Tonelli and Shanks, the discrete logarithm in the group of order 2^28 taken
/// seven bits at a time from tables (Sarkar, eprint 2020/1407) instead of bit by bit: some 50 multiplications in place of 400.
/// </summary>
internal static class FrSquareRoot
{
    private const int WindowBits = 7;
    private const int Windows = 4;
    private const int TwoAdicity = WindowBits * Windows;

    /// <summary>g^t for the non-residue g = 5: a generator of the group of order 2^28.</summary>
    private static readonly Limbs4 Root = GeneratorOfTwoPower();

    /// <summary>Inverse[k][i] = Root^(−i·2^(7k)).</summary>
    private static readonly Limbs4[][] Inverse = BuildInverseTables();

    /// <summary>From the low Montgomery limb of (Root^(2^21))^i to i; the 128 limbs differ.</summary>
    private static readonly Dictionary<ulong, int> Logarithm = BuildLogarithms();

    /// <summary>(t − 1)/2.</summary>
    private static ReadOnlySpan<ulong> HalfOddPart =>
        [0xcdcb848a1f0fac9f, 0x0c0ac2e9419f4243, 0x098d014dc2822db4, 0x0000000183227397];

    public static bool TryCompute(in Limbs4 value, out Limbs4 root) =>
        TryCompute(value, Montgomery<FrModulus>.Power(value, HalfOddPart), out root);

    /// <summary>The powers that <see cref="TryCompute(in Limbs4, in Limbs4, out Limbs4)"/> wants, four at a time; in place.</summary>
    public static void Prepare(Span<Fr> values) => LanePower.Power(values, HalfOddPart);

    /// <param name="value">The square.</param>
    /// <param name="power">value^((t − 1)/2).</param>
    /// <param name="root">Either root.</param>
    public static bool TryCompute(in Limbs4 value, in Limbs4 power, out Limbs4 root)
    {
        root = default;
        if (value.IsZero)
        {
            return true;
        }

        Limbs4 candidate = Montgomery<FrModulus>.Multiply(power, value);
        Limbs4 remainder = Montgomery<FrModulus>.Multiply(candidate, power);

        // remainder = value^t = Root^exponent. A square has an even exponent.
        int exponent = 0;
        for (int window = 0; window < Windows; window++)
        {
            Limbs4 probe = remainder;
            for (int i = 0; i < WindowBits * (Windows - 1 - window); i++)
            {
                probe = Montgomery<FrModulus>.Square(probe);
            }

            int digit = Logarithm[probe.L0];
            if (window == 0 && (digit & 1) != 0)
            {
                return false;
            }

            exponent |= digit << (WindowBits * window);
            remainder = Montgomery<FrModulus>.Multiply(remainder, Inverse[window][digit]);
        }

        int half = exponent >> 1;
        for (int window = 0; window < Windows; window++)
        {
            int digit = (half >> (WindowBits * window)) & ((1 << WindowBits) - 1);
            candidate = Montgomery<FrModulus>.Multiply(candidate, Inverse[window][digit]);
        }

        root = candidate;
        return true;
    }

    private static Limbs4 GeneratorOfTwoPower()
    {
        Limbs4 five = Montgomery<FrModulus>.FromCanonical(new Limbs4(5, 0, 0, 0));
        Limbs4 power = Montgomery<FrModulus>.Power(five, HalfOddPart);
        return Montgomery<FrModulus>.Multiply(Montgomery<FrModulus>.Square(power), five);
    }

    private static Limbs4[][] BuildInverseTables()
    {
        var tables = new Limbs4[Windows][];
        Limbs4 step = Montgomery<FrModulus>.Inverse(Root);
        for (int window = 0; window < Windows; window++)
        {
            tables[window] = Powers(step);
            step = Montgomery<FrModulus>.Multiply(tables[window][^1], step);
        }

        return tables;
    }

    private static Dictionary<ulong, int> BuildLogarithms()
    {
        Limbs4 step = Root;
        for (int i = 0; i < TwoAdicity - WindowBits; i++)
        {
            step = Montgomery<FrModulus>.Square(step);
        }

        Limbs4[] powers = Powers(step);
        var logarithms = new Dictionary<ulong, int>(powers.Length);
        for (int i = 0; i < powers.Length; i++)
        {
            logarithms.Add(powers[i].L0, i);
        }

        return logarithms;
    }

    private static Limbs4[] Powers(in Limbs4 step)
    {
        var powers = new Limbs4[1 << WindowBits];
        powers[0] = FrModulus.R;
        for (int i = 1; i < powers.Length; i++)
        {
            powers[i] = Montgomery<FrModulus>.Multiply(powers[i - 1], step);
        }

        return powers;
    }
}
