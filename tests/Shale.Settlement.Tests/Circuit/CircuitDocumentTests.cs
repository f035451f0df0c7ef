using Shale.Settlement.Circuit;
using Shale.Settlement.Tests.Vectors;
using Xunit;

namespace Shale.Settlement.Tests.Circuit;

public sealed class CircuitDocumentTests
{
    private static readonly string Document = File.ReadAllText(Path.Combine(VectorFiles.TestProject, "..", "..", "docs", "CIRCUIT.md"));

    [Theory]
    [InlineData(8)]
    [InlineData(64)]
    [InlineData(256)]
    public void Document_ForAPageSize_GivesTheSizesOfTheCircuit(int slots) =>
        Assert.Contains("- " + SettlementCircuitFile.Describe(slots)[0], Document, StringComparison.Ordinal);

    [Fact]
    public void Document_ForAPageOf64_HasTheTableOfTheCommand() =>
        Assert.Contains(string.Join('\n', SettlementCircuitFile.Describe(64).Skip(2)), Document, StringComparison.Ordinal);
}
