using System.Text.RegularExpressions;

namespace Shale.Benchmarks;

/// <summary>docs/benchmarks.md: a section that was measured again replaces the one of the same title, the others stay.</summary>
internal static partial class BenchmarkDocument
{
    private const string Head =
        "# Benchmarks\n\nRatios to a named reference in the same run, medians; written by " +
        "`dotnet run --project tests/Shale.Benchmarks -c Release -- --write`.\n";

    public static void Write(string markdown)
    {
        var path = Path.Combine(FindRoot(), "docs", "benchmarks.md");
        var sections = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var text in new[] { File.Exists(path) ? File.ReadAllText(path) : "", markdown })
        {
            foreach (Match match in Section().Matches(text))
            {
                sections[match.Groups["title"].Value] = match.Value.Trim();
            }
        }

        File.WriteAllText(path, Head + string.Concat(sections.Values.Select(s => "\n" + s + "\n")));
    }

    public static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Shale.sln")))
        {
            folder = folder.Parent;
        }

        return folder?.FullName ?? throw new DirectoryNotFoundException("Shale.sln was not found above " + AppContext.BaseDirectory + ".");
    }

    [GeneratedRegex(@"^## (?<title>[^\n]*)\n(?:(?!^## ).*\n?)*", RegexOptions.Multiline)]
    private static partial Regex Section();
}
