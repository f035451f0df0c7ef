using Shale.Groth16.Files;

namespace Shale.Groth16.Constraints;

/// <summary>What a wire is; the order is that of the wires in iden3's formats.</summary>
internal enum WireKind
{
    PublicOutput,
    PublicInput,
    PrivateInput,
    Internal,
}

/// <summary>Collects the constraints of a circuit while its code runs, and counts them per gadget.</summary>
internal sealed class ConstraintRecorder
{
    private readonly int[] _wiresOfKind = new int[4];
    private readonly Stack<GadgetNode> _open = new();
    private readonly List<string>? _wireNames;
    private readonly List<string>? _constraintNames;
    private WireKind _kind;

    /// <param name="keepNames">Name every wire and constraint after its gadget: for tests and messages, not for a million of them.</param>
    public ConstraintRecorder(bool keepNames)
    {
        _open.Push(Root);
        if (keepNames)
        {
            _wireNames = ["one"];
            _constraintNames = [];
        }
    }

    public R1csBuilder Rows { get; } = new();

    public GadgetNode Root { get; } = new(string.Empty);

    public IReadOnlyList<string>? WireNames => _wireNames;

    public IReadOnlyList<string>? ConstraintNames => _constraintNames;

    public int CountOf(WireKind kind) => _wiresOfKind[(int)kind];

    public void Add(LinearCombination a, LinearCombination b, LinearCombination c, string assertion)
    {
        Rows.AddConstraint(a, b, c);
        _open.Peek().OwnConstraints++;
        _constraintNames?.Add(Name(assertion));
    }

    public void AddWire(WireKind kind, string name, int wire)
    {
        if (kind < _kind)
        {
            throw new InvalidOperationException($"{kind} {name} is declared after a {_kind}; the order is outputs, public inputs, private inputs, gadgets.");
        }

        _kind = kind;
        _wiresOfKind[(int)kind]++;
        _open.Peek().OwnWires++;
        _wireNames?.Add(Name(name));
    }

    public void Enter(string gadget) => _open.Push(_open.Peek().Child(gadget));

    public void Leave() => _open.Pop();

    private string Name(string local) => string.Join('/', _open.Reverse().Skip(1).Select(n => n.Name).Append(local));
}
