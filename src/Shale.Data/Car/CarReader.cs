using Shale.Data.Cids;

namespace Shale.Data.Car;

/// <summary>A buffer that a reader fills with whole sections; reused from call to call, so that memory does not grow with the file.</summary>
internal sealed class CarWindow
{
    /// <summary>Sixteen of the usual blocks of a mebibyte, as many as are hashed side by side.</summary>
    public const int DefaultLength = 17 << 20;

    public byte[] Buffer { get; }

    public List<CarBlock> Blocks { get; } = [];

    public CarWindow(int length = DefaultLength)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(length, CarReader.MaxSectionLength + Varint.MaxLength);
        Buffer = GC.AllocateUninitializedArray<byte>(length);
    }
}

/// <summary>
/// Reads a CAR, version 1 or 2, from a stream that need not seek. It takes sections apart and does not hash:
/// it is for its caller to hash them. Not for several threads.
/// </summary>
public sealed class CarReader
{
    /// <summary>
    /// The longest section that is read, in bytes. Blocks that travel between IPFS nodes have at most 2 MiB; 8 MiB is what
    /// other CAR readers allow. A longer length is a lie or a bomb, and is refused before memory is asked for.
    /// </summary>
    public const int MaxSectionLength = 8 << 20;

    // A short read of a stream costs a call; this is how much is asked for at once.
    private const int ReadLength = 4 << 20;

    private readonly Stream _stream;
    private readonly bool _zeroPadded;
    private CarWindow? _own;
    private int _ownIndex;
    private byte[] _carry = [];
    private long _left;
    private bool _ended;
    private DataError _pending;

    private CarReader(Stream stream, bool zeroPadded, IReadOnlyList<Cid> roots, CarV2Header? header, long payloadStart, long firstSection, long left)
    {
        _stream = stream;
        _zeroPadded = zeroPadded;
        Roots = roots;
        HeaderV2 = header;
        PayloadStart = payloadStart;
        Position = firstSection;
        _left = left;
    }

    /// <summary>The roots that the header names, in its order.</summary>
    public IReadOnlyList<Cid> Roots { get; }

    /// <summary>The header of version 2; null for version 1.</summary>
    public CarV2Header? HeaderV2 { get; }

    /// <summary>Where the version 1 payload starts in the stream: 0 for version 1.</summary>
    public long PayloadStart { get; }

    /// <summary>How far the payload was read, in bytes from its start.</summary>
    public long Position { get; private set; }

    /// <summary>Reads the header.</summary>
    /// <param name="stream">Untrusted bytes, from the start of a CAR. Stays the caller's.</param>
    /// <param name="zeroPadded">Whether zeros to the end of the stream may follow the last section, as they do in a piece.</param>
    /// <param name="reader">The reader.</param>
    /// <returns>None, or what is wrong with the header.</returns>
    public static DataError TryOpen(Stream stream, bool zeroPadded, out CarReader? reader)
    {
        reader = null;
        var error = ReadHeader(stream, long.MaxValue, out var version, out var roots, out var length);
        if (error.IsError)
        {
            return error;
        }

        if (version == 1)
        {
            reader = new CarReader(stream, zeroPadded, roots, null, 0, length, long.MaxValue);
            return DataError.None;
        }

        Span<byte> fixedHeader = stackalloc byte[40];
        var n = stream.ReadAtLeast(fixedHeader, 40, throwOnEndOfStream: false);
        if (n < 40)
        {
            return new DataError(DataFault.CarTruncated, "the file ends in the version 2 header", length + n);
        }

        error = CarV2Header.TryRead(fixedHeader, out var header);
        if (error.IsError)
        {
            return error;
        }

        if (stream.CanSeek && header.DataOffset + header.DataSize > stream.Length)
        {
            return new DataError(DataFault.CarOffsets, $"the payload ends at {header.DataOffset + header.DataSize} and the file at {stream.Length}", 11 + 24);
        }

        error = Skip(stream, header.DataOffset - CarV2Header.Length);
        if (error.IsError)
        {
            return error;
        }

        error = ReadHeader(stream, header.DataSize, out version, out roots, out length);
        if (error.IsError)
        {
            return error.Within(header.DataOffset, "payload");
        }

        if (version != 1)
        {
            return new DataError(DataFault.CarVersion, "the payload of a version 2 CAR has version 2 again", header.DataOffset);
        }

        reader = new CarReader(stream, zeroPadded, roots, header, header.DataOffset, length, header.DataSize - length);
        return DataError.None;
    }

    /// <summary>Reads the next section.</summary>
    /// <param name="block">The section; its bytes are valid until the next call.</param>
    /// <param name="error">None, or what is wrong; reading cannot go on then.</param>
    /// <returns>False at the end and after an error.</returns>
    public bool TryRead(out CarBlock block, out DataError error)
    {
        error = DataError.None;
        block = default;
        _own ??= new CarWindow(MaxSectionLength + ReadLength);
        if (_ownIndex == _own.Blocks.Count)
        {
            _ownIndex = 0;
            error = _pending;
            if (error.IsError)
            {
                return false;
            }

            _pending = TryReadWindow(_own);
            if (_own.Blocks.Count == 0)
            {
                error = _pending;
                return false;
            }
        }

        block = _own.Blocks[_ownIndex++];
        return true;
    }

    /// <summary>Fills a window with the sections that come next; no section means the end. Sections before an error are delivered with it.</summary>
    internal DataError TryReadWindow(CarWindow window)
    {
        window.Blocks.Clear();
        if (_ended)
        {
            return DataError.None;
        }

        var buffer = window.Buffer;
        _carry.CopyTo(buffer, 0);
        int start = 0, end = _carry.Length;
        _carry = [];
        var exhausted = false;
        while (true)
        {
            while (end < buffer.Length && !exhausted)
            {
                var want = (int)Math.Min(Math.Min(ReadLength, buffer.Length - end), _left);
                var n = want == 0 ? 0 : _stream.Read(buffer, end, want);
                _left -= n;
                end += n;
                exhausted = n == 0;
            }

            var error = ParseSection(buffer, start, end, exhausted, out var block, out var length);
            if (error.IsError)
            {
                _ended = true;
                return error;
            }

            if (length == 0)
            {
                // The window ends inside a section, or the file ends.
                _ended = exhausted && start == end;
                _carry = buffer.AsSpan(start, end - start).ToArray();
                return DataError.None;
            }

            if (length < 0)
            {
                _ended = true;
                return CheckPadding(buffer.AsSpan(start, end - start));
            }

            window.Blocks.Add(block);
            start += length;
            Position += length;
        }
    }

    private DataError ParseSection(byte[] buffer, int start, int end, bool exhausted, out CarBlock block, out int length)
    {
        block = default;
        length = 0;
        var rest = buffer.AsSpan(start, end - start);
        if (rest.Length == 0)
        {
            return exhausted && HeaderV2 is not null && _left > 0
                ? new DataError(DataFault.CarTruncated, "the file ends before the payload that the version 2 header names", PayloadStart + Position)
                : DataError.None;
        }

        var error = Varint.TryRead(rest, out var sectionLength, out var n);
        if (error.IsError)
        {
            if (error.Fault != DataFault.VarintTruncated)
            {
                return error.Within(PayloadStart + Position, "section length");
            }

            return exhausted ? new DataError(DataFault.CarTruncated, "the file ends in a section's length", PayloadStart + Position + rest.Length) : DataError.None;
        }

        if (sectionLength == 0)
        {
            length = -1;
            return _zeroPadded ? DataError.None : new DataError(DataFault.CarSection, "a section of no bytes holds no CID", PayloadStart + Position);
        }

        if (sectionLength > MaxSectionLength)
        {
            return new DataError(DataFault.CarTooLarge, $"a section of {sectionLength} bytes exceeds the limit of {MaxSectionLength}", PayloadStart + Position);
        }

        if (rest.Length - n < (int)sectionLength)
        {
            return exhausted ? new DataError(DataFault.CarTruncated, $"the file ends in a section of {sectionLength} bytes", PayloadStart + Position + rest.Length) : DataError.None;
        }

        error = Cid.TryRead(rest.Slice(n, (int)sectionLength), out var cid, out var cidLength);
        if (error.IsError)
        {
            return error.Fault == DataFault.CidTruncated || error.Fault == DataFault.VarintTruncated
                ? new DataError(DataFault.CarSection, $"a section of {sectionLength} bytes is too short for its CID", PayloadStart + Position + n)
                : error.Within(PayloadStart + Position + n, "section");
        }

        length = n + (int)sectionLength;
        block = new CarBlock(cid!, buffer.AsMemory(start + n + cidLength, (int)sectionLength - cidLength), Position, Position + n + cidLength);
        return DataError.None;
    }

    private DataError CheckPadding(ReadOnlySpan<byte> rest)
    {
        var fault = new DataError(DataFault.CarSection, "something other than zeros follows the last section", PayloadStart + Position);
        if (rest.ContainsAnyExcept((byte)0))
        {
            return fault;
        }

        Span<byte> buffer = stackalloc byte[4096];
        while (_left > 0)
        {
            var n = _stream.Read(buffer[..(int)Math.Min(buffer.Length, _left)]);
            if (n == 0)
            {
                break;
            }

            _left -= n;
            if (buffer[..n].ContainsAnyExcept((byte)0))
            {
                return fault;
            }
        }

        return DataError.None;
    }

    private static DataError ReadHeader(Stream stream, long available, out int version, out IReadOnlyList<Cid> roots, out long length)
    {
        version = 0;
        roots = [];
        length = 0;
        Span<byte> prefix = stackalloc byte[Varint.MaxLength];
        ulong bodyLength;
        while (true)
        {
            if ((int)length == prefix.Length)
            {
                return new DataError(DataFault.VarintTooLong, "the header's length is longer than nine bytes", length);
            }

            if (length == available || stream.Read(prefix.Slice((int)length, 1)) == 0)
            {
                return new DataError(DataFault.CarTruncated, "the file ends in the header's length", length);
            }

            length++;
            var error = Varint.TryRead(prefix[..(int)length], out bodyLength, out _);
            if (!error.IsError)
            {
                break;
            }

            if (error.Fault != DataFault.VarintTruncated)
            {
                return error.Within(0, "header length");
            }
        }

        if (bodyLength == 0)
        {
            return new DataError(DataFault.CarHeader, "the header has no bytes", 0);
        }

        if (bodyLength > CarHeader.MaxLength)
        {
            return new DataError(DataFault.CarTooLarge, $"a header of {bodyLength} bytes exceeds the limit of {CarHeader.MaxLength}", 0);
        }

        if ((long)bodyLength > available - length)
        {
            return new DataError(DataFault.CarTruncated, "the payload ends in its header", available);
        }

        var body = new byte[(int)bodyLength];
        var n = stream.ReadAtLeast(body, body.Length, throwOnEndOfStream: false);
        if (n < body.Length)
        {
            return new DataError(DataFault.CarTruncated, $"the file ends in a header of {bodyLength} bytes", length + n);
        }

        var fault = CarHeader.TryDecode(body, out version, out roots);
        if (fault.IsError)
        {
            return fault.Within(length, "header");
        }

        length += body.Length;
        return DataError.None;
    }

    private static DataError Skip(Stream stream, long length)
    {
        if (stream.CanSeek)
        {
            stream.Seek(length, SeekOrigin.Current);
            return DataError.None;
        }

        Span<byte> buffer = stackalloc byte[4096];
        while (length > 0)
        {
            var n = stream.Read(buffer[..(int)Math.Min(buffer.Length, length)]);
            if (n == 0)
            {
                return new DataError(DataFault.CarTruncated, "the file ends before its payload");
            }

            length -= n;
        }

        return DataError.None;
    }
}
