using Shale.Bn254.BabyJubjub;
using Shale.Settlement.Batching;
using Shale.Settlement.Claims;
using Xunit;

namespace Shale.Settlement.Tests.Batching;

/// <summary>A page rebuilt from events is the page that the settlements made: the published vectors are replayed through their calls alone.</summary>
public sealed class PageHistoryTests
{
    private static readonly BabyJubjubPoint One = EdDsa.PublicKey(new byte[32]).Point;
    private static readonly BabyJubjubPoint Two = EdDsa.PublicKey([1, .. new byte[31]]).Point;

    [Fact]
    public void Page_FromItsEvents_HasTheLeavesThatWereSettled()
    {
        var history = new PageHistory(8);
        Assert.Equal(PageState.Empty(8).Root, history.ToState().Root);
        Assert.True(history.Confirm(3, 41, One));
        Assert.Equal(PageState.Empty(8).Root, history.ToState().Root); // confirmed, and not yet folded in
        Assert.True(Settle(history, new SettlementEntry(3, EntryFlags.Listed | EntryFlags.Sync | EntryFlags.Fresh | EntryFlags.Pay, 10, 41, 100)));
        Assert.True(Settle(history, new SettlementEntry(3, EntryFlags.Listed | EntryFlags.Pay, 20, 41, 0)));
        Assert.Equal(new Leaf(41, One, 100, 20), history.ToState().Leaves[3]);
        Assert.True(Settle(history, new SettlementEntry(3, EntryFlags.Listed | EntryFlags.Sync | EntryFlags.Pay | EntryFlags.Close, 150, 41, 200)));

        // The slot's next lease: the old leaf stays until the new one is first settled.
        Assert.True(history.Confirm(3, 42, Two));
        Assert.Equal(new Leaf(41, One, 200, 150), history.ToState().Leaves[3]);
        Assert.True(Settle(history, new SettlementEntry(3, EntryFlags.Listed | EntryFlags.Sync | EntryFlags.Fresh, 0, 42, 7)));
        Assert.Equal(new Leaf(42, Two, 7, 0), history.ToState().Leaves[3]);
        Assert.Equal(PageState.Of([null, null, null, new Leaf(42, Two, 7, 0), null, null, null, null]).Root, history.ToState().Root);
    }

    [Fact]
    public void Events_ThatDoNotFollow_AreRefused()
    {
        var history = new PageHistory(8);
        Assert.False(history.Confirm(8, 1, One));
        Assert.False(Settle(history, new SettlementEntry(0, EntryFlags.Listed | EntryFlags.Pay, 1, 0, 0))); // no leaf to go on from
        Assert.False(Settle(history, new SettlementEntry(0, EntryFlags.Listed | EntryFlags.Sync | EntryFlags.Fresh, 1, 0, 1))); // nothing was confirmed there
        Assert.False(history.Settle([1, 2, 3]));
    }

    private static bool Settle(PageHistory history, params SettlementEntry[] entries) => history.Settle(EntryEncoding.EncodeEntries(entries));
}
