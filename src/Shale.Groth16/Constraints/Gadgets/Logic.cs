using Shale.Bn254.Fields;

namespace Shale.Groth16.Constraints.Gadgets;

/// <summary>Choices and tests.</summary>
public static class Logic
{
    /// <summary><paramref name="condition"/> ? whenTrue : whenFalse, for a condition that is known to be a bit; one constraint.</summary>
    public static Variable Select(ConstraintSystem system, in Variable condition, in Variable whenTrue, in Variable whenFalse)
    {
        ArgumentNullException.ThrowIfNull(system);
        return whenFalse + system.Multiply(condition, whenTrue - whenFalse, "select");
    }

    /// <summary>
    /// 1 where the value is zero, else 0; two constraints. The inverse that it is told is free where the value is zero
    /// (wire <c>is-zero/inverse</c>), which changes no output.
    /// </summary>
    public static Variable IsZero(ConstraintSystem system, in Variable value)
    {
        ArgumentNullException.ThrowIfNull(system);
        using GadgetScope scope = system.Enter("is-zero");
        Variable inverse = system.Hint("inverse", value.Value.Inverse());
        Variable result = Fr.One - system.Multiply(value, inverse, "nonzero");
        system.AssertProduct(value, result, Fr.Zero, "zero where it says so");
        return result;
    }

    /// <summary>Asserts that a value differs from zero; one constraint, and a wire for its inverse, which is thereby determined.</summary>
    public static void AssertNonZero(ConstraintSystem system, in Variable value, string assertion)
    {
        ArgumentNullException.ThrowIfNull(system);
        system.Divide(Fr.One, value, assertion);
    }

    /// <summary>Asserts that a = b where the condition, known to be a bit, is 1; one constraint.</summary>
    public static void AssertEqualWhere(ConstraintSystem system, in Variable condition, in Variable a, in Variable b, string assertion)
    {
        ArgumentNullException.ThrowIfNull(system);
        system.AssertProduct(condition, a - b, Fr.Zero, assertion);
    }
}
