using System.Numerics;
using Shale.Bn254.BabyJubjub;
using Shale.Bn254.Fields;
using Shale.Bn254.Poseidon;
using Shale.Settlement.Batching;
using Shale.Settlement.Circuit;
using Shale.Settlement.Tests.Model;
using Shale.Settlement.Tests.Support;
using Shale.Settlement.Tests.Vectors;

namespace Shale.Settlement.Tests.Forgeries;

/// <summary>
/// Every forgery that the design names, and some more. Where the circuit refuses, the call carries the honest step's proof; where it cannot know
/// (it sees no storage), the proof is a real one for the prover's own list, and the contract's list differs or the contract refuses before.
/// </summary>
internal static class ForgeryCorpus
{
    private const string Sig = "slot/voucher/eddsa";
    private static readonly BigInteger Order = BabyJubjubScalar.Order;
    private static readonly BabyJubjubPoint OrderTwo = new(Fr.Zero, -Fr.One);

    public static IReadOnlyList<Forgery> All { get; } = [.. Vouchers(), .. Keys(), .. Amounts(), .. Leaves(), .. Records(), .. Elsewhere(), .. Calls()];

    private static Fr Fil(int n) => Fr.FromUInt128((UInt128)n * SettlementSequence.Fil);

    private static SettlementSlot Claim(SettlementSlot slot, Fr claimed) => slot with { New = slot.New with { Claimed = claimed } };

    private static SettlementSlot Sign(SettlementSlot slot, Fr domain, int key, ulong lease, UInt128 cumulative)
    {
        SettlementVoucher voucher = TestKeys.Voucher(domain, key, lease, cumulative);
        return slot with { R8 = voucher.Signature.R8, S = Fr.FromBigInteger(voucher.Signature.S.ToBigInteger()), Statement = voucher.Statement };
    }

    private static IEnumerable<Forgery> Vouchers()
    {
        yield return new("over-claim-by-one", "One attoFIL more than the voucher says.", "02-pay", Sig, ContractRefusal.ProofRefused,
            b => b.Change(0, s => Claim(s, s.New.Claimed + Fr.One)));
        yield return new("replay-to-another-lease", "Lease 1's voucher presented for lease 2.", "02-pay", Sig, ContractRefusal.ProofRefused,
            b => b.Change(1, s => Sign(Claim(s, Fil(7)), b.Domain, 1, 1, 7 * SettlementSequence.Fil)));
        yield return new("replay-within-a-key", "A voucher that lease 2's own key signed for another lease of the same client.", "02-pay", Sig, ContractRefusal.ProofRefused,
            b => b.Private(1, s => Sign(s, b.Domain, 2, 7, (5 * SettlementSequence.Fil) + 1)));
        foreach ((string name, ulong chain, string contract) in ((string, ulong, string)[])[("chain", 314, SettlementSequence.Contract), ("contract", SettlementSequence.ChainId, "0x5ba1e00000000000000000000000000000000002")])
        {
            Fr other = VoucherDomain.Of(chain, contract);
            yield return new($"voucher-of-another-{name}", $"A voucher that was signed for another {name}.", "02-pay", Sig, ContractRefusal.ProofRefused,
                b => b.Private(0, s => Sign(s, other, 1, 1, 7 * SettlementSequence.Fil)));
            yield return new($"settlement-of-another-{name}", $"A settlement that is good on another {name}, sent here.", "02-pay", null, ContractRefusal.ProofRefused,
                b => b.Send(Attempt.Of(other, b.PageKey, [.. b.Batch.Statement.Slots.Select((s, i) => i switch
                {
                    0 => Sign(s, other, 1, 1, 7 * SettlementSequence.Fil),
                    1 => Sign(s, other, 2, 2, (5 * SettlementSequence.Fil) + 1),
                    _ => s,
                })])));
        }

        yield return new("no-signature", "The stand-in for entries that don't pay, in one that does.", "02-pay", Sig, ContractRefusal.ProofRefused,
            b => b.Private(0, s => s with { R8 = BabyJubjubPoint.Base8, S = Fr.Zero }));
        yield return new("s-plus-order", "S + l in place of S: the same point, another number.", "02-pay", Sig, ContractRefusal.ProofRefused,
            b => b.Private(0, s => s with { S = s.S + Fr.FromBigInteger(Order) }));
        yield return new("another-statement", "The voucher's statement replaced.", "02-pay", Sig, ContractRefusal.ProofRefused,
            b => b.Private(0, s => s with { Statement = s.Statement + Fr.One }));
        yield return new("r8-off-curve", "R8 off the curve.", "02-pay", Sig, ContractRefusal.ProofRefused,
            b => b.Private(0, s => s with { R8 = s.R8 with { X = s.R8.X + Fr.One } }));
        yield return new("r8-with-torsion", "R8 plus the point of order two.", "02-pay", Sig, ContractRefusal.ProofRefused,
            b => b.Private(0, s => s with { R8 = s.R8 + OrderTwo }));
        yield return new("r8-small-order", "R8 the point of order two.", "02-pay", Sig, ContractRefusal.ProofRefused,
            b => b.Private(0, s => s with { R8 = OrderTwo }));
    }

    private static IEnumerable<Forgery> Keys()
    {
        // The contract checks a payment key for the curve only; these leases' owners could have had them registered.
        yield return new("small-order-key", "A key of order two, under which any S would do.", "05-slot-reused", Sig, ContractRefusal.ProofRefused,
            b => b.Change(0, s => s with { New = s.New with { Ax = OrderTwo.X, Ay = OrderTwo.Y } }));
        yield return new("neutral-key", "The neutral element as the key, with R8 = S·Base8, which would satisfy the equation.", "05-slot-reused", Sig, ContractRefusal.ProofRefused,
            b => b.Change(0, s => s with { New = s.New with { Ax = Fr.Zero, Ay = Fr.One }, R8 = BabyJubjubPoint.Base8.Multiply(5), S = Fr.FromUInt64(5) }));
        yield return new("off-curve-key", "A key off the curve.", "05-slot-reused", Sig, ContractRefusal.ProofRefused,
            b => b.Change(0, s => s with { New = s.New with { Ax = s.New.Ax + Fr.One } }));
        yield return new("neutral-r8", "R8 the neutral element with S = 8·a·h, which satisfies the equation.", "05-slot-reused", Sig, ContractRefusal.ProofRefused, b =>
        {
            BigInteger secret = 123456789;
            BabyJubjubPoint key = BabyJubjubPoint.Base8.Multiply(secret);
            return b.Change(0, s =>
            {
                Fr message = Poseidon.Hash(b.Domain, s.New.LeaseId, s.New.Claimed, s.Statement);
                BigInteger h = Poseidon.Hash(Fr.Zero, Fr.One, key.X, key.Y, message).ToBigInteger();
                return s with { New = s.New with { Ax = key.X, Ay = key.Y }, R8 = BabyJubjubPoint.Identity, S = Fr.FromBigInteger(8 * secret * h % Order) };
            });
        });
        yield return new("key-swapped-at-top-up", "A top-up that replaces the payment key by the prover's.", "03-top-up", "slot/record", ContractRefusal.ProofRefused,
            b => b.Change(0, s => Sign(s with { New = s.New with { Ax = TestKeys.Point(9).X, Ay = TestKeys.Point(9).Y } }, b.Domain, 9, 1, 12 * SettlementSequence.Fil)));
    }

    private static IEnumerable<Forgery> Amounts()
    {
        yield return new("below-claimed", "An older voucher: claimed falls, and the difference wraps.", "02-pay", "slot/amounts", ContractRefusal.NotCanonical,
            b => b.Send(Attempt.Of(b.Domain, b.PageKey, b.With(0, s => Sign(Claim(s, Fil(3)), b.Domain, 1, 1, 3 * SettlementSequence.Fil))), c => c with { Paid = c.Paid + Fr.Modulus }));
        yield return new("below-claimed-offset", "The same, offset by what another lease pays.", "03-top-up", "slot/amounts", ContractRefusal.ProofRefused,
            b => b.Change(0, s => Sign(Claim(s, Fil(6)), b.Domain, 1, 1, 6 * SettlementSequence.Fil)));
        yield return new("above-deposit", "A voucher for one attoFIL more than the deposit.", "05-slot-reused", "slot/amounts/left", ContractRefusal.PoolExceeded,
            b => b.Change(0, s => Sign(Claim(s, Fil(3) + Fr.One), b.Domain, 5, 5, (3 * SettlementSequence.Fil) + 1)));
        yield return new("claimed-above-96-bits", "claimed = 2^96 + c, of which the contract's word shows c.", "02-pay", "slot/amounts/claimed", ContractRefusal.PoolExceeded,
            b => b.Change(0, s => Claim(s, s.New.Claimed + Fr.FromUInt128(UInt128.One << 96))));
        yield return new("claimed-without-pay", "claimed grows in an entry that doesn't pay.", "04-close", "slot/amounts", ContractRefusal.ProofRefused,
            b => b.Change(1, s => Claim(s, s.New.Claimed + Fr.One)));
        yield return new("paid-more-than-the-sum", "paid is one more than what the entries add up to.", "02-pay", "commitment", ContractRefusal.ProofRefused,
            b => b.Send(Attempt.Of(b.Domain, b.PageKey, b.Batch.Statement.Slots, list => list[4] += Fr.One), c => c with { Paid = c.Paid + 1 }));
        yield return new("hidden-claimed", "The word shows the old claimed, the new root has the new one: a close would refund too much.", "04-close", null, ContractRefusal.ProofRefused,
            b => b.Send(c =>
            {
                byte[] entries = [.. c.Entries];
                entries[3 + 11] ^= 1;
                return c with { Entries = entries };
            }));
        yield return new("hidden-claimed-in-the-list", "The same, with a list that says so to the circuit.", "04-close", "commitment", ContractRefusal.ProofRefused,
            b => b.Send(Attempt.Of(b.Domain, b.PageKey, b.Batch.Statement.Slots, list => list[5] -= Fr.FromUInt64(256))));
        yield return new("unlisted-claimed", "A slot's leaf changes without being listed.", "02-pay", "commitment", ContractRefusal.ProofRefused,
            b => b.Send(Attempt.Of(b.Domain, b.PageKey, b.With(0, s => SettlementSlot.Unlisted(s.OldHash)), list => list[3] = b.Batch.NewPage.Root)));
    }

    private static IEnumerable<Forgery> Leaves()
    {
        yield return new("pay-on-an-empty-slot", "A voucher collected in a slot that no lease ever held.", "05-slot-reused", "slot/old-leaf", ContractRefusal.NotLive,
            b => b.Change(5, s =>
            {
                LeafFields leaf = new Leaf(6, TestKeys.Point(6), 9 * SettlementSequence.Fil, 0).ToFields();
                SettlementSlot pay = s with { Listed = Fr.One, Pay = Fr.One, Old = leaf, New = leaf with { Claimed = Fil(1) } };
                return Sign(pay, b.Domain, 6, 6, SettlementSequence.Fil);
            }));
        yield return new("pay-on-a-finished-slot", "A late voucher of a closed lease, whose leaf is still there.", "05-slot-reused", null, ContractRefusal.NotLive,
            b => b.Change(1, s =>
            {
                LeafFields leaf = b.Batch.OldPage.Leaves[1]!.Value.ToFields();
                return Sign(s with { Listed = Fr.One, Pay = Fr.One, Old = leaf, New = leaf with { Claimed = Fil(9) } }, b.Domain, 2, 2, 9 * SettlementSequence.Fil);
            }));
        yield return new("old-leaf-invented", "An old leaf with nothing claimed, in place of the one in the tree.", "02-pay", "slot/old-leaf", ContractRefusal.ProofRefused,
            b => b.Change(0, s => s with { Old = s.Old with { Claimed = Fr.Zero } }));
        yield return new("old-leaf-unopened-at-top-up", "A top-up that doesn't open the old leaf, so that claims start at zero again.", "03-top-up", "slot/old-leaf", ContractRefusal.ProofRefused,
            b => b.Change(0, s => s with { Old = s.Old with { Claimed = Fr.Zero } }));
        yield return new("deposit-without-sync", "A leaf's deposit grows without the contract's record.", "02-pay", "slot/record", ContractRefusal.ProofRefused,
            b => b.Change(0, s => s with { New = s.New with { Deposit = s.New.Deposit + Fil(1) } }));
        yield return new("swapped-leaves", "The new root over two leaves that have changed places.", "02-pay", "commitment", ContractRefusal.ProofRefused,
            b => b.Send(Attempt.Of(b.Domain, b.PageKey, b.Batch.Statement.Slots, list => list[3] = Attempt.Root([.. Swap(Enumerable.Range(0, 8).Select(b.Batch.NewPage.LeafHash))]))));
        yield return new("swapped-old-leaves", "A page whose first two leaves have changed places, and its two entries with them.", "02-pay", null, ContractRefusal.ProofRefused,
            b => b.Send(Attempt.Of(b.Domain, b.PageKey, [.. Swap(b.Batch.Statement.Slots)])));
        yield return new("stale-root", "The settlement before this one, once more: its old root is gone.", "03-top-up", null, ContractRefusal.ProofRefused, b =>
        {
            SequenceStep earlier = SettlementSequence.Steps.Single(s => s.Name == "02-pay");
            return new ForgedClaim(Attempt.Of(b.Domain, b.PageKey, earlier.Batch.Statement.Slots), SequenceReplay.Honest(earlier));
        });
    }

    private static IEnumerable<Forgery> Records()
    {
        yield return new("first-sync-repeated", "A lease that was folded in long ago syncs as fresh, and its vouchers pay from zero again.", "02-pay", null, ContractRefusal.WrongFresh,
            b => b.Change(0, s => s with { Sync = Fr.One, Fresh = Fr.One }));
        yield return new("first-sync-repeated-unsaid", "The same, with a call that says neither sync nor fresh.", "02-pay", null, ContractRefusal.ProofRefused, b =>
        {
            Attempt attempt = Attempt.Of(b.Domain, b.PageKey, b.With(0, s => s with { Sync = Fr.One, Fresh = Fr.One }));
            return b.Send(attempt, c => SequenceReplay.Honest(b.Step) with { NewRoot = c.NewRoot, Paid = c.Paid, C = c.C });
        });
        yield return new("sync-skipped", "The first entry of a new lease doesn't sync: the finished lease's leaf lives on, and its last voucher pays.", "05-slot-reused", null, ContractRefusal.WrongFresh,
            b => b.Change(0, s =>
            {
                LeafFields leaf = b.Batch.OldPage.Leaves[0]!.Value.ToFields();
                return Sign(s with { Sync = Fr.Zero, Fresh = Fr.Zero, Old = leaf, New = leaf with { Claimed = Fil(14) } }, b.Domain, 1, 1, 14 * SettlementSequence.Fil);
            }));
        yield return new("deposit-above-record", "A synced deposit that is higher than the recorded one.", "05-slot-reused", null, ContractRefusal.AboveMaximum,
            b => b.Change(0, s => s with { New = s.New with { Deposit = s.New.Deposit + Fr.One } }));
        yield return new("deposit-above-record-unsaid", "The same, with a call that names the recorded one.", "05-slot-reused", null, ContractRefusal.ProofRefused, b =>
        {
            Attempt attempt = Attempt.Of(b.Domain, b.PageKey, b.With(0, s => s with { New = s.New with { Deposit = s.New.Deposit + Fr.One } }));
            return b.Send(attempt, c => SequenceReplay.Honest(b.Step) with { NewRoot = c.NewRoot, C = c.C });
        });
        yield return new("key-not-on-record", "A first sync with the prover's key in place of the recorded one.", "05-slot-reused", null, ContractRefusal.ProofRefused,
            b => b.Change(0, s => Sign(s with { New = s.New with { Ax = TestKeys.Point(9).X, Ay = TestKeys.Point(9).Y } }, b.Domain, 9, 5, 2 * SettlementSequence.Fil)));
        yield return new("sync-in-the-name-of-a-finished-lease", "The new lease's slot syncs the finished one's record.", "05-slot-reused", null, ContractRefusal.NotOpen,
            b => b.Change(0, s =>
            {
                LeafFields leaf = b.Batch.OldPage.Leaves[0]!.Value.ToFields();
                return Sign(s with { New = leaf with { Claimed = Fil(13) } }, b.Domain, 1, 1, 13 * SettlementSequence.Fil);
            }));
        yield return new("close-in-the-name-of-a-finished-lease", "A close that names the finished lease of the same slot.", "05-slot-reused", null, ContractRefusal.NotOpen,
            b => b.Send(c =>
            {
                byte[] entries = [.. c.Entries];
                entries[2] |= 16;
                return c with { Entries = entries, LeaseIds = [0, 0, 0, 0, 0, 0, 0, 1] };
            }));
        yield return new("sync-of-another-slots-lease", "A slot syncs the record of a lease in another slot.", "03-top-up", null, ContractRefusal.WrongRecord,
            b => b.Change(3, s => Sign(s with { New = new Leaf(2, TestKeys.Point(2), 20 * SettlementSequence.Fil, 6 * SettlementSequence.Fil).ToFields() }, b.Domain, 2, 2, 6 * SettlementSequence.Fil)));
        yield return new("fresh-without-sync", "fresh without sync: the old leaf is not opened, and the record not taken over.", "02-pay", "slot/flags", ContractRefusal.WrongFlags,
            b => b.Send(Attempt.Of(b.Domain, b.PageKey, b.With(0, s => s with { Fresh = Fr.One })), c => c));
        yield return new("flag-that-is-no-bit", "listed = 2.", "02-pay", "slot/flags", ContractRefusal.ProofRefused,
            b => b.Change(0, s => s with { Listed = Fr.FromUInt64(2) }));
    }

    private static IEnumerable<Forgery> Elsewhere()
    {
        yield return new("another-providers-page", "A settlement of another provider's page that has the same leaves.", "02-pay", null, ContractRefusal.ProofRefused,
            b => b.Send(Attempt.Of(b.Domain, Fr.FromUInt64(2UL << 32), b.Batch.Statement.Slots)));
        yield return new("another-page", "A settlement of another page of the same provider.", "02-pay", null, ContractRefusal.ProofRefused,
            b => b.Send(Attempt.Of(b.Domain, b.PageKey + Fr.One, b.Batch.Statement.Slots)));
        yield return new("c-of-another-list", "C that commits to another list.", "02-pay", "commitment", ContractRefusal.ProofRefused, b =>
        {
            Attempt honest = Attempt.Of(b.Domain, b.PageKey, b.Batch.Statement.Slots);
            Fr c = honest.Statement.C + Fr.One, r = PublicList.Challenge(honest.Statement.C + Fr.One, honest.List);
            var attempt = new Attempt(honest.List, honest.Statement with { C = c, R = r, D = PublicList.Evaluate(honest.List, r) });
            return b.Send(attempt);
        });
        yield return new("d-of-another-list", "d that is not the list's value at r.", "02-pay", "evaluation", ContractRefusal.ProofRefused, b =>
        {
            Attempt honest = Attempt.Of(b.Domain, b.PageKey, b.Batch.Statement.Slots);
            Attempt attempt = honest with { Statement = honest.Statement with { D = honest.Statement.D + Fr.One } };
            return b.Send(attempt, c => c with { NewRoot = c.NewRoot ^ 1 });
        });
    }

    private static IEnumerable<Forgery> Calls()
    {
        yield return new("new-root-plus-p", "newRoot + p.", "02-pay", null, ContractRefusal.NotCanonical, b => b.Send(c => c with { NewRoot = c.NewRoot + Fr.Modulus }));
        yield return new("c-plus-p", "C + p.", "02-pay", null, ContractRefusal.NotCanonical, b => b.Send(c => c with { C = c.C + Fr.Modulus }));
        yield return new("paid-plus-p", "paid + p.", "02-pay", null, ContractRefusal.NotCanonical, b => b.Send(c => c with { Paid = c.Paid + Fr.Modulus }));
        yield return new("slot-listed-twice", "The first entry twice.", "02-pay", null, ContractRefusal.WrongSlots,
            b => b.Send(c => c with { Entries = [.. c.Entries, 0, 0, .. c.Entries[2..15]] }));
        yield return new("slots-out-of-order", "The two entries in falling order.", "02-pay", null, ContractRefusal.WrongSlots,
            b => b.Send(c => c with { Entries = [1, 1, c.Entries[2], .. c.Entries[15..27], 0, 0, c.Entries[2], .. c.Entries[3..15]] }));
        yield return new("slot-beyond-the-page", "A slot that the page doesn't have.", "02-pay", null, ContractRefusal.WrongSlots,
            b => b.Send(c => c with { Entries = [.. c.Entries, 8, 8, 9, .. new byte[12]] }));
        yield return new("unknown-flag", "A flag that isn't one.", "02-pay", null, ContractRefusal.WrongFlags,
            b => b.Send(c => c with { Entries = [.. c.Entries[..2], (byte)(c.Entries[2] | 32), .. c.Entries[3..]] }));
        yield return new("entry-left-out", "An entry of the proof is left out of the call.", "02-pay", null, ContractRefusal.ProofRefused,
            b => b.Send(c => c with { Entries = [0, 0, .. c.Entries[2..15]] }));
        yield return new("entry-added", "An entry that the proof doesn't have.", "05-slot-reused", null, ContractRefusal.ProofRefused,
            b => b.Send(c => c with { Entries = [.. c.Entries, 3, 3, 1, .. new byte[12]] }));
        yield return new("new-root-of-another-page", "Another newRoot in the call.", "02-pay", null, ContractRefusal.ProofRefused,
            b => b.Send(c => c with { NewRoot = b.Batch.OldPage.Root.ToBigInteger() }));
        yield return new("paid-more-in-the-call", "paid is one more in the call than in the proof.", "02-pay", null, ContractRefusal.ProofRefused, b => b.Send(c => c with { Paid = c.Paid + 1 }));
        yield return new("paid-beyond-the-pool", "paid is more than the provider's pool holds.", "02-pay", null, ContractRefusal.PoolExceeded,
            b => b.Send(c => c with { Paid = (BigInteger)(1000 * SettlementSequence.Fil) }));
    }

    private static IEnumerable<T> Swap<T>(IEnumerable<T> items)
    {
        T[] list = [.. items];
        (list[0], list[1]) = (list[1], list[0]);
        return list;
    }
}
