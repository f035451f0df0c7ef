using System.Buffers.Binary;

namespace Shale.Settlement.Claims;

/// <summary>
/// The bytes that <c>ShaleMarket.settle</c> takes entries in (docs/SETTLEMENT.md, "The call"): runs of neighbouring slots with the same flags,
/// each <c>first ‖ last ‖ flags</c> and 12 bytes of claimed amount per slot, followed by 12 bytes of deposit where the run syncs.
/// </summary>
public static class EntryEncoding
{
    private const int AmountSize = 12;
    private const EntryFlags AllFlags = EntryFlags.Listed | EntryFlags.Sync | EntryFlags.Fresh | EntryFlags.Pay | EntryFlags.Close;

    /// <summary>The <c>entries</c> argument.</summary>
    /// <exception cref="ArgumentException">Slots don't strictly increase, or an amount or slot is out of range.</exception>
    public static byte[] EncodeEntries(IReadOnlyList<SettlementEntry> entries)
    {
        ArgumentNullException.ThrowIfNull(entries);
        using var stream = new MemoryStream();
        for (int start = 0; start < entries.Count;)
        {
            int end = start + 1;
            while (end < entries.Count && entries[end].Slot == entries[end - 1].Slot + 1 && entries[end].Flags == entries[start].Flags)
            {
                end++;
            }

            if (start > 0 && entries[start].Slot <= entries[start - 1].Slot)
            {
                throw new ArgumentException("Slots must strictly increase.", nameof(entries));
            }

            WriteRun(stream, entries, start, end);
            start = end;
        }

        return stream.ToArray();
    }

    /// <summary>The <c>leaseIds</c> argument: 8 bytes for each entry that syncs or closes, in order.</summary>
    public static byte[] EncodeLeaseIds(IReadOnlyList<SettlementEntry> entries)
    {
        ArgumentNullException.ThrowIfNull(entries);
        SettlementEntry[] named = [.. entries.Where(e => e.Has(EntryFlags.Sync | EntryFlags.Close))];
        var bytes = new byte[8 * named.Length];
        for (int i = 0; i < named.Length; i++)
        {
            BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(8 * i), named[i].LeaseId);
        }

        return bytes;
    }

    /// <summary>Reads the <c>entries</c> of a call or an event. Lease numbers are not in them, deposits only where an entry syncs; both are then 0.</summary>
    /// <returns>False for bytes that the contract would refuse.</returns>
    public static bool TryDecodeEntries(ReadOnlySpan<byte> bytes, out IReadOnlyList<SettlementEntry> entries)
    {
        var read = new List<SettlementEntry>();
        entries = read;
        int next = 0;
        while (!bytes.IsEmpty)
        {
            if (bytes.Length < 3 || bytes[0] < next || bytes[1] < bytes[0])
            {
                return false;
            }

            var (first, last, flags) = (bytes[0], bytes[1], (EntryFlags)bytes[2]);
            bool syncs = (flags & EntryFlags.Sync) != 0;
            if ((flags & EntryFlags.Listed) == 0 || (flags & ~AllFlags) != 0 || ((flags & EntryFlags.Fresh) != 0 && !syncs))
            {
                return false;
            }

            int size = syncs ? 2 * AmountSize : AmountSize;
            bytes = bytes[3..];
            if (bytes.Length < (last - first + 1) * size)
            {
                return false;
            }

            for (int slot = first; slot <= last; slot++, bytes = bytes[size..])
            {
                read.Add(new SettlementEntry(slot, flags, ReadAmount(bytes), 0, syncs ? ReadAmount(bytes[AmountSize..]) : 0));
            }

            next = last + 1;
        }

        return true;
    }

    private static UInt128 ReadAmount(ReadOnlySpan<byte> bytes) =>
        ((UInt128)BinaryPrimitives.ReadUInt32BigEndian(bytes) << 64) + BinaryPrimitives.ReadUInt64BigEndian(bytes[4..]);

    private static void WriteRun(MemoryStream stream, IReadOnlyList<SettlementEntry> entries, int start, int end)
    {
        stream.WriteByte(checked((byte)entries[start].Slot));
        stream.WriteByte(checked((byte)entries[end - 1].Slot));
        stream.WriteByte(checked((byte)entries[start].Flags));
        for (int i = start; i < end; i++)
        {
            WriteAmount(stream, entries[i].Claimed);
            if (entries[i].Has(EntryFlags.Sync))
            {
                WriteAmount(stream, entries[i].Deposit);
            }
        }
    }

    private static void WriteAmount(MemoryStream stream, UInt128 amount)
    {
        if (amount >> (8 * AmountSize) != 0)
        {
            throw new ArgumentException("An amount is below 2^96 attoFIL.", nameof(amount));
        }

        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, amount);
        stream.Write(bytes[4..]);
    }
}
