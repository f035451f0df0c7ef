using System.Buffers.Binary;
using Shale.Bn254.BabyJubjub;
using Shale.Bn254.Fields;
using Shale.Bn254.Poseidon;
using Shale.Settlement.Batching;

namespace Shale.Settlement.Tests.Support;

/// <summary>Payment keys by number, and vouchers signed with them.</summary>
internal static class TestKeys
{
    public static byte[] Seed(int number)
    {
        var seed = new byte[32];
        BinaryPrimitives.WriteInt32BigEndian(seed.AsSpan(28), number + 1);
        return seed;
    }

    public static BabyJubjubPoint Point(int number) => EdDsa.PublicKey(Seed(number)).Point;

    public static SettlementVoucher Voucher(Fr domain, int key, ulong leaseId, UInt128 cumulative, ulong statement = 7)
    {
        Fr digest = Fr.FromUInt64(statement);
        Fr message = Poseidon.Hash(domain, Fr.FromUInt64(leaseId), Fr.FromUInt128(cumulative), digest);
        return new SettlementVoucher(leaseId, cumulative, digest, EdDsa.Sign(Seed(key), message));
    }
}
