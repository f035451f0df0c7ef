using System.Text;
using Shale.Chain.Transactions;
using Xunit;

namespace Shale.Chain.Tests.Transactions;

public sealed class RlpTests
{
    [Fact]
    public void Encoding_OfTheSpecificationsExamples_IsAsGiven()
    {
        // https://ethereum.org/en/developers/docs/data-structures-and-encoding/rlp/, "Examples"
        Assert.Equal("83646f67", Hex(new RlpWriter().Bytes("dog"u8)));
        Assert.Equal("c88363617483646f67", Hex(new RlpWriter().List(new RlpWriter().Bytes("cat"u8).Bytes("dog"u8))));
        Assert.Equal("80", Hex(new RlpWriter().Bytes([])));
        Assert.Equal("c0", Hex(new RlpWriter().List(new RlpWriter())));
        Assert.Equal("80", Hex(new RlpWriter().Number(0)));
        Assert.Equal("00", Hex(new RlpWriter().Bytes([0])));
        Assert.Equal("0f", Hex(new RlpWriter().Number(15)));
        Assert.Equal("820400", Hex(new RlpWriter().Number(1024)));
        // [ [], [[]], [ [], [[]] ] ]
        RlpWriter Empty() => new RlpWriter().List(new RlpWriter());
        Assert.Equal("c7c0c1c0c3c0c1c0", Hex(new RlpWriter().List(new RlpWriter()
            .List(new RlpWriter())
            .List(Empty())
            .List(new RlpWriter().List(new RlpWriter()).List(Empty())))));
        Assert.Equal("b8384c6f72656d20697073756d20646f6c6f722073697420616d65742c20636f6e7365637465747572206164697069736963696e6720656c6974",
            Hex(new RlpWriter().Bytes("Lorem ipsum dolor sit amet, consectetur adipisicing elit"u8)));
    }

    [Theory]
    [InlineData("8100", "a byte below 128 behind a prefix")]
    [InlineData("817f", "a byte below 128 behind a prefix")]
    [InlineData("b800", "a long form of a short length")]
    [InlineData("b837" + "00", "a long form of a short length")]
    [InlineData("b90038", "a length with leading zeros")]
    [InlineData("83646f", "cut off")]
    [InlineData("bfffffffffffffffff", "a length beyond everything")]
    [InlineData("bb7fffffff", "a length beyond the data")]
    [InlineData("c0", "a list for a string")]
    [InlineData("", "nothing")]
    public void Decoding_OfWhatIsNotCanonical_IsRefused(string hex, string what)
    {
        var reader = new RlpReader(Convert.FromHexString(hex));
        Assert.False(reader.TryBytes(out _), what);
    }

    [Fact]
    public void Numbers_WithLeadingZerosOrTooLong_AreRefused()
    {
        var zero = new RlpReader([0x82, 0x00, 0x01]);
        Assert.False(zero.TryNumber(out ulong _));
        var single = new RlpReader([0x00]);
        Assert.False(single.TryNumber(out ulong _));
        var wide = new RlpReader([0x89, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
        Assert.False(wide.TryNumber(out ulong _));
    }

    private static string Hex(RlpWriter writer) => Convert.ToHexStringLower(writer.ToArray());
}
