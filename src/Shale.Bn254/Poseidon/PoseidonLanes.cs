using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Shale.Bn254.Fields;
using Shale.Bn254.Vector;

namespace Shale.Bn254.Poseidon;

/// <summary>
/// Many hashes of one width at once: four in the lanes of a vector, four vectors beside each other so that a constant is spread
/// into lanes once for sixteen. Bounds, in multiples of r, where <see cref="Lanes"/> asks for them: the state is tidy and below
/// 1.02 between rounds; S-box and constant leave it loose and below 2.1; sums of at most four products are reduced at once.
/// </summary>
internal static unsafe class PoseidonLanes
{
    private const int LaneCount = 4;
    private const int Quads = 4;
    private const int Limbs = Lanes.LimbCount;

    /// <summary>So many products of MultiplyTwo are below 2^32 in every limb and far below 128r.</summary>
    private const int SummandsAtOnce = 4;

    private static readonly Limbs4 ToPacked = Limbs4.FromBigInteger((BigInteger.One << Lanes.RadixBits) % Fr.Modulus);

    /// <summary>The constants of a width in the order of their use, nine 29-bit limbs each, in Montgomery form with radix 2^261.</summary>
    public static uint[] Prepare(PoseidonParameters parameters, PoseidonSchedule schedule)
    {
        int t = parameters.Width, half = parameters.FullRounds / 2;
        var ordered = new List<Fr>();
        ordered.AddRange(schedule.Initial);
        for (int r = 0; r < half; r++)
        {
            ordered.AddRange(schedule.FullConstants.AsSpan(r * t, t));
            ordered.AddRange(r == half - 1 ? schedule.BeforePartial : parameters.Matrix);
        }

        for (int r = 0; r < parameters.PartialRounds; r++)
        {
            ordered.Add(schedule.PartialConstants[r]);
            ordered.AddRange(schedule.Sparse.AsSpan(r * ((2 * t) - 1), (2 * t) - 1));
        }

        for (int r = half; r < 2 * half; r++)
        {
            // The last round adds nothing.
            ordered.AddRange(r == (2 * half) - 1 ? new Fr[t] : schedule.FullConstants.AsSpan(r * t, t));
            ordered.AddRange(parameters.Matrix);
        }

        var packed = new uint[ordered.Count * Limbs];
        for (int i = 0; i < ordered.Count; i++)
        {
            BigInteger value = Montgomery<FrModulus>.Multiply(ordered[i].Limbs, ToPacked).ToBigInteger();
            for (int j = 0; j < Limbs; j++)
            {
                packed[(i * Limbs) + j] = (uint)((value >> (Lanes.LimbBits * j)) & Lanes.LimbMask);
            }
        }

        return packed;
    }

    /// <summary>hashes[i] = Poseidon of the i-th run of <paramref name="length"/> inputs.</summary>
    public static void Hash(PoseidonParameters parameters, ReadOnlySpan<Fr> inputs, int length, Span<Fr> hashes)
    {
        const int Group = Quads * LaneCount;
        Span<Fr> padded = new Fr[Group * length];
        Span<Fr> results = stackalloc Fr[Group];
        for (int start = 0; start < hashes.Length; start += Group)
        {
            int count = Math.Min(Group, hashes.Length - start);
            inputs.Slice(start * length, count * length).CopyTo(padded);
            HashGroup(parameters, padded, length, results, (count + LaneCount - 1) / LaneCount);
            results[..count].CopyTo(hashes[start..]);
        }
    }

    [SkipLocalsInit]
    private static void HashGroup(PoseidonParameters parameters, ReadOnlySpan<Fr> inputs, int length, Span<Fr> results, int quads)
    {
        int t = parameters.Width, half = parameters.FullRounds / 2;
        Vector256<ulong>* k = LaneConstants<FrModulus>.Block;
        Vector256<ulong>* state = stackalloc Vector256<ulong>[Quads * PoseidonParameters.MaxWidth * Limbs];
        Vector256<ulong>* scratch = stackalloc Vector256<ulong>[PoseidonParameters.MaxWidth * Limbs];
        Vector256<ulong>* spread = stackalloc Vector256<ulong>[PoseidonParameters.MaxWidth * PoseidonParameters.MaxWidth * Limbs];
        fixed (Fr* input = inputs)
        fixed (uint* constants = parameters.LaneConstants)
        {
            Load(state, input, length, t, quads, k);
            uint* next = constants;
            next = Spread(spread, next, t);
            for (int i = 0; i < quads * t; i++)
            {
                Vector256<ulong>* element = state + (i * Limbs);
                Lanes.AddReduced(element, element, spread + (i % t * Limbs), k);
            }

            for (int r = 0; r < half; r++)
            {
                next = FullRound(state, scratch, spread, next, t, quads, k);
            }

            for (int r = 0; r < parameters.PartialRounds; r++)
            {
                next = PartialRound(state, scratch, spread, next, t, quads, k);
            }

            for (int r = 0; r < half; r++)
            {
                next = FullRound(state, scratch, spread, next, t, quads, k);
            }
        }

        fixed (Fr* result = results)
        {
            for (int q = 0; q < quads; q++)
            {
                Lanes.Multiply(scratch, state + (q * t * Limbs), k + Lanes.ToRadix256, k);
                byte* destination = (byte*)(result + (q * LaneCount));
                LaneMemory.StorePlain(scratch, destination, destination + 32, destination + 64, destination + 96);
            }

            // Below 1.02r: once less r makes it canonical.
            for (int i = 0; i < quads * LaneCount; i++)
            {
                Limbs4 limbs = result[i].Limbs;
                result[i] = Fr.FromMontgomeryLimbs(Montgomery<FrModulus>.SubtractModulusOnce(limbs.L0, limbs.L1, limbs.L2, limbs.L3));
            }
        }
    }

    private static void Load(Vector256<ulong>* state, Fr* input, int length, int t, int quads, Vector256<ulong>* k)
    {
        for (int q = 0; q < quads; q++)
        {
            Vector256<ulong>* element = state + (q * t * Limbs);
            for (int j = 0; j < Limbs; j++)
            {
                element[j] = Vector256<ulong>.Zero;
            }

            for (int i = 0; i < length; i++)
            {
                element += Limbs;
                byte* source = (byte*)(input + (q * LaneCount * length) + i);
                int stride = 32 * length;
                LaneMemory.LoadPlain(element, source, source + stride, source + (2 * stride), source + (3 * stride));
                Lanes.Multiply(element, element, k + Lanes.FromRadix256, k);
            }
        }
    }

    private static uint* FullRound(
        Vector256<ulong>* state, Vector256<ulong>* scratch, Vector256<ulong>* spread, uint* next, int t, int quads, Vector256<ulong>* k)
    {
        next = Spread(spread, next, t);
        for (int q = 0; q < quads; q++)
        {
            for (int i = 0; i < t; i++)
            {
                Vector256<ulong>* element = state + (((q * t) + i) * Limbs);
                PowerOfFive(element, scratch, k);
                Add(element, spread + (i * Limbs));
            }
        }

        next = Spread(spread, next, t * t);
        for (int q = 0; q < quads; q++)
        {
            Vector256<ulong>* elements = state + (q * t * Limbs);
            for (int i = 0; i < t; i++)
            {
                DotProduct(scratch + (i * Limbs), spread + (i * t * Limbs), elements, t, k);
            }

            for (int j = 0; j < t * Limbs; j++)
            {
                elements[j] = scratch[j];
            }
        }

        return next;
    }

    private static uint* PartialRound(
        Vector256<ulong>* state, Vector256<ulong>* scratch, Vector256<ulong>* spread, uint* next, int t, int quads, Vector256<ulong>* k)
    {
        next = Spread(spread, next, 2 * t);
        for (int q = 0; q < quads; q++)
        {
            Vector256<ulong>* elements = state + (q * t * Limbs);
            PowerOfFive(elements, scratch, k);
            Add(elements, spread);
            DotProduct(scratch, spread + Limbs, elements, t, k);
            for (int i = 1; i < t; i++)
            {
                Vector256<ulong>* product = scratch + Limbs;
                Lanes.Multiply(product, elements, spread + ((t + i) * Limbs), k);
                Lanes.AddReduced(elements + (i * Limbs), elements + (i * Limbs), product, k);
            }

            for (int j = 0; j < Limbs; j++)
            {
                elements[j] = scratch[j];
            }
        }

        return next;
    }

    /// <summary>r ← Σ elements_j·row_j, reduced; the elements may be loose.</summary>
    [SkipLocalsInit]
    private static void DotProduct(Vector256<ulong>* r, Vector256<ulong>* row, Vector256<ulong>* elements, int t, Vector256<ulong>* k)
    {
        Vector256<ulong>* sum = stackalloc Vector256<ulong>[Limbs];
        Vector256<ulong>* product = stackalloc Vector256<ulong>[Limbs];
        Summand(sum, row, elements, t, k);
        int summands = 1;
        for (int i = 2; i < t; i += 2)
        {
            Summand(product, row + (i * Limbs), elements + (i * Limbs), t - i, k);
            Add(sum, product);
            if (++summands == SummandsAtOnce)
            {
                Reduce(sum, sum, k);
                summands = 1;
            }
        }

        Reduce(r, sum, k);
    }

    /// <summary>Two products with one reduction where two are left, one otherwise.</summary>
    private static void Summand(Vector256<ulong>* r, Vector256<ulong>* row, Vector256<ulong>* elements, int left, Vector256<ulong>* k)
    {
        if (left >= 2)
        {
            Lanes.MultiplyTwo(r, elements, row, elements + Limbs, row + Limbs, k);
        }
        else
        {
            Lanes.Multiply(r, elements, row, k);
        }
    }

    private static void Reduce(Vector256<ulong>* r, Vector256<ulong>* a, Vector256<ulong>* k) =>
        Lanes.Reduce(r, k, a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8]);

    [SkipLocalsInit]
    private static void PowerOfFive(Vector256<ulong>* x, Vector256<ulong>* scratch, Vector256<ulong>* k)
    {
        Lanes.Multiply(scratch, x, x, k);
        Lanes.Multiply(scratch, scratch, scratch, k);
        Lanes.Multiply(x, scratch, x, k);
    }

    private static void Add(Vector256<ulong>* a, Vector256<ulong>* b)
    {
        for (int j = 0; j < Limbs; j++)
        {
            a[j] += b[j];
        }
    }

    /// <summary>Puts so many constants into all lanes.</summary>
    private static uint* Spread(Vector256<ulong>* destination, uint* constants, int count)
    {
        for (int i = 0; i < count * Limbs; i++)
        {
            destination[i] = Vector256.Create((ulong)constants[i]);
        }

        return constants + (count * Limbs);
    }
}
