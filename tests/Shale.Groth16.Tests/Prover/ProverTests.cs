using Shale.Bn254.Curve;
using Shale.Bn254.Fields;
using Shale.Bn254.Msm;
using Shale.Groth16.Files;
using Shale.Groth16.Prover;
using Shale.Groth16.Setup;
using Shale.Groth16.Verifier;
using Xunit;

namespace Shale.Groth16.Tests.Prover;

public sealed class ProverTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly R1cs _circuit;
    private readonly Fr[] _witness;
    private readonly ZKey _key;

    public ProverTests()
    {
        (_circuit, _witness) = ToyCircuit.Chain(200, 9);
        DevelopmentSetup.Create(_circuit, new byte[32], _folder["k.dev.zkey"]);
        Assert.True(ZKey.TryOpen(_folder["k.dev.zkey"], out var key, out var fault), fault.ToString());
        _key = key;
    }

    public void Dispose()
    {
        _key.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void TryProve_Twice_GivesDifferentProofsThatVerify()
    {
        Assert.True(Groth16Prover.TryProve(_key, _witness, out var first, out var fault), fault.ToString());
        Assert.True(Groth16Prover.TryProve(_key, _witness, out var second, out fault), fault.ToString());
        Assert.NotEqual(first.A, second.A);
        Assert.NotEqual(first.B, second.B);
        Assert.NotEqual(first.C, second.C);
        var inputs = Groth16Prover.PublicInputs(_key, _witness);
        Assert.Equal([_witness[1], _witness[2]], inputs);
        Assert.Equal(Verdict.Valid, Groth16Verifier.Verify(_key.VerificationKey, inputs, first));
        Assert.Equal(Verdict.Valid, Groth16Verifier.Verify(_key.VerificationKey, inputs, second));
    }

    [Fact]
    public void Verify_OtherInputsOrProof_IsInvalid()
    {
        Assert.True(Groth16Prover.TryProve(_key, _witness, out var proof, out _));
        var inputs = Groth16Prover.PublicInputs(_key, _witness);
        var key = _key.VerificationKey;
        Assert.Equal(Verdict.Invalid, Groth16Verifier.Verify(key, [inputs[0] + Fr.One, inputs[1]], proof));
        Assert.Equal(Verdict.Invalid, Groth16Verifier.Verify(key, [inputs[1], inputs[0]], proof));
        Assert.Equal(Verdict.WrongInputCount, Groth16Verifier.Verify(key, [inputs[0]], proof));
        Assert.Equal(Verdict.WrongInputCount, Groth16Verifier.Verify(key, [.. inputs, Fr.Zero], proof));
        Assert.Equal(Verdict.Invalid, Groth16Verifier.Verify(key, inputs, proof with { A = -proof.A }));
        Assert.Equal(Verdict.Invalid, Groth16Verifier.Verify(key, inputs, proof with { B = proof.B + G2Affine.Generator }));
        Assert.Equal(Verdict.Invalid, Groth16Verifier.Verify(key, inputs, proof with { C = G1Affine.Infinity }));
        Assert.Equal(Verdict.Invalid, Groth16Verifier.Verify(key, inputs, default));
    }

    [Fact]
    public void Verify_ProofForgedUnderAKeyWithoutPhase2_IsRefusedAsUnsafe()
    {
        // With γ = δ anybody moves a valid proof to other inputs: C' = C + Σ (x_i − x'_i)·IC_i.
        var delta = _key.VerificationKey.Delta;
        Assert.True(Groth16Prover.TryProve(_key, _witness, out var proof, out _));
        var inputs = Groth16Prover.PublicInputs(_key, _witness);
        var old = _key.VerificationKey;

        // The same key with γ = δ: its C section would be over γ. Scale a proof into it instead: e(C, δ) stays, the inputs move under δ.
        var deltaInverse = new DevelopmentSetup.Secrets(new byte[32]).Delta.Inverse();
        var weak = new VerificationKey(old.Alpha, old.Beta, delta, delta, [.. old.Inputs.Select(p => p * deltaInverse)], development: true);
        Fr[] others = [inputs[0] + Fr.FromUInt64(1000), inputs[1]];
        var forged = proof with { C = proof.C + (weak.Inputs[1] * (inputs[0] - others[0])) };
        Assert.Equal(Verdict.Valid, Groth16Verifier.VerifyWithoutKeyCheck(weak, others, forged));
        Assert.Equal(Verdict.UnsafeKey, Groth16Verifier.Verify(weak, others, forged));
    }

    [Fact]
    public void Verify_RerandomisedProof_IsValidToo()
    {
        // Documented: neither a proof nor its hash identifies anything.
        Assert.True(Groth16Prover.TryProve(_key, _witness, out var proof, out _));
        var a = Fr.FromUInt64(77);
        var other = new Proof(proof.A * a, proof.B * a.Inverse(), proof.C);
        Assert.NotEqual(proof, other);
        Assert.Equal(Verdict.Valid, Groth16Verifier.Verify(_key.VerificationKey, Groth16Prover.PublicInputs(_key, _witness), other));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(50)]
    public void TryProve_WitnessThatDoesNotSatisfy_GivesNoProof(int wire)
    {
        var wrong = _witness.ToArray();
        wrong[wire] += Fr.One;
        Assert.False(Groth16Prover.TryProve(_key, wrong, out var proof, out var fault));
        Assert.Equal(default, proof);
        Assert.Equal("proof", fault.Section);
    }

    [Fact]
    public void TryProve_WitnessOfAnotherCircuit_IsRefused()
    {
        Assert.False(Groth16Prover.TryProve(_key, _witness[1..], out _, out var fault));
        Assert.Equal("witness", fault.Section);
        Assert.False(Groth16Prover.TryProve(_key, [Fr.Zero, .. _witness[1..]], out _, out fault));
        Assert.Equal("witness", fault.Section);
    }

    [Fact]
    public void TryProve_Cancelled_Throws()
    {
        using var stop = new CancellationTokenSource();
        var progress = new Recorder(value =>
        {
            if (value > 0.3)
            {
                stop.Cancel();
            }
        });
        Assert.ThrowsAny<OperationCanceledException>(() => Groth16Prover.TryProve(_key, _witness, out _, out _, progress, stop.Token));
        Assert.True(progress.Values.Max() < 1);
    }

    [Fact]
    public void TryProve_WithProgress_RisesToOne()
    {
        var progress = new Recorder(_ => { });
        Assert.True(Groth16Prover.TryProve(_key, _witness, out _, out _, progress, default));
        Assert.Equal(progress.Values.Order(), progress.Values);
        Assert.Equal(1, progress.Values[^1]);
        Assert.True(progress.Values.Count > 10);
    }

    [Fact]
    public void Sums_WithoutVectorInstructions_AreTheSame()
    {
        Assert.True(ProverSums.TryCompute(_key, _witness, null, default, out var fast, out _));
        Assert.True(ProverSums.TryCompute(_key, _witness, null, default, out var slow, out _, useVectors: false));
        Assert.Equal((fast.A, fast.B1, fast.B2, fast.CAndH), (slow.A, slow.B1, slow.B2, slow.CAndH));
    }

    [Fact]
    public void Proof_AgainstTheDefinition_HasTheSumsOfTheKey()
    {
        // With r = s = 0 a proof is α + Σ w·A, β + Σ w·B: from the secrets themselves, without any multi-scalar sum.
        var secrets = new DevelopmentSetup.Secrets(new byte[32]);
        var wires = WirePolynomials.At(_circuit, 8, secrets, default);
        var (a, b) = (secrets.Alpha, secrets.Beta);
        for (var i = 0; i < _witness.Length; i++)
        {
            a += _witness[i] * wires.A[i];
            b += _witness[i] * wires.B[i];
        }

        Assert.True(Groth16Prover.TryProve(_key, _witness, () => Fr.Zero, allowUnsafeKey: false, out var proof, out var fault, null, default), fault.ToString());
        Assert.Equal(G1Affine.Generator * a, proof.A);
        Assert.Equal(G2Affine.Generator * b, proof.B);
    }

    private sealed class Recorder(Action<double> then) : IProgress<double>
    {
        public List<double> Values { get; } = [];

        public void Report(double value)
        {
            lock (Values)
            {
                Values.Add(value);
            }

            then(value);
        }
    }
}
