using System.Buffers;
using System.Text;
using Shale.Data.Cids;

namespace Shale.Data.UnixFs;

/// <summary>A link of a dag-pb node.</summary>
/// <param name="Cid">What is linked to.</param>
/// <param name="Name">The name; null where the link has none, which is not the same as an empty one.</param>
/// <param name="Size">The size of everything below, blocks included, as the writer of the link gave it; null where it did not.</param>
public readonly record struct DagPbLink(Cid Cid, string? Name, ulong? Size);

/// <summary>A dag-pb node (https://ipld.io/specs/codecs/dag-pb/spec/): links, and bytes that UnixFS gives a meaning.</summary>
public sealed class DagPbNode
{
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Makes a node.</summary>
    /// <param name="links">The links, in the order in which they are written.</param>
    /// <param name="data">The bytes; null for none.</param>
    public DagPbNode(IReadOnlyList<DagPbLink> links, ReadOnlyMemory<byte>? data)
    {
        Links = links;
        Data = data;
    }

    /// <summary>The links.</summary>
    public IReadOnlyList<DagPbLink> Links { get; }

    /// <summary>The bytes; null for none.</summary>
    public ReadOnlyMemory<byte>? Data { get; }

    /// <summary>Decodes a block.</summary>
    /// <param name="block">Untrusted bytes; the node keeps them.</param>
    /// <param name="node">The node.</param>
    /// <returns>None, or <see cref="DataFault.DagPb"/>.</returns>
    public static DataError TryDecode(ReadOnlyMemory<byte> block, out DagPbNode? node)
    {
        node = null;
        var reader = new ProtobufReader(block.Span);
        var links = new List<DagPbLink>();
        ReadOnlyMemory<byte>? data = null;
        var linksEnded = false;
        while (!reader.AtEnd)
        {
            var at = reader.Position;
            if (!reader.TryReadKey(out var field, out var wire) || wire != ProtobufReader.WireBytes || field is not (1 or 2))
            {
                return Fault("a node has a field other than Data and Links", at);
            }

            if (!reader.TryReadBytes(out var start, out var length))
            {
                return Fault("a field ends after the node", at);
            }

            if (field == 1)
            {
                if (data is not null)
                {
                    return Fault("a node has Data twice", at);
                }

                data = block.Slice(start, length);
                linksEnded = links.Count > 0;
                continue;
            }

            if (linksEnded)
            {
                return Fault("Links stand on both sides of Data", at);
            }

            var error = TryDecodeLink(block.Span.Slice(start, length), out var link);
            if (error.IsError)
            {
                return error with { Offset = error.Offset + start };
            }

            links.Add(link);
        }

        node = new DagPbNode(links, data);
        return DataError.None;
    }

    /// <summary>Encodes the node in canonical form: links first, in the order given.</summary>
    /// <returns>The block.</returns>
    public byte[] Encode()
    {
        var writer = new ArrayBufferWriter<byte>(64 + (Links.Count * 64));
        foreach (var link in Links)
        {
            var nameLength = link.Name is null ? 0 : Encoding.UTF8.GetByteCount(link.Name);
            ProtobufWriter.Varint(writer, (2 << 3) | ProtobufReader.WireBytes);
            ProtobufWriter.Varint(writer, (ulong)LinkBodyLength(link, nameLength));
            ProtobufWriter.BytesField(writer, 1, link.Cid.Bytes);
            if (link.Name is not null)
            {
                ProtobufWriter.Varint(writer, (2 << 3) | ProtobufReader.WireBytes);
                ProtobufWriter.Varint(writer, (ulong)nameLength);
                writer.Advance(Encoding.UTF8.GetBytes(link.Name, writer.GetSpan(Math.Max(1, nameLength))));
            }

            if (link.Size is { } size)
            {
                ProtobufWriter.VarintField(writer, 3, size);
            }
        }

        if (Data is { } data)
        {
            ProtobufWriter.BytesField(writer, 1, data.Span);
        }

        return writer.WrittenSpan.ToArray();
    }

    /// <summary>How many bytes a link adds to a node.</summary>
    internal static int LinkLength(DagPbLink link)
    {
        var body = LinkBodyLength(link, link.Name is null ? 0 : Encoding.UTF8.GetByteCount(link.Name));
        return 1 + ProtobufWriter.VarintLength((ulong)body) + body;
    }

    private static int LinkBodyLength(DagPbLink link, int nameLength)
    {
        var length = 1 + ProtobufWriter.VarintLength((ulong)link.Cid.Bytes.Length) + link.Cid.Bytes.Length;
        length += link.Name is null ? 0 : 1 + ProtobufWriter.VarintLength((ulong)nameLength) + nameLength;
        return length + (link.Size is { } size ? 1 + ProtobufWriter.VarintLength(size) : 0);
    }

    private static DataError TryDecodeLink(ReadOnlySpan<byte> source, out DagPbLink link)
    {
        link = default;
        var reader = new ProtobufReader(source);
        Cid? cid = null;
        string? name = null;
        ulong? size = null;
        var previous = 0;
        while (!reader.AtEnd)
        {
            var at = reader.Position;
            if (!reader.TryReadKey(out var field, out var wire) || field > 3 || wire != (field == 3 ? ProtobufReader.WireVarint : ProtobufReader.WireBytes))
            {
                return Fault("a link has a field other than Hash, Name and Tsize", at);
            }

            if (field <= previous)
            {
                return Fault("a link's fields are out of order or twice there", at);
            }

            previous = field;
            if (field == 3)
            {
                if (!reader.TryReadVarint(out var value))
                {
                    return Fault("a link's Tsize is not a varint", at);
                }

                size = value;
                continue;
            }

            if (!reader.TryReadBytes(out var start, out var length))
            {
                return Fault("a field ends after its link", at);
            }

            var bytes = source.Slice(start, length);
            if (field == 1)
            {
                var error = Cid.TryRead(bytes, out cid, out var consumed);
                if (error.IsError)
                {
                    return error.Within(start, "link");
                }

                if (consumed != length)
                {
                    return new DataError(DataFault.CidTrailingBytes, "bytes follow a link's CID", start + consumed);
                }

                continue;
            }

            try
            {
                name = StrictUtf8.GetString(bytes);
            }
            catch (DecoderFallbackException)
            {
                return Fault("a link's name is not UTF-8", start);
            }
        }

        if (cid is null)
        {
            return Fault("a link has no Hash", 0);
        }

        link = new DagPbLink(cid, name, size);
        return DataError.None;
    }

    private static DataError Fault(string detail, long at) => new(DataFault.DagPb, detail, at);
}
