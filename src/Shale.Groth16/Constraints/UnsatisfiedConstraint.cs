namespace Shale.Groth16.Constraints;

/// <summary>Where a witness first broke a constraint: the gadgets entered, joined by '/', and what was asserted there.</summary>
/// <param name="Path">The gadgets, outermost first, for example <c>slot/voucher/signature</c>; empty at the top.</param>
/// <param name="Assertion">What did not hold.</param>
/// <param name="Part">The index within <see cref="ConstraintSystem.ForEach"/>, or −1 outside of it.</param>
public readonly record struct UnsatisfiedConstraint(string Path, string Assertion, int Part);
