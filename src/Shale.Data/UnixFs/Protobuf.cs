using System.Buffers;
using System.Numerics;

namespace Shale.Data.UnixFs;

/// <summary>As much of the protocol buffers wire format as dag-pb and UnixFS use, over untrusted bytes.</summary>
internal ref struct ProtobufReader(ReadOnlySpan<byte> source)
{
    public const int WireVarint = 0;
    public const int WireFixed64 = 1;
    public const int WireBytes = 2;
    public const int WireFixed32 = 5;

    private readonly ReadOnlySpan<byte> _source = source;

    public int Position { get; private set; }

    public readonly bool AtEnd => Position == _source.Length;

    public bool TryReadKey(out int field, out int wire)
    {
        field = wire = 0;
        if (!TryReadVarint(out var key) || key >> 3 is 0 or > 0x1fffffff)
        {
            return false;
        }

        field = (int)(key >> 3);
        wire = (int)(key & 7);
        return true;
    }

    public bool TryReadVarint(out ulong value)
    {
        value = 0;
        for (var i = 0; i < 10; i++)
        {
            if (AtEnd)
            {
                return false;
            }

            var b = _source[Position++];
            // The tenth byte has room for one bit.
            if (i == 9 && b > 1)
            {
                return false;
            }

            value |= (ulong)(b & 0x7f) << (7 * i);
            if (b < 0x80)
            {
                return true;
            }
        }

        return false;
    }

    public bool TryReadBytes(out int start, out int length)
    {
        start = length = 0;
        if (!TryReadVarint(out var n) || n > (ulong)(_source.Length - Position))
        {
            return false;
        }

        start = Position;
        length = (int)n;
        Position += length;
        return true;
    }

    public bool TryReadFixed32(out uint value)
    {
        value = 0;
        if (_source.Length - Position < 4)
        {
            return false;
        }

        value = System.Buffers.Binary.BinaryPrimitives.ReadUInt32LittleEndian(_source[Position..]);
        Position += 4;
        return true;
    }

    public bool TrySkip(int wire)
    {
        switch (wire)
        {
            case WireVarint:
                return TryReadVarint(out _);
            case WireBytes:
                return TryReadBytes(out _, out _);
            case WireFixed32:
                return TryReadFixed32(out _);
            case WireFixed64:
                return TryReadFixed32(out _) && TryReadFixed32(out _);
            default:
                return false;
        }
    }
}

/// <summary>Writes the same wire format.</summary>
internal static class ProtobufWriter
{
    public static int VarintLength(ulong value) => Math.Max(1, (70 - BitOperations.LeadingZeroCount(value)) / 7);

    public static int WriteVarint(Span<byte> destination, ulong value)
    {
        var i = 0;
        while (value >= 0x80)
        {
            destination[i++] = (byte)(value | 0x80);
            value >>= 7;
        }

        destination[i++] = (byte)value;
        return i;
    }

    public static void Varint(ArrayBufferWriter<byte> writer, ulong value) => writer.Advance(WriteVarint(writer.GetSpan(10), value));

    public static void VarintField(ArrayBufferWriter<byte> writer, int field, ulong value)
    {
        Varint(writer, ((ulong)field << 3) | ProtobufReader.WireVarint);
        Varint(writer, value);
    }

    public static void BytesField(ArrayBufferWriter<byte> writer, int field, ReadOnlySpan<byte> bytes)
    {
        Varint(writer, ((ulong)field << 3) | ProtobufReader.WireBytes);
        Varint(writer, (ulong)bytes.Length);
        writer.Write(bytes);
    }
}
