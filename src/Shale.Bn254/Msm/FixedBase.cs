using Shale.Bn254.Curve;
using Shale.Bn254.Fields;
using Shale.Bn254.Vector;

namespace Shale.Bn254.Msm;

/// <summary>Many multiples of one point, by the fastest path that this machine has.</summary>
internal abstract class FixedBase<TField, TCurve> : IDisposable
    where TField : unmanaged
    where TCurve : struct, ICurve<TField>
{
    /// <summary>results[i] ← scalars[i]·P for canonical scalars. Several threads may call it at once.</summary>
    public abstract void Multiply(ReadOnlySpan<Limbs4> scalars, Span<Affine<TField, TCurve>> results);

    /// <summary>Frees the table.</summary>
    public abstract void Dispose();
}

/// <summary>Picks the path.</summary>
internal static class FixedBase
{
    public static FixedBase<Fp, G1Curve> G1(in G1Affine point) =>
        Lanes.IsSupported ? new VectorFixedBase<Fp, G1Curve, PackedFp>(point.Point) : new ScalarFixedBase<Fp, G1Curve>(point.Point);

    public static FixedBase<Fp2, G2Curve> G2(in G2Affine point) =>
        Lanes.IsSupported ? new VectorFixedBase<Fp2, G2Curve, PackedFp2>(point.Point) : new ScalarFixedBase<Fp2, G2Curve>(point.Point);
}
