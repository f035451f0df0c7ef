using Shale.Bn254.BabyJubjub;
using Shale.Bn254.Fields;
using Shale.Payments.Vouchers;

namespace Shale.Settlement.Batching;

/// <summary>The newest voucher of a lease, as field elements and points.</summary>
/// <param name="LeaseId">The lease that it pays for.</param>
/// <param name="Cumulative">attoFIL owed so far, below 2^96.</param>
/// <param name="Statement">The meter statement's digest as a field element.</param>
/// <param name="Signature">The client's signature over Poseidon(domain, leaseId, cumulative, statement).</param>
public readonly record struct SettlementVoucher(ulong LeaseId, UInt128 Cumulative, Fr Statement, EdDsaSignature Signature)
{
    /// <summary>A voucher as client and gateway exchange it. False where its last 64 bytes encode no signature; whether it is a good one the planner checks.</summary>
    public static bool TryCreate(SignedVoucher signed, out SettlementVoucher voucher)
    {
        ArgumentNullException.ThrowIfNull(signed);
        bool ok = EdDsaSignature.TryRead(signed.Signature, out EdDsaSignature signature);
        voucher = ok
            ? new SettlementVoucher(signed.Voucher.LeaseId, signed.Voucher.Cumulative.Value, signed.Voucher.Statement.ToFieldElement(), signature)
            : default;
        return ok;
    }
}
