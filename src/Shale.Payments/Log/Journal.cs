using System.Buffers;
using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;

namespace Shale.Payments.Log;

/// <summary>
/// The log's newest entries, appended and made durable before anyone is acknowledged; tiles are derived from it (docs/VOUCHERLOG.md).
/// One file a segment: <c>journal/FIRST</c> with FIRST the index of its first entry, 20 digits. A segment begins with 16 bytes: the text
/// <c>SHALEJ1\n</c> and FIRST as u64 big-endian. A record is u32 length, u32 CRC-32C of length and payload, payload.
/// </summary>
internal sealed class Journal : IDisposable
{
    public const int HeaderBytes = 16;
    public const int RecordOverhead = 8;

    private static ReadOnlySpan<byte> Magic => "SHALEJ1\n"u8;

    private readonly SafeFileHandle _file;
    private readonly ArrayBufferWriter<byte> _batch = new(1 << 16);
    private long _length;

    private Journal(SafeFileHandle file, long length)
    {
        _file = file;
        _length = length;
    }

    /// <summary>Bytes in the segment.</summary>
    public long Length => _length;

    /// <summary>Begins a segment whose first entry is <paramref name="first"/>; durable with its folder entry when this returns.</summary>
    /// <exception cref="IOException">It can't be made, for want of room; nothing of it is left, and another try may succeed.</exception>
    public static Journal Create(string folder, long first)
    {
        var path = Path.Combine(folder, LogRecovery.SegmentName(first));
        var file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Read);
        Span<byte> header = stackalloc byte[HeaderBytes];
        Magic.CopyTo(header);
        BinaryPrimitives.WriteInt64BigEndian(header[8..], first);
        try
        {
            RandomAccess.Write(file, header, 0);
            RandomAccess.FlushToDisk(file);
            Durable.FlushFolder(folder);
            return new Journal(file, HeaderBytes);
        }
        catch (IOException)
        {
            file.Dispose();
            File.Delete(path);
            throw;
        }
    }

    /// <summary>Reopens a segment for appending behind its last whole record, cutting off what follows.</summary>
    public static Journal Reopen(string path, long length)
    {
        var file = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.Read);
        if (RandomAccess.GetLength(file) != length)
        {
            RandomAccess.SetLength(file, length);
            RandomAccess.FlushToDisk(file);
        }

        return new Journal(file, length);
    }

    /// <summary>Adds a record to the batch that the next <see cref="Commit"/> writes.</summary>
    public void Add(ReadOnlySpan<byte> payload)
    {
        var span = _batch.GetSpan(RecordOverhead + payload.Length);
        BinaryPrimitives.WriteInt32BigEndian(span, payload.Length);
        payload.CopyTo(span[RecordOverhead..]);
        BinaryPrimitives.WriteUInt32BigEndian(span[4..], RecordChecksum(payload));
        _batch.Advance(RecordOverhead + payload.Length);
    }

    /// <summary>Writes the batch with one write and one flush to the disk.</summary>
    /// <exception cref="IOException">The disk is full: nothing of the batch counts, the file is cut back, and a later batch may succeed.</exception>
    /// <exception cref="VoucherLogException">The flush failed. The kernel may have dropped what it was asked to keep: the log has to be opened again.</exception>
    public void Commit()
    {
        try
        {
            RandomAccess.Write(_file, _batch.WrittenSpan, _length);
        }
        catch (IOException)
        {
            RandomAccess.SetLength(_file, _length);
            _batch.ResetWrittenCount();
            throw;
        }

        try
        {
            RandomAccess.FlushToDisk(_file);
        }
        catch (IOException cause)
        {
            throw new VoucherLogException("The voucher log could not be flushed to its disk: " + cause.Message + " Check the disk, then start the gateway again.", cause);
        }

        _length += _batch.WrittenCount;
        _batch.ResetWrittenCount();
    }

    /// <summary>Reads a segment's whole records.</summary>
    /// <param name="path">The file.</param>
    /// <param name="first">The index of its first entry.</param>
    /// <param name="entry">Is given each payload in order.</param>
    /// <returns>The length up to the last whole record, and how many bytes lie behind it.</returns>
    /// <exception cref="VoucherLogException">The header is not a segment's.</exception>
    public static (long Length, long CutOff) Read(string path, long first, Action<ReadOnlyMemory<byte>> entry)
    {
        // A segment holds at most VoucherLogWriter.SegmentEntries entries of at most 64 KiB; in practice some 60 MB.
        var bytes = File.ReadAllBytes(path);
        if (bytes.Length < HeaderBytes)
        {
            // Killed while it was made: no entry was ever acknowledged from it.
            return (0, bytes.Length);
        }

        if (!bytes.AsSpan(0, 8).SequenceEqual(Magic) || BinaryPrimitives.ReadInt64BigEndian(bytes.AsSpan(8)) != first)
        {
            throw new VoucherLogException($"{path} is not a journal segment that begins at entry {first}: its header differs. Restore it from a mirror, or begin a new log under a new origin.");
        }

        long at = HeaderBytes;
        while (bytes.Length - at >= RecordOverhead)
        {
            var record = bytes.AsSpan((int)at);
            var length = BinaryPrimitives.ReadInt32BigEndian(record);
            if (length is < 1 or > VoucherLogWriter.MaxEntryBytes || record.Length - RecordOverhead < length ||
                BinaryPrimitives.ReadUInt32BigEndian(record[4..]) != RecordChecksum(record.Slice(RecordOverhead, length)))
            {
                break;
            }

            entry(bytes.AsMemory((int)at + RecordOverhead, length));
            at += RecordOverhead + length;
        }

        return (at, bytes.Length - at);
    }

    public void Dispose() => _file.Dispose();

    private static uint RecordChecksum(ReadOnlySpan<byte> payload)
    {
        Span<byte> length = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(length, payload.Length);
        return ~Crc32C(Crc32C(uint.MaxValue, length), payload);
    }

    /// <summary>CRC-32C (Castagnoli), by the processor's instruction where it has one.</summary>
    private static uint Crc32C(uint crc, ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length >= 8)
        {
            crc = System.Numerics.BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
            bytes = bytes[8..];
        }

        foreach (var value in bytes)
        {
            crc = System.Numerics.BitOperations.Crc32C(crc, value);
        }

        return crc;
    }
}
