using System.Runtime.InteropServices;
using Shale.Bn254.Curve;
using Shale.Bn254.Fields;
using Shale.Bn254.Msm;
using Shale.Groth16.Files;

namespace Shale.Groth16.Prover;

/// <summary>The five multi-scalar sums of a proof.</summary>
internal readonly unsafe struct ProverSums(in G1Affine a, in G1Affine b1, in G2Affine b2, in G1Affine cAndH)
{
    public readonly G1Affine A = a;
    public readonly G1Affine B1 = b1;
    public readonly G2Affine B2 = b2;

    /// <summary>Σ w_i·C_i + Σ h_i·H_i.</summary>
    public readonly G1Affine CAndH = cAndH;

    public static bool TryCompute(
        ZKey key, Fr[] witness, IProgress<double>? progress, CancellationToken cancellation, out ProverSums sums, out FileFault fault)
    {
        sums = default;
        var workers = Environment.ProcessorCount;
        if (!Quotient.TryCompute(key, witness, workers, cancellation, out var h, out fault))
        {
            return false;
        }

        progress?.Report(0.1);
        var w = new Limbs4[witness.Length];
        for (var i = 0; i < w.Length; i++)
        {
            w[i] = witness[i].ToCanonicalLimbs();
        }

        SignedDigits digits, hDigits;
        fixed (Limbs4* scalars = w)
        {
            digits = SignedDigits.Decompose(scalars, w.Length, SignedDigits.BestWindowBits(w.Length), workers);
        }

        fixed (Limbs4* scalars = h)
        {
            hDigits = SignedDigits.Decompose(scalars, h.Length, SignedDigits.BestWindowBits(h.Length), workers);
        }

        var p = key.Pointers;
        var firstPrivate = key.PublicCount + 1;
        var a = ScalarMsm<Fp, G1Curve>.Sum(p.A, key.WireCount, digits, 0, workers, cancellation);
        progress?.Report(0.25);
        var b1 = ScalarMsm<Fp, G1Curve>.Sum(p.B1, key.WireCount, digits, 0, workers, cancellation);
        progress?.Report(0.4);
        var b2 = ScalarMsm<Fp2, G2Curve>.Sum(p.B2, key.WireCount, digits, 0, workers, cancellation);
        progress?.Report(0.7);
        var c = ScalarMsm<Fp, G1Curve>.Sum(p.C, key.WireCount - firstPrivate, digits, firstPrivate, workers, cancellation);
        progress?.Report(0.85);
        c.Add(ScalarMsm<Fp, G1Curve>.Sum(p.H, key.DomainSize, hDigits, 0, workers, cancellation));
        sums = new ProverSums(new G1Affine(a.ToAffine()), new G1Affine(b1.ToAffine()), new G2Affine(b2.ToAffine()), new G1Affine(c.ToAffine()));
        return true;
    }
}
