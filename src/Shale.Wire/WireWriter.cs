using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace Shale.Wire;

/// <summary>
/// Writes the data types of RFC 4251 section 5 to an <see cref="IBufferWriter{T}"/>. What is written here is our own, so a value that
/// cannot be encoded is a bug and throws.
/// </summary>
public readonly ref struct WireWriter
{
    private readonly IBufferWriter<byte> _output;

    /// <summary>Writes behind what <paramref name="output"/> already holds.</summary>
    /// <param name="output">Takes the bytes; stays the caller's.</param>
    public WireWriter(IBufferWriter<byte> output)
    {
        ArgumentNullException.ThrowIfNull(output);
        _output = output;
    }

    /// <summary>Writes one byte.</summary>
    /// <param name="value">The byte.</param>
    public void WriteByte(byte value)
    {
        _output.GetSpan(1)[0] = value;
        _output.Advance(1);
    }

    /// <summary>Writes a boolean as 0 or 1.</summary>
    /// <param name="value">The boolean.</param>
    public void WriteBoolean(bool value) => WriteByte(value ? (byte)1 : (byte)0);

    /// <summary>Writes four bytes, most significant first.</summary>
    /// <param name="value">The number.</param>
    public void WriteUInt32(uint value)
    {
        BinaryPrimitives.WriteUInt32BigEndian(_output.GetSpan(sizeof(uint)), value);
        _output.Advance(sizeof(uint));
    }

    /// <summary>Writes eight bytes, most significant first.</summary>
    /// <param name="value">The number.</param>
    public void WriteUInt64(ulong value)
    {
        BinaryPrimitives.WriteUInt64BigEndian(_output.GetSpan(sizeof(ulong)), value);
        _output.Advance(sizeof(ulong));
    }

    /// <summary>Writes bytes without a length.</summary>
    /// <param name="value">The bytes.</param>
    public void WriteBytes(ReadOnlySpan<byte> value) => _output.Write(value);

    /// <summary>Writes a string: its length in four bytes, then its bytes.</summary>
    /// <param name="value">The bytes.</param>
    public void WriteString(ReadOnlySpan<byte> value)
    {
        WriteUInt32((uint)value.Length);
        WriteBytes(value);
    }

    /// <summary>Writes a text as a string in UTF-8.</summary>
    /// <param name="value">The text.</param>
    public void WriteString(string value)
    {
        ArgumentNullException.ThrowIfNull(value);
        var length = Encoding.UTF8.GetByteCount(value);
        WriteUInt32((uint)length);
        Encoding.UTF8.GetBytes(value, _output.GetSpan(length));
        _output.Advance(length);
    }

    /// <summary>Writes a number that is not negative as a minimal mpint.</summary>
    /// <param name="magnitude">The number, most significant byte first; leading zeros are dropped.</param>
    public void WriteMpint(ReadOnlySpan<byte> magnitude)
    {
        var start = magnitude.IndexOfAnyExcept((byte)0);
        magnitude = start < 0 ? default : magnitude[start..];
        var needsSignByte = !magnitude.IsEmpty && magnitude[0] >= 0x80;
        WriteUInt32((uint)magnitude.Length + (needsSignByte ? 1u : 0u));
        if (needsSignByte)
        {
            WriteByte(0);
        }

        WriteBytes(magnitude);
    }

    /// <summary>Writes a name-list.</summary>
    /// <param name="names">The names: printable US-ASCII without commas, not empty.</param>
    /// <exception cref="ArgumentException">A name cannot stand in a name-list.</exception>
    public void WriteNameList(IReadOnlyList<string> names)
    {
        ArgumentNullException.ThrowIfNull(names);
        var length = Math.Max(0, names.Count - 1);
        foreach (var name in names)
        {
            if (name.Length is 0 or > WireReader.MaxNameLength || name.AsSpan().ContainsAnyExceptInRange('\x21', '\x7E') || name.Contains(','))
            {
                throw new ArgumentException($"'{name}' cannot stand in a name-list.", nameof(names));
            }

            length += name.Length;
        }

        WriteUInt32((uint)length);
        for (var i = 0; i < names.Count; i++)
        {
            if (i > 0)
            {
                WriteByte((byte)',');
            }

            var written = Encoding.ASCII.GetBytes(names[i], _output.GetSpan(names[i].Length));
            _output.Advance(written);
        }
    }
}
