using System.Buffers;
using System.Buffers.Binary;

namespace Shale.Data.UnixFs;

/// <summary>What a UnixFS node is (https://specs.ipfs.tech/unixfs/).</summary>
public enum UnixFsType
{
    /// <summary>Bytes of a file, in old trees.</summary>
    Raw = 0,

    /// <summary>A directory in one block.</summary>
    Directory = 1,

    /// <summary>A file, or a part of one.</summary>
    File = 2,

    /// <summary>Not in use.</summary>
    Metadata = 3,

    /// <summary>A symbolic link.</summary>
    Symlink = 4,

    /// <summary>A directory, or a part of one, as a hash array mapped trie.</summary>
    HamtShard = 5,
}

/// <summary>A modification time.</summary>
/// <param name="Seconds">Seconds since 1970-01-01T00:00:00Z.</param>
/// <param name="Nanoseconds">The rest in nanoseconds, below 10^9; null where it is not written, which is not the same as 0.</param>
public readonly record struct UnixFsTime(long Seconds, uint? Nanoseconds);

/// <summary>The message in a dag-pb node's Data.</summary>
public sealed record UnixFsData
{
    /// <summary>The mode that is not written for a file.</summary>
    public const uint DefaultFileMode = 0x1a4;

    /// <summary>The mode that is not written for a directory.</summary>
    public const uint DefaultDirectoryMode = 0x1ed;

    /// <summary>What the node is.</summary>
    public required UnixFsType Type { get; init; }

    /// <summary>Bytes of the file, the target of the link, or the bit field of the shard; null for none.</summary>
    public ReadOnlyMemory<byte>? Data { get; init; }

    /// <summary>The size of the file, this node's bytes and everything below; null where it is not written.</summary>
    public ulong? FileSize { get; init; }

    /// <summary>For each link of a file, how many of the file's bytes stand below it.</summary>
    public IReadOnlyList<ulong> BlockSizes { get; init; } = [];

    /// <summary>The hash function of a shard: 0x22, murmur3-x64-64.</summary>
    public ulong? HashType { get; init; }

    /// <summary>How many slots a shard has.</summary>
    public ulong? Fanout { get; init; }

    /// <summary>Permissions, in the low twelve bits; null for the default.</summary>
    public uint? Mode { get; init; }

    /// <summary>The modification time; null for none.</summary>
    public UnixFsTime? ModifiedAt { get; init; }

    /// <summary>Decodes a message.</summary>
    /// <param name="source">Untrusted bytes; the message keeps them.</param>
    /// <param name="data">The message.</param>
    /// <returns>None, or <see cref="DataFault.UnixFs"/>.</returns>
    public static DataError TryDecode(ReadOnlyMemory<byte> source, out UnixFsData? data)
    {
        data = null;
        var reader = new ProtobufReader(source.Span);
        UnixFsType? type = null;
        ReadOnlyMemory<byte>? bytes = null;
        ulong? fileSize = null, hashType = null, fanout = null;
        uint? mode = null;
        UnixFsTime? time = null;
        var blockSizes = new List<ulong>();
        while (!reader.AtEnd)
        {
            var at = reader.Position;
            if (!reader.TryReadKey(out var field, out var wire))
            {
                return Fault("a key is malformed", at);
            }

            ulong value = 0;
            int start = 0, length = 0;
            var known = field <= 8;
            var expected = field is 2 or 8 ? ProtobufReader.WireBytes : ProtobufReader.WireVarint;
            var packed = field == 4 && wire == ProtobufReader.WireBytes;
            if (known && wire != expected && !packed)
            {
                return Fault($"field {field} has wire type {wire}", at);
            }

            // Fields of a later version of the format change nothing that is read here.
            if (!known)
            {
                if (!reader.TrySkip(wire))
                {
                    return Fault("an unknown field is malformed", at);
                }

                continue;
            }

            if (wire == ProtobufReader.WireBytes ? !reader.TryReadBytes(out start, out length) : !reader.TryReadVarint(out value))
            {
                return Fault($"field {field} ends after the message", at);
            }

            switch (field)
            {
                case 1 when value > 5:
                    return Fault($"there is no type {value}", at);
                case 1:
                    type = (UnixFsType)value;
                    break;
                case 2:
                    bytes = source.Slice(start, length);
                    break;
                case 3:
                    fileSize = value;
                    break;
                case 4 when packed:
                    var inner = new ProtobufReader(source.Span.Slice(start, length));
                    while (!inner.AtEnd)
                    {
                        if (!inner.TryReadVarint(out value))
                        {
                            return Fault("packed block sizes are malformed", at);
                        }

                        blockSizes.Add(value);
                    }

                    break;
                case 4:
                    blockSizes.Add(value);
                    break;
                case 5:
                    hashType = value;
                    break;
                case 6:
                    fanout = value;
                    break;
                case 7:
                    mode = (uint)value & 0xfff;
                    break;
                default:
                    var error = TryDecodeTime(source.Span.Slice(start, length), out time);
                    if (error.IsError)
                    {
                        return error with { Offset = start };
                    }

                    break;
            }
        }

        if (type is null)
        {
            return Fault("the message has no type", 0);
        }

        data = new UnixFsData
        {
            Type = type.Value, Data = bytes, FileSize = fileSize, BlockSizes = blockSizes, HashType = hashType, Fanout = fanout, Mode = mode, ModifiedAt = time,
        };
        return DataError.None;
    }

    /// <summary>Encodes the message, fields in the order of their numbers, a default mode and empty bytes left out.</summary>
    /// <returns>The bytes for a dag-pb node's Data.</returns>
    public byte[] Encode()
    {
        var writer = new ArrayBufferWriter<byte>(32 + (Data?.Length ?? 0) + (BlockSizes.Count * 5));
        ProtobufWriter.VarintField(writer, 1, (ulong)Type);
        if (Data is { Length: > 0 } data)
        {
            ProtobufWriter.BytesField(writer, 2, data.Span);
        }

        WriteOptional(writer, 3, FileSize);
        foreach (var size in BlockSizes)
        {
            ProtobufWriter.VarintField(writer, 4, size);
        }

        WriteOptional(writer, 5, HashType);
        WriteOptional(writer, 6, Fanout);
        var defaultMode = Type is UnixFsType.Directory or UnixFsType.HamtShard ? DefaultDirectoryMode : DefaultFileMode;
        if (Mode is { } mode && mode != defaultMode)
        {
            ProtobufWriter.VarintField(writer, 7, mode);
        }

        if (ModifiedAt is { } time)
        {
            var inner = new ArrayBufferWriter<byte>(16);
            ProtobufWriter.VarintField(inner, 1, (ulong)time.Seconds);
            if (time.Nanoseconds is { } nanoseconds)
            {
                ProtobufWriter.Varint(inner, (2 << 3) | ProtobufReader.WireFixed32);
                BinaryPrimitives.WriteUInt32LittleEndian(inner.GetSpan(4), nanoseconds);
                inner.Advance(4);
            }

            ProtobufWriter.BytesField(writer, 8, inner.WrittenSpan);
        }

        return writer.WrittenSpan.ToArray();
    }

    private static void WriteOptional(ArrayBufferWriter<byte> writer, int field, ulong? value)
    {
        if (value is { } v)
        {
            ProtobufWriter.VarintField(writer, field, v);
        }
    }

    private static DataError TryDecodeTime(ReadOnlySpan<byte> source, out UnixFsTime? time)
    {
        time = null;
        var reader = new ProtobufReader(source);
        long? seconds = null;
        uint? nanoseconds = null;
        while (!reader.AtEnd)
        {
            if (!reader.TryReadKey(out var field, out var wire))
            {
                return Fault("a time is malformed", 0);
            }

            switch (field, wire)
            {
                case (1, ProtobufReader.WireVarint) when reader.TryReadVarint(out var value):
                    seconds = (long)value;
                    break;
                case (2, ProtobufReader.WireFixed32) when reader.TryReadFixed32(out var fraction):
                    nanoseconds = fraction;
                    break;
                default:
                    return Fault("a time is malformed", 0);
            }
        }

        if (seconds is null || nanoseconds > 999_999_999)
        {
            return Fault("a time has no seconds, or a second or more of nanoseconds", 0);
        }

        time = new UnixFsTime(seconds.Value, nanoseconds);
        return DataError.None;
    }

    private static DataError Fault(string detail, long at) => new(DataFault.UnixFs, detail, at);
}
