using System.Numerics;

namespace Shale.Data.Cids;

/// <summary>
/// The unsigned varint of multiformats (https://github.com/multiformats/unsigned-varint): seven bits a byte, least
/// significant first, at most nine bytes, always in the shortest form.
/// </summary>
public static class Varint
{
    /// <summary>The most bytes that a varint has: nine times seven bits hold 2^63-1.</summary>
    public const int MaxLength = 9;

    /// <summary>How many bytes a value takes.</summary>
    /// <param name="value">A value up to 2^63-1.</param>
    /// <returns>One to nine.</returns>
    public static int Length(ulong value) => Math.Max(1, (70 - BitOperations.LeadingZeroCount(value)) / 7);

    /// <summary>Writes a value.</summary>
    /// <param name="value">A value up to 2^63-1.</param>
    /// <param name="destination">At least <see cref="Length"/> bytes.</param>
    /// <returns>How many bytes were written.</returns>
    public static int Write(ulong value, Span<byte> destination)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(value, (ulong)long.MaxValue);
        var i = 0;
        while (value >= 0x80)
        {
            destination[i++] = (byte)(value | 0x80);
            value >>= 7;
        }

        destination[i++] = (byte)value;
        return i;
    }

    /// <summary>Reads a value from untrusted bytes.</summary>
    /// <param name="source">Bytes that start with a varint.</param>
    /// <param name="value">The value.</param>
    /// <param name="consumed">How many bytes it took.</param>
    /// <returns>None, or <see cref="DataFault.VarintTruncated"/>, <see cref="DataFault.VarintTooLong"/> or <see cref="DataFault.VarintNotMinimal"/>.</returns>
    public static DataError TryRead(ReadOnlySpan<byte> source, out ulong value, out int consumed)
    {
        value = 0;
        consumed = 0;
        for (var i = 0; i < MaxLength; i++)
        {
            if (i == source.Length)
            {
                return new DataError(DataFault.VarintTruncated, "a varint ends before its last byte", i);
            }

            var b = source[i];
            value |= (ulong)(b & 0x7f) << (7 * i);
            if (b >= 0x80)
            {
                continue;
            }

            if (b == 0 && i > 0)
            {
                return new DataError(DataFault.VarintNotMinimal, "a varint is not in its shortest form", i);
            }

            consumed = i + 1;
            return DataError.None;
        }

        return new DataError(DataFault.VarintTooLong, "a varint is longer than nine bytes", MaxLength);
    }
}
