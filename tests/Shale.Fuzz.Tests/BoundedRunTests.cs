using Xunit;

namespace Shale.Fuzz.Tests;

/// <summary>A bounded run of every fuzz target; longer runs by hand, see fuzz/Shale.Fuzz/Program.cs.</summary>
public sealed class BoundedRunTests
{
    public static TheoryData<string> Names => [.. Fuzzer.Targets.Select(t => t.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Target_BoundedRunFromAFixedSeed_HasNoFinding(string name)
    {
        var target = Fuzzer.Targets.Single(t => t.Name == name);
        var folder = Path.Combine(FindRoot(), "fuzz", "corpus", name);
        var kept = Directory.Exists(folder) ? Directory.GetFiles(folder).Select(File.ReadAllBytes) : [];
        // A count, not a time, ends the run, so that it is the same on every machine; the time only guards against a hang.
        var runs = Fuzzer.Run(target, kept, seed: 20261121, maxRuns: target.BoundedRuns, maxTime: TimeSpan.FromMinutes(20));
        Assert.True(runs >= target.BoundedRuns, $"{name} managed only {runs} runs in twenty minutes.");
    }

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder!.FullName, "Shale.sln")))
        {
            folder = folder.Parent;
        }

        return folder.FullName;
    }
}
