using System.Text;

namespace Shale.Crypto.Tests;

public sealed class ScryptTests
{
    // RFC 7914 section 12.
    [Theory]
    [InlineData("", "", 16, 1, 1, "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906")]
    [InlineData("password", "NaCl", 1024, 8, 16, "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640")]
    [InlineData("pleaseletmein", "SodiumChloride", 16384, 8, 1, "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887")]
    public void Key_OfRfc7914sVectors_IsTheirs(string passphrase, string salt, ulong n, ulong r, ulong p, string expected)
    {
        var key = new byte[64];
        Assert.True(Scrypt.TryDeriveKey(Encoding.ASCII.GetBytes(passphrase), Encoding.ASCII.GetBytes(salt), n, r, p, 1 << 26, key));
        Assert.Equal(expected, Convert.ToHexStringLower(key));
    }

    [Theory]
    [InlineData(15, 8, 1)] // no power of two
    [InlineData(1, 8, 1)]
    [InlineData(65536, 1, 1)] // N has to be below 2^(16·r)
    [InlineData(1 << 20, 8, 1)] // 1 GiB
    [InlineData(1024, 0, 1)]
    [InlineData(1024, 8, 0)]
    [InlineData(1024, 1 << 20, 1 << 20)]
    public void Key_WithParametersOutOfBounds_IsRefused(ulong n, ulong r, ulong p)
    {
        var key = new byte[32];
        Array.Fill(key, (byte)1);
        Assert.False(Scrypt.TryDeriveKey("x"u8, "y"u8, n, r, p, 1 << 26, key));
        Assert.Equal(new byte[32], key);
    }
}
