using Shale.Bn254.Fields;
using Shale.Bn254.Poseidon;
using Shale.Settlement.Circuit;

namespace Shale.Settlement.Tests.Support;

/// <summary>
/// A settlement as a dishonest prover would put it together: any slots, and a public list, C, r and d that agree with them, so that
/// only the rule that it breaks stands in the way.
/// </summary>
internal sealed record Attempt(Fr[] List, SettlementStatement Statement)
{
    public static Attempt Of(Fr domain, Fr pageKey, IReadOnlyList<SettlementSlot> slots, Action<Fr[]>? alter = null)
    {
        var list = new Fr[PublicList.Length(slots.Count)];
        var old = new Fr[slots.Count];
        var fresh = new Fr[slots.Count];
        for (int i = 0; i < slots.Count; i++)
        {
            SettlementSlot slot = slots[i];
            Fr hash = LeafHash(slot.New);
            old[i] = slot.OldHash;
            fresh[i] = slot.OldHash + (slot.Listed * (hash - slot.OldHash));
            list[4] += slot.New.Claimed - ((Fr.One - slot.Fresh) * slot.Old.Claimed);
            Span<Fr> words = list.AsSpan(PublicList.HeaderLength + (PublicList.SlotLength * i), PublicList.SlotLength);
            words[0] = slot.Listed + (Fr.FromUInt64(2) * slot.Sync) + (Fr.FromUInt64(4) * slot.Fresh) + (Fr.FromUInt64(8) * slot.Pay) + (Fr.FromUInt64(256) * slot.Listed * slot.New.Claimed);
            (words[1], words[2], words[3], words[4]) = (slot.Sync * slot.New.LeaseId, slot.Sync * slot.New.Ax, slot.Sync * slot.New.Ay, slot.Sync * slot.New.Deposit);
        }

        (list[0], list[1], list[2], list[3]) = (domain, pageKey, Root(old), Root(fresh));
        alter?.Invoke(list);
        Fr c = PublicList.Commit(slots.Count, list);
        Fr r = PublicList.Challenge(c, list);
        return new Attempt(list, new SettlementStatement(domain, pageKey, slots, c, r, PublicList.Evaluate(list, r)));
    }

    public static Fr LeafHash(LeafFields leaf) => Poseidon.Hash(leaf.LeaseId, leaf.Ax, leaf.Ay, leaf.Deposit, leaf.Claimed);

    public static Fr Root(Fr[] leaves)
    {
        Fr[] level = [.. leaves];
        for (int count = level.Length / 2; count > 0; count /= 2)
        {
            for (int i = 0; i < count; i++)
            {
                level[i] = Poseidon.Hash(level[2 * i], level[(2 * i) + 1]);
            }
        }

        return level[0];
    }
}
