using System.Buffers;
using Shale.Data.Cids;

namespace Shale.Data.Car;

/// <summary>Where blocks go that an import makes.</summary>
public interface IBlockSink
{
    /// <summary>Takes a block.</summary>
    /// <param name="cid">Its CID.</param>
    /// <param name="data">Its bytes; valid during the call.</param>
    void Write(Cid cid, ReadOnlySpan<byte> data);
}

/// <summary>A sink that forgets: for an import that only wants the CID.</summary>
public sealed class NoBlockSink : IBlockSink
{
    /// <summary>The one instance.</summary>
    public static NoBlockSink Instance { get; } = new();

    private NoBlockSink()
    {
    }

    /// <inheritdoc/>
    public void Write(Cid cid, ReadOnlySpan<byte> data)
    {
    }
}

/// <summary>
/// Writes a CAR, version 1, or version 2 with a multihash index. The roots are often known only after the last block; their
/// CIDs are then written over placeholders of the same length by <see cref="Finish"/>. Not for several threads.
/// </summary>
public sealed class CarWriter : IBlockSink
{
    private const int BufferLength = 1 << 20;

    private readonly Stream _stream;
    private readonly long _start;
    private readonly int _headerLength;
    private readonly CarIndexBuilder? _index;
    private readonly byte[] _buffer = GC.AllocateUninitializedArray<byte>(BufferLength);
    private int _buffered;

    /// <summary>Starts a CAR at the stream's position.</summary>
    /// <param name="stream">Where to; stays the caller's. It must seek for version 2, and for roots that are not yet known.</param>
    /// <param name="roots">The roots, or CIDs of the same length in their place.</param>
    /// <param name="withIndex">Whether to write version 2 with an index; takes about 48 bytes of memory a block.</param>
    public CarWriter(Stream stream, IReadOnlyList<Cid> roots, bool withIndex = false)
    {
        _stream = stream;
        _start = stream.CanSeek ? stream.Position : 0;
        if (withIndex)
        {
            _index = new CarIndexBuilder();
            _stream.Write(new byte[CarV2Header.Length]);
        }

        var header = CarHeader.Encode(roots);
        _headerLength = header.Length;
        Append(header);
        Length = header.Length;
    }

    /// <summary>How many bytes the version 1 payload has so far.</summary>
    public long Length { get; private set; }

    /// <summary>How many blocks were written.</summary>
    public long Blocks { get; private set; }

    /// <inheritdoc/>
    public void Write(Cid cid, ReadOnlySpan<byte> data)
    {
        ArgumentNullException.ThrowIfNull(cid);
        var length = cid.Bytes.Length + data.Length;
        if (length > CarReader.MaxSectionLength)
        {
            throw new ArgumentException($"a block of {data.Length} bytes exceeds what CAR readers take", nameof(data));
        }

        _index?.Add(cid, Length);
        Span<byte> prefix = stackalloc byte[Varint.MaxLength];
        var n = Varint.Write((ulong)length, prefix);
        Append(prefix[..n]);
        Append(cid.Bytes);
        Append(data);
        Length += n + length;
        Blocks++;
    }

    /// <summary>Writes what is buffered, the roots if they are given now, and the index.</summary>
    /// <param name="roots">The roots; null where the constructor got them.</param>
    /// <exception cref="ArgumentException">The roots do not fit where the placeholders stand.</exception>
    public void Finish(IReadOnlyList<Cid>? roots = null)
    {
        Flush();
        if (roots is not null)
        {
            var header = CarHeader.Encode(roots);
            if (header.Length != _headerLength)
            {
                throw new ArgumentException("the roots have other lengths than their placeholders", nameof(roots));
            }

            var end = _stream.Position;
            _stream.Position = _start + (_index is null ? 0 : CarV2Header.Length);
            _stream.Write(header);
            _stream.Position = end;
        }

        if (_index is not null)
        {
            _index.Write(_stream);
            var end = _stream.Position;
            Span<byte> header = stackalloc byte[CarV2Header.Length];
            new CarV2Header(true, CarV2Header.Length, Length, CarV2Header.Length + Length).Write(header);
            _stream.Position = _start;
            _stream.Write(header);
            _stream.Position = end;
        }

        _stream.Flush();
    }

    private void Append(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > BufferLength - _buffered)
        {
            Flush();
            if (bytes.Length >= BufferLength / 2)
            {
                _stream.Write(bytes);
                return;
            }
        }

        bytes.CopyTo(_buffer.AsSpan(_buffered));
        _buffered += bytes.Length;
    }

    private void Flush()
    {
        _stream.Write(_buffer, 0, _buffered);
        _buffered = 0;
    }
}
