using System.Numerics;
using Shale.Bn254.BabyJubjub;
using Shale.Bn254.Fields;
using Shale.Groth16.Constraints.Gadgets;
using Shale.Settlement.Batching;
using Shale.Settlement.Circuit;
using Shale.Settlement.Tests.Support;

namespace Shale.Settlement.Tests.Differential;

/// <summary>
/// Random statements: good ones of every kind of entry, and such with one thing changed. Amounts of old leaves and synced deposits stay below 2^96, as
/// every leaf that the contract and this circuit ever made has them.
/// </summary>
internal sealed class StatementSource(int seed)
{
    private readonly Random _random = new(seed);
    private readonly Fr _domain = Fr.FromUInt64(0xd0);
    private readonly Dictionary<(int, ulong, UInt128), SettlementVoucher> _vouchers = [];

    public SettlementStatement Good(int slots) => State([.. Enumerable.Range(0, slots).Select(_ => GoodSlot())]);

    public SettlementStatement Mutated(int slots)
    {
        SettlementSlot[] all = [.. Enumerable.Range(0, slots).Select(_ => GoodSlot())];
        int at = _random.Next(slots);
        for (int tries = 0; tries < 1 + _random.Next(2); tries++)
        {
            all[at] = Mutate(all[at]);
        }

        if (all[at].Pay.IsZero)
        {
            // What stands in for a signature is the circuit's own affair: ours wants a point and a number below l there, circom's wants nothing.
            all[at] = all[at] with { R8 = EdDsaGadget.Idle.R8, S = EdDsaGadget.Idle.S };
        }

        SettlementStatement statement = State(all);
        return _random.Next(40) == 0 ? statement with { D = statement.D + Fr.One } : statement;
    }

    private SettlementStatement State(SettlementSlot[] slots) => Attempt.Of(_domain, Fr.FromUInt64(1UL << 32), slots).Statement;

    private SettlementSlot GoodSlot()
    {
        int key = _random.Next(4);
        ulong lease = (ulong)_random.Next(1, 5);
        UInt128 deposit = Pick(1000, Leaf.MaxAmount, 20);
        UInt128 before = deposit / 4, after = Pick(before, deposit, before + 1);
        var old = new Leaf(lease, TestKeys.Point(key), deposit, before);
        switch (_random.Next(8))
        {
            case 0:
                return SettlementSlot.Unlisted(_random.Next(2) == 0 ? Fr.Zero : old.Hash());
            case 1: // fresh, over an empty slot or a finished lease
            case 2:
                bool pays = _random.Next(3) > 0;
                Leaf finished = new(lease + 10, TestKeys.Point(key + 1), 50, 40);
                bool empty = _random.Next(2) == 0;
                return Signed(key, pays, new SettlementSlot
                {
                    Listed = Fr.One,
                    Sync = Fr.One,
                    Fresh = Fr.One,
                    OldHash = empty ? Fr.Zero : finished.Hash(),
                    Old = empty ? default : finished.ToFields(),
                    New = (old with { Claimed = pays ? after : 0 }).ToFields(),
                });
            case 3: // top-up
                return Signed(key, true, new SettlementSlot
                {
                    Listed = Fr.One,
                    Sync = Fr.One,
                    OldHash = (old with { Deposit = before }).Hash(),
                    Old = (old with { Deposit = before }).ToFields(),
                    New = (old with { Claimed = after }).ToFields(),
                });
            case 4: // listed only, for a close
                return Signed(key, false, new SettlementSlot { Listed = Fr.One, OldHash = old.Hash(), Old = old.ToFields(), New = old.ToFields() });
            default:
                return Signed(key, true, new SettlementSlot
                {
                    Listed = Fr.One,
                    OldHash = old.Hash(),
                    Old = old.ToFields(),
                    New = (old with { Claimed = after }).ToFields(),
                });
        }
    }

    private SettlementSlot Mutate(SettlementSlot slot)
    {
        bool pays = !slot.Pay.IsZero;
        switch (_random.Next(18))
        {
            case 0: return slot with { Listed = Flag(slot.Listed) };
            case 1: return slot with { Sync = Flag(slot.Sync) };
            case 2: return slot with { Fresh = Flag(slot.Fresh) };
            case 3: return slot with { Pay = Flag(slot.Pay) };
            case 4: return slot with { OldHash = Other(slot.OldHash) };
            case 5: return slot with { Old = slot.Old with { LeaseId = Other(slot.Old.LeaseId) } };
            case 6: return slot with { Old = slot.Old with { Ax = Other(slot.Old.Ax) } };
            case 7: return slot with { Old = slot.Old with { Deposit = Amount() } };
            case 8: return slot with { Old = slot.Old with { Claimed = Amount() } };
            case 9: return slot with { New = slot.New with { LeaseId = Other(slot.New.LeaseId) } };
            case 10: return slot with { New = slot.New with { Ay = Other(slot.New.Ay) } };
            case 11: return slot with { New = slot.New with { Deposit = Amount() } };
            case 12: return slot with { New = slot.New with { Claimed = Other(slot.New.Claimed) } };
            case 13: return slot with { New = slot.New with { Claimed = slot.New.Deposit + Fr.One } };
            case 14: return pays ? slot with { Statement = Other(slot.Statement) } : slot;
            case 15: return pays ? slot with { R8 = Point(slot.R8) } : slot;
            case 16: return pays ? slot with { S = Response(slot.S) } : slot;
            default:
                BabyJubjubPoint key = Point(new BabyJubjubPoint(slot.New.Ax, slot.New.Ay));
                return slot with { New = slot.New with { Ax = key.X, Ay = key.Y } };
        }
    }

    private Fr Flag(Fr bit) => _random.Next(4) == 0 ? Fr.FromUInt64(2) : Fr.One - bit;

    private Fr Other(Fr value) => _random.Next(5) switch
    {
        0 => value + Fr.One,
        1 => value - Fr.One,
        2 => Fr.Zero,
        3 => -value,
        _ => value + Fr.FromUInt128(UInt128.One << 96),
    };

    private Fr Amount() => Fr.FromUInt128(Pick(0, 1000, Leaf.MaxAmount));

    private BabyJubjubPoint Point(BabyJubjubPoint point) => _random.Next(6) switch
    {
        0 => new(point.X + Fr.One, point.Y),
        1 => new(-point.X, point.Y),
        2 => new(Fr.Zero, Fr.One),
        3 => new(Fr.Zero, -Fr.One),
        4 => new(-point.X, -point.Y),
        _ => BabyJubjubPoint.Generator,
    };

    private Fr Response(Fr s) => _random.Next(4) switch
    {
        0 => s + Fr.One,
        1 => s + Fr.FromBigInteger(BabyJubjubScalar.Order),
        2 => Fr.FromBigInteger(BabyJubjubScalar.Order - s.ToBigInteger()),
        _ => -s,
    };

    private SettlementSlot Signed(int key, bool pays, SettlementSlot slot)
    {
        if (!pays)
        {
            return slot;
        }

        (ulong lease, UInt128 claimed) = ((ulong)slot.New.LeaseId.ToBigInteger(), (UInt128)slot.New.Claimed.ToBigInteger());
        if (!_vouchers.TryGetValue((key, lease, claimed), out SettlementVoucher voucher))
        {
            _vouchers[(key, lease, claimed)] = voucher = TestKeys.Voucher(_domain, key, lease, claimed);
        }

        return slot with { Pay = Fr.One, Statement = voucher.Statement, R8 = voucher.Signature.R8, S = Fr.FromBigInteger(voucher.Signature.S.ToBigInteger()) };
    }

    private UInt128 Pick(params ReadOnlySpan<UInt128> choices) => choices[_random.Next(choices.Length)];
}
