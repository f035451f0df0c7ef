using System.Buffers;
using System.Text;
using Xunit;

namespace Shale.Wire.Tests;

/// <summary>Vectors are the examples of RFC 4251 section 5; the rest is what must be refused.</summary>
public sealed class WireReaderTests
{
    [Theory]
    [InlineData("00000000", "")]
    [InlineData("0000000809a378f9b2e332a7", "09a378f9b2e332a7")]
    [InlineData("000000020080", "80")]
    public void Mpint_OfRfc4251_ReadsAndWritesBack(string wire, string magnitude)
    {
        var bytes = Convert.FromHexString(wire);
        var reader = new WireReader(bytes);
        Assert.True(reader.TryReadMpint(64, out var value));
        Assert.True(reader.IsAtEnd);
        Assert.Equal(Convert.FromHexString(magnitude), value.ToArray());

        var output = new ArrayBufferWriter<byte>();
        new WireWriter(output).WriteMpint(Convert.FromHexString("0000" + magnitude));
        Assert.Equal(bytes, output.WrittenSpan.ToArray());
    }

    [Theory]
    [InlineData("00000002edcc")] // -1234 of RFC 4251: negative
    [InlineData("00000005ff21524111")] // -deadbeef of RFC 4251: negative
    [InlineData("0000000100")] // 0 with a byte
    [InlineData("000000020001")] // needless zero
    [InlineData("00000003000080")] // two zeros
    [InlineData("0000000401")] // short
    [InlineData("000000")] // no length
    [InlineData("0000000401020304")] // within the input but above the bound of 3
    public void Mpint_NegativePaddedShortOrLong_IsRefusedInPlace(string wire)
    {
        var reader = new WireReader(Convert.FromHexString(wire));
        Assert.False(reader.TryReadMpint(3, out _));
        Assert.Equal(0, reader.Consumed);
    }

    [Theory]
    [InlineData("00000000", "")]
    [InlineData("000000047a6c6962", "zlib")]
    [InlineData("000000097a6c69622c6e6f6e65", "zlib,none")]
    public void NameList_OfRfc4251_ReadsAndWritesBack(string wire, string names)
    {
        var bytes = Convert.FromHexString(wire);
        var reader = new WireReader(bytes);
        Assert.True(reader.TryReadNameList(1024, out var value));
        var expected = names.Length == 0 ? [] : names.Split(',');
        Assert.Equal(expected, value);

        var output = new ArrayBufferWriter<byte>();
        new WireWriter(output).WriteNameList(expected);
        Assert.Equal(bytes, output.WrittenSpan.ToArray());
    }

    [Theory]
    [InlineData(",")]
    [InlineData("a,")]
    [InlineData(",a")]
    [InlineData("a,,b")]
    [InlineData("a b")]
    [InlineData("a\0b")]
    [InlineData("\u00e9")]
    [InlineData("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")] // 65 characters
    public void NameList_EmptyNameOrForbiddenCharacter_IsRefusedInPlace(string list)
    {
        var output = new ArrayBufferWriter<byte>();
        new WireWriter(output).WriteString(list);
        var reader = new WireReader(output.WrittenSpan);
        Assert.False(reader.TryReadNameList(1024, out _));
        Assert.Equal(0, reader.Consumed);
    }

    [Fact]
    public void NameList_LongerThanItsBound_IsRefused()
    {
        var output = new ArrayBufferWriter<byte>();
        new WireWriter(output).WriteNameList(["aaaa", "bbbb"]);
        var reader = new WireReader(output.WrittenSpan);
        Assert.False(reader.TryReadNameList(8, out _));
        Assert.True(reader.TryReadNameList(9, out _));
    }

    [Theory]
    [InlineData("00000004616263")]
    [InlineData("ffffffff61")]
    [InlineData("80000000")]
    [InlineData("7fffffff00")]
    public void String_LongerThanTheInput_IsRefusedInPlace(string wire)
    {
        var reader = new WireReader(Convert.FromHexString(wire));
        Assert.False(reader.TryReadString(out var value));
        Assert.True(value.IsEmpty);
        Assert.Equal(0, reader.Consumed);
    }

    [Theory]
    [InlineData("c0af")] // overlong
    [InlineData("eda080")] // surrogate
    [InlineData("f4908080")] // above U+10FFFF
    [InlineData("80")]
    [InlineData("e282")]
    public void Utf8_Malformed_IsRefusedInPlace(string hex)
    {
        var output = new ArrayBufferWriter<byte>();
        new WireWriter(output).WriteString(Convert.FromHexString(hex));
        var reader = new WireReader(output.WrittenSpan);
        Assert.False(reader.TryReadUtf8(64, out _));
        Assert.False(reader.TryReadAscii(64, out _));
        Assert.Equal(0, reader.Consumed);
        Assert.True(reader.TryReadString(out _));
    }

    [Fact]
    public void Utf8_OfText_ReadsBackWithinItsBoundInBytes()
    {
        var output = new ArrayBufferWriter<byte>();
        new WireWriter(output).WriteString("schiefer \u20ac");
        Assert.Equal(4 + 12, output.WrittenCount);
        var reader = new WireReader(output.WrittenSpan);
        Assert.False(reader.TryReadUtf8(11, out _));
        Assert.False(reader.TryReadAscii(64, out _));
        Assert.True(reader.TryReadUtf8(12, out var text));
        Assert.Equal("schiefer \u20ac", text);
    }

    [Fact]
    public void Scalars_WrittenInOrder_ReadBackAndEndExactly()
    {
        var output = new ArrayBufferWriter<byte>();
        var writer = new WireWriter(output);
        writer.WriteByte(0x7F);
        writer.WriteBoolean(true);
        writer.WriteBoolean(false);
        writer.WriteUInt32(0x29b7f4aa); // RFC 4251: 699921578
        writer.WriteUInt64(0x0102030405060708);
        writer.WriteString("testing"u8);
        writer.WriteBytes([1, 2]);
        Assert.Equal(
            "7f010029b7f4aa01020304050607080000000774657374696e670102",
            Convert.ToHexStringLower(output.WrittenSpan));

        var reader = new WireReader(output.WrittenSpan);
        Assert.True(reader.TryReadByte(out var b) && b == 0x7F);
        Assert.True(reader.TryReadBoolean(out var yes) && yes);
        Assert.True(reader.TryReadBoolean(out var no) && !no);
        Assert.True(reader.TryReadUInt32(out var u32) && u32 == 699921578);
        Assert.True(reader.TryReadUInt64(out var u64) && u64 == 0x0102030405060708);
        Assert.True(reader.TryReadAscii(7, out var text) && text == "testing");
        Assert.False(reader.TryReadBytes(3, out _));
        Assert.False(reader.IsAtEnd);
        Assert.True(reader.TryReadBytes(2, out var rest) && rest[1] == 2);
        Assert.True(reader.IsAtEnd);
        Assert.False(reader.TryReadByte(out _) || reader.TryReadBoolean(out _) || reader.TryReadUInt32(out _) || reader.TryReadUInt64(out _));
    }

    [Fact]
    public void Boolean_NeitherZeroNorOne_IsTrue()
    {
        var reader = new WireReader([0xFF]);
        Assert.True(reader.TryReadBoolean(out var value));
        Assert.True(value);
    }

    [Fact]
    public void Reader_OnRandomBytes_NeverThrowsAndNeverPassesTheEnd()
    {
        var random = new Random(4251);
        var buffer = new byte[96];
        for (var round = 0; round < 50_000; round++)
        {
            var length = random.Next(buffer.Length);
            random.NextBytes(buffer);
            buffer[0] = buffer[1] = buffer[2] = 0;
            var reader = new WireReader(buffer.AsSpan(0, length));
            for (var step = 0; step < 6; step++)
            {
                var before = reader.Consumed;
                var ok = random.Next(6) switch
                {
                    0 => reader.TryReadString(out _),
                    1 => reader.TryReadMpint(40, out _),
                    2 => reader.TryReadNameList(40, out _),
                    3 => reader.TryReadUtf8(40, out _),
                    4 => reader.TryReadAscii(40, out _),
                    _ => reader.TryReadUInt64(out _),
                };
                Assert.True(ok ? reader.Consumed > before && reader.Consumed <= length : reader.Consumed == before);
            }
        }
    }

    [Theory]
    [InlineData("a,b")]
    [InlineData("")]
    [InlineData("a b")]
    public void WriteNameList_NameThatCannotStandInAList_Throws(string name) =>
        Assert.Throws<ArgumentException>(() => new WireWriter(new ArrayBufferWriter<byte>()).WriteNameList([name]));

    [Fact]
    public void Text_OfAscii_RoundTrips()
    {
        var output = new ArrayBufferWriter<byte>();
        new WireWriter(output).WriteString("ssh-ed25519");
        Assert.Equal("ssh-ed25519", Encoding.ASCII.GetString(output.WrittenSpan[4..]));
    }
}
