using Shale.Benchmarks;

// dotnet run --project tests/Shale.Benchmarks -c Release -- [section …] [--write]
// Without a section: all of them. --write puts the tables into docs/benchmarks.md.
var sections = typeof(ISection).Assembly.GetTypes()
    .Where(t => t is { IsAbstract: false, IsInterface: false } && t.IsAssignableTo(typeof(ISection)))
    .Select(t => (ISection)Activator.CreateInstance(t)!)
    .OrderBy(s => s.Name, StringComparer.Ordinal)
    .ToArray();
var names = args.Where(a => !a.StartsWith('-')).ToArray();
var unknown = names.Except(sections.Select(s => s.Name)).ToArray();
if (unknown.Length > 0)
{
    Console.Error.WriteLine($"Unknown section: {string.Join(", ", unknown)}. There are: {string.Join(", ", sections.Select(s => s.Name))}.");
    return 64;
}

using var stop = new CancellationTokenSource();
Console.CancelKeyPress += (_, e) =>
{
    e.Cancel = true;
    stop.Cancel();
};
var report = new Report();
foreach (var section in sections.Where(s => names.Length == 0 || names.Contains(s.Name)))
{
    report.Section(section.Title);
    await section.RunAsync(report, stop.Token);
}

if (args.Contains("--write"))
{
    BenchmarkDocument.Write(report.Markdown);
}

return 0;
