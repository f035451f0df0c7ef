using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Shale.Bn254.Fields;

namespace Shale.Bn254.Vector;

/// <summary>
/// The constants of one modulus for <see cref="Lanes"/>, each repeated in all four lanes, in one aligned block of memory whose address the
/// kernels take as an argument: an operand from memory costs them nothing, a static field would cost a check.
/// </summary>
internal static unsafe class LaneConstants<TModulus>
    where TModulus : struct, IModulus
{
    /// <summary>The block, laid out as <see cref="Lanes"/> says. Lives as long as the process.</summary>
    public static readonly Vector256<ulong>* Block = Create();

    private static Vector256<ulong>* Create()
    {
        var p = Montgomery<TModulus>.Modulus.ToBigInteger();
        var block = (Vector256<ulong>*)NativeMemory.AlignedAlloc((nuint)(Lanes.ConstantCount * sizeof(Vector256<ulong>)), 64);
        Put(block + Lanes.P, p);
        block[Lanes.NegatedInverse] = Vector256.Create((ulong)((BigInteger)TModulus.NegatedInverse & Lanes.LimbMask));
        PutSpread(block + Lanes.FourP, 4 * p);
        PutSpread(block + Lanes.EightP, 8 * p);
        Put(block + Lanes.Complement, (BigInteger.One << Lanes.RadixBits) - p);
        block[Lanes.QuotientFactor] = Vector256.Create((ulong)((BigInteger.One << (Lanes.QuotientShift + Lanes.TopShift)) / p));
        Put(block + Lanes.FromRadix256, BigInteger.ModPow(2, (2 * Lanes.RadixBits) - 256, p));
        Put(block + Lanes.ToRadix256, BigInteger.ModPow(2, 256, p));
        Put(block + Lanes.ToCanonical, 1);
        Put(block + Lanes.One, BigInteger.ModPow(2, Lanes.RadixBits, p));
        block[Lanes.Zero] = default;
        return block;
    }

    internal static void Put(Vector256<ulong>* destination, BigInteger value)
    {
        for (var i = 0; i < Lanes.LimbCount; i++)
        {
            destination[i] = Vector256.Create((ulong)((value >> (Lanes.LimbBits * i)) & Lanes.LimbMask));
        }
    }

    /// <summary>The same value with every limb but the highest at least 2^29, so that subtracting a number limb by limb never borrows.</summary>
    private static void PutSpread(Vector256<ulong>* destination, BigInteger value)
    {
        Put(destination, value);
        for (var i = 0; i < Lanes.LimbCount - 1; i++)
        {
            destination[i] += Vector256.Create(1UL << Lanes.LimbBits);
            destination[i + 1] -= Vector256.Create(1UL);
        }
    }
}
