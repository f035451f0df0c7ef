using Shale.Bn254.Curve;
using Shale.Bn254.Fields;
using Shale.Bn254.Pairing;

namespace Shale.Groth16.Verifier;

/// <summary>What came of a verification.</summary>
public enum Verdict
{
    /// <summary>The proof holds for these inputs.</summary>
    Valid,

    /// <summary>The pairing equation does not hold.</summary>
    Invalid,

    /// <summary>Not as many public inputs as the key has.</summary>
    WrongInputCount,

    /// <summary>γ = δ: the key lacks a contribution to phase 2, so that a proof under it shows nothing.</summary>
    UnsafeKey,
}

/// <summary>
/// Verifies proofs (Groth, "On the size of pairing-based non-interactive arguments", 2016): e(A, B) = e(α, β)·e(Σ x_i·IC_i, γ)·e(C, δ).
/// Inputs are <see cref="Fr"/> and so below r by construction: a decoder that got a value of r or more has refused it (a value plus r
/// would otherwise be a second spelling of the same statement). Points are checked where they are decoded, subgroup included.
/// </summary>
public static class Groth16Verifier
{
    /// <summary>Checks one proof; about four Miller loops and one final exponentiation.</summary>
    public static Verdict Verify(VerificationKey key, ReadOnlySpan<Fr> publicInputs, in Proof proof)
    {
        ArgumentNullException.ThrowIfNull(key);
        return key.LacksPhase2 ? Verdict.UnsafeKey : VerifyWithoutKeyCheck(key, publicInputs, proof);
    }

    /// <summary>The equation alone, for tests and for keys on their way through a ceremony.</summary>
    internal static Verdict VerifyWithoutKeyCheck(VerificationKey key, ReadOnlySpan<Fr> publicInputs, in Proof proof)
    {
        if (publicInputs.Length != key.PublicCount)
        {
            return Verdict.WrongInputCount;
        }

        var sum = new Xyzz<Fp, G1Curve>(key.Inputs[0].Point);
        for (var i = 0; i < publicInputs.Length; i++)
        {
            sum.Add(Xyzz<Fp, G1Curve>.Multiply(key.Inputs[i + 1].Point, publicInputs[i].ToCanonicalLimbs()));
        }

        var inputs = new G1Affine(sum.ToAffine());
        return OptimalAte.ProductIsOne([-proof.A, key.Alpha, inputs, proof.C], [proof.B, key.Beta, key.Gamma, key.Delta])
            ? Verdict.Valid
            : Verdict.Invalid;
    }
}
