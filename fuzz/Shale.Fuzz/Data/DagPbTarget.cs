using Shale.Data.Cids;
using Shale.Data.UnixFs;

namespace Shale.Fuzz.Data;

/// <summary>dag-pb nodes: what is accepted encodes, and decodes to the same links and data again.</summary>
public sealed class DagPbTarget : IFuzzTarget
{
    /// <inheritdoc/>
    public string Name => "dag-pb";

    /// <inheritdoc/>
    public IEnumerable<byte[]> Seeds =>
    [
        new DagPbNode([], null).Encode(),
        new DagPbNode([], "data"u8.ToArray()).Encode(),
        new DagPbNode([new DagPbLink(Cid.OfBlock(1, Codec.Raw, []), "name", 300), new DagPbLink(Cid.OfBlock(0, Codec.DagPb, []), "", 0), new DagPbLink(Cid.OfBlock(1, Codec.Raw, []), null, null)], "data"u8.ToArray()).Encode(),
    ];

    /// <inheritdoc/>
    public void Run(ReadOnlySpan<byte> input)
    {
        if (DagPbNode.TryDecode(input.ToArray(), out var node).IsError)
        {
            return;
        }

        if (DagPbNode.TryDecode(node!.Encode(), out var again).IsError || !again!.Links.SequenceEqual(node.Links)
            || (again.Data is null) != (node.Data is null) || !(again.Data ?? default).Span.SequenceEqual((node.Data ?? default).Span))
        {
            throw new InvalidOperationException("the node encodes to another node");
        }
    }
}
