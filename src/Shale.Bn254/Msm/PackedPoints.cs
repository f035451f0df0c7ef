using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Shale.Bn254.Curve;
using Shale.Bn254.Fields;
using Shale.Bn254.Vector;

namespace Shale.Bn254.Msm;

/// <summary>
/// Points in the packed form of the vectorised sums (80 bytes in G1, 160 in G2), in memory of their own, and which of them are not
/// infinity. A coordinate that is not below its prime (only a damaged key has one) gives a wrong point, never a fault.
/// </summary>
internal sealed unsafe class PackedPoints<TField, TCurve, TPacked> : IDisposable
    where TField : unmanaged
    where TCurve : struct, ICurve<TField>
    where TPacked : struct, IPackedField<TField>
{
    private readonly bool[] _present;

    /// <summary>Room for so many points, none of them present.</summary>
    public PackedPoints(int count)
    {
        _present = new bool[count];
        Base = LargeMemory.Allocate((long)count * PointSize);
        GC.AddMemoryPressure(Math.Max(1, (long)count * PointSize));
    }

    public static int PointSize { get; } = 2 * LaneMemory.PackedSize * TPacked.Components;

    public int Count => _present.Length;

    public byte* Base { get; private set; }

    /// <summary>Which points are not infinity.</summary>
    public ReadOnlySpan<bool> Present => _present;

    public void Set(int index, in Affine<TField, TCurve> point)
    {
        _present[index] = !point.IsInfinity;
        Write(Base + ((long)index * PointSize), point);
    }

    public void SetPresent(int index, bool present) => _present[index] = present;

    public Affine<TField, TCurve> this[int index] => _present[index] ? Read((nuint)(Base + ((long)index * PointSize))) : default;

    /// <summary>A point by its address, negated when the lowest bit is set.</summary>
    public static Affine<TField, TCurve> Read(nuint address)
    {
        var at = (byte*)(address & ~(nuint)1);
        var point = new Affine<TField, TCurve>(TPacked.Read(at), TPacked.Read(at + (PointSize / 2)));
        return (address & 1) != 0 ? point.Negate() : point;
    }

    public static void Write(byte* at, in Affine<TField, TCurve> point)
    {
        TPacked.Write(at, point.X);
        TPacked.Write(at + (PointSize / 2), point.Y);
    }

    public void Dispose()
    {
        if (Base != null)
        {
            LargeMemory.Free(Base);
            GC.RemoveMemoryPressure(Math.Max(1, (long)Count * PointSize));
            Base = null;
        }
    }

    /// <summary>Packs points start … end − 1 of a mapped key.</summary>
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Pack(Affine<TField, TCurve>* points, int start, int end)
    {
        // A point is 2 or 4 plain elements of 32 bytes in a row, packed as many elements of 40 bytes.
        var components = 2 * TPacked.Components;
        var k = LaneConstants<FpModulus>.Block;
        var element = stackalloc Vector256<ulong>[Lanes.LimbCount];
        var zero = stackalloc Vector256<ulong>[Lanes.LimbCount];
        for (var i = 0; i < Lanes.LimbCount; i++)
        {
            zero[i] = default;
        }

        for (var i = start; i < end; i += 4)
        {
            // Missing lanes of the last vector repeat its last point.
            var (i1, i2, i3) = (Math.Min(i + 1, end - 1), Math.Min(i + 2, end - 1), Math.Min(i + 3, end - 1));
            for (var c = 0; c < components; c++)
            {
                var from = (byte*)points + (c * 32);
                var size = (long)sizeof(Affine<TField, TCurve>);
                LaneMemory.LoadPlain(element, from + (i * size), from + (i1 * size), from + (i2 * size), from + (i3 * size));
                Lanes.Multiply(element, element, k + Lanes.FromRadix256, k);
                Lanes.AddReduced(element, element, zero, k);
                var to = Base + (c * LaneMemory.PackedSize);
                LaneMemory.StorePacked(
                    element, to + ((long)i * PointSize), to + ((long)i1 * PointSize), to + ((long)i2 * PointSize), to + ((long)i3 * PointSize));
            }
        }

        for (var i = start; i < end; i++)
        {
            _present[i] = !points[i].IsInfinity;
        }
    }
}
