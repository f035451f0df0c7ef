using System.Globalization;

namespace Shale.Groth16.Constraints;

/// <summary>A circuit's cost as a table in Markdown, a line per gadget, indented by who uses whom.</summary>
public static class GadgetReport
{
    /// <summary>The table's lines.</summary>
    /// <param name="root">The circuit.</param>
    /// <param name="parts">What the last column divides by: the slots of a page, for example.</param>
    /// <param name="part">What one of them is called.</param>
    public static IEnumerable<string> Lines(GadgetNode root, int parts, string part)
    {
        ArgumentNullException.ThrowIfNull(root);
        ArgumentOutOfRangeException.ThrowIfLessThan(parts, 1);
        return Table(root, parts, part);
    }

    private static IEnumerable<string> Table(GadgetNode root, int parts, string part)
    {
        yield return $"| gadget | times | constraints | per {part} |";
        yield return "| --- | ---: | ---: | ---: |";
        foreach ((GadgetNode node, int depth) in Walk(root, 0))
        {
            string indent = string.Concat(Enumerable.Repeat("· ", Math.Max(0, depth - 1)));
            string name = depth == 0 ? "**all**" : indent + node.Name;
            yield return string.Create(
                CultureInfo.InvariantCulture, $"| {name} | {Math.Max(1, node.Instances)} | {node.Constraints} | {(double)node.Constraints / parts:0.#} |");
        }
    }

    private static IEnumerable<(GadgetNode Node, int Depth)> Walk(GadgetNode node, int depth) =>
        node.Children.SelectMany(child => Walk(child, depth + 1)).Prepend((node, depth));
}
