using Shale.Bn254.Curve;
using Shale.Bn254.Fields;
using Shale.Bn254.Msm;
using Shale.Bn254.Vector;
using Shale.Groth16.Files;

namespace Shale.Groth16.Prover;

/// <summary>The five multi-scalar sums of a proof.</summary>
internal readonly unsafe struct ProverSums(in G1Affine a, in G1Affine b1, in G2Affine b2, in G1Affine cAndH)
{
    /// <summary>What evaluating the constraints and transforming takes of a proof's time, about.</summary>
    private const double TransformShare = 0.15;

    public readonly G1Affine A = a;
    public readonly G1Affine B1 = b1;
    public readonly G2Affine B2 = b2;

    /// <summary>Σ w_i·C_i + Σ h_i·H_i.</summary>
    public readonly G1Affine CAndH = cAndH;

    public static bool TryCompute(
        ZKey key, Fr[] witness, IProgress<double>? progress, CancellationToken cancellation, out ProverSums sums, out FileFault fault, bool? useVectors = null)
    {
        sums = default;
        var workers = Environment.ProcessorCount;
        var vectors = useVectors ?? Lanes.IsSupported;
        if (!Quotient.TryCompute(key, witness, workers, vectors, cancellation, out var h, out fault))
        {
            return false;
        }

        var digits = Decompose(Canonical(witness, workers), workers);
        var hDigits = Decompose(h, workers);
        key.Release(ZKey.CoefficientSection);
        progress?.Report(TransformShare);

        // The largest first, so that the workers finish together.
        var queue = new SumQueue(workers, vectors, progress is null ? null : new Share(progress), cancellation);
        var p = key.Pointers;
        var firstPrivate = key.PublicCount + 1;
        var b2 = queue.Add(p.B2, key.WireCount, digits, 0, () => key.Release(ZKey.B2Section));
        var hSum = queue.Add(p.H, key.DomainSize, hDigits, 0, () => key.Release(ZKey.HSection));
        var c = queue.Add(p.C, key.WireCount - firstPrivate, digits, firstPrivate, () => key.Release(ZKey.CSection));
        var a = queue.Add(p.A, key.WireCount, digits, 0, () => key.Release(ZKey.ASection));
        var b1 = queue.Add(p.B1, key.WireCount, digits, 0, () => key.Release(ZKey.B1Section));
        queue.Run();

        var cAndH = c.Result;
        cAndH.Add(hSum.Result);
        sums = new ProverSums(
            new G1Affine(a.Result.ToAffine()), new G1Affine(b1.Result.ToAffine()), new G2Affine(b2.Result.ToAffine()), new G1Affine(cAndH.ToAffine()));
        return true;
    }

    private static SignedDigits Decompose(Limbs4[] values, int workers)
    {
        fixed (Limbs4* scalars = values)
        {
            return SignedDigits.Decompose(scalars, values.Length, SignedDigits.BestWindowBits(values.Length), workers);
        }
    }

    private static Limbs4[] Canonical(Fr[] values, int workers)
    {
        var canonical = new Limbs4[values.Length];
        const int BlockLength = 4096;
        Parallel.For(0, (values.Length + BlockLength - 1) / BlockLength, new ParallelOptions { MaxDegreeOfParallelism = workers }, block =>
        {
            var end = Math.Min(values.Length, (block + 1) * BlockLength);
            for (var i = block * BlockLength; i < end; i++)
            {
                canonical[i] = values[i].ToCanonicalLimbs();
            }
        });
        return canonical;
    }

    private sealed class Share(IProgress<double> all) : IProgress<double>
    {
        public void Report(double value) => all.Report(TransformShare + ((1 - TransformShare) * value));
    }
}
