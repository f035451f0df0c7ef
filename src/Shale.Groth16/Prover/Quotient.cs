using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using Shale.Bn254.Fields;
using Shale.Bn254.Ntt;
using Shale.Groth16.Files;

namespace Shale.Groth16.Prover;

/// <summary>
/// The scalars of the H sum: values of A·B − C on the odd coset of the doubled domain, where A and B interpolate the constraints' factors
/// on the domain and C their products. A·B − C vanishes on the domain itself, so these values determine it.
/// </summary>
internal static unsafe class Quotient
{
    /// <summary>Canonical scalars, one for each point of the H section; false when the key's coefficients point nowhere.</summary>
    public static bool TryCompute(
        ZKey key, Fr[] witness, int workers, bool vectors, CancellationToken cancellation, [NotNullWhen(true)] out Limbs4[]? scalars, out FileFault fault)
    {
        scalars = null;
        var (a, b) = (new Fr[key.DomainSize], new Fr[key.DomainSize]);
        if (!TryEvaluate(key, witness, a, b, workers, cancellation, out fault))
        {
            return false;
        }

        scalars = OddCoset.Quotient(a, b, workers, vectors, cancellation);
        return true;
    }

    /// <summary>a[i] ← ⟨A_i, w⟩ and b[i] ← ⟨B_i, w⟩; one worker a matrix, since the format promises no order.</summary>
    internal static bool TryEvaluate(ZKey key, Fr[] witness, Fr[] a, Fr[] b, int workers, CancellationToken cancellation, out FileFault fault)
    {
        var problems = new string?[2];
        Parallel.For(0, 2, new ParallelOptions { MaxDegreeOfParallelism = workers, CancellationToken = cancellation }, m =>
            problems[m] = Evaluate(key, witness, (uint)m, m == 0 ? a : b));
        var problem = problems[0] ?? problems[1];
        fault = problem is null ? default : key.Fault(ZKey.CoefficientSection, problem);
        return problem is null;
    }

    private static string? Evaluate(ZKey key, Fr[] witness, uint matrix, Fr[] sums)
    {
        var at = key.Pointers.Coefficients;
        var count = key.Pointers.CoefficientCount;

        // The stored form of the coefficient one, 2^512: most coefficients are one, and then the product is the witness value itself.
        var one = FrModulus.R2;
        for (long i = 0; i < count; i++, at += ZKey.CoefficientLength)
        {
            var place = new ReadOnlySpan<byte>(at, ZKey.CoefficientLength);
            var m = BinaryPrimitives.ReadUInt32LittleEndian(place);
            if (m != matrix)
            {
                if (m > 1)
                {
                    return $"coefficient {i} is of matrix {m}";
                }

                continue;
            }

            var row = BinaryPrimitives.ReadUInt32LittleEndian(place[4..]);
            var wire = BinaryPrimitives.ReadUInt32LittleEndian(place[8..]);
            if (row >= (uint)sums.Length || wire >= (uint)witness.Length)
            {
                return $"coefficient {i} is for wire {wire} in row {row}, which the key does not have";
            }

            var value = Limbs4.ReadLittleEndian(place[12..]);
            if (Limbs4.FixedTimeEquals(value, one))
            {
                sums[row] += witness[wire];
            }
            else if (!Limbs4.LessThan(value, Montgomery<FrModulus>.Modulus))
            {
                return $"coefficient {i} is not below r";
            }
            else
            {
                // v·2^512 and w·2^256: their product is v·w·2^512, one step back is the Montgomery form.
                sums[row] += Fr.FromMontgomeryLimbs(Montgomery<FrModulus>.ToCanonical(Montgomery<FrModulus>.Multiply(value, witness[wire].Limbs)));
            }
        }

        return null;
    }
}
