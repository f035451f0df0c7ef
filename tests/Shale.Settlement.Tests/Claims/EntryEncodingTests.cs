using Shale.Settlement.Claims;
using Shale.Settlement.Tests.Model;
using Xunit;

namespace Shale.Settlement.Tests.Claims;

public sealed class EntryEncodingTests
{
    private const EntryFlags Pay = EntryFlags.Listed | EntryFlags.Pay;

    [Fact]
    public void Entries_OfNeighboursWithTheSameFlags_AreOneRun()
    {
        // docs/SETTLEMENT.md: a page of 256 that all pay is 3 + 256·12 bytes.
        SettlementEntry[] entries = [.. Enumerable.Range(0, 256).Select(i => new SettlementEntry(i, Pay, (UInt128)i, 1, 0))];
        byte[] bytes = EntryEncoding.EncodeEntries(entries);
        Assert.Equal(3 + (256 * 12), bytes.Length);
        Assert.Equal([0, 255, 9], bytes[..3]);
        Assert.Empty(EntryEncoding.EncodeLeaseIds(entries));
    }

    [Fact]
    public void Entries_ReadBackByTheContractsRules_AreThoseWritten()
    {
        SettlementEntry[] entries =
        [
            new(0, Pay, 5, 11, 0), new(1, Pay, 6, 12, 0), new(3, Pay, 7, 13, 0),
            new(4, Pay | EntryFlags.Sync, 8, 14, 99), new(5, Pay | EntryFlags.Sync | EntryFlags.Fresh, 9, 15, 98),
            new(6, EntryFlags.Listed | EntryFlags.Close, (UInt128.One << 96) - 1, 16, 0),
        ];
        var call = new SettleCall(0, 0, EntryEncoding.EncodeEntries(entries), EntryEncoding.EncodeLeaseIds(entries), 0);
        Assert.Equal(ContractRefusal.None, call.TryReadEntries(8, out List<CallEntry> read));
        Assert.Equal(entries.Select(e => (e.Slot, (int)e.Flags, e.Claimed)), read.Select(e => (e.Slot, e.Flags, e.Claimed)));
        Assert.Equal([null, null, null, 14UL, 15UL, 16UL], read.Select(e => e.Lease));
        Assert.Equal([0, 0, 0, 99, 98, 0], read.Select(e => (int)e.Deposit));
    }

    [Fact]
    public void Entries_OutOfOrderOrRange_AreRefused()
    {
        Assert.Throws<ArgumentException>(() => EntryEncoding.EncodeEntries([new(1, Pay, 0, 0, 0), new(1, Pay, 0, 0, 0)]));
        Assert.Throws<ArgumentException>(() => EntryEncoding.EncodeEntries([new(2, Pay, 0, 0, 0), new(1, Pay, 0, 0, 0)]));
        Assert.Throws<ArgumentException>(() => EntryEncoding.EncodeEntries([new(1, Pay, UInt128.One << 96, 0, 0)]));
    }
}
