namespace Shale.Groth16.Constraints;

/// <summary>What one gadget, over all the times it was entered at this place, costs.</summary>
public sealed class GadgetNode
{
    private readonly List<GadgetNode> _children = [];
    private readonly Dictionary<string, GadgetNode> _byName = [];

    internal GadgetNode(string name) => Name = name;

    /// <summary>The gadget's name; empty for the whole circuit.</summary>
    public string Name { get; }

    /// <summary>How often it was entered.</summary>
    public int Instances { get; private set; }

    /// <summary>The gadgets that it uses, in order of first use.</summary>
    public IReadOnlyList<GadgetNode> Children => _children;

    /// <summary>Its constraints with those of the gadgets that it uses, over all instances.</summary>
    public int Constraints => OwnConstraints + _children.Sum(c => c.Constraints);

    /// <summary>Its wires with those of the gadgets that it uses, over all instances.</summary>
    public int Wires => OwnWires + _children.Sum(c => c.Wires);

    internal int OwnConstraints { get; set; }

    internal int OwnWires { get; set; }

    internal GadgetNode Child(string name)
    {
        if (!_byName.TryGetValue(name, out GadgetNode? child))
        {
            child = new GadgetNode(name);
            _byName.Add(name, child);
            _children.Add(child);
        }

        child.Instances++;
        return child;
    }
}
