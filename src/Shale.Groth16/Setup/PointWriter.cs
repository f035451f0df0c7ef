using System.Runtime.InteropServices;
using Shale.Bn254.Curve;
using Shale.Bn254.Fields;
using Shale.Bn254.Msm;
using Shale.Groth16.Files;

namespace Shale.Groth16.Setup;

/// <summary>
/// Writes sections of multiples of the generators, computed in parallel a piece at a time, so that memory does not grow with the key.
/// </summary>
internal sealed class PointWriter(SectionWriter writer, R1cs r1cs, IProgress<double>? progress, CancellationToken cancellation) : IDisposable
{
    // 2^14 points are 2 MiB in G2; a worker's task is 2^11 of them, some milliseconds.
    private const int PieceLength = 1 << 14;
    private const int TaskLength = 1 << 11;

    // An addition in G2 takes about three times one in G1.
    private readonly double _total = (3.0 * r1cs.WireCount) + (2.0 * r1cs.ConstraintCount) + (3.0 * r1cs.WireCount);
    private readonly Lazy<FixedBase<Fp, G1Curve>> _g1 = new(() => FixedBase.G1(G1Affine.Generator));
    private readonly Lazy<FixedBase<Fp2, G2Curve>> _g2 = new(() => FixedBase.G2(G2Affine.Generator));
    private double _done;

    public void WriteG1(uint section, ReadOnlySpan<Fr> scalars) => Write(section, scalars, _g1.Value, 1);

    public void WriteG2(uint section, ReadOnlySpan<Fr> scalars) => Write(section, scalars, _g2.Value, 3);

    public static void Write(SectionWriter writer, in G1Affine point) =>
        writer.Write(MemoryMarshal.AsBytes(new ReadOnlySpan<G1Affine>(in point)));

    public static void Write(SectionWriter writer, in G2Affine point) =>
        writer.Write(MemoryMarshal.AsBytes(new ReadOnlySpan<G2Affine>(in point)));

    public void Dispose()
    {
        if (_g1.IsValueCreated)
        {
            _g1.Value.Dispose();
        }

        if (_g2.IsValueCreated)
        {
            _g2.Value.Dispose();
        }
    }

    private void Write<TField, TCurve>(uint section, ReadOnlySpan<Fr> scalars, FixedBase<TField, TCurve> table, double weight)
        where TField : unmanaged
        where TCurve : struct, ICurve<TField>
    {
        writer.Begin(section);
        var canonical = new Limbs4[Math.Min(PieceLength, scalars.Length)];
        var points = new Affine<TField, TCurve>[canonical.Length];
        var options = new ParallelOptions { CancellationToken = cancellation };
        for (var start = 0; start < scalars.Length; start += PieceLength)
        {
            var piece = scalars.Slice(start, Math.Min(PieceLength, scalars.Length - start));
            for (var i = 0; i < piece.Length; i++)
            {
                canonical[i] = piece[i].ToCanonicalLimbs();
            }

            var length = piece.Length;
            Parallel.For(0, (length + TaskLength - 1) / TaskLength, options, task =>
            {
                var from = task * TaskLength;
                var count = Math.Min(TaskLength, length - from);
                table.Multiply(canonical.AsSpan(from, count), points.AsSpan(from, count));
            });
            writer.Write(MemoryMarshal.AsBytes(points.AsSpan(0, length)));
            _done += weight * length;
            progress?.Report(Math.Min(1, _done / _total));
        }

        writer.End();
    }
}
