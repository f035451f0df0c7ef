using Shale.Bn254.Fields;
using Shale.Groth16.Files;
using Shale.Groth16.Prover;
using Shale.Groth16.Setup;
using Shale.Groth16.Verifier;
using Xunit;

namespace Shale.Groth16.Tests.Prover;

/// <summary>Our keys, witnesses and proofs in snarkjs' hands, and snarkjs' in ours.</summary>
public sealed class SnarkJsInteropTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void DevelopmentKey_ProofsMadeByEitherSide_VerifyOnBoth()
    {
        var (circuit, witness) = ToyCircuit.Chain(300, 7);
        R1csFile.Write(_folder["c.r1cs"], circuit);
        WtnsFile.Write(_folder["c.wtns"], witness);
        DevelopmentSetup.Create(circuit, new byte[32], _folder["c.dev.zkey"]);
        Assert.True(ZKey.TryOpen(_folder["c.dev.zkey"], out var key, out var fault), fault.ToString());
        using (key)
        {
            Assert.True(key.VerificationKey.IsDevelopment);
            ProveAndWrite(key, witness, "ours");
            File.WriteAllText(_folder["vk.json"], SnarkJsJson.Write(key.VerificationKey));
        }

        var answers = SnarkJs.Run(
            new { op = "r1cs", r1cs = _folder["c.r1cs"] },
            new { op = "checkWitness", r1cs = _folder["c.r1cs"], wtns = _folder["c.wtns"] },
            new { op = "verify", key = _folder["vk.json"], @public = _folder["ours.public.json"], proof = _folder["ours.proof.json"] },
            new { op = "prove", zkey = _folder["c.dev.zkey"], wtns = _folder["c.wtns"], proof = _folder["theirs.proof.json"], @public = _folder["theirs.public.json"] },
            new { op = "exportVerificationKey", zkey = _folder["c.dev.zkey"], to = _folder["theirs.vk.json"] });

        Assert.Equal(circuit.WireCount, answers[0].GetProperty("wires").GetInt32());
        Assert.Equal(circuit.ConstraintCount, answers[0].GetProperty("constraints").GetInt32());
        Assert.Equal((1, 1), (answers[0].GetProperty("outputs").GetInt32(), answers[0].GetProperty("publicInputs").GetInt32()));
        Assert.True(answers[1].GetBoolean(), "snarkjs wtns check");
        Assert.True(answers[2].GetBoolean(), "snarkjs refused our proof");
        Assert.Equal(Verdict.Valid, VerifyFiles("theirs.vk.json", "theirs"));
        Assert.Equal(Verdict.Valid, VerifyFiles("vk.json", "theirs"));

        // snarkjs derives vk_alphabeta_12 itself: our pairing gives the same element of Fp12, not only the same verdicts.
        using var ours = System.Text.Json.JsonDocument.Parse(File.ReadAllText(_folder["vk.json"]));
        using var theirs = System.Text.Json.JsonDocument.Parse(File.ReadAllText(_folder["theirs.vk.json"]));
        foreach (var field in theirs.RootElement.EnumerateObject())
        {
            Assert.Equal(Normal(field.Value), Normal(ours.RootElement.GetProperty(field.Name)));
        }
    }

    [Fact]
    public void CeremonyKeyOfSnarkJs_OurProver_MakesProofsThatBothAccept()
    {
        var (circuit, witness) = ToyCircuit.Chain(60, 11);
        R1csFile.Write(_folder["c.r1cs"], circuit);
        WtnsFile.Write(_folder["c.wtns"], witness);
        var beacon = Convert.ToHexStringLower(new byte[32]);
        var setup = SnarkJs.Run(
            new { op = "powersOfTau", power = 7, ptau = _folder["p.ptau"] },
            new { op = "setup", r1cs = _folder["c.r1cs"], ptau = _folder["p.ptau"], zkey = _folder["0.zkey"] },
            new { op = "contribute", from = _folder["0.zkey"], to = _folder["1.zkey"], name = "somebody", entropy = "else" },
            new { op = "beacon", from = _folder["1.zkey"], to = _folder["2.zkey"], name = "beacon", hash = beacon, power = 10 },
            new { op = "verifyKey", r1cs = _folder["c.r1cs"], ptau = _folder["p.ptau"], zkey = _folder["2.zkey"] },
            new { op = "exportVerificationKey", zkey = _folder["2.zkey"], to = _folder["vk.json"] });
        Assert.All(setup, answer => Assert.True(answer.GetBoolean()));

        // Without a contribution to phase 2 γ = δ: neither prover nor verifier takes the key.
        Assert.True(ZKey.TryOpen(_folder["0.zkey"], out var first, out var fault), fault.ToString());
        using (first)
        {
            Assert.True(first.VerificationKey.LacksPhase2);
            Assert.False(Groth16Prover.TryProve(first, witness, out _, out fault));
            Assert.StartsWith("section 2", fault.Section, StringComparison.Ordinal);
            Assert.True(Groth16Prover.TryProve(first, witness, () => Fr.One, allowUnsafeKey: true, out var proof, out fault, null, default), fault.ToString());
            Assert.Equal(Verdict.UnsafeKey, Groth16Verifier.Verify(first.VerificationKey, Groth16Prover.PublicInputs(first, witness), proof));
        }

        Assert.True(ZKey.TryOpen(_folder["2.zkey"], out var key, out fault), fault.ToString());
        using (key)
        {
            Assert.False(key.VerificationKey.IsDevelopment);
            ProveAndWrite(key, witness, "ours");
        }

        Assert.True(SnarkJs.Run(
            new { op = "verify", key = _folder["vk.json"], @public = _folder["ours.public.json"], proof = _folder["ours.proof.json"] })[0].GetBoolean());
        Assert.Equal(Verdict.Valid, VerifyFiles("vk.json", "ours"));
    }

    private static string Normal(System.Text.Json.JsonElement element) => System.Text.Json.JsonSerializer.Serialize(element);

    private void ProveAndWrite(ZKey key, Fr[] witness, string name)
    {
        Assert.True(Groth16Prover.TryProve(key, witness, out var proof, out var fault), fault.ToString());
        File.WriteAllText(_folder[name + ".proof.json"], SnarkJsJson.Write(proof));
        File.WriteAllText(_folder[name + ".public.json"], SnarkJsJson.Write(Groth16Prover.PublicInputs(key, witness)));
    }

    private Verdict VerifyFiles(string keyFile, string name)
    {
        Assert.True(SnarkJsJson.TryReadVerificationKey(File.ReadAllText(_folder[keyFile]), out var key, out var fault), fault.ToString());
        Assert.True(SnarkJsJson.TryReadProof(File.ReadAllText(_folder[name + ".proof.json"]), out var proof, out fault), fault.ToString());
        Assert.True(SnarkJsJson.TryReadPublic(File.ReadAllText(_folder[name + ".public.json"]), out var inputs, out fault), fault.ToString());
        return Groth16Verifier.Verify(key, inputs, proof);
    }
}
