using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Unicode;

namespace Shale.Wire;

/// <summary>
/// Reads the data types of RFC 4251 section 5 from a span. Every method checks its bounds first, returns <see langword="false"/> on input
/// that is short or malformed, and then leaves the position where it was. Nothing here throws on hostile input, and nothing is copied
/// unless the result is a string. Check <see cref="IsAtEnd"/> last: trailing bytes are an error in every format built on this.
/// </summary>
public ref struct WireReader
{
    /// <summary>The longest name that RFC 4251 section 6 allows in a name-list.</summary>
    public const int MaxNameLength = 64;

    private readonly ReadOnlySpan<byte> _data;
    private int _position;

    /// <summary>Starts at the first byte of <paramref name="data"/>.</summary>
    /// <param name="data">What to read; it is not copied.</param>
    public WireReader(ReadOnlySpan<byte> data)
    {
        _data = data;
        _position = 0;
    }

    /// <summary>Whether every byte was read.</summary>
    public readonly bool IsAtEnd => _position == _data.Length;

    /// <summary>How many bytes were read.</summary>
    public readonly int Consumed => _position;

    /// <summary>The bytes not yet read.</summary>
    public readonly ReadOnlySpan<byte> Remaining => _data[_position..];

    /// <summary>Reads one byte.</summary>
    /// <param name="value">The byte.</param>
    /// <returns>Whether there was one.</returns>
    public bool TryReadByte(out byte value)
    {
        if (_position >= _data.Length)
        {
            value = 0;
            return false;
        }

        value = _data[_position++];
        return true;
    }

    /// <summary>Reads a boolean: 0 is false, everything else is true (RFC 4251 section 5).</summary>
    /// <param name="value">The boolean.</param>
    /// <returns>Whether there was one.</returns>
    public bool TryReadBoolean(out bool value)
    {
        var read = TryReadByte(out var raw);
        value = raw != 0;
        return read;
    }

    /// <summary>Reads four bytes, most significant first.</summary>
    /// <param name="value">The number.</param>
    /// <returns>Whether there were four bytes.</returns>
    public bool TryReadUInt32(out uint value)
    {
        if (!BinaryPrimitives.TryReadUInt32BigEndian(Remaining, out value))
        {
            return false;
        }

        _position += sizeof(uint);
        return true;
    }

    /// <summary>Reads eight bytes, most significant first.</summary>
    /// <param name="value">The number.</param>
    /// <returns>Whether there were eight bytes.</returns>
    public bool TryReadUInt64(out ulong value)
    {
        if (!BinaryPrimitives.TryReadUInt64BigEndian(Remaining, out value))
        {
            return false;
        }

        _position += sizeof(ulong);
        return true;
    }

    /// <summary>Reads bytes without a length, such as the cookie of a KEXINIT.</summary>
    /// <param name="count">How many; not negative.</param>
    /// <param name="value">The bytes, still in the caller's memory.</param>
    /// <returns>Whether there were as many.</returns>
    public bool TryReadBytes(int count, out ReadOnlySpan<byte> value)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        if (_data.Length - _position < count)
        {
            value = default;
            return false;
        }

        value = _data.Slice(_position, count);
        _position += count;
        return true;
    }

    /// <summary>Reads a string: a four-byte length, then so many arbitrary bytes.</summary>
    /// <param name="value">The bytes, still in the caller's memory.</param>
    /// <returns>Whether the whole string was there.</returns>
    public bool TryReadString(out ReadOnlySpan<byte> value) => TryReadString(int.MaxValue, out value);

    /// <summary>Reads a string of at most <paramref name="maxLength"/> bytes.</summary>
    /// <param name="maxLength">The bound, in bytes.</param>
    /// <param name="value">The bytes, still in the caller's memory.</param>
    /// <returns>Whether the whole string was there and within the bound.</returns>
    public bool TryReadString(int maxLength, out ReadOnlySpan<byte> value)
    {
        var rest = Remaining;
        if (!BinaryPrimitives.TryReadUInt32BigEndian(rest, out var length)
            || length > (uint)(rest.Length - sizeof(uint))
            || length > (uint)maxLength)
        {
            value = default;
            return false;
        }

        value = rest.Slice(sizeof(uint), (int)length);
        _position += sizeof(uint) + (int)length;
        return true;
    }

    /// <summary>Reads a string whose bytes must be valid UTF-8 (overlong forms and surrogates are refused).</summary>
    /// <param name="maxLength">The bound, in bytes.</param>
    /// <param name="value">The text.</param>
    /// <returns>Whether the whole string was there, within the bound and valid.</returns>
    public bool TryReadUtf8(int maxLength, [NotNullWhen(true)] out string? value)
    {
        var start = _position;
        if (!TryReadString(maxLength, out var bytes) || !Utf8.IsValid(bytes))
        {
            _position = start;
            value = null;
            return false;
        }

        value = Encoding.UTF8.GetString(bytes);
        return true;
    }

    /// <summary>Reads a string of printable US-ASCII (0x21 to 0x7E), as names of algorithms, services and requests are.</summary>
    /// <param name="maxLength">The bound, in bytes.</param>
    /// <param name="value">The name.</param>
    /// <returns>Whether the whole string was there, within the bound and printable.</returns>
    public bool TryReadAscii(int maxLength, [NotNullWhen(true)] out string? value)
    {
        var start = _position;
        if (!TryReadString(maxLength, out var bytes) || bytes.ContainsAnyExceptInRange((byte)0x21, (byte)0x7E))
        {
            _position = start;
            value = null;
            return false;
        }

        value = Encoding.ASCII.GetString(bytes);
        return true;
    }

    /// <summary>
    /// Reads an mpint that is not negative and minimally encoded. Negative numbers and needless leading zeros are refused: no message
    /// of SSH has a use for either, and accepting two encodings of one number lets a signature cover different bytes than were sent.
    /// </summary>
    /// <param name="maxLength">The bound on the magnitude, in bytes.</param>
    /// <param name="magnitude">The number, most significant byte first, without leading zeros; empty for 0.</param>
    /// <returns>Whether the whole number was there, within the bound and well formed.</returns>
    public bool TryReadMpint(int maxLength, out ReadOnlySpan<byte> magnitude)
    {
        var start = _position;
        if (TryReadString(out magnitude))
        {
            if (magnitude.IsEmpty)
            {
                return true;
            }

            var hasSignByte = magnitude[0] == 0;
            var negative = magnitude[0] >= 0x80;
            var redundant = hasSignByte && (magnitude.Length == 1 || magnitude[1] < 0x80);
            if (hasSignByte)
            {
                magnitude = magnitude[1..];
            }

            if (!negative && !redundant && magnitude.Length <= maxLength)
            {
                return true;
            }
        }

        _position = start;
        magnitude = default;
        return false;
    }

    /// <summary>
    /// Reads a name-list: names of 1 to <see cref="MaxNameLength"/> printable characters, separated by commas; the empty list has no bytes.
    /// </summary>
    /// <param name="maxLength">The bound on the whole list, in bytes.</param>
    /// <param name="names">The names, in order.</param>
    /// <returns>Whether the whole list was there, within the bound and well formed.</returns>
    public bool TryReadNameList(int maxLength, [NotNullWhen(true)] out string[]? names)
    {
        var start = _position;
        if (TryReadString(maxLength, out var bytes) && TrySplitNames(bytes, out names))
        {
            return true;
        }

        _position = start;
        names = null;
        return false;
    }

    private static bool TrySplitNames(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out string[]? names)
    {
        if (bytes.IsEmpty)
        {
            names = [];
            return true;
        }

        names = null;
        if (bytes.ContainsAnyExceptInRange((byte)0x21, (byte)0x7E))
        {
            return false;
        }

        var result = new string[bytes.Count((byte)',') + 1];
        for (var i = 0; i < result.Length; i++)
        {
            var end = bytes.IndexOf((byte)',');
            var name = end < 0 ? bytes : bytes[..end];
            if (name.IsEmpty || name.Length > MaxNameLength)
            {
                return false;
            }

            result[i] = Encoding.ASCII.GetString(name);
            bytes = end < 0 ? default : bytes[(end + 1)..];
        }

        names = result;
        return true;
    }
}
