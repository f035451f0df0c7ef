using Shale.Bn254.Curve;
using Shale.Bn254.Fields;
using Shale.Groth16.Verifier;
using Shale.Settlement.Batching;

namespace Shale.Settlement.Claims;

/// <summary>The arguments of <c>ShaleMarket.settle</c>, in their order; the ABI's encoding of the call is the chain library's.</summary>
/// <param name="Provider">The provider's index in the registry.</param>
/// <param name="Page">The page's number.</param>
/// <param name="NewRoot">The page's root after the settlement.</param>
/// <param name="Paid">attoFIL that it collects.</param>
/// <param name="Entries">The listed slots in the contract's encoding.</param>
/// <param name="LeaseIds">The leases of the entries that sync or close, 8 bytes each.</param>
/// <param name="C">The commitment to the public list.</param>
/// <param name="Proof">A.x, A.y, B.x.c1, B.x.c0, B.y.c1, B.y.c0, C.x, C.y, 32 bytes each, most significant first (EIP-197).</param>
public sealed record SettlementClaim(
    uint Provider, uint Page, Fr NewRoot, UInt128 Paid, ReadOnlyMemory<byte> Entries, ReadOnlyMemory<byte> LeaseIds, Fr C, ReadOnlyMemory<byte> Proof)
{
    /// <summary>Bytes of an encoded proof.</summary>
    public const int ProofSize = 256;

    /// <summary>The claim that collects a batch.</summary>
    public static SettlementClaim Create(SettlementBatch batch, in Proof proof)
    {
        ArgumentNullException.ThrowIfNull(batch);
        return new SettlementClaim(
            batch.Provider, batch.Page, batch.NewPage.Root, batch.Paid,
            EntryEncoding.EncodeEntries(batch.Entries), EntryEncoding.EncodeLeaseIds(batch.Entries), batch.Statement.C, Encode(proof));
    }

    private static byte[] Encode(in Proof proof)
    {
        var bytes = new byte[ProofSize];
        proof.A.ToBytesBigEndian(bytes.AsSpan(0, G1Affine.Size));
        proof.B.ToBytesBigEndian(bytes.AsSpan(G1Affine.Size, G2Affine.Size));
        proof.C.ToBytesBigEndian(bytes.AsSpan(G1Affine.Size + G2Affine.Size, G1Affine.Size));
        return bytes;
    }
}
