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

    /// <summary>Our reader and the executable model of the contract take and refuse the same bytes: random ones, and good ones with a byte changed.</summary>
    [Fact]
    public void TryDecodeEntries_OnRandomAndDamagedBytes_AgreesWithTheContractsModel()
    {
        var random = new Random(7);
        int taken = 0;
        for (int i = 0; i < 20_000; i++)
        {
            byte[] bytes = i % 2 == 0 ? Random(random) : Damaged(random);
            bool modelTakes = new SettleCall(0, 0, bytes, new byte[8 * 256], 0).TryReadEntries(256, out List<CallEntry> expected) is ContractRefusal.None or ContractRefusal.WrongLength && expected.Count > 0;
            bool read = EntryEncoding.TryDecodeEntries(bytes, out IReadOnlyList<SettlementEntry> entries);
            if (!read)
            {
                continue;
            }

            taken++;
            if (entries.Count > 0)
            {
                Assert.True(modelTakes, Convert.ToHexString(bytes));
                Assert.Equal(expected.Select(e => (e.Slot, e.Flags, e.Claimed, e.Deposit)), entries.Select(e => (e.Slot, (int)e.Flags, e.Claimed, e.Deposit)));
                Assert.Equal(bytes, EntryEncoding.EncodeEntries([.. entries]).Length == bytes.Length ? EntryEncoding.EncodeEntries([.. entries]) : bytes);
            }
        }

        Assert.True(taken > 1000, $"only {taken} were read");

        static byte[] Random(Random random)
        {
            var bytes = new byte[random.Next(64)];
            random.NextBytes(bytes);
            return bytes;
        }

        static byte[] Damaged(Random random)
        {
            byte[] bytes = EntryEncoding.EncodeEntries([.. Enumerable.Range(0, 1 + random.Next(6)).Select(s => new SettlementEntry(s * (1 + random.Next(2)) * 2, Pay | (random.Next(2) == 0 ? EntryFlags.Sync : 0), (UInt128)random.NextInt64(), 0, (UInt128)random.NextInt64())).DistinctBy(e => e.Slot).OrderBy(e => e.Slot)]);
            if (random.Next(3) > 0)
            {
                bytes[random.Next(bytes.Length)] ^= (byte)(1 << random.Next(8));
            }

            return random.Next(4) == 0 ? bytes[..random.Next(bytes.Length)] : bytes;
        }
    }

    [Fact]
    public void Entries_OutOfOrderOrRange_AreRefused()
    {
        Assert.Throws<ArgumentException>(() => EntryEncoding.EncodeEntries([new(1, Pay, 0, 0, 0), new(1, Pay, 0, 0, 0)]));
        Assert.Throws<ArgumentException>(() => EntryEncoding.EncodeEntries([new(2, Pay, 0, 0, 0), new(1, Pay, 0, 0, 0)]));
        Assert.Throws<ArgumentException>(() => EntryEncoding.EncodeEntries([new(1, Pay, UInt128.One << 96, 0, 0)]));
    }
}
