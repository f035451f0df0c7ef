using Shale.Bn254.BabyJubjub;
using Shale.Bn254.Fields;

namespace Shale.Groth16.Constraints.Gadgets;

/// <summary>A point of BabyJubjub in a circuit: a·x² + y² = 1 + d·x²y² with a = 168700 and d = 168696 (EIP-2494).</summary>
/// <param name="X">x.</param>
/// <param name="Y">y.</param>
public readonly record struct EdwardsPoint(Variable X, Variable Y)
{
    /// <summary>A point that is the same in every witness.</summary>
    public static EdwardsPoint Constant(in BabyJubjubPoint point) => new(point.X, point.Y);
}

/// <summary>Group operations in Edwards form. a is a square and d is not, so the formulas hold for all points on the curve: no denominator is ever zero.</summary>
public static class EdwardsGadget
{
    private static readonly Fr A = Fr.FromUInt64(BabyJubjubPoint.A);
    private static readonly Fr D = Fr.FromUInt64(BabyJubjubPoint.D);

    /// <summary>Asserts the curve's equation; three constraints.</summary>
    public static void AssertOnCurve(ConstraintSystem system, in EdwardsPoint point)
    {
        ArgumentNullException.ThrowIfNull(system);
        using GadgetScope scope = system.Enter("on-curve");
        Variable x2 = system.Square(point.X, "x^2"), y2 = system.Square(point.Y, "y^2");
        system.AssertProduct(D * x2, y2, (A * x2) + y2 - Fr.One, "on the curve");
    }

    /// <summary>a + b for points on the curve; six constraints, three where b is constant.</summary>
    public static EdwardsPoint Add(ConstraintSystem system, in EdwardsPoint a, in EdwardsPoint b)
    {
        ArgumentNullException.ThrowIfNull(system);
        using GadgetScope scope = system.Enter("edwards-add");
        Variable beta = system.Multiply(a.X, b.Y, "x1*y2");
        Variable gamma = system.Multiply(a.Y, b.X, "y1*x2");
        Variable delta = system.Multiply(a.Y - (A * a.X), b.X + b.Y, "(y1-a*x1)*(x2+y2)");
        Variable tau = D * system.Multiply(beta, gamma, "x1*x2*y1*y2");
        return new EdwardsPoint(
            system.Divide(beta + gamma, Fr.One + tau, "x"),
            system.Divide(delta + (A * beta) - gamma, Fr.One - tau, "y"));
    }

    /// <summary>2·a for a point on the curve, whose equation replaces 1 + d·x²y² by a·x² + y²; five constraints.</summary>
    public static EdwardsPoint Double(ConstraintSystem system, in EdwardsPoint a)
    {
        ArgumentNullException.ThrowIfNull(system);
        using GadgetScope scope = system.Enter("edwards-double");
        Variable xy = system.Multiply(a.X, a.Y, "x*y");
        Variable x2 = system.Square(a.X, "x^2"), y2 = system.Square(a.Y, "y^2");
        Variable sum = (A * x2) + y2;
        Fr two = Fr.FromUInt64(2);
        return new EdwardsPoint(
            system.Divide(two * xy, sum, "x"),
            system.Divide(y2 - (A * x2), two - sum, "y"));
    }

    /// <summary><paramref name="condition"/> ? whenTrue : whenFalse, for a bit; two constraints.</summary>
    public static EdwardsPoint Select(ConstraintSystem system, in Variable condition, in EdwardsPoint whenTrue, in EdwardsPoint whenFalse) => new(
        Logic.Select(system, condition, whenTrue.X, whenFalse.X),
        Logic.Select(system, condition, whenTrue.Y, whenFalse.Y));
}
