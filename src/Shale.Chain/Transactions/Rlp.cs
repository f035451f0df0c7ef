using System.Buffers;
using System.Buffers.Binary;

namespace Shale.Chain.Transactions;

/// <summary>Writes Recursive Length Prefix (Ethereum Yellow Paper, appendix B).</summary>
internal sealed class RlpWriter
{
    private readonly ArrayBufferWriter<byte> _output = new();

    internal RlpWriter Bytes(ReadOnlySpan<byte> value)
    {
        if (value.Length == 1 && value[0] < 0x80)
        {
            _output.Write(value);
        }
        else
        {
            Prefix(0x80, value.Length);
            _output.Write(value);
        }

        return this;
    }

    /// <summary>A number: big-endian without leading zeros, zero is the empty string.</summary>
    internal RlpWriter Number(UInt128 value)
    {
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, value);
        return Number(bytes);
    }

    /// <summary>A number from big-endian bytes.</summary>
    internal RlpWriter Number(ReadOnlySpan<byte> bigEndian) => Bytes(bigEndian.TrimStart((byte)0));

    internal RlpWriter List(RlpWriter items)
    {
        Prefix(0xc0, items._output.WrittenCount);
        _output.Write(items._output.WrittenSpan);
        return this;
    }

    internal byte[] ToArray() => _output.WrittenSpan.ToArray();

    private void Prefix(byte kind, int length)
    {
        if (length <= 55)
        {
            _output.Write([(byte)(kind + length)]);
            return;
        }

        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(bytes, length);
        var significant = bytes.TrimStart((byte)0);
        _output.Write([(byte)(kind + 55 + significant.Length)]);
        _output.Write(significant);
    }
}

/// <summary>Reads Recursive Length Prefix in its one canonical form: shortest prefixes, no single byte below 128 behind a prefix. False for everything else; never throws.</summary>
internal ref struct RlpReader(ReadOnlySpan<byte> data)
{
    private ReadOnlySpan<byte> _data = data;

    internal readonly bool IsEmpty => _data.IsEmpty;

    internal bool TryBytes(out ReadOnlySpan<byte> value) => TryItem(list: false, out value);

    internal bool TryList(out RlpReader items)
    {
        var read = TryItem(list: true, out var content);
        items = new RlpReader(content);
        return read;
    }

    /// <summary>A number without leading zeros of at most so many bytes, right-aligned in what is given.</summary>
    internal bool TryNumber(scoped Span<byte> bigEndian)
    {
        bigEndian.Clear();
        if (!TryBytes(out var value) || value.Length > bigEndian.Length || (value.Length > 0 && value[0] == 0))
        {
            return false;
        }

        value.CopyTo(bigEndian[(bigEndian.Length - value.Length)..]);
        return true;
    }

    internal bool TryNumber(out UInt128 value)
    {
        Span<byte> bytes = stackalloc byte[16];
        var read = TryNumber(bytes);
        value = BinaryPrimitives.ReadUInt128BigEndian(bytes);
        return read;
    }

    internal bool TryNumber(out ulong value)
    {
        Span<byte> bytes = stackalloc byte[8];
        var read = TryNumber(bytes);
        value = BinaryPrimitives.ReadUInt64BigEndian(bytes);
        return read;
    }

    private bool TryItem(bool list, out ReadOnlySpan<byte> content)
    {
        content = default;
        if (_data.IsEmpty)
        {
            return false;
        }

        var prefix = _data[0];
        if (prefix >= 0xc0 != list)
        {
            return false;
        }

        if (prefix < 0x80)
        {
            content = _data[..1];
            _data = _data[1..];
            return true;
        }

        var length = prefix - (list ? 0xc0 : 0x80);
        var header = 1;
        if (length > 55)
        {
            var bytes = length - 55;
            if (bytes > 4 || _data.Length < 1 + bytes || _data[1] == 0)
            {
                return false;
            }

            long wide = 0;
            foreach (var b in _data.Slice(1, bytes))
            {
                wide = (wide << 8) | b;
            }

            header += bytes;
            if (wide <= 55 || wide > _data.Length - header)
            {
                return false;
            }

            length = (int)wide;
        }

        if (length > _data.Length - header || (!list && length == 1 && _data[1] < 0x80))
        {
            return false;
        }

        content = _data.Slice(header, length);
        _data = _data[(header + length)..];
        return true;
    }
}
