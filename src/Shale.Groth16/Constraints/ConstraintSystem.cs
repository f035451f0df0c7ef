using Shale.Bn254.Fields;

namespace Shale.Groth16.Constraints;

/// <summary>
/// What a circuit is written against. The same calls record rank-1 constraints (A·w)·(B·w) = C·w when a circuit is compiled,
/// and compute the values of all wires when a witness is made. Wires come in iden3's order: the constant one, public outputs,
/// public inputs, private inputs, everything else. Not safe for several threads; <see cref="ForEach"/> spreads its parts by itself.
/// </summary>
public sealed class ConstraintSystem
{
    private readonly ConstraintRecorder? _recorder;
    private readonly IReadOnlyDictionary<int, Fr>? _overrides;
    private readonly List<string> _path = [];
    private readonly int _part = -1;
    private readonly bool _growing;
    private Fr[] _values;
    private int _next;

    private ConstraintSystem(ConstraintRecorder? recorder, Fr[] values, bool growing, IReadOnlyDictionary<int, Fr>? overrides)
    {
        _recorder = recorder;
        _overrides = overrides;
        _values = values;
        _growing = growing;
        _values[0] = Fr.One;
        _next = 1;
    }

    private ConstraintSystem(ConstraintSystem parent, int start, int part)
    {
        _values = parent._values;
        _overrides = parent._overrides;
        _path.AddRange(parent._path);
        _next = start;
        _part = part;
    }

    /// <summary>The first constraint that the witness breaks so far.</summary>
    public UnsatisfiedConstraint? Failure { get; private set; }

    internal int WireCount => _next;

    /// <summary>A system that records; values are computed beside it, with some wires forced to other values where a test asks for that.</summary>
    internal static ConstraintSystem Recording(ConstraintRecorder recorder, IReadOnlyDictionary<int, Fr>? overrides = null) =>
        new(recorder, new Fr[1024], growing: true, overrides);

    /// <summary>A system that only computes values, for a known number of wires.</summary>
    internal static ConstraintSystem Solving(int wireCount, IReadOnlyDictionary<int, Fr>? overrides = null) =>
        new(null, new Fr[wireCount], growing: false, overrides);

    internal CircuitWitness TakeWitness()
    {
        if (!_growing && _next != _values.Length)
        {
            throw new InvalidOperationException($"The circuit's code took {_next} wires for this input and {_values.Length} when it was compiled.");
        }

        return new CircuitWitness(_growing ? _values.AsSpan(0, _next).ToArray() : _values, Failure);
    }

    /// <summary>A public wire that the circuit computes (constrain it with <see cref="AssertEqual"/>). Outputs come before all else.</summary>
    public Variable PublicOutput(string name, in Fr value) => Input(WireKind.PublicOutput, name, value);

    /// <summary>A public wire given from outside. Public inputs come after outputs and before private inputs.</summary>
    public Variable PublicInput(string name, in Fr value) => Input(WireKind.PublicInput, name, value);

    /// <summary>A wire that only the prover knows. All are declared before the first gadget.</summary>
    public Variable PrivateInput(string name, in Fr value) => Input(WireKind.PrivateInput, name, value);

    /// <summary>A new wire whose value the code knows how to compute, but that nothing constrains yet: the caller must.</summary>
    public Variable Hint(string name, in Fr value) => Wire(WireKind.Internal, name, value);

    /// <summary>a·b. One constraint and one wire, or none where either is constant.</summary>
    public Variable Multiply(in Variable a, in Variable b, string name = "product")
    {
        if (a.IsConstant)
        {
            return a.Value * b;
        }

        if (b.IsConstant)
        {
            return b.Value * a;
        }

        Variable product = Wire(WireKind.Internal, name, a.Value * b.Value);
        AssertProduct(a, b, product, name);
        return product;
    }

    /// <summary>
    /// a·b − subtrahend as a wire of its own; one constraint and one wire. The same as subtracting from <see cref="Multiply"/>'s result, but what
    /// is calculated step by step stays one term and does not grow with each step.
    /// </summary>
    public Variable MultiplySubtract(in Variable a, in Variable b, in Variable subtrahend, string name)
    {
        Variable result = Wire(WireKind.Internal, name, (a.Value * b.Value) - subtrahend.Value);
        AssertProduct(a, b, result + subtrahend, name);
        return result;
    }

    /// <summary>a². One constraint and one wire, or none for a constant.</summary>
    public Variable Square(in Variable a, string name = "square") => Multiply(a, a, name);

    /// <summary>
    /// The q with q·denominator = numerator; one constraint and one wire. <b>The denominator must be known to differ from zero</b>
    /// in every witness: where both are zero, q is free.
    /// </summary>
    public Variable Divide(in Variable numerator, in Variable denominator, string name = "quotient")
    {
        Variable quotient = Wire(WireKind.Internal, name, numerator.Value * denominator.Value.Inverse());
        AssertProduct(quotient, denominator, numerator, name);
        return quotient;
    }

    /// <summary>Asserts a·b = c: one constraint.</summary>
    public void AssertProduct(in Variable a, in Variable b, in Variable c, string assertion)
    {
        if (a.Value * b.Value != c.Value)
        {
            Fail(assertion);
        }

        _recorder?.Add(a.TermsOrConstant, b.TermsOrConstant, c.TermsOrConstant, assertion);
    }

    /// <summary>Asserts a = b: one linear constraint. Where the wire is new, use an expression in its place, which costs nothing.</summary>
    public void AssertEqual(in Variable a, in Variable b, string assertion)
    {
        if (a.Value != b.Value)
        {
            Fail(assertion);
        }

        _recorder?.Add((a - b).TermsOrConstant, LinearCombination.OfConstant(Fr.One), LinearCombination.Zero, assertion);
    }

    /// <summary>Asserts that a is 0 or 1: one constraint.</summary>
    public void AssertBoolean(in Variable a, string assertion = "boolean") => AssertProduct(a, a - Fr.One, Fr.Zero, assertion);

    /// <summary>Enters a gadget: constraints are counted, and failures named, under it until the result is disposed of.</summary>
    public GadgetScope Enter(string gadget)
    {
        _path.Add(gadget);
        _recorder?.Enter(gadget);
        return new GadgetScope(this);
    }

    /// <summary>
    /// Runs parts that are alike, each with the same wires and constraints. Witnesses are computed on all cores, so a part
    /// must write only what belongs to its index.
    /// </summary>
    /// <exception cref="InvalidOperationException">The parts' code differs in the wires that it takes.</exception>
    public void ForEach(int count, Action<ConstraintSystem, int> part)
    {
        ArgumentNullException.ThrowIfNull(part);
        if (_recorder is not null || count < 2 || _part >= 0)
        {
            for (int i = 0; i < count; i++)
            {
                part(this, i);
            }

            return;
        }

        int start = _next;
        var first = new ConstraintSystem(this, start, 0);
        part(first, 0);
        int size = first._next - start;
        if (start + ((long)size * count) > _values.Length)
        {
            throw new InvalidOperationException("The parts of a circuit take more wires than when it was compiled.");
        }

        var failures = new UnsatisfiedConstraint?[count];
        failures[0] = first.Failure;
        Parallel.For(1, count, i =>
        {
            var child = new ConstraintSystem(this, start + (size * i), i);
            part(child, i);
            failures[i] = child.Failure;
            if (child._next != start + (size * (i + 1)))
            {
                throw new InvalidOperationException("The parts of a circuit differ in the wires that they take.");
            }
        });
        _next = start + (size * count);
        Failure ??= Array.Find(failures, f => f is not null);
    }

    internal void Leave()
    {
        _path.RemoveAt(_path.Count - 1);
        _recorder?.Leave();
    }

    private Variable Input(WireKind kind, string name, in Fr value)
    {
        if (_part >= 0)
        {
            throw new InvalidOperationException("Inputs are declared outside of ForEach.");
        }

        return Wire(kind, name, value);
    }

    private Variable Wire(WireKind kind, string name, Fr value)
    {
        int wire = _next++;
        if (_overrides is not null && _overrides.TryGetValue(wire, out Fr forced))
        {
            value = forced;
        }

        if (_growing && wire == _values.Length)
        {
            Array.Resize(ref _values, 2 * wire);
        }

        _values[wire] = value;
        _recorder?.AddWire(kind, name, wire);
        return new Variable(value, _recorder is null ? null : LinearCombination.OfWire(wire), varies: true);
    }

    private void Fail(string assertion) => Failure ??= new UnsatisfiedConstraint(string.Join('/', _path), assertion, _part);
}
