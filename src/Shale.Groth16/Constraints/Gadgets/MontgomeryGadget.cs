using Shale.Bn254.Fields;

namespace Shale.Groth16.Constraints.Gadgets;

/// <summary>A point of BabyJubjub in Montgomery form, v² = u³ + 168698·u² + u, other than infinity.</summary>
/// <param name="U">u = (1 + y)/(1 − y).</param>
/// <param name="V">v = u/x.</param>
internal readonly record struct MontgomeryPoint(Variable U, Variable V);

/// <summary>
/// Group operations in Montgomery form: three constraints for an addition where Edwards needs six, but only where the chord
/// or tangent exists. <b>Each caller owes the proof that no denominator vanishes</b>; a vanishing one would leave the slope free.
/// </summary>
internal static class MontgomeryGadget
{
    public static readonly Fr A = Fr.FromUInt64(168698);

    /// <summary>From Edwards form; two constraints. No witness exists for the neutral element: u·0 = 2 has no solution. x ≠ 0 otherwise in the prime subgroup.</summary>
    public static MontgomeryPoint FromEdwards(ConstraintSystem system, in EdwardsPoint point)
    {
        using GadgetScope scope = system.Enter("to-montgomery");
        Variable u = system.Divide(Fr.One + point.Y, Fr.One - point.Y, "u");
        return new MontgomeryPoint(u, system.Divide(u, point.X, "v"));
    }

    /// <summary>To Edwards form for points of odd order (v ≠ 0); two constraints. u = −1 lies on no point: A − 2 is not a square.</summary>
    public static EdwardsPoint ToEdwards(ConstraintSystem system, in MontgomeryPoint point)
    {
        using GadgetScope scope = system.Enter("to-edwards");
        return new EdwardsPoint(
            system.Divide(point.U, point.V, "x"),
            system.Divide(point.U - Fr.One, point.U + Fr.One, "y"));
    }

    /// <summary>a + b for a ≠ ±b; three constraints.</summary>
    public static MontgomeryPoint Add(ConstraintSystem system, in MontgomeryPoint a, in MontgomeryPoint b)
    {
        using GadgetScope scope = system.Enter("montgomery-add");
        Variable slope = system.Divide(b.V - a.V, b.U - a.U, "slope");
        Variable u = system.MultiplySubtract(slope, slope, A + a.U + b.U, "u");
        Variable v = system.MultiplySubtract(slope, a.U - u, a.V, "v");
        return new MontgomeryPoint(u, v);
    }

    /// <summary>2·a for a point of odd order; four constraints.</summary>
    public static MontgomeryPoint Double(ConstraintSystem system, in MontgomeryPoint a)
    {
        using GadgetScope scope = system.Enter("montgomery-double");
        Fr two = Fr.FromUInt64(2), three = Fr.FromUInt64(3);
        Variable square = system.Square(a.U, "u^2");
        Variable slope = system.Divide((three * square) + (two * A * a.U) + Fr.One, two * a.V, "slope");
        Variable u = system.MultiplySubtract(slope, slope, A + (two * a.U), "u");
        Variable v = system.MultiplySubtract(slope, a.U - u, a.V, "v");
        return new MontgomeryPoint(u, v);
    }

    /// <summary>
    /// (a + b) + a for a ≠ ±b and a + b ≠ ±a; five constraints, since the ordinate of a + b is never needed: the second
    /// slope is −(first slope) − 2v/(u' − u).
    /// </summary>
    public static MontgomeryPoint AddTwice(ConstraintSystem system, in MontgomeryPoint a, in MontgomeryPoint b)
    {
        using GadgetScope scope = system.Enter("montgomery-add-twice");
        Fr two = Fr.FromUInt64(2);
        Variable first = system.Divide(b.V - a.V, b.U - a.U, "first slope");
        Variable middle = system.MultiplySubtract(first, first, A + a.U + b.U, "middle u");
        Variable second = system.Divide(two * a.V, a.U - middle, "second slope sum") - first;
        Variable u = system.MultiplySubtract(second, second, A + middle + a.U, "u");
        Variable v = system.MultiplySubtract(second, a.U - u, a.V, "v");
        return new MontgomeryPoint(u, v);
    }
}
