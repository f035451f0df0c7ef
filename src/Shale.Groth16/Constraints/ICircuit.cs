namespace Shale.Groth16.Constraints;

/// <summary>
/// A circuit: code that runs once to give the constraints, and once per witness to compute it. Both runs take the same path:
/// which wires and constraints come about must not depend on any value.
/// </summary>
/// <typeparam name="TInput">What a witness is made from.</typeparam>
public interface ICircuit<TInput>
{
    /// <summary>An input of the right shape, whatever its values: the constraints are derived with it.</summary>
    TInput Blank { get; }

    /// <summary>Declares public outputs, public inputs and private inputs, in this order, and then what must hold between them.</summary>
    void Define(ConstraintSystem system, TInput input);
}
