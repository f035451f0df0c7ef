using System.Xml.Linq;
using Xunit;

namespace Shale.Structure.Tests;

/// <summary>The reference graph of docs/decisions/0001-layout.md, read from the project files themselves.</summary>
public sealed class ReferenceGraphTests
{
    private static readonly Dictionary<string, string[]> Allowed = new()
    {
        ["Shale.Wire"] = [],
        ["Shale.Crypto"] = [],
        ["Shale.Bn254"] = [],
        ["Shale.Containers"] = [],
        ["Shale.Leases"] = [],
        ["Shale.Data"] = ["Shale.Crypto"],
        ["Shale.Ssh"] = ["Shale.Wire", "Shale.Crypto"],
        ["Shale.Groth16"] = ["Shale.Bn254"],
        ["Shale.Payments"] = ["Shale.Wire", "Shale.Crypto", "Shale.Bn254"],
        ["Shale.Chain.Generator"] = [],
        ["Shale.Chain"] = ["Shale.Crypto", "Shale.Chain.Generator"],
        ["Shale.Settlement"] = ["Shale.Payments", "Shale.Groth16", "Shale.Chain", "Shale.Bn254", "Shale.Crypto"],
        ["Shale.Gateway"] = ["Shale.Ssh", "Shale.Payments", "Shale.Leases", "Shale.Containers", "Shale.Data", "Shale.Wire", "Shale.Crypto", "Shale.Bn254"],
        ["Shale.Operator"] = ["Shale.Leases", "Shale.Data", "Shale.Settlement", "Shale.Chain", "Shale.Payments", "Shale.Groth16", "Shale.Bn254", "Shale.Crypto"],
        ["Shale.Agent"] = ["Shale.Ssh", "Shale.Payments", "Shale.Chain", "Shale.Wire", "Shale.Crypto", "Shale.Bn254"],
    };

    [Fact]
    public void Projects_UnderSource_ReferenceOnlyWhatTheGraphAllows()
    {
        var projects = Directory.GetFiles(Path.Combine(Repository.Root, "src"), "*.csproj", SearchOption.AllDirectories);
        Assert.NotEmpty(projects);
        foreach (var project in projects)
        {
            var name = Path.GetFileNameWithoutExtension(project);
            if (name == "Shale.Cli")
            {
                continue;
            }

            Assert.True(Allowed.TryGetValue(name, out var allowed), $"{name} is not in the reference graph: add it there and to docs/decisions/0001-layout.md.");
            var references = XDocument.Load(project).Descendants("ProjectReference")
                .Select(r => Path.GetFileNameWithoutExtension((string)r.Attribute("Include")!));
            Assert.Empty(references.Except(allowed));
        }
    }

    [Fact]
    public void Projects_InTheTree_AreAllInTheSolution()
    {
        var solution = File.ReadAllText(Path.Combine(Repository.Root, "Shale.sln")).Replace('\\', '/');
        foreach (var folder in new[] { "src", "tests", "fuzz" })
        {
            var path = Path.Combine(Repository.Root, folder);
            if (!Directory.Exists(path))
            {
                continue;
            }

            foreach (var project in Directory.GetFiles(path, "*.csproj", SearchOption.AllDirectories))
            {
                Assert.Contains(Path.GetRelativePath(Repository.Root, project).Replace('\\', '/'), solution, StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public void TransitiveReferences_InTheBuild_AreSwitchedOff() =>
        Assert.Contains(
            "<DisableTransitiveProjectReferences>true<",
            File.ReadAllText(Path.Combine(Repository.Root, "Directory.Build.props")),
            StringComparison.Ordinal);
}
