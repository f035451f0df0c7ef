using System.Text.Json;
using System.Text.Json.Nodes;
using Shale.Bn254.Fields;
using Shale.Groth16.Constraints;
using Shale.Groth16.Files;
using Shale.Groth16.Prover;
using Shale.Groth16.Verifier;
using Shale.Settlement.Circuit;
using Shale.Settlement.Tests.Model;
using Shale.Settlement.Tests.Support;
using Shale.Settlement.Tests.Vectors;
using Shale.TestPeers;
using Xunit;

namespace Shale.Settlement.Tests.Forgeries;

/// <summary>
/// The corpus against the circuit, our verifier, snarkjs and the model of the contract. tests/vectors/forgeries/forgeries.json is the
/// same for the contract's own tests; SHALE_WRITE_VECTORS=1 writes it (tests/vectors/write.sh).
/// </summary>
public sealed class ForgeryTests : IClassFixture<ForgeryFile>
{
    private static readonly CompiledCircuit<SettlementStatement> Circuit = Circuits.OfSize(SettlementSequence.Slots);

    public static TheoryData<string> Names => [.. ForgeryCorpus.All.Select(f => f.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Circuit_OnAForgery_RefusesWhereItCanKnow(string name)
    {
        Forgery forgery = ForgeryCorpus.All.Single(f => f.Name == name);
        CircuitWitness witness = Circuit.Solve(forgery.Make(ForgeryFile.BaseOf(forgery)).Attempt.Statement);
        bool holds = Circuit.Constraints.FindUnsatisfied(witness.Values.Span) < 0;
        Assert.Equal(witness.IsSatisfied, holds);
        if (forgery.Circuit is null)
        {
            Assert.Null(witness.Failure);
        }
        else
        {
            Assert.StartsWith(forgery.Circuit, witness.Failure?.Path, StringComparison.Ordinal);
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Contract_OnAForgery_RefusesIt(string name)
    {
        Forgery forgery = ForgeryCorpus.All.Single(f => f.Name == name);
        PublishedForgery published = ForgeryFile.Read().Single(p => p.Name == name);
        Verdict? verdict = null;
        Fr[]? signals = null;
        ContractRefusal refusal = SequenceReplay.Before(forgery.Step).Settle(published.Call, (c, r, d) =>
        {
            signals = [c, r, d];
            verdict = Groth16Verifier.Verify(DevelopmentKey.OfEight.VerificationKey, signals, published.Proof);
            return verdict == Verdict.Valid;
        });
        Assert.Equal(forgery.Contract, refusal);
        Assert.Equal(forgery.Contract == ContractRefusal.ProofRefused ? Verdict.Invalid : null, verdict);
        Assert.Equal(signals, published.Signals);

        // The proof is a good one, for what its prover had in mind: nothing but the forgery is wrong.
        SettlementStatement own = forgery.Circuit is null ? forgery.Make(ForgeryFile.BaseOf(forgery)).Attempt.Statement : ForgeryFile.BaseOf(forgery).Batch.Statement;
        Assert.Equal(Verdict.Valid, Groth16Verifier.Verify(DevelopmentKey.OfEight.VerificationKey, [own.C, own.R, own.D], published.Proof));
    }

    [Fact]
    public void SnarkJs_OnEveryForgery_RefusesIt()
    {
        PublishedForgery[] reached = [.. ForgeryFile.Read().Where(p => p.Signals is not null)];
        string key = Path.Combine(VectorFiles.Folder("settlement-8"), "verification_key.json");
        JsonElement answers = NodePeer.Ask("snarkjs.mjs", new
        {
            steps = reached.Select((p, i) => new { op = "verify", key, @public = Temporary($"{i}.public", SnarkJsJson.Write(p.Signals!)), proof = Temporary($"{i}.proof", SnarkJsJson.Write(p.Proof)) })
                .Append(new { op = "verify", key, @public = Path.Combine(VectorFiles.Folder("settlement-8"), "02-pay", "public.json"), proof = Path.Combine(VectorFiles.Folder("settlement-8"), "02-pay", "proof.json") }),
        });
        bool[] verdicts = [.. answers.EnumerateArray().Select(a => a.GetBoolean())];
        Assert.True(reached.Length > 30);
        Assert.All(verdicts[..^1], Assert.False);
        Assert.True(verdicts[^1]);
    }

    [Fact]
    public void PublicSignals_NotBelowTheModulus_AreRefusedByBothVerifiers()
    {
        // C + p is the same field element: a verifier that reduces would accept a second name for one statement.
        SettlementStatement honest = SettlementSequence.Steps.Single(s => s.Name == "02-pay").Batch.Statement;
        string folder = Path.Combine(VectorFiles.Folder("settlement-8"), "02-pay");
        string aliased = JsonSerializer.Serialize((string[])[(honest.C.ToBigInteger() + Fr.Modulus).ToString(), honest.R.ToString(), honest.D.ToString()]);
        Assert.False(SnarkJsJson.TryReadPublic(aliased, out _, out _));
        JsonElement answers = NodePeer.Ask("snarkjs.mjs", new
        {
            steps = (object[])[new { op = "verify", key = Path.Combine(VectorFiles.Folder("settlement-8"), "verification_key.json"), @public = Temporary("aliased", aliased), proof = Path.Combine(folder, "proof.json") }],
        });
        Assert.False(answers[0].GetBoolean());
    }

    [Fact]
    public void Corpus_NamesEveryForgeryOnce() =>
        Assert.Equal(ForgeryCorpus.All.Count, ForgeryCorpus.All.Select(f => f.Name).Distinct().Count());

    [Fact]
    public void Corpus_AsPublished_IsWhatTheCodeMakes()
    {
        foreach ((Forgery forgery, PublishedForgery published) in ForgeryCorpus.All.Zip(ForgeryFile.Read(), (f, p) => (f, p)))
        {
            Assert.Equal(forgery.Name, published.Name);
            SettleCall call = forgery.Make(ForgeryFile.BaseOf(forgery)).Call;
            Assert.Equal((call.NewRoot, call.Paid, call.C), (published.Call.NewRoot, published.Call.Paid, published.Call.C));
            Assert.Equal(call.Entries, published.Call.Entries);
            Assert.Equal(call.LeaseIds, published.Call.LeaseIds);
        }
    }

    private static string Temporary(string name, string text)
    {
        string path = Path.Combine(TestFolder.Path, $"forgery-{name}.json");
        File.WriteAllText(path, text);
        return path;
    }
}
