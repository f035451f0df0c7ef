using Shale.Groth16.Constraints;
using Shale.Settlement.Circuit;
using Shale.Settlement.Tests.Support;
using Shale.Settlement.Tests.Vectors;
using Xunit;

namespace Shale.Settlement.Tests.Differential;

/// <summary>Our circuit and the same statement in circom with circomlib accept and refuse the same.</summary>
public sealed class CircomDifferentialTests
{
    [Theory]
    [InlineData(1, 400, 1600)]
    [InlineData(2, 60, 240)]
    public void Circuit_OnRandomStatements_AgreesWithCircom(int slots, int good, int mutated)
    {
        var source = new StatementSource(slots);
        SettlementStatement[] statements = [.. Enumerable.Range(0, good + mutated).Select(i => i < good ? source.Good(slots) : source.Mutated(slots))];
        int accepted = Compare(slots, statements);

        // Both kinds have to be there in numbers, or the comparison says little.
        Assert.InRange(accepted, good + (mutated / 20), good + (mutated / 2));
    }

    [Fact]
    public void Circuit_OnThePublishedSequence_AgreesWithCircom() =>
        Assert.Equal(SettlementSequence.Steps.Count, Compare(SettlementSequence.Slots, [.. SettlementSequence.Steps.Select(s => s.Batch.Statement)]));

    private static int Compare(int slots, SettlementStatement[] statements)
    {
        CompiledCircuit<SettlementStatement> circuit = Circuits.OfSize(slots);
        CircomPeer.Answer[] theirs = CircomPeer.Ask(slots, statements);
        Assert.Equal(statements.Length, theirs.Length);
        int accepted = 0;
        for (int i = 0; i < statements.Length; i++)
        {
            CircuitWitness witness = circuit.Solve(statements[i]);
            bool ours = circuit.Constraints.FindUnsatisfied(witness.Values.Span) < 0;
            Assert.Equal(witness.IsSatisfied, ours);
            Assert.True(ours == theirs[i].Accepted, $"statement {i}: circom {(theirs[i].Accepted ? "accepts" : "refuses")}, we say {witness.Failure?.ToString() ?? "yes"}");
            if (ours)
            {
                Assert.Equal(theirs[i].Output, statements[i].C.ToString());
                accepted++;
            }
        }

        return accepted;
    }
}
