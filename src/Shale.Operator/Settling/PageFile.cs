using System.Globalization;
using System.Numerics;
using Shale.Bn254.BabyJubjub;
using Shale.Bn254.Fields;
using Shale.Settlement.Batching;

namespace Shale.Operator.Settling;

/// <summary>A page's leaves as the last final settlement left them: the file <c>operator/pages/PAGE.json</c>. What the contract stores of them is their root.</summary>
internal sealed record PageFile
{
    public const int CurrentVersion = 1;

    public int Version { get; init; } = CurrentVersion;

    public required uint Page { get; init; }

    public required int Slots { get; init; }

    public required IReadOnlyList<LeafFile> Leaves { get; init; }

    /// <summary>Null where a field is out of range.</summary>
    public PageState? ToState()
    {
        var leaves = new Leaf?[Slots];
        foreach (var leaf in Leaves)
        {
            if (leaf.Slot < 0 || leaf.Slot >= Slots || leaf.ToLeaf() is not { } read)
            {
                return null;
            }

            leaves[leaf.Slot] = read;
        }

        return PageState.Of(leaves);
    }

    public static PageFile Of(uint page, PageState state) => new()
    {
        Page = page,
        Slots = state.Slots,
        Leaves = [.. Enumerable.Range(0, state.Slots).Where(s => state.Leaves[s] is not null).Select(s => LeafFile.Of(s, state.Leaves[s]!.Value))],
    };
}

/// <summary>One leaf; numbers in decimal text.</summary>
internal sealed record LeafFile(int Slot, ulong LeaseId, string Ax, string Ay, string Deposit, string Claimed)
{
    public static LeafFile Of(int slot, Leaf leaf) => new(slot, leaf.LeaseId, leaf.Key.X.ToString(), leaf.Key.Y.ToString(), leaf.Deposit.ToString(CultureInfo.InvariantCulture), leaf.Claimed.ToString(CultureInfo.InvariantCulture));

    public Leaf? ToLeaf() =>
        TryField(Ax, out var x) && TryField(Ay, out var y) &&
        UInt128.TryParse(Deposit, NumberStyles.None, CultureInfo.InvariantCulture, out var deposit) && UInt128.TryParse(Claimed, NumberStyles.None, CultureInfo.InvariantCulture, out var claimed)
            ? new Leaf(LeaseId, new BabyJubjubPoint(x, y), deposit, claimed)
            : null;

    private static bool TryField(string text, out Fr value)
    {
        var read = BigInteger.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number < Fr.Modulus;
        value = read ? Fr.FromBigInteger(number) : default;
        return read;
    }
}

/// <summary>
/// A settlement that was proved and may be on its way: the file <c>operator/settlements/PAGE.json</c>. Written before anything is sent; what becomes of
/// it is read from the page's root alone, so that no crash settles twice or forgets one.
/// </summary>
internal sealed record PendingSettlement
{
    public const int CurrentVersion = 1;

    public int Version { get; init; } = CurrentVersion;

    public required uint Page { get; init; }

    /// <summary>Decimal.</summary>
    public required string OldRoot { get; init; }

    /// <summary>Decimal.</summary>
    public required string NewRoot { get; init; }

    /// <summary>attoFIL, decimal.</summary>
    public required string Paid { get; init; }

    /// <summary>The contract's encoding, hex.</summary>
    public required string Entries { get; init; }

    /// <summary>The contract's encoding, hex.</summary>
    public required string LeaseIds { get; init; }

    /// <summary>Decimal.</summary>
    public required string C { get; init; }

    /// <summary>256 bytes, hex.</summary>
    public required string Proof { get; init; }

    /// <summary>The page afterwards.</summary>
    public required PageFile After { get; init; }

    /// <summary>What it does, lease by lease.</summary>
    public required IReadOnlyList<SettledLease> Settled { get; init; }

    /// <summary>The epoch before which it can't have been mined.</summary>
    public required ulong FromEpoch { get; init; }

    /// <summary>The transaction that was last sent, 0x…; empty: none that we know of.</summary>
    public string Transaction { get; init; } = "";
}

/// <summary>What a settlement does to one lease.</summary>
internal sealed record SettledLease(ulong LeaseId, int Slot, string Claimed, bool IsClosed);
