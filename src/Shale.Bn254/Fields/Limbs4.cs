using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;

namespace Shale.Bn254.Fields;

/// <summary>
/// A 256-bit value as four 64-bit limbs, least significant first. The memory layout is part of the contract: arrays of
/// field elements are reinterpreted as arrays of limbs by the vectorised kernels.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly struct Limbs4(ulong l0, ulong l1, ulong l2, ulong l3)
{
    public readonly ulong L0 = l0;
    public readonly ulong L1 = l1;
    public readonly ulong L2 = l2;
    public readonly ulong L3 = l3;

    public bool IsZero => (L0 | L1 | L2 | L3) == 0;

    /// <summary>Compares without a branch on the value, so that the time says nothing about where two secrets differ.</summary>
    public static bool FixedTimeEquals(in Limbs4 a, in Limbs4 b) =>
        ((a.L0 ^ b.L0) | (a.L1 ^ b.L1) | (a.L2 ^ b.L2) | (a.L3 ^ b.L3)) == 0;

    /// <summary><paramref name="a"/> where the mask is all ones, <paramref name="b"/> where it is zero; without a branch.</summary>
    public static Limbs4 Select(ulong mask, in Limbs4 a, in Limbs4 b) => new(
        b.L0 ^ ((a.L0 ^ b.L0) & mask),
        b.L1 ^ ((a.L1 ^ b.L1) & mask),
        b.L2 ^ ((a.L2 ^ b.L2) & mask),
        b.L3 ^ ((a.L3 ^ b.L3) & mask));

    /// <summary>True when <paramref name="a"/> &lt; <paramref name="b"/> as integers; without a branch on the value.</summary>
    public static bool LessThan(in Limbs4 a, in Limbs4 b)
    {
        _ = Subtract(a, b, out ulong borrow);
        return borrow != 0;
    }

    /// <summary>a + b modulo 2^256; the carry is 0 or 1.</summary>
    public static Limbs4 Add(in Limbs4 a, in Limbs4 b, out ulong carry)
    {
        ulong r0 = a.L0 + b.L0;
        ulong c = r0 < a.L0 ? 1UL : 0;
        ulong r1 = a.L1 + b.L1;
        ulong d = r1 < a.L1 ? 1UL : 0;
        r1 += c;
        c = d | (r1 < c ? 1UL : 0);
        ulong r2 = a.L2 + b.L2;
        d = r2 < a.L2 ? 1UL : 0;
        r2 += c;
        c = d | (r2 < c ? 1UL : 0);
        ulong r3 = a.L3 + b.L3;
        d = r3 < a.L3 ? 1UL : 0;
        r3 += c;
        carry = d | (r3 < c ? 1UL : 0);
        return new Limbs4(r0, r1, r2, r3);
    }

    /// <summary>a − b modulo 2^256; the borrow is 0 or 1.</summary>
    public static Limbs4 Subtract(in Limbs4 a, in Limbs4 b, out ulong borrow)
    {
        ulong r0 = a.L0 - b.L0;
        ulong c = a.L0 < b.L0 ? 1UL : 0;
        ulong t1 = a.L1 - b.L1;
        ulong d = a.L1 < b.L1 ? 1UL : 0;
        ulong r1 = t1 - c;
        c = d | (t1 < c ? 1UL : 0);
        ulong t2 = a.L2 - b.L2;
        d = a.L2 < b.L2 ? 1UL : 0;
        ulong r2 = t2 - c;
        c = d | (t2 < c ? 1UL : 0);
        ulong t3 = a.L3 - b.L3;
        d = a.L3 < b.L3 ? 1UL : 0;
        ulong r3 = t3 - c;
        borrow = d | (t3 < c ? 1UL : 0);
        return new Limbs4(r0, r1, r2, r3);
    }

    /// <summary>Logical shift right by 1 to 63 bits.</summary>
    public Limbs4 ShiftRight(int bits) => new(
        (L0 >> bits) | (L1 << (64 - bits)),
        (L1 >> bits) | (L2 << (64 - bits)),
        (L2 >> bits) | (L3 << (64 - bits)),
        L3 >> bits);

    public static Limbs4 ReadLittleEndian(ReadOnlySpan<byte> bytes) => new(
        BinaryPrimitives.ReadUInt64LittleEndian(bytes),
        BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]),
        BinaryPrimitives.ReadUInt64LittleEndian(bytes[16..]),
        BinaryPrimitives.ReadUInt64LittleEndian(bytes[24..]));

    public static Limbs4 ReadBigEndian(ReadOnlySpan<byte> bytes) => new(
        BinaryPrimitives.ReadUInt64BigEndian(bytes[24..]),
        BinaryPrimitives.ReadUInt64BigEndian(bytes[16..]),
        BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]),
        BinaryPrimitives.ReadUInt64BigEndian(bytes));

    public void WriteLittleEndian(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(destination[24..], L3);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[16..], L2);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[8..], L1);
        BinaryPrimitives.WriteUInt64LittleEndian(destination, L0);
    }

    public void WriteBigEndian(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt64BigEndian(destination[24..], L0);
        BinaryPrimitives.WriteUInt64BigEndian(destination[16..], L1);
        BinaryPrimitives.WriteUInt64BigEndian(destination[8..], L2);
        BinaryPrimitives.WriteUInt64BigEndian(destination, L3);
    }

    /// <summary>The low 256 bits of a non-negative integer.</summary>
    public static Limbs4 FromBigInteger(BigInteger value)
    {
        const ulong Mask = ulong.MaxValue;
        return new Limbs4(
            (ulong)(value & Mask), (ulong)((value >> 64) & Mask), (ulong)((value >> 128) & Mask), (ulong)((value >> 192) & Mask));
    }

    public BigInteger ToBigInteger() =>
        L0 + ((BigInteger)L1 << 64) + ((BigInteger)L2 << 128) + ((BigInteger)L3 << 192);
}
