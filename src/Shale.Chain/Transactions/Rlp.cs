using System.Buffers;
using System.Buffers.Binary;

namespace Shale.Chain.Transactions;

/// <summary>Writes Recursive Length Prefix (Ethereum Yellow Paper, appendix B).</summary>
internal sealed class RlpWriter
{
    private readonly ArrayBufferWriter<byte> output = new();

    internal RlpWriter Bytes(ReadOnlySpan<byte> value)
    {
        if (value.Length == 1 && value[0] < 0x80)
        {
            output.Write(value);
        }
        else
        {
            Prefix(0x80, value.Length);
            output.Write(value);
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
        Prefix(0xc0, items.output.WrittenCount);
        output.Write(items.output.WrittenSpan);
        return this;
    }

    internal byte[] ToArray() => output.WrittenSpan.ToArray();

    private void Prefix(byte kind, int length)
    {
        if (length <= 55)
        {
            output.Write([(byte)(kind + length)]);
            return;
        }

        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(bytes, length);
        var significant = bytes.TrimStart((byte)0);
        output.Write([(byte)(kind + 55 + significant.Length)]);
        output.Write(significant);
    }
}

/// <summary>Reads Recursive Length Prefix in its one canonical form: shortest prefixes, no single byte below 128 behind a prefix. False for everything else; never throws.</summary>
internal ref struct RlpReader(ReadOnlySpan<byte> data)
{
    private ReadOnlySpan<byte> data = data;

    internal readonly bool IsEmpty => data.IsEmpty;

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
        if (data.IsEmpty)
        {
            return false;
        }

        var prefix = data[0];
        if (prefix >= 0xc0 != list)
        {
            return false;
        }

        if (prefix < 0x80)
        {
            content = data[..1];
            data = data[1..];
            return true;
        }

        var length = prefix - (list ? 0xc0 : 0x80);
        var header = 1;
        if (length > 55)
        {
            var bytes = length - 55;
            if (bytes > 4 || data.Length < 1 + bytes || data[1] == 0)
            {
                return false;
            }

            long wide = 0;
            foreach (var b in data.Slice(1, bytes))
            {
                wide = (wide << 8) | b;
            }

            header += bytes;
            if (wide <= 55 || wide > data.Length - header)
            {
                return false;
            }

            length = (int)wide;
        }

        if (length > data.Length - header || (!list && length == 1 && data[1] < 0x80))
        {
            return false;
        }

        content = data.Slice(header, length);
        data = data[(header + length)..];
        return true;
    }
}
