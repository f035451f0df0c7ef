using System.Runtime.InteropServices;
using Shale.Bn254.BabyJubjub;

namespace Shale.Payments.Vouchers;

/// <summary>A voucher and who has to have signed it for which contract.</summary>
/// <param name="Voucher">The voucher.</param>
/// <param name="Payer">The lease's payment key.</param>
/// <param name="Domain">The contract.</param>
public readonly record struct VoucherCheck(SignedVoucher Voucher, EdDsaPublicKey Payer, VoucherDomain Domain);

/// <summary>Verifies many vouchers at once; an answer is the same as that of <see cref="SignedVoucher.Verify"/> for each. <see cref="VoucherVerifier"/> is for many batches.</summary>
public static class VoucherBatch
{
    /// <summary>Below this many a batch is searched one by one: the buckets of a multi-scalar sum no longer pay.</summary>
    private const int SmallestSplit = 8;

    /// <summary>True when every signature is good. One random linear combination of all.</summary>
    public static bool Verify(ReadOnlySpan<VoucherCheck> checks) => new VoucherVerifier(checks.Length).Verify(checks);

    /// <summary>The positions of the bad signatures, ascending; empty when all are good. Bad ones cost a search by halves.</summary>
    public static IReadOnlyList<int> FindInvalid(ReadOnlySpan<VoucherCheck> checks)
    {
        var (entries, positions, invalid) = (new List<EdDsaBatchEntry>(checks.Length), new List<int>(checks.Length), new List<int>());
        new VoucherVerifier(checks.Length).Read(checks, entries, positions, invalid);
        Search(CollectionsMarshal.AsSpan(entries), CollectionsMarshal.AsSpan(positions), invalid);
        invalid.Sort();
        return invalid;
    }

    private static void Search(ReadOnlySpan<EdDsaBatchEntry> entries, ReadOnlySpan<int> positions, List<int> invalid)
    {
        if (entries.Length >= SmallestSplit)
        {
            if (!EdDsa.VerifyBatch(entries))
            {
                int half = entries.Length / 2;
                Search(entries[..half], positions[..half], invalid);
                Search(entries[half..], positions[half..], invalid);
            }

            return;
        }

        for (int i = 0; i < entries.Length; i++)
        {
            if (!EdDsa.Verify(entries[i].PublicKey, entries[i].Message, entries[i].Signature))
            {
                invalid.Add(positions[i]);
            }
        }
    }
}
