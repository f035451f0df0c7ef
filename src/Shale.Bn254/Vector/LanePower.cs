using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Shale.Bn254.Fields;

namespace Shale.Bn254.Vector;

/// <summary>Many elements of Fr to one public exponent, four at a time.</summary>
internal static unsafe class LanePower
{
    private const int Limbs = Lanes.LimbCount;
    private const int Window = 16;

    /// <summary>values[i] ← values[i]^exponent, by fixed windows of four bits; the exponent's limbs are least significant first.</summary>
    public static void Power(Span<Fr> values, ReadOnlySpan<ulong> exponent)
    {
        if (!Lanes.IsSupported)
        {
            for (int i = 0; i < values.Length; i++)
            {
                values[i] = Fr.FromMontgomeryLimbs(Montgomery<FrModulus>.Power(values[i].Limbs, exponent));
            }

            return;
        }

        Span<Fr> quad = stackalloc Fr[4];
        for (int start = 0; start < values.Length; start += 4)
        {
            int count = Math.Min(4, values.Length - start);
            values.Slice(start, count).CopyTo(quad);
            PowerOfFour(quad, exponent);
            quad[..count].CopyTo(values[start..]);
        }
    }

    [SkipLocalsInit]
    private static void PowerOfFour(Span<Fr> quad, ReadOnlySpan<ulong> exponent)
    {
        Vector256<ulong>* k = LaneConstants<FrModulus>.Block;
        Vector256<ulong>* table = stackalloc Vector256<ulong>[Window * Limbs];
        Vector256<ulong>* result = stackalloc Vector256<ulong>[Limbs];
        fixed (Fr* plain = quad)
        {
            byte* bytes = (byte*)plain;
            Copy(table, k + Lanes.One);
            LaneMemory.LoadPlain(table + Limbs, bytes, bytes + 32, bytes + 64, bytes + 96);
            Lanes.Multiply(table + Limbs, table + Limbs, k + Lanes.FromRadix256, k);
            for (int i = 2; i < Window; i++)
            {
                Lanes.Multiply(table + (i * Limbs), table + ((i - 1) * Limbs), table + Limbs, k);
            }

            Copy(result, table);
            bool started = false;
            for (int i = exponent.Length - 1; i >= 0; i--)
            {
                for (int shift = 60; shift >= 0; shift -= 4)
                {
                    if (started)
                    {
                        Lanes.Multiply(result, result, result, k);
                        Lanes.Multiply(result, result, result, k);
                        Lanes.Multiply(result, result, result, k);
                        Lanes.Multiply(result, result, result, k);
                    }

                    int digit = (int)(exponent[i] >> shift) & (Window - 1);
                    if (digit != 0)
                    {
                        Lanes.Multiply(result, result, table + (digit * Limbs), k);
                        started = true;
                    }
                }
            }

            // Products of factors below 1.02r stay below 1.02r: once less r makes the result canonical.
            Lanes.Multiply(result, result, k + Lanes.ToRadix256, k);
            LaneMemory.StorePlain(result, bytes, bytes + 32, bytes + 64, bytes + 96);
            for (int i = 0; i < 4; i++)
            {
                Limbs4 limbs = plain[i].Limbs;
                plain[i] = Fr.FromMontgomeryLimbs(Montgomery<FrModulus>.SubtractModulusOnce(limbs.L0, limbs.L1, limbs.L2, limbs.L3));
            }
        }
    }

    private static void Copy(Vector256<ulong>* destination, Vector256<ulong>* source)
    {
        for (int j = 0; j < Limbs; j++)
        {
            destination[j] = source[j];
        }
    }
}
