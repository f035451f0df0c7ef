using System.Globalization;
using System.Numerics;

namespace Shale.Bn254.Fields;

/// <summary>What the fields share above the limb arithmetic: conversions, strict decoding, batches.</summary>
internal static class PrimeFieldMath<TModulus>
    where TModulus : struct, IModulus
{
    private static readonly BigInteger ModulusValue = Montgomery<TModulus>.Modulus.ToBigInteger();

    /// <summary>(p − 1)/2.</summary>
    public static readonly Limbs4 Half = Montgomery<TModulus>.Modulus.ShiftRight(1);

    public static Limbs4 FromBigInteger(BigInteger value)
    {
        value %= ModulusValue;
        if (value.Sign < 0)
        {
            value += ModulusValue;
        }

        return Montgomery<TModulus>.FromCanonical(Limbs4.FromBigInteger(value));
    }

    public static Limbs4 Parse(string value)
    {
        BigInteger number = BigInteger.Parse(value, NumberStyles.None, CultureInfo.InvariantCulture);
        return number < ModulusValue
            ? Montgomery<TModulus>.FromCanonical(Limbs4.FromBigInteger(number))
            : throw new FormatException("The number is not below the field's modulus.");
    }

    public static bool TryRead(ReadOnlySpan<byte> bytes, bool bigEndian, out Limbs4 value)
    {
        value = default;
        if (bytes.Length != 32)
        {
            return false;
        }

        Limbs4 limbs = bigEndian ? Limbs4.ReadBigEndian(bytes) : Limbs4.ReadLittleEndian(bytes);
        if (!Limbs4.LessThan(limbs, Montgomery<TModulus>.Modulus))
        {
            return false;
        }

        value = Montgomery<TModulus>.FromCanonical(limbs);
        return true;
    }

    public static Limbs4 ReduceBigEndian(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > 64)
        {
            throw new ArgumentException("At most 64 bytes.", nameof(bytes));
        }

        Span<byte> wide = stackalloc byte[64];
        wide.Clear();
        bytes.CopyTo(wide[(64 - bytes.Length)..]);
        return Montgomery<TModulus>.FromWide(Limbs4.ReadBigEndian(wide[32..]), Limbs4.ReadBigEndian(wide));
    }

    public static Limbs4 Pow(in Limbs4 value, BigInteger exponent)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(exponent.Sign, nameof(exponent));
        byte[] bytes = exponent.ToByteArray(isUnsigned: true);
        Span<ulong> limbs = new ulong[(bytes.Length + 7) / 8];
        bytes.CopyTo(System.Runtime.InteropServices.MemoryMarshal.AsBytes(limbs));
        return Montgomery<TModulus>.Power(value, limbs);
    }

    /// <summary>Montgomery's trick; zeros are skipped and stay zero.</summary>
    public static void BatchInverse(Span<Limbs4> values)
    {
        // The running products need one more element each; blocks keep that within a stack frame and in the first-level cache.
        const int BlockLength = 256;
        Span<Limbs4> products = stackalloc Limbs4[Math.Min(BlockLength, values.Length)];
        for (int start = 0; start < values.Length; start += BlockLength)
        {
            Span<Limbs4> block = values[start..Math.Min(start + BlockLength, values.Length)];
            Limbs4 product = TModulus.R;
            for (int i = 0; i < block.Length; i++)
            {
                products[i] = product;
                if (!block[i].IsZero)
                {
                    product = Montgomery<TModulus>.Multiply(product, block[i]);
                }
            }

            Limbs4 inverse = Montgomery<TModulus>.Inverse(product);
            for (int i = block.Length - 1; i >= 0; i--)
            {
                if (!block[i].IsZero)
                {
                    Limbs4 next = Montgomery<TModulus>.Multiply(inverse, block[i]);
                    block[i] = Montgomery<TModulus>.Multiply(inverse, products[i]);
                    inverse = next;
                }
            }
        }
    }
}
