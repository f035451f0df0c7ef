using System.Text.Json.Nodes;
using Shale.Groth16.Constraints;
using Shale.Settlement.Circuit;
using Shale.Settlement.Tests.Support;
using Xunit;

namespace Shale.Settlement.Tests.Vectors;

/// <summary>
/// tests/vectors/settlement-8 against the code that makes it. With SHALE_WRITE_VECTORS=1 the files are written
/// (<c>tests/vectors/write.sh</c>).
/// </summary>
public sealed class SettlementVectorTests
{
    private static readonly bool Writing = Environment.GetEnvironmentVariable("SHALE_WRITE_VECTORS") == "1";

    public static TheoryData<string> Names => [.. SettlementSequence.Steps.Select(s => s.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Statement_AsPublished_IsWhatThePlannerMakes(string name)
    {
        SequenceStep step = SettlementSequence.Steps.Single(s => s.Name == name);
        string path = Path.Combine(VectorFiles.Folder("settlement-8"), name, "statement.json");
        JsonObject made = VectorFiles.Statement(step);
        if (Writing)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, VectorFiles.Write(made));
        }

        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(File.ReadAllText(path)), JsonNode.Parse(VectorFiles.Write(made))), $"{path} differs from what the planner makes.");
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Statement_OfTheSequence_SatisfiesTheCircuit(string name)
    {
        CompiledCircuit<SettlementStatement> circuit = Circuits.OfSize(SettlementSequence.Slots);
        CircuitWitness witness = circuit.Solve(SettlementSequence.Steps.Single(s => s.Name == name).Batch.Statement);
        Assert.Null(witness.Failure);
        Assert.Equal(-1, circuit.Constraints.FindUnsatisfied(witness.Values.Span));
    }
}
