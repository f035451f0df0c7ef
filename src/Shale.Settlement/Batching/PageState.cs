using Shale.Bn254.Fields;
using Shale.Bn254.Poseidon;

namespace Shale.Settlement.Batching;

/// <summary>The leaves of one page and the tree over them. Immutable: a settlement gives a new one.</summary>
public sealed class PageState
{
    private readonly Leaf?[] _leaves;
    private readonly Fr[] _nodes;

    private PageState(Leaf?[] leaves, Fr[] nodes)
    {
        _leaves = leaves;
        _nodes = nodes;
    }

    /// <summary>N.</summary>
    public int Slots => _leaves.Length;

    /// <summary>The leaves by slot; null for an empty one.</summary>
    public IReadOnlyList<Leaf?> Leaves => _leaves;

    /// <summary>The Merkle root, as the contract stores it.</summary>
    public Fr Root => _nodes[1];

    /// <summary>A page without a leaf.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The number of slots is no power of two up to 256.</exception>
    public static PageState Empty(int slots) => Of(new Leaf?[slots]);

    /// <summary>A page from its leaves, rebuilt from events for example.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The number of slots is no power of two up to 256.</exception>
    public static PageState Of(IReadOnlyList<Leaf?> leaves)
    {
        ArgumentNullException.ThrowIfNull(leaves);
        int slots = leaves.Count;
        if (slots is < 1 or > 256 || (slots & (slots - 1)) != 0)
        {
            throw new ArgumentOutOfRangeException(nameof(leaves), slots, "A page has a power of two of slots, at most 256.");
        }

        // A heap: node 1 is the root, node i has children 2i and 2i + 1, the leaves are nodes N to 2N − 1.
        var nodes = new Fr[2 * slots];
        for (int i = 0; i < slots; i++)
        {
            nodes[slots + i] = leaves[i]?.Hash() ?? Fr.Zero;
        }

        for (int i = slots - 1; i > 0; i--)
        {
            nodes[i] = Poseidon.Hash(nodes[2 * i], nodes[(2 * i) + 1]);
        }

        return new PageState([.. leaves], nodes);
    }

    /// <summary>The hash of a slot's leaf, 0 for an empty one.</summary>
    public Fr LeafHash(int slot) => _nodes[Slots + slot];

    /// <summary>What proves a leaf under the root: the sibling's hash on each level, the leaf's own first.</summary>
    public Fr[] Siblings(int slot)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(slot);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(slot, Slots);
        var siblings = new List<Fr>();
        for (int node = Slots + slot; node > 1; node /= 2)
        {
            siblings.Add(_nodes[node ^ 1]);
        }

        return [.. siblings];
    }

    /// <summary>The page with some leaves replaced; hashes only what lies above them.</summary>
    public PageState With(IEnumerable<KeyValuePair<int, Leaf>> changes)
    {
        ArgumentNullException.ThrowIfNull(changes);
        var leaves = (Leaf?[])_leaves.Clone();
        var nodes = (Fr[])_nodes.Clone();
        var dirty = new SortedSet<int>();
        foreach ((int slot, Leaf leaf) in changes)
        {
            leaves[slot] = leaf;
            nodes[Slots + slot] = leaf.Hash();
            dirty.Add((Slots + slot) / 2);
        }

        while (dirty.Count > 0 && dirty.Max > 0)
        {
            int node = dirty.Max;
            dirty.Remove(node);
            nodes[node] = Poseidon.Hash(nodes[2 * node], nodes[(2 * node) + 1]);
            dirty.Add(node / 2);
        }

        return new PageState(leaves, nodes);
    }
}
