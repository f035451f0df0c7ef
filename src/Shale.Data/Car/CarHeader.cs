using System.Buffers.Binary;
using Shale.Data.Cids;

namespace Shale.Data.Car;

/// <summary>
/// The header of a CAR version 1 (https://ipld.io/specs/transport/car/carv1/): the DAG-CBOR map
/// <c>{"roots": [links], "version": 1}</c>, after its length as a varint.
/// </summary>
public static class CarHeader
{
    /// <summary>The longest header that is read, in bytes: about 25,000 roots, far more than any deal names.</summary>
    public const int MaxLength = 1 << 20;

    // Link: tag 42 over a byte string that starts with the zero byte of the identity multibase.
    private const byte Tag = 0xd8;
    private const byte LinkTag = 42;

    /// <summary>The first bytes of a CAR version 2: a version 1 header in form, with version 2 and no roots.</summary>
    internal static ReadOnlySpan<byte> PragmaV2 => [0x0a, 0xa1, 0x67, 0x76, 0x65, 0x72, 0x73, 0x69, 0x6f, 0x6e, 0x02];

    /// <summary>Encodes a header with its length in front.</summary>
    /// <param name="roots">The roots.</param>
    /// <returns>The bytes that a CAR version 1 starts with.</returns>
    public static byte[] Encode(IReadOnlyList<Cid> roots)
    {
        using var body = new MemoryStream();
        body.WriteByte(0xa2);
        WriteText(body, "roots"u8);
        WriteHead(body, 4, (ulong)roots.Count);
        foreach (var root in roots)
        {
            body.WriteByte(Tag);
            body.WriteByte(LinkTag);
            WriteHead(body, 2, (ulong)root.Bytes.Length + 1);
            body.WriteByte(0);
            body.Write(root.Bytes);
        }

        WriteText(body, "version"u8);
        body.WriteByte(1);
        var length = new byte[Varint.MaxLength];
        var n = Varint.Write((ulong)body.Length, length);
        return [.. length[..n], .. body.ToArray()];
    }

    /// <summary>Decodes the map, without the length in front.</summary>
    /// <param name="source">Untrusted bytes: the whole map and nothing else.</param>
    /// <param name="version">1 or 2.</param>
    /// <param name="roots">The roots; none for version 2, whose roots stand in the header of its payload.</param>
    /// <returns>None, or <see cref="DataFault.CarHeader"/>, <see cref="DataFault.CarVersion"/>, or what is wrong with a root.</returns>
    public static DataError TryDecode(ReadOnlySpan<byte> source, out int version, out IReadOnlyList<Cid> roots)
    {
        version = 0;
        roots = [];
        var reader = new CborReader(source);
        var error = reader.TryReadHead(5, out var pairs);
        if (error.IsError)
        {
            return error;
        }

        if (pairs is 0 or > 2)
        {
            return reader.Fault("the header is not a map of \"roots\" and \"version\"");
        }

        List<Cid>? list = null;
        for (ulong pair = 0; pair < pairs; pair++)
        {
            error = reader.TryReadHead(3, out var length);
            if (error.IsError)
            {
                return error;
            }

            if (!reader.TryTake(length, out var key))
            {
                return reader.Fault("a key ends too early");
            }

            if (key.SequenceEqual("version"u8) && version == 0)
            {
                error = reader.TryReadHead(0, out var value);
                if (error.IsError)
                {
                    return error;
                }

                if (value is not (1 or 2))
                {
                    return new DataError(DataFault.CarVersion, $"there is no CAR version {value}", reader.Position);
                }

                version = (int)value;
            }
            else if (key.SequenceEqual("roots"u8) && list is null)
            {
                error = reader.TryReadRoots(out list);
                if (error.IsError)
                {
                    return error;
                }
            }
            else
            {
                return reader.Fault("the header has a key other than \"roots\" and \"version\", or one of them twice");
            }
        }

        if (!reader.AtEnd)
        {
            return reader.Fault("bytes follow the header's map");
        }

        if (version == 0 || (version == 1) != (list is not null))
        {
            return version == 0 ? reader.Fault("the header has no version") : reader.Fault(version == 1 ? "the header has no roots" : "a version 2 pragma has roots");
        }

        roots = list ?? [];
        return DataError.None;
    }

    private static void WriteText(MemoryStream stream, ReadOnlySpan<byte> text)
    {
        WriteHead(stream, 3, (ulong)text.Length);
        stream.Write(text);
    }

    private static void WriteHead(MemoryStream stream, int major, ulong value)
    {
        var top = (byte)(major << 5);
        Span<byte> buffer = stackalloc byte[9];
        switch (value)
        {
            case < 24:
                stream.WriteByte((byte)(top | value));
                return;
            case <= byte.MaxValue:
                buffer[0] = (byte)(top | 24);
                buffer[1] = (byte)value;
                stream.Write(buffer[..2]);
                return;
            case <= ushort.MaxValue:
                buffer[0] = (byte)(top | 25);
                BinaryPrimitives.WriteUInt16BigEndian(buffer[1..], (ushort)value);
                stream.Write(buffer[..3]);
                return;
            default:
                buffer[0] = (byte)(top | 26);
                BinaryPrimitives.WriteUInt32BigEndian(buffer[1..], checked((uint)value));
                stream.Write(buffer[..5]);
                return;
        }
    }

    /// <summary>As much of DAG-CBOR (https://ipld.io/specs/codecs/dag-cbor/spec/) as a header has: heads in shortest form only.</summary>
    private ref struct CborReader(ReadOnlySpan<byte> source)
    {
        private readonly ReadOnlySpan<byte> _source = source;

        public int Position { get; private set; }

        public readonly bool AtEnd => Position == _source.Length;

        public readonly DataError Fault(string detail) => new(DataFault.CarHeader, detail, Position);

        public bool TryTake(ulong length, out ReadOnlySpan<byte> bytes)
        {
            bytes = default;
            if (length > (ulong)(_source.Length - Position))
            {
                return false;
            }

            bytes = _source.Slice(Position, (int)length);
            Position += (int)length;
            return true;
        }

        public DataError TryReadHead(int major, out ulong value)
        {
            value = 0;
            if (AtEnd)
            {
                return Fault("the header ends too early");
            }

            var first = _source[Position];
            if (first >> 5 != major)
            {
                return Fault($"expected CBOR major type {major}, found {first >> 5}");
            }

            var info = first & 31;
            if (info < 24)
            {
                Position++;
                value = (ulong)info;
                return DataError.None;
            }

            if (info > 27)
            {
                return Fault("indefinite lengths are not DAG-CBOR");
            }

            var size = 1 << (info - 24);
            if (_source.Length - Position - 1 < size)
            {
                return Fault("the header ends too early");
            }

            for (var i = 1; i <= size; i++)
            {
                value = (value << 8) | _source[Position + i];
            }

            var smallest = size switch { 1 => 24UL, 2 => 1UL << 8, 4 => 1UL << 16, _ => 1UL << 32 };
            if (value < smallest)
            {
                return Fault("a CBOR number is not in its shortest form");
            }

            Position += 1 + size;
            return DataError.None;
        }

        public DataError TryReadRoots(out List<Cid> roots)
        {
            roots = [];
            var error = TryReadHead(4, out var count);
            if (error.IsError)
            {
                return error;
            }

            // A root takes at least four bytes, so a count that lies is found before memory is asked for.
            if (count > (ulong)(_source.Length - Position) / 4)
            {
                return Fault($"the header promises {count} roots and is too short for them");
            }

            for (ulong i = 0; i < count; i++)
            {
                error = TryReadHead(6, out var tag);
                if (error.IsError)
                {
                    return error;
                }

                if (tag != LinkTag)
                {
                    return Fault($"a root has CBOR tag {tag} instead of 42");
                }

                error = TryReadHead(2, out var length);
                if (error.IsError)
                {
                    return error;
                }

                var start = Position;
                if (!TryTake(length, out var bytes) || bytes.Length < 2 || bytes[0] != 0)
                {
                    return Fault("a root is not a link");
                }

                error = Cid.TryRead(bytes[1..], out var cid, out var consumed);
                if (error.IsError)
                {
                    return error.Within(start + 1, "root");
                }

                if (consumed != bytes.Length - 1)
                {
                    return new DataError(DataFault.CidTrailingBytes, "bytes follow a root's CID", start + 1 + consumed);
                }

                roots.Add(cid!);
            }

            return DataError.None;
        }
    }
}
