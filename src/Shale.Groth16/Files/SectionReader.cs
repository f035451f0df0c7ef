using System.Buffers.Binary;
using System.Numerics;
using Shale.Bn254.Fields;

namespace Shale.Groth16.Files;

/// <summary>A cursor over the bytes of one section. Each Try method returns false when the section has fewer bytes left.</summary>
internal unsafe struct SectionReader(byte* bytes, long length)
{
    private readonly byte* _bytes = bytes;
    private readonly long _length = length;
    private long _position;

    public readonly long Remaining => _length - _position;

    public readonly byte* Current => _bytes + _position;

    public bool TryReadUInt32(out uint value)
    {
        if (Remaining < 4)
        {
            value = 0;
            return false;
        }

        value = BinaryPrimitives.ReadUInt32LittleEndian(new ReadOnlySpan<byte>(Current, 4));
        _position += 4;
        return true;
    }

    public bool TryReadUInt64(out ulong value)
    {
        if (Remaining < 8)
        {
            value = 0;
            return false;
        }

        value = BinaryPrimitives.ReadUInt64LittleEndian(new ReadOnlySpan<byte>(Current, 8));
        _position += 8;
        return true;
    }

    public bool TryReadBytes(int count, out ReadOnlySpan<byte> value)
    {
        if (Remaining < count)
        {
            value = default;
            return false;
        }

        value = new ReadOnlySpan<byte>(Current, count);
        _position += count;
        return true;
    }

    /// <summary>A prime as the formats write it: the number of its bytes (u32), then the bytes, least significant first.</summary>
    public bool TryReadPrime(BigInteger expected, string name, out string problem)
    {
        problem = "";
        if (!TryReadUInt32(out var size))
        {
            problem = $"ends before the prime {name}";
            return false;
        }

        if (size != Fr.Size)
        {
            problem = $"the prime {name} has {size} bytes; BN254 has {Fr.Size}";
            return false;
        }

        if (!TryReadBytes(Fr.Size, out var bytes))
        {
            problem = $"ends within the prime {name}";
            return false;
        }

        if (new BigInteger(bytes, isUnsigned: true) != expected)
        {
            problem = $"the prime {name} is not that of BN254 (another curve?)";
            return false;
        }

        return true;
    }

    public bool TryReadCoefficient(out Fr value)
    {
        value = default;
        return TryReadBytes(Fr.Size, out var bytes) && Fr.TryFromBytesLittleEndian(bytes, out value);
    }
}
