using Shale.Data.Cids;

namespace Shale.Data.Car;

/// <summary>One section of a CAR.</summary>
/// <param name="Cid">The block's CID.</param>
/// <param name="Data">The block's bytes; valid until the reader moves on.</param>
/// <param name="SectionOffset">Where the section's length stands, in bytes from the start of the version 1 payload.</param>
/// <param name="DataOffset">Where <paramref name="Data"/> stands, in bytes from the start of the version 1 payload.</param>
public readonly record struct CarBlock(Cid Cid, ReadOnlyMemory<byte> Data, long SectionOffset, long DataOffset);

/// <summary>What a CAR version 2 says about itself in the 40 bytes after its pragma (https://ipld.io/specs/transport/car/carv2/).</summary>
/// <param name="FullyIndexed">Whether the index names every block.</param>
/// <param name="DataOffset">Where the version 1 payload starts.</param>
/// <param name="DataSize">How long the payload is.</param>
/// <param name="IndexOffset">Where the index starts; 0 for none.</param>
public readonly record struct CarV2Header(bool FullyIndexed, long DataOffset, long DataSize, long IndexOffset)
{
    /// <summary>Pragma and header together.</summary>
    public const int Length = 11 + 40;

    /// <summary>Reads the 40 bytes.</summary>
    /// <param name="source">Untrusted bytes, 40 of them.</param>
    /// <param name="header">The header.</param>
    /// <returns>None, or <see cref="DataFault.CarOffsets"/>.</returns>
    public static DataError TryRead(ReadOnlySpan<byte> source, out CarV2Header header)
    {
        header = default;
        if (source.Length < 40)
        {
            return new DataError(DataFault.CarTruncated, "a version 2 header has 40 bytes", source.Length);
        }

        var dataOffset = System.Buffers.Binary.BinaryPrimitives.ReadInt64LittleEndian(source[16..]);
        var dataSize = System.Buffers.Binary.BinaryPrimitives.ReadInt64LittleEndian(source[24..]);
        var indexOffset = System.Buffers.Binary.BinaryPrimitives.ReadInt64LittleEndian(source[32..]);
        if (dataOffset < Length || dataSize <= 0 || dataOffset > long.MaxValue - dataSize)
        {
            return new DataError(DataFault.CarOffsets, $"a payload of {dataSize} bytes at {dataOffset} cannot be", 11 + 16);
        }

        if (indexOffset != 0 && indexOffset < dataOffset + dataSize)
        {
            return new DataError(DataFault.CarOffsets, $"the index at {indexOffset} lies inside the header or the payload", 11 + 32);
        }

        header = new CarV2Header((source[0] & 0x80) != 0, dataOffset, dataSize, indexOffset);
        return DataError.None;
    }

    /// <summary>Writes pragma and header.</summary>
    /// <param name="destination">At least <see cref="Length"/> bytes.</param>
    public void Write(Span<byte> destination)
    {
        destination[..Length].Clear();
        CarHeader.PragmaV2.CopyTo(destination);
        destination[11] = FullyIndexed ? (byte)0x80 : (byte)0;
        System.Buffers.Binary.BinaryPrimitives.WriteInt64LittleEndian(destination[(11 + 16)..], DataOffset);
        System.Buffers.Binary.BinaryPrimitives.WriteInt64LittleEndian(destination[(11 + 24)..], DataSize);
        System.Buffers.Binary.BinaryPrimitives.WriteInt64LittleEndian(destination[(11 + 32)..], IndexOffset);
    }
}
