using System.Numerics;
using Shale.Bn254.BabyJubjub;
using Shale.Bn254.Fields;

namespace Shale.Groth16.Constraints.Gadgets;

/// <summary>
/// Multiples of points in BabyJubjub's prime subgroup, order l. Scalars are written with digits ±1 and ±3 in base 4, none
/// of them zero: no partial sum is ever the neutral element, and no addition meets its own operand, which the remarks prove
/// by size. So Montgomery's incomplete additions are exact for every scalar; the windows for which size proves
/// nothing use the complete Edwards formulas.
/// </summary>
public static class ScalarMultiplication
{
    /// <summary>4^125 &lt; l &lt; 4^126: digit sums below this many windows cannot reach l.</summary>
    private const int SafeWindows = 125;

    private const int WindowsOfScalar = 127;

    private static readonly FixedBaseTable Base8Table = new();

    /// <summary>
    /// S·Base8 for the 251 bits of an S &lt; l. About two constraints a bit.
    /// </summary>
    /// <remarks>
    /// With s_j = 2b_j − 1 over 252 bits, Σ s_j·2^j = 2S − (2^252 − 1). So the sum runs over B' = Base8/2, and a constant
    /// point is added at the end. Window i adds d_i·4^i·B', |d_i| ≤ 3 and odd; the sum before it is k·B' with k odd and |k| &lt; 4^i, so
    /// k ± d_i·4^i is not zero and below 4^(i+1) ≤ 4^125 &lt; l for i ≤ 124: never equal or opposite. Window 125 is added with the constant, in Edwards form.
    /// </remarks>
    public static EdwardsPoint FixedBase8(ConstraintSystem system, ReadOnlySpan<Variable> bits)
    {
        ArgumentNullException.ThrowIfNull(system);
        if (bits.Length != 251)
        {
            throw new ArgumentException("A scalar below l has 251 bits.", nameof(bits));
        }

        using GadgetScope scope = system.Enter("fixed-base");
        MontgomeryPoint sum = default;
        for (int i = 0; i < SafeWindows; i++)
        {
            MontgomeryPoint addend = Base8Table.Select(system, i, bits[2 * i], bits[(2 * i) + 1]);
            sum = i == 0 ? addend : MontgomeryGadget.Add(system, sum, addend);
        }

        (BabyJubjubPoint zero, BabyJubjubPoint one) = Base8Table.Last;
        Variable top = bits[250];
        var last = new EdwardsPoint(((one.X - zero.X) * top) + zero.X, ((one.Y - zero.Y) * top) + zero.Y);
        return EdwardsGadget.Add(system, MontgomeryGadget.ToEdwards(system, sum), last);
    }

    /// <summary>
    /// h·P for the 254 bits of any h and a P that must lie in the prime subgroup; about six and a half constraints a bit. For the neutral
    /// element no witness exists.
    /// </summary>
    /// <remarks>
    /// o = h + (1 − h_0) is odd: o = Σ s_j·2^j over 254 digits with s_253 = 1 and s_j = 2h_(j+1) − 1, taken two at a time. From the top,
    /// the sum is k·P with k odd and 1 ≤ k ≤ 4^w − 1 after w windows. A window doubles to 2k and forms ((2k) + d) + (2k) = 4k + d, d = ±1, ±3:
    /// 2k is even and d odd, so 2k ≠ ±d; 2k + d = ±2k would need d = 0 or 4k + d = 0; and modulo l nothing changes while 4k + 3 ≤ 4^(w+1) − 1 &lt; l,
    /// so up to w + 1 = 125. The last two windows, and the subtraction of P for an even h, use Edwards form.
    /// </remarks>
    public static EdwardsPoint VariableBase(ConstraintSystem system, ReadOnlySpan<Variable> bits, in EdwardsPoint point)
    {
        ArgumentNullException.ThrowIfNull(system);
        if (bits.Length != Bits.FieldBits)
        {
            throw new ArgumentException("A canonical scalar has 254 bits.", nameof(bits));
        }

        using GadgetScope scope = system.Enter("variable-base");
        EdwardsPoint triple = EdwardsGadget.Add(system, EdwardsGadget.Double(system, point), point);
        MontgomeryPoint one = MontgomeryGadget.FromEdwards(system, point), three = MontgomeryGadget.FromEdwards(system, triple);

        // The top window is 2 + s_252: 1 or 3.
        Variable top = bits[253];
        var sum = new MontgomeryPoint(Logic.Select(system, top, three.U, one.U), Logic.Select(system, top, three.V, one.V));
        for (int window = 2; window <= SafeWindows; window++)
        {
            (Variable low, Variable high) = DigitBits(bits, window);
            MontgomeryPoint digit = SelectDigit(system, low, high, one, three);
            sum = MontgomeryGadget.AddTwice(system, MontgomeryGadget.Double(system, sum), digit);
        }

        EdwardsPoint result = MontgomeryGadget.ToEdwards(system, sum);
        for (int window = SafeWindows + 1; window <= WindowsOfScalar; window++)
        {
            (Variable low, Variable high) = DigitBits(bits, window);
            EdwardsPoint digit = SelectDigit(system, low, high, point, triple);
            result = EdwardsGadget.Double(system, EdwardsGadget.Double(system, result));
            result = EdwardsGadget.Add(system, result, digit);
        }

        Variable even = Fr.One - bits[0];
        var correction = new EdwardsPoint(
            -system.Multiply(even, point.X, "correction x"),
            Fr.One + system.Multiply(even, point.Y - Fr.One, "correction y"));
        return EdwardsGadget.Add(system, result, correction);
    }

    /// <summary>The two bits of a window, counted from the top from 1 on.</summary>
    private static (Variable Low, Variable High) DigitBits(ReadOnlySpan<Variable> bits, int window)
    {
        int low = (2 * (WindowsOfScalar - window)) + 1;
        return (bits[low], bits[low + 1]);
    }

    /// <summary>
    /// (2s_1 + s_0)·P: three times where both signs agree. As a function of the bits v is v₃·(b_1 + b_0 − 1) + v₁·(b_1 − b_0); four constraints.
    /// </summary>
    private static MontgomeryPoint SelectDigit(ConstraintSystem system, in Variable low, in Variable high, in MontgomeryPoint one, in MontgomeryPoint three)
    {
        using GadgetScope scope = system.Enter("digit");
        Variable triple = SignsAgree(system, low, high);
        return new MontgomeryPoint(
            Logic.Select(system, triple, three.U, one.U),
            system.Multiply(high + low - Fr.One, three.V, "triple's part") + system.Multiply(high - low, one.V, "single's part"));
    }

    /// <summary>The same in Edwards form, where negation changes the sign of x.</summary>
    private static EdwardsPoint SelectDigit(ConstraintSystem system, in Variable low, in Variable high, in EdwardsPoint one, in EdwardsPoint three)
    {
        using GadgetScope scope = system.Enter("digit");
        Variable triple = SignsAgree(system, low, high);
        return new EdwardsPoint(
            system.Multiply(high + low - Fr.One, three.X, "triple's part") + system.Multiply(high - low, one.X, "single's part"),
            Logic.Select(system, triple, three.Y, one.Y));
    }

    private static Variable SignsAgree(ConstraintSystem system, in Variable low, in Variable high) =>
        Fr.One - high - low + (Fr.FromUInt64(2) * system.Multiply(high, low, "both bits"));
}
