using Shale.Bn254.Fields;
using Shale.Groth16.Constraints;
using Shale.Groth16.Files;
using Shale.Settlement.Batching;
using Shale.Settlement.Circuit;
using Shale.Settlement.Tests.Support;
using Xunit;

namespace Shale.Settlement.Tests.Circuit;

public sealed class SettlementCircuitTests
{
    private static readonly Fr Domain = VoucherDomain.Of(31415926, "0x5ba1e00000000000000000000000000000000001");

    /// <summary>A page whose slots hold fresh leases that all pay.</summary>
    internal static SettlementBatch FirstSettlement(int slots)
    {
        SlotRecord?[] records = [.. Enumerable.Range(0, slots).Select(i => (SlotRecord?)new SlotRecord((ulong)i + 1, TestKeys.Point(i), 1000, true, true))];
        SlotRequest[] requests = [.. Enumerable.Range(0, slots).Select(i => new SlotRequest(i, TestKeys.Voucher(Domain, i, (ulong)i + 1, 400)))];
        return new BatchPlanner(Domain).Plan(1, 0, PageState.Empty(slots), records, requests);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(8)]
    public void Witness_OfAFirstSettlement_SatisfiesEveryConstraint(int slots)
    {
        CompiledCircuit<SettlementStatement> circuit = Circuits.OfSize(slots);
        SettlementBatch batch = FirstSettlement(slots);
        Assert.Empty(batch.LeftOut);
        CircuitWitness witness = circuit.Solve(batch.Statement);
        Assert.Null(witness.Failure);
        Assert.Equal(-1, circuit.Constraints.FindUnsatisfied(witness.Values.Span));
    }

    [Theory]
    [InlineData(64, 19)]
    [InlineData(256, 21)]
    public void Circuit_OfADeployedSize_FitsItsDomainAndSolves(int slots, int domainBits)
    {
        CompiledCircuit<SettlementStatement> circuit = CircuitCompiler.Compile(new SettlementCircuit(slots));
        R1cs constraints = circuit.Constraints;
        Assert.True(constraints.ConstraintCount + constraints.PublicCount + 1 <= 1 << domainBits);
        Assert.True(constraints.ConstraintCount <= 6300 * slots);
        Assert.Equal((1, 2), (constraints.OutputCount, constraints.PublicInputCount));

        CircuitWitness witness = circuit.Solve(FirstSettlement(slots).Statement);
        Assert.Null(witness.Failure);
        Assert.Equal(-1, constraints.FindUnsatisfied(witness.Values.Span));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    [InlineData(512)]
    public void Circuit_OfAnotherPageSize_IsRefused(int slots) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new SettlementCircuit(slots));
}
