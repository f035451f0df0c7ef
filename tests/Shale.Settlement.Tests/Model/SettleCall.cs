using System.Buffers.Binary;
using System.Numerics;

namespace Shale.Settlement.Tests.Model;

/// <summary>The arguments of settle as anyone may send them: numbers of 256 bits, not field elements.</summary>
internal sealed record SettleCall(BigInteger NewRoot, BigInteger Paid, byte[] Entries, byte[] LeaseIds, BigInteger C)
{
    /// <summary>Reads the runs; a refusal where they are not well formed.</summary>
    public ContractRefusal TryReadEntries(int slots, out List<CallEntry> entries)
    {
        entries = [];
        int previous = -1, named = 0;
        for (int at = 0; at < Entries.Length;)
        {
            if (Entries.Length - at < 3)
            {
                return ContractRefusal.WrongLength;
            }

            (int first, int last, int flags) = (Entries[at], Entries[at + 1], Entries[at + 2]);
            at += 3;
            if ((flags & ~31) != 0 || (flags & 1) == 0 || ((flags & 4) != 0 && (flags & 2) == 0))
            {
                return ContractRefusal.WrongFlags;
            }

            if (first <= previous || last < first || last >= slots)
            {
                return ContractRefusal.WrongSlots;
            }

            previous = last;
            int size = (flags & 2) != 0 ? 24 : 12;
            if (Entries.Length - at < size * (last - first + 1))
            {
                return ContractRefusal.WrongLength;
            }

            for (int slot = first; slot <= last; slot++, at += size)
            {
                ulong? lease = null;
                if ((flags & (2 | 16)) != 0)
                {
                    if (LeaseIds.Length - named < 8)
                    {
                        return ContractRefusal.WrongLength;
                    }

                    lease = BinaryPrimitives.ReadUInt64BigEndian(LeaseIds.AsSpan(named));
                    named += 8;
                }

                entries.Add(new CallEntry(slot, flags, Amount(at), lease, size == 24 ? Amount(at + 12) : 0));
            }
        }

        return named == LeaseIds.Length ? ContractRefusal.None : ContractRefusal.WrongLength;
    }

    private UInt128 Amount(int at)
    {
        UInt128 value = 0;
        for (int i = 0; i < 12; i++)
        {
            value = (value << 8) | Entries[at + i];
        }

        return value;
    }
}

/// <summary>One slot of a call.</summary>
internal readonly record struct CallEntry(int Slot, int Flags, UInt128 Claimed, ulong? Lease, UInt128 Deposit)
{
    public bool Sync => (Flags & 2) != 0;

    public bool Fresh => (Flags & 4) != 0;

    public bool Close => (Flags & 16) != 0;
}
