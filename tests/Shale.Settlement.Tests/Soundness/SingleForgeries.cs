using System.Numerics;
using Shale.Bn254.BabyJubjub;
using Shale.Bn254.Fields;
using Shale.Bn254.Poseidon;
using Shale.Settlement.Batching;
using Shale.Settlement.Circuit;
using Shale.Settlement.Tests.Support;

namespace Shale.Settlement.Tests.Soundness;

/// <summary>For each comparison of the circuit, a statement in which nothing else is false.</summary>
internal static class SingleForgeries
{
    private static readonly Fr Two = Fr.FromUInt64(2);

    public static SettlementStatement Against(string comparison)
    {
        Leaf leaf = SettlementCircuitSample.Leaf with { Claimed = 0 };
        LeafFields fields = leaf.ToFields();
        var entry = new SettlementSlot { Listed = Fr.One, OldHash = leaf.Hash(), Old = fields, New = fields };
        return comparison[(comparison.LastIndexOf('/') + 1)..] switch
        {
            "listed is a bit" => Of(entry with { Listed = Two }),
            "sync is a bit" => Of(entry with { Sync = Two }),
            "fresh is a bit" => Of(entry with { Sync = Fr.One, Fresh = Two }),
            "pay is a bit" => Of(PaidUnderBase8() with { Pay = Two }),
            "sync only where listed" => Of(entry with { Listed = Fr.Zero, Sync = Fr.One }),
            "fresh only where synced" => Of(entry with { Fresh = Fr.One }),
            "pay only where listed" => Of(PaidUnderBase8() with { Listed = Fr.Zero }),
            "the old leaf opens" => Of(entry with { OldHash = entry.OldHash + Fr.One }),
            "leaseId stays but for fresh" => Of(entry with { New = fields with { LeaseId = fields.LeaseId + Fr.One } }),
            "Ax stays but for fresh" => Of(entry with { New = fields with { Ax = fields.Ax + Fr.One } }),
            "Ay stays but for fresh" => Of(entry with { New = fields with { Ay = fields.Ay + Fr.One } }),
            "deposit stays but for sync" => Of(entry with { New = fields with { Deposit = fields.Deposit + Fr.One } }),
            "claimed stays but for pay" => Of(entry with { New = fields with { Claimed = fields.Claimed + Fr.One } }),
            "C commits to the list" => Of(entry) is var good ? good with { C = good.C + Fr.One } : throw new InvalidOperationException(),
            "d is the list's value at r" => Of(entry) is var good ? good with { D = good.D + Fr.One } : throw new InvalidOperationException(),
            _ => throw new ArgumentException($"No forgery against '{comparison}'.", nameof(comparison)),
        };
    }

    private static SettlementStatement Of(SettlementSlot slot) => Attempt.Of(SettlementCircuitSample.Domain, Fr.One, [slot]).Statement;

    /// <summary>A voucher for what is claimed already, under the key Base8, which the stand-in key is too: with pay = 2 the key that is verified is still it.</summary>
    private static SettlementSlot PaidUnderBase8()
    {
        BabyJubjubPoint key = BabyJubjubPoint.Base8;
        var leaf = new Leaf(3, key, 1000, 0);
        BigInteger k = 987654321;
        BabyJubjubPoint r8 = key.Multiply(k);
        Fr message = Poseidon.Hash(SettlementCircuitSample.Domain, Fr.FromUInt64(3), Fr.Zero, Fr.Zero);
        BigInteger h = Poseidon.Hash(r8.X, r8.Y, key.X, key.Y, message).ToBigInteger();
        return new SettlementSlot
        {
            Listed = Fr.One,
            Pay = Fr.One,
            OldHash = leaf.Hash(),
            Old = leaf.ToFields(),
            New = leaf.ToFields(),
            R8 = r8,
            S = Fr.FromBigInteger((k + (8 * h)) % BabyJubjubScalar.Order),
        };
    }
}
