using Shale.Bn254.Fields;

namespace Shale.Groth16.Constraints.Gadgets;

/// <summary>Polynomials evaluated at a variable point.</summary>
public static class HornerGadget
{
    /// <summary>Σ coefficients[i]·point^i; one constraint for each coefficient but the last.</summary>
    /// <exception cref="ArgumentException">No coefficient.</exception>
    public static Variable Evaluate(ConstraintSystem system, ReadOnlySpan<Variable> coefficients, in Variable point)
    {
        ArgumentNullException.ThrowIfNull(system);
        if (coefficients.IsEmpty)
        {
            throw new ArgumentException("A polynomial has at least one coefficient.", nameof(coefficients));
        }

        using GadgetScope scope = system.Enter("horner");
        Variable sum = coefficients[^1];
        for (int i = coefficients.Length - 2; i >= 0; i--)
        {
            sum = coefficients[i] + system.Multiply(sum, point, "partial sum");
        }

        return sum;
    }
}
