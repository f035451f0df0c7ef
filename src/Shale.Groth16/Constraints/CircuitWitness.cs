using Shale.Bn254.Fields;

namespace Shale.Groth16.Constraints;

/// <summary>The values of all wires, wire 0 being one, and the first constraint that they break, if any.</summary>
public sealed class CircuitWitness
{
    internal CircuitWitness(Fr[] values, UnsatisfiedConstraint? failure)
    {
        Values = values;
        Failure = failure;
    }

    /// <summary>One value per wire, in the order of the constraint system's wires.</summary>
    public ReadOnlyMemory<Fr> Values { get; }

    /// <summary>The first broken constraint; null when the witness satisfies the circuit.</summary>
    public UnsatisfiedConstraint? Failure { get; }

    /// <summary>True when no constraint is broken.</summary>
    public bool IsSatisfied => Failure is null;
}
