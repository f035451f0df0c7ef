using Shale.Bn254.BabyJubjub;
using Shale.Bn254.Fields;
using Shale.Bn254.Poseidon;

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
        bool[] readable = new bool[checks.Length];
        EdDsaBatchEntry[] entries = Prepare(checks, readable);
        return !readable.AsSpan().Contains(false) && EdDsa.VerifyBatch(entries);
    }

    /// <summary>The positions of the bad signatures, ascending; empty when all are good. Bad ones cost a search by halves.</summary>
    public static IReadOnlyList<int> FindInvalid(ReadOnlySpan<VoucherCheck> checks)
    {
        var invalid = new List<int>();
        var entries = new List<EdDsaBatchEntry>(checks.Length);
        var positions = new List<int>(checks.Length);
        bool[] readable = new bool[checks.Length];
        EdDsaBatchEntry[] prepared = Prepare(checks, readable);
        for (int i = 0; i < checks.Length; i++)
        {
            if (readable[i])
            {
                entries.Add(prepared[i]);
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

    private static EdDsaBatchEntry[] Prepare(ReadOnlySpan<VoucherCheck> checks, Span<bool> readable)
    {
        byte[] encoded = new byte[EdDsaSignature.Size * checks.Length];
        var inputs = new Fr[Voucher.MessageInputs * checks.Length];
        for (int i = 0; i < checks.Length; i++)
        {
            checks[i].Voucher.Signature.CopyTo(encoded.AsSpan(EdDsaSignature.Size * i));
            checks[i].Voucher.Voucher.WriteMessageInputs(checks[i].Domain, inputs.AsSpan(Voucher.MessageInputs * i));
        }

        var signatures = new EdDsaSignature[checks.Length];
        EdDsaSignature.ReadMany(encoded, signatures, readable);
        var messages = new Fr[checks.Length];
        Poseidon.HashMany(inputs, Voucher.MessageInputs, messages);
        var entries = new EdDsaBatchEntry[checks.Length];
        for (int i = 0; i < checks.Length; i++)
        {
            entries[i] = new EdDsaBatchEntry(checks[i].Payer, messages[i], signatures[i]);
        }

        return entries;
    }
}
