using System.Text.RegularExpressions;

namespace Shale.Chain.Generator;

/// <summary>
/// What the ABI's JSON leaves out and the Solidity files say: the members of enumerations, and the <c>@dev</c> comments above structs, their fields and errors.
/// Reads top-level declarations that stand on lines of their own, which is how the sources are formatted.
/// </summary>
internal sealed partial class SolidityNotes
{
    /// <summary>Members by enumeration.</summary>
    internal Dictionary<string, List<string>> Enums { get; } = [];

    /// <summary>Comments by <c>Name</c> or <c>Struct.field</c>.</summary>
    internal Dictionary<string, string> Comments { get; } = [];

    internal void Read(string source)
    {
        string comment = "", owner = "";
        List<string>? members = null;
        foreach (var raw in source.Split('\n'))
        {
            var line = raw.Trim();
            if (line.StartsWith("///", StringComparison.Ordinal))
            {
                var text = line[3..].Trim();
                comment = (comment + " " + (text.StartsWith("@dev", StringComparison.Ordinal) ? text[4..] : text).Trim()).Trim();
                continue;
            }

            if (Declaration().Match(line) is { Success: true } declaration)
            {
                var name = declaration.Groups[2].Value;
                Note(name, comment);
                owner = declaration.Groups[1].Value == "error" ? "" : name;
                members = declaration.Groups[1].Value == "enum" ? Enums[name] = [] : null;
            }
            else if (line == "}")
            {
                owner = "";
                members = null;
            }
            else if (members is not null)
            {
                members.AddRange(line.Split(',').Select(m => m.Trim()).Where(m => m.Length > 0));
            }
            else if (owner.Length > 0 && Field().Match(line) is { Success: true } field)
            {
                Note(owner + "." + field.Groups[1].Value, comment);
            }

            comment = "";
        }
    }

    internal string Comment(string key, string otherwise) => Comments.TryGetValue(key, out var comment) ? comment : otherwise;

    private void Note(string key, string comment)
    {
        if (comment.Length > 0)
        {
            Comments[key] = comment;
        }
    }

    [GeneratedRegex(@"^(struct|enum|error) (\w+)")]
    private static partial Regex Declaration();

    [GeneratedRegex(@"^[\w.\[\]]+ (\w+);$")]
    private static partial Regex Field();
}
