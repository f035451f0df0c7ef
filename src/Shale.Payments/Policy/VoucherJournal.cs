using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using Shale.Payments.Log;

namespace Shale.Payments.Policy;

/// <summary>Where the agent keeps its record of a lease.</summary>
public interface IVoucherJournal
{
    /// <summary>The newest entry; null before the first.</summary>
    LeaseRecord? Newest { get; }

    /// <summary>Appends an entry; it is on the disk when this returns.</summary>
    /// <exception cref="IOException">It is not: nothing of it may be used.</exception>
    void Append(LeaseRecord record);
}

/// <summary>
/// The agent's own log of one lease: every voucher that it signed, with statement and state, appended and flushed before the
/// voucher is sent. Files <c>lease-ID.NNNNNN.vouchers</c>, each of at most some 8 MiB; an entry is length (4 bytes), SHA-256 of
/// the payload (its first 8 bytes), payload. A torn last entry was never sent, and is cut off when the file is opened.
/// </summary>
public sealed class VoucherJournal : IVoucherJournal, IDisposable
{
    private const int HeaderSize = 12;

    /// <summary>Opening reads the last file only; 8 MiB are a day of charges every five seconds.</summary>
    private readonly long _segmentSize;

    private readonly string _folder;
    private readonly string _prefix;
    private FileStream _file;
    private int _segment;
    private bool _broken;

    private VoucherJournal(string folder, string prefix, int segment, FileStream file, LeaseRecord? newest, long segmentSize)
    {
        _folder = folder;
        _prefix = prefix;
        _segment = segment;
        _file = file;
        _segmentSize = segmentSize;
        Newest = newest;
    }

    /// <inheritdoc/>
    public LeaseRecord? Newest { get; private set; }

    /// <summary>Opens or begins a lease's log. One agent at a time has it open.</summary>
    /// <exception cref="IOException">Another agent has it, or it can't be read.</exception>
    public static VoucherJournal Open(string folder, ulong leaseId, long segmentSize = 8 << 20)
    {
        Directory.CreateDirectory(folder);
        string prefix = "lease-" + leaseId.ToString(CultureInfo.InvariantCulture) + ".";
        string[] segments = Directory.GetFiles(folder, prefix + "*.vouchers");
        Array.Sort(segments, StringComparer.Ordinal);
        LeaseRecord? newest = null;
        int segment = 0;

        // A new segment that a crash left empty has its state in the one before.
        for (int i = segments.Length - 1; i >= 0 && newest is null; i--)
        {
            (newest, long length) = Scan(segments[i]);
            if (i == segments.Length - 1)
            {
                segment = int.Parse(Path.GetFileName(segments[i]).AsSpan(prefix.Length, 6), CultureInfo.InvariantCulture);
                using FileStream tail = new(segments[i], FileMode.Open, FileAccess.Write, FileShare.None);
                tail.SetLength(length);
            }
        }

        return new VoucherJournal(folder, prefix, segment, OpenSegment(folder, prefix, segment), newest, segmentSize);
    }

    /// <inheritdoc/>
    public void Append(LeaseRecord record)
    {
        if (_broken)
        {
            throw new IOException($"The agent's log {_file.Name} could not be written before; restart the agent when the disk is well.");
        }

        if (_file.Length >= _segmentSize)
        {
            FileStream next = OpenSegment(_folder, _prefix, _segment + 1);
            _file.Dispose();
            (_file, _segment) = (next, _segment + 1);
        }

        byte[] payload = record.ToBytes();
        byte[] entry = new byte[HeaderSize + payload.Length];
        BinaryPrimitives.WriteInt32BigEndian(entry, payload.Length);
        SHA256.HashData(payload).AsSpan(0, 8).CopyTo(entry.AsSpan(4));
        payload.CopyTo(entry, HeaderSize);
        long start = _file.Length;
        try
        {
            _file.Position = start;
            _file.Write(entry);
            _file.Flush(flushToDisk: true);
        }
        catch (IOException)
        {
            CutOff(start);
            throw;
        }

        Newest = record;
    }

    /// <summary>All entries that can be read, oldest first.</summary>
    public static IEnumerable<LeaseRecord> ReadAll(string folder, ulong leaseId)
    {
        string[] segments = Directory.GetFiles(folder, "lease-" + leaseId.ToString(CultureInfo.InvariantCulture) + ".*.vouchers");
        Array.Sort(segments, StringComparer.Ordinal);
        foreach (string path in segments)
        {
            using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            while (ReadEntry(file) is { } record)
            {
                yield return record;
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    /// <summary>After a failed write the file's end is unknown; if it can't be put right nothing more is appended.</summary>
    private void CutOff(long length)
    {
        try
        {
            _file.SetLength(length);
            _file.Flush(flushToDisk: true);
        }
        catch (IOException)
        {
            _broken = true;
        }
    }

    private static FileStream OpenSegment(string folder, string prefix, int segment)
    {
        string path = Path.Combine(folder, prefix + segment.ToString("D6", CultureInfo.InvariantCulture) + ".vouchers");
        var file = new FileStream(path, new FileStreamOptions
        {
            Mode = FileMode.OpenOrCreate,
            Access = FileAccess.ReadWrite,
            Share = FileShare.Read,
            BufferSize = 0,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        Durable.FlushFolder(folder);
        return file;
    }

    private static (LeaseRecord? Newest, long Length) Scan(string path)
    {
        using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        LeaseRecord? newest = null;
        long length = 0;
        while (ReadEntry(file) is { } record)
        {
            newest = record;
            length = file.Position;
        }

        return (newest, length);
    }

    private static LeaseRecord? ReadEntry(FileStream file)
    {
        Span<byte> header = stackalloc byte[HeaderSize];
        if (file.ReadAtLeast(header, HeaderSize, throwOnEndOfStream: false) < HeaderSize)
        {
            return null;
        }

        int length = BinaryPrimitives.ReadInt32BigEndian(header);
        if (length is <= 0 or > LeaseRecord.MaxSize)
        {
            return null;
        }

        byte[] payload = new byte[length];
        return file.ReadAtLeast(payload, length, throwOnEndOfStream: false) == length &&
            SHA256.HashData(payload).AsSpan(0, 8).SequenceEqual(header[4..]) &&
            LeaseRecord.TryRead(payload, out LeaseRecord? record)
            ? record
            : null;
    }
}
