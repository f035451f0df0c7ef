using System.Buffers.Binary;
using System.Globalization;

namespace Shale.Interop.Tests.Payments;

/// <summary>
/// What both sides have on their disks, read by docs/VOUCHERLOG.md and docs/PROTOCOL.payment.md (section 8) alone: nothing of the product's code reads here.
/// </summary>
internal static class PaymentFiles
{
    private const int VoucherSize = 115;
    private const int AmountSize = 12;

    /// <summary>A voucher: the lease, the amount, and all of its bytes in hexadecimal.</summary>
    public sealed record Voucher(ulong Lease, UInt128 Amount, string Bytes)
    {
        public static Voucher Read(ReadOnlySpan<byte> bytes) =>
            new(BinaryPrimitives.ReadUInt64BigEndian(bytes), Amount96(bytes[8..]), Convert.ToHexStringLower(bytes[..VoucherSize]));
    }

    /// <summary>An entry of the voucher log's journal.</summary>
    public sealed record Entry(int Kind, ulong Lease, Voucher? Voucher);

    /// <summary>A meter's file.</summary>
    public sealed record Meter(int Phase, ulong Active, ulong Paused, uint Window, UInt128 Settled, UInt128 Authorised);

    /// <summary>The whole records of the log's segments, in order; what is torn at the end is not there.</summary>
    public static List<Entry> Log(string state)
    {
        var entries = new List<Entry>();
        foreach (var path in Directory.GetFiles(Path.Combine(state, "log", "journal")).Order(StringComparer.Ordinal))
        {
            var bytes = ReadShared(path);
            for (var at = 16; bytes.Length - at >= 8;)
            {
                var length = BinaryPrimitives.ReadInt32BigEndian(bytes.AsSpan(at));
                if (length <= 0 || bytes.Length - at - 8 < length)
                {
                    break;
                }

                var payload = bytes.AsSpan(at + 8, length);
                var kind = payload[1];
                entries.Add(new Entry(kind, BinaryPrimitives.ReadUInt64BigEndian(payload[2..]), kind == 2 ? Voucher.Read(payload[18..]) : null));
                at += 8 + length;
            }
        }

        return entries;
    }

    /// <summary>The vouchers that the log holds of a lease.</summary>
    public static List<Voucher> Logged(string state, ulong lease) => [.. Log(state).Where(e => e.Voucher is not null && e.Lease == lease).Select(e => e.Voucher!)];

    /// <summary>The vouchers that the agent signed for a lease.</summary>
    public static List<Voucher> Signed(string agent, ulong lease)
    {
        var vouchers = new List<Voucher>();
        var folder = Path.Combine(agent, "vouchers");
        if (!Directory.Exists(folder))
        {
            return vouchers;
        }

        foreach (var path in Directory.GetFiles(folder, string.Create(CultureInfo.InvariantCulture, $"lease-{lease}.*.vouchers")).Order(StringComparer.Ordinal))
        {
            var bytes = ReadShared(path);
            for (var at = 0; bytes.Length - at >= 12;)
            {
                var length = BinaryPrimitives.ReadInt32BigEndian(bytes.AsSpan(at));
                if (length <= 0 || bytes.Length - at - 12 < length)
                {
                    break;
                }

                // version, string voucher
                vouchers.Add(Voucher.Read(bytes.AsSpan(at + 12 + 1 + 4)));
                at += 12 + length;
            }
        }

        return vouchers;
    }

    /// <summary>A lease's meter; null before it was first stored.</summary>
    public static Meter? ReadMeter(string state, ulong lease)
    {
        var path = Path.Combine(state, "meters", string.Create(CultureInfo.InvariantCulture, $"lease-{lease}.meter"));
        if (!File.Exists(path))
        {
            return null;
        }

        var bytes = ReadShared(path).AsSpan();
        var voucher = bytes[(2 + 5 * 8 + 4 + AmountSize + 8 + 1 + AmountSize)..];
        return new Meter(
            bytes[1],
            BinaryPrimitives.ReadUInt64BigEndian(bytes[18..]),
            BinaryPrimitives.ReadUInt64BigEndian(bytes[26..]),
            BinaryPrimitives.ReadUInt32BigEndian(bytes[42..]),
            Amount96(bytes[46..]),
            BinaryPrimitives.ReadInt32BigEndian(voucher) == 0 ? 0 : Voucher.Read(voucher[4..]).Amount);
    }

    private static UInt128 Amount96(ReadOnlySpan<byte> bytes) =>
        new(BinaryPrimitives.ReadUInt32BigEndian(bytes), BinaryPrimitives.ReadUInt64BigEndian(bytes[4..]));

    /// <summary>A file that is being written.</summary>
    private static byte[] ReadShared(string path)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        var bytes = new byte[file.Length];
        var length = file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        return bytes[..length];
    }
}
