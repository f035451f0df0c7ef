using System.Security.Cryptography;
using Shale.Fuzz;

// dotnet run --project fuzz/Shale.Fuzz -c Release -- [target …] [--seconds N] [--seed N] [--corpus DIR]
var names = new List<string>();
var (seconds, seed, corpus) = (10, Environment.TickCount, "fuzz/corpus");
for (var i = 0; i < args.Length; i++)
{
    switch (args[i])
    {
        case "--seconds" when i + 1 < args.Length: seconds = int.Parse(args[++i]); break;
        case "--seed" when i + 1 < args.Length: seed = int.Parse(args[++i]); break;
        case "--corpus" when i + 1 < args.Length: corpus = args[++i]; break;
        default: names.Add(args[i]); break;
    }
}

var unknown = names.Except(Fuzzer.Targets.Select(t => t.Name)).ToArray();
if (unknown.Length > 0)
{
    Console.Error.WriteLine($"Unknown target: {string.Join(", ", unknown)}. There are: {string.Join(", ", Fuzzer.Targets.Select(t => t.Name))}.");
    return 64;
}

var findings = 0;
foreach (var target in Fuzzer.Targets.Where(t => names.Count == 0 || names.Contains(t.Name)))
{
    var folder = Path.Combine(corpus, target.Name);
    var kept = Directory.Exists(folder) ? Directory.GetFiles(folder).Select(File.ReadAllBytes) : [];
    try
    {
        var runs = Fuzzer.Run(target, kept, seed, long.MaxValue, TimeSpan.FromSeconds(seconds));
        Console.WriteLine($"{target.Name}: {runs} runs in {seconds} s, seed {seed}, no finding");
    }
    catch (FuzzFindingException finding)
    {
        findings++;
        Directory.CreateDirectory(folder);
        var file = Path.Combine(folder, Convert.ToHexStringLower(SHA256.HashData(finding.Input))[..16]);
        File.WriteAllBytes(file, finding.Input);
        Console.WriteLine($"{finding.Message}\n  kept as {file}\n{finding.InnerException}");
    }
}

return findings == 0 ? 0 : 1;
