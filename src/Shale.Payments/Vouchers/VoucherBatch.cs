using Shale.Bn254.BabyJubjub;

namespace Shale.Payments.Vouchers;

/// <summary>A voucher and who has to have signed it for which contract.</summary>
/// <param name="Voucher">The voucher.</param>
/// <param name="Payer">The lease's payment key.</param>
/// <param name="Domain">The contract.</param>
public readonly record struct VoucherCheck(SignedVoucher Voucher, EdDsaPublicKey Payer, VoucherDomain Domain);

/// <summary>Verifies many vouchers at once; an answer is the same as that of <see cref="SignedVoucher.Verify"/> for each.</summary>
public static class VoucherBatch
{
    /// <summary>Below this many a batch is searched one by one: the buckets of a multi-scalar sum no longer pay.</summary>
    private const int SmallestSplit = 8;

    /// <summary>True when every signature is good. One random linear combination of all.</summary>
    public static bool Verify(ReadOnlySpan<VoucherCheck> checks)
    {
        var entries = new EdDsaBatchEntry[checks.Length];
        for (int i = 0; i < checks.Length; i++)
        {
            if (!TryPrepare(checks[i], out entries[i]))
            {
                return false;
            }
        }

        return EdDsa.VerifyBatch(entries);
    }

    /// <summary>The positions of the bad signatures, ascending; empty when all are good. Bad ones cost a search by halves.</summary>
    public static IReadOnlyList<int> FindInvalid(ReadOnlySpan<VoucherCheck> checks)
    {
        var invalid = new List<int>();
        var entries = new List<EdDsaBatchEntry>(checks.Length);
        var positions = new List<int>(checks.Length);
        for (int i = 0; i < checks.Length; i++)
        {
            if (TryPrepare(checks[i], out EdDsaBatchEntry entry))
            {
                entries.Add(entry);
                positions.Add(i);
            }
            else
            {
                invalid.Add(i);
            }
        }

        Search([.. entries], [.. positions], invalid);
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

    private static bool TryPrepare(in VoucherCheck check, out EdDsaBatchEntry entry)
    {
        bool ok = EdDsaSignature.TryRead(check.Voucher.Signature, out EdDsaSignature signature);
        entry = ok ? new EdDsaBatchEntry(check.Payer, check.Voucher.Voucher.Message(check.Domain), signature) : default;
        return ok;
    }
}
