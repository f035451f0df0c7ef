using System.Numerics;

namespace Shale.Crypto.Tests;

public sealed class ModularArithmeticTests
{
    [Theory]
    [InlineData(256)]
    [InlineData(512)]
    [InlineData(1024)]
    public void ModPow_GroupSizes_AgreesWithNodeAndBigInteger(int size)
    {
        var random = Seeded(size);
        var modulus = random.Bytes(size);
        modulus[0] |= 0x80;
        modulus[^1] |= 1;
        byte[] value = random.Bytes(size), exponent = random.Bytes(32), result = new byte[size];
        ModularArithmetic.ModPow(value, exponent, modulus, result);
        Assert.Equal(NodePeer.Ask<string[]>("crypto.mjs", new[] { new { op = "modPow", value = Hex(value), exponent = Hex(exponent), modulus = Hex(modulus) } })[0], Hex(result));
        Assert.Equal(BigInteger.ModPow(Number(value), Number(exponent), Number(modulus)), Number(result));
    }

    [Fact]
    public void ModPow_SmallNumbers_AgreesWithBigInteger()
    {
        for (var m = 3; m < 60; m += 2)
        {
            for (var b = 0; b < 70; b++)
            {
                var result = new byte[2];
                ModularArithmetic.ModPow([(byte)b], [(byte)(b * 3)], [0, (byte)m], result);
                Assert.Equal(BigInteger.ModPow(b, (byte)(b * 3), m), Number(result));
            }
        }
    }

    [Theory]
    [InlineData("00")]
    [InlineData("01")]
    [InlineData("10")]
    [InlineData("")]
    public void ModPow_ModulusThatIsNoGroup_Throws(string modulus) =>
        Assert.Throws<ArgumentException>(() => ModularArithmetic.ModPow([2], [2], Hex(modulus), new byte[modulus.Length / 2]));

    [Fact]
    public void ModPow_HugeModulus_Throws()
    {
        var modulus = new byte[ModularArithmetic.MaxModulusSize + 1];
        modulus[^1] = 7;
        Assert.Throws<ArgumentException>(() => ModularArithmetic.ModPow([2], [2], modulus, new byte[modulus.Length]));
    }

    private static BigInteger Number(byte[] bytes) => new(bytes, isUnsigned: true, isBigEndian: true);
}
