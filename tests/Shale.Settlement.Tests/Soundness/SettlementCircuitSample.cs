using Shale.Bn254.Fields;
using Shale.Settlement.Batching;
using Shale.Settlement.Circuit;
using Shale.Settlement.Tests.Support;

namespace Shale.Settlement.Tests.Soundness;

/// <summary>Good statements on a page of one slot.</summary>
internal static class SettlementCircuitSample
{
    public static Fr Domain { get; } = Fr.FromUInt64(0xd0);

    public static Leaf Leaf { get; } = new(3, TestKeys.Point(3), 1000, 100);

    public static SettlementStatement Paying(ulong statement = 0)
    {
        SettlementVoucher voucher = TestKeys.Voucher(Domain, 3, Leaf.LeaseId, 700, statement);
        return Attempt.Of(Domain, Fr.One,
        [
            new SettlementSlot
            {
                Listed = Fr.One,
                Pay = Fr.One,
                OldHash = Leaf.Hash(),
                Old = Leaf.ToFields(),
                New = (Leaf with { Claimed = 700 }).ToFields(),
                Statement = voucher.Statement,
                R8 = voucher.Signature.R8,
                S = Fr.FromBigInteger(voucher.Signature.S.ToBigInteger()),
            },
        ]).Statement;
    }
}
