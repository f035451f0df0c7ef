using System.Runtime.Intrinsics;
using Shale.Bn254.Fields;

namespace Shale.Bn254.Vector;

/// <summary>
/// The coordinates of four points at once: a field element is <see cref="Components"/> lane elements after each other, each in the states
/// that <see cref="Lanes"/> defines.
/// </summary>
/// <typeparam name="TField">The field of one point's coordinates.</typeparam>
internal unsafe interface IPackedField<TField>
    where TField : unmanaged
{
    /// <summary>1 for Fp, 2 for Fp2.</summary>
    static abstract int Components { get; }

    /// <summary>r ← a·b; a loose or tidy and below 12p, b tidy and below 2p; r is tidy and below 2p and may be a or b.</summary>
    static abstract void Multiply(Vector256<ulong>* r, Vector256<ulong>* a, Vector256<ulong>* b);

    /// <summary>r ← a²; a tidy and below 2p; r is tidy and below 2p and is not a.</summary>
    static abstract void Square(Vector256<ulong>* r, Vector256<ulong>* a);

    /// <summary>The element in lane <paramref name="lane"/> of a.</summary>
    static abstract TField Extract(Vector256<ulong>* a, int lane);

    /// <summary>Puts one element into each lane, tidy and below p.</summary>
    static abstract void Insert(Vector256<ulong>* r, ReadOnlySpan<TField> lanes);

    /// <summary>Reads one packed element.</summary>
    static abstract TField Read(byte* packed);

    /// <summary>Writes one packed element.</summary>
    static abstract void Write(byte* packed, in TField value);

    /// <summary>1/a in the field, zero for zero.</summary>
    static abstract TField Inverse(in TField a);
}

/// <summary>Coordinates of G1.</summary>
internal readonly unsafe struct PackedFp : IPackedField<Fp>
{
    // 2^251: from radix 2^261 to 2^256 by one Montgomery multiplication; 2^261 mod p: back.
    private static readonly Limbs4 FromPacked = Limbs4.FromBigInteger(System.Numerics.BigInteger.One << 251);
    private static readonly Limbs4 ToPacked = Limbs4.FromBigInteger((System.Numerics.BigInteger.One << Lanes.RadixBits) % Fp.Modulus);

    public static int Components => 1;

    public static void Multiply(Vector256<ulong>* r, Vector256<ulong>* a, Vector256<ulong>* b) =>
        Lanes.Multiply(r, a, b, LaneConstants<FpModulus>.Block);

    public static void Square(Vector256<ulong>* r, Vector256<ulong>* a) => Lanes.Multiply(r, a, a, LaneConstants<FpModulus>.Block);

    public static Fp Extract(Vector256<ulong>* a, int lane)
    {
        ulong a0 = a[0].GetElement(lane), a1 = a[1].GetElement(lane), a2 = a[2].GetElement(lane), a3 = a[3].GetElement(lane), a4 = a[4].GetElement(lane);
        ulong a5 = a[5].GetElement(lane), a6 = a[6].GetElement(lane), a7 = a[7].GetElement(lane), a8 = a[8].GetElement(lane);
        return ToFp(new Limbs4(
            a0 | (a1 << 29) | (a2 << 58), (a2 >> 6) | (a3 << 23) | (a4 << 52), (a4 >> 12) | (a5 << 17) | (a6 << 46), (a6 >> 18) | (a7 << 11) | (a8 << 40)));
    }

    public static void Insert(Vector256<ulong>* r, ReadOnlySpan<Fp> lanes)
    {
        var plain = stackalloc Limbs4[4];
        for (var i = 0; i < 4; i++)
        {
            plain[i] = FromFp(lanes[i]);
        }

        LaneMemory.LoadPlain(r, (byte*)plain, (byte*)(plain + 1), (byte*)(plain + 2), (byte*)(plain + 3));
    }

    public static Fp Read(byte* packed) => ToFp(LaneMemory.ReadPacked(packed));

    public static void Write(byte* packed, in Fp value) => LaneMemory.WritePacked(packed, FromFp(value));

    public static Fp Inverse(in Fp a) => a.Inverse();

    private static Fp ToFp(in Limbs4 value) => Fp.FromMontgomeryLimbs(Montgomery<FpModulus>.Multiply(value, FromPacked));

    private static Limbs4 FromFp(in Fp value) => Montgomery<FpModulus>.Multiply(value.Limbs, ToPacked);
}

/// <summary>Coordinates of G2.</summary>
internal readonly unsafe struct PackedFp2 : IPackedField<Fp2>
{
    private const int Half = Lanes.LimbCount;

    public static int Components => 2;

    public static void Multiply(Vector256<ulong>* r, Vector256<ulong>* a, Vector256<ulong>* b)
    {
        // (a0 + a1·u)(b0 + b1·u) = a0·b0 + a1·(−b1) + (a0·b1 + a1·b0)·u: four products and two reductions.
        var k = LaneConstants<FpModulus>.Block;
        var negated = stackalloc Vector256<ulong>[Half];
        var real = stackalloc Vector256<ulong>[Half];
        Lanes.Negate(negated, b + Half, k);
        Lanes.MultiplyTwo(real, a, b, a + Half, negated, k);
        Lanes.MultiplyTwo(r + Half, a, b + Half, a + Half, b, k);
        for (var i = 0; i < Half; i++)
        {
            r[i] = real[i];
        }
    }

    public static void Square(Vector256<ulong>* r, Vector256<ulong>* a)
    {
        // (a0 + a1)(a0 − a1) and 2·a0·a1. The sum of two tidy elements is loose, so the difference must be tidied.
        var k = LaneConstants<FpModulus>.Block;
        var sum = stackalloc Vector256<ulong>[Half];
        var difference = stackalloc Vector256<ulong>[Half];
        Lanes.SubtractReduced(difference, a, a + Half, k);
        for (var i = 0; i < Half; i++)
        {
            sum[i] = a[i] + a[Half + i];
        }

        Lanes.Multiply(r, sum, difference, k);
        for (var i = 0; i < Half; i++)
        {
            sum[i] = a[i] + a[i];
        }

        Lanes.Multiply(r + Half, sum, a + Half, k);
    }

    public static Fp2 Extract(Vector256<ulong>* a, int lane) => new(PackedFp.Extract(a, lane), PackedFp.Extract(a + Half, lane));

    public static void Insert(Vector256<ulong>* r, ReadOnlySpan<Fp2> lanes)
    {
        PackedFp.Insert(r, [lanes[0].C0, lanes[1].C0, lanes[2].C0, lanes[3].C0]);
        PackedFp.Insert(r + Half, [lanes[0].C1, lanes[1].C1, lanes[2].C1, lanes[3].C1]);
    }

    public static Fp2 Read(byte* packed) => new(PackedFp.Read(packed), PackedFp.Read(packed + LaneMemory.PackedSize));

    public static void Write(byte* packed, in Fp2 value)
    {
        PackedFp.Write(packed, value.C0);
        PackedFp.Write(packed + LaneMemory.PackedSize, value.C1);
    }

    public static Fp2 Inverse(in Fp2 a) => a.Inverse();
}
