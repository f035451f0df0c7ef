using Shale.Bn254.BabyJubjub;
using Shale.Settlement.Claims;

namespace Shale.Settlement.Batching;

/// <summary>
/// Rebuilds a page's leaves from the contract's events, in their order: what an operator that lost its files needs, and a client that leaves
/// alone. The root that the contract stores says whether it was all of them.
/// </summary>
public sealed class PageHistory
{
    private readonly Leaf?[] _leaves;
    private readonly (ulong LeaseId, BabyJubjubPoint Key)?[] _confirmed;

    /// <summary>A page that was just opened.</summary>
    /// <param name="slots">N.</param>
    public PageHistory(int slots)
    {
        _leaves = new Leaf?[slots];
        _confirmed = new (ulong, BabyJubjubPoint)?[slots];
    }

    /// <summary><c>LeaseConfirmed</c>: a lease took a slot.</summary>
    /// <returns>False for a slot that the page does not have.</returns>
    public bool Confirm(int slot, ulong leaseId, BabyJubjubPoint key)
    {
        if (slot < 0 || slot >= _leaves.Length)
        {
            return false;
        }

        _confirmed[slot] = (leaseId, key);
        return true;
    }

    /// <summary><c>PageSettled</c>: a fresh entry takes over the lease last confirmed into its slot, a synced one the deposit that it names.</summary>
    /// <returns>False for entries that don't follow from what was told before.</returns>
    public bool Settle(ReadOnlySpan<byte> entries)
    {
        if (!EntryEncoding.TryDecodeEntries(entries, out IReadOnlyList<SettlementEntry> read))
        {
            return false;
        }

        foreach (SettlementEntry entry in read)
        {
            if (entry.Slot >= _leaves.Length)
            {
                return false;
            }

            Leaf? old = _leaves[entry.Slot];
            if (entry.Has(EntryFlags.Fresh))
            {
                if (_confirmed[entry.Slot] is not { } confirmed)
                {
                    return false;
                }

                _leaves[entry.Slot] = new Leaf(confirmed.LeaseId, confirmed.Key, entry.Deposit, entry.Claimed);
            }
            else if (old is { } leaf)
            {
                _leaves[entry.Slot] = leaf with { Deposit = entry.Has(EntryFlags.Sync) ? entry.Deposit : leaf.Deposit, Claimed = entry.Claimed };
            }
            else
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>The page as it stands.</summary>
    public PageState ToState() => PageState.Of(_leaves);
}
