using System.Text.Json;
using System.Text.Json.Nodes;
using Shale.Bn254.Fields;
using Shale.Groth16.Constraints;
using Shale.Groth16.Files;
using Shale.Groth16.Verifier;
using Shale.Settlement.Circuit;
using Shale.Settlement.Claims;
using Shale.Settlement.Tests.Support;
using Shale.TestPeers;
using Xunit;

namespace Shale.Settlement.Tests.Vectors;

/// <summary>
/// tests/vectors/settlement-8 against the code that makes it, our verifier and snarkjs. <c>tests/vectors/write.sh</c> writes the files anew.
/// </summary>
public sealed class SettlementVectorTests : IClassFixture<VectorWriter>
{
    private static readonly string Folder = VectorFiles.Folder("settlement-8");

    public static TheoryData<string> Names => [.. SettlementSequence.Steps.Select(s => s.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Statement_AsPublished_IsWhatThePlannerMakes(string name)
    {
        SequenceStep step = SettlementSequence.Steps.Single(s => s.Name == name);
        string path = Path.Combine(Folder, name, "statement.json");
        JsonObject made = VectorFiles.Statement(step);
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(File.ReadAllText(path)), JsonNode.Parse(VectorFiles.Write(made))), $"{path} differs from what the planner makes.");
    }

    [Fact]
    public void VerificationKey_AsPublished_IsTheSeedsKey()
    {
        string path = Path.Combine(Folder, "verification_key.json");
        string made = SnarkJsJson.Write(DevelopmentKey.OfEight.VerificationKey);
        Assert.Equal(made, File.ReadAllText(path).TrimEnd());
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Proof_AsPublished_HoldsForUsAndIsWhatTheCalldataSays(string name)
    {
        SequenceStep step = SettlementSequence.Steps.Single(s => s.Name == name);
        string folder = Path.Combine(Folder, name);
        Fr[] signals = [step.Batch.Statement.C, step.Batch.Statement.R, step.Batch.Statement.D];
        Assert.True(SnarkJsJson.TryReadProof(File.ReadAllText(Path.Combine(folder, "proof.json")), out Proof proof, out FileFault fault), fault.ToString());
        Assert.True(SnarkJsJson.TryReadPublic(File.ReadAllText(Path.Combine(folder, "public.json")), out Fr[]? published, out fault), fault.ToString());
        Assert.Equal(signals, published);
        Assert.Equal(Verdict.Valid, Groth16Verifier.Verify(DevelopmentKey.OfEight.VerificationKey, published, proof));
        Assert.True(JsonNode.DeepEquals(
            JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "calldata.json"))),
            JsonNode.Parse(VectorFiles.Write(VectorFiles.Calldata(SettlementClaim.Create(step.Batch, proof))))));
    }

    [Fact]
    public void Proofs_AsPublished_HoldForSnarkJs()
    {
        string Published(string name, string file) => Path.Combine(Folder, name, file);
        JsonElement answers = NodePeer.Ask("snarkjs.mjs", new
        {
            steps = SettlementSequence.Steps.Select(s => new
            {
                op = "verify",
                key = Path.Combine(Folder, "verification_key.json"),
                @public = Published(s.Name, "public.json"),
                proof = Published(s.Name, "proof.json"),
            }),
        });
        Assert.Equal(SettlementSequence.Steps.Count, answers.GetArrayLength());
        Assert.All(answers.EnumerateArray(), a => Assert.True(a.GetBoolean()));
    }

    [Fact]
    public void Witness_OnOurConstraints_PassesSnarkJsCheck()
    {
        string r1cs = Path.Combine(TestFolder.Path, "settlement-8.r1cs");
        string wtns = Path.Combine(TestFolder.Path, "settlement-8.wtns"), broken = Path.Combine(TestFolder.Path, "broken.wtns");
        SettlementCircuitFile.Write(SettlementSequence.Slots, r1cs);
        Fr[] witness = Circuits.OfSize(SettlementSequence.Slots).Solve(SettlementSequence.Steps[3].Batch.Statement).Values.ToArray();
        WtnsFile.Write(wtns, witness);
        witness[^1] += Fr.One;
        WtnsFile.Write(broken, witness);
        JsonElement answers = NodePeer.Ask("snarkjs.mjs", new
        {
            steps = (object[])[new { op = "checkWitness", r1cs, wtns }, new { op = "checkWitness", r1cs, wtns = broken }, new { op = "r1cs", r1cs }],
        });
        Assert.True(answers[0].GetBoolean());
        Assert.False(answers[1].GetBoolean());
        Assert.Equal(Circuits.OfSize(SettlementSequence.Slots).Constraints.ConstraintCount, answers[2].GetProperty("constraints").GetInt32());
    }

    [Fact]
    public void Proof_ForTheNextStatement_IsRefused()
    {
        Assert.True(SnarkJsJson.TryReadProof(File.ReadAllText(Path.Combine(Folder, "02-pay", "proof.json")), out Proof proof, out FileFault fault), fault.ToString());
        SettlementStatement other = SettlementSequence.Steps.Single(s => s.Name == "03-top-up").Batch.Statement;
        Assert.Equal(Verdict.Invalid, Groth16Verifier.Verify(DevelopmentKey.OfEight.VerificationKey, [other.C, other.R, other.D], proof));
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
