using System.Globalization;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using Shale.Bn254.Fields;
using Xunit;

namespace Shale.Bn254.Tests.Fields;

public sealed class FieldConstantsTests
{
    [Fact]
    public void Moduli_DerivedConstants_FollowFromThePrimes()
    {
        // EIP-196 for the first two, EIP-2494 for the third.
        Check<FrModulus>("21888242871839275222246405745257275088548364400416034343698204186575808495617");
        Check<FpModulus>("21888242871839275222246405745257275088696311157297823662689037894645226208583");
        Check<SubgroupModulus>("2736030358979909402780800718157159386076813972158567259200215660948447373041");
    }

    [Fact]
    public void Elements_InMemory_AreFourLimbs()
    {
        Assert.Equal(32, Unsafe.SizeOf<Fr>());
        Assert.Equal(32, Unsafe.SizeOf<Fp>());
        Assert.Equal(Fr.FromUInt64(7), Fr.FromMontgomeryLimbs(
            Fr.FromUInt64(7).Limb0, Fr.FromUInt64(7).Limb1, Fr.FromUInt64(7).Limb2, Fr.FromUInt64(7).Limb3));
    }

    [Fact]
    public void FrAndFp_Sources_DifferInNameOnly()
    {
        string fr = File.ReadAllText(SourceFile("Fr.cs")), fp = File.ReadAllText(SourceFile("Fp.cs"));
        static string Body(string text) => text[text.IndexOf("[StructLayout", StringComparison.Ordinal)..];
        Assert.Equal(Body(fr), Regex.Replace(Body(fp), @"\bFp(?=\b|Modulus|SquareRoot)", "Fr"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("-1")]
    [InlineData(" 1")]
    [InlineData("0x1")]
    [InlineData("1,000")]
    [InlineData("21888242871839275222246405745257275088548364400416034343698204186575808495617")]
    public void Parse_NotANumeralBelowTheModulus_Throws(string text) => Assert.Throws<FormatException>(() => Fr.Parse(text));

    [Fact]
    public void Parse_DecimalNumeral_PrintsTheSame()
    {
        const string Largest = "21888242871839275222246405745257275088548364400416034343698204186575808495616";
        Assert.Equal(Largest, Fr.Parse(Largest).ToString());
        Assert.True(Fr.Parse(Largest).IsNegative);
        Assert.False(Fr.Parse(Largest).IsOdd);
        Assert.False(Fr.One.IsNegative);
        Assert.True(Fr.One.IsOdd);
    }

    [Fact]
    public void ReduceBigEndian_UpTo64Bytes_AgreesWithIntegers()
    {
        var random = new Random(1);
        for (int length = 0; length <= 64; length++)
        {
            byte[] bytes = new byte[length];
            random.NextBytes(bytes);
            Assert.Equal(new BigInteger(bytes, isUnsigned: true, isBigEndian: true) % Fr.Modulus, Fr.ReduceBigEndian(bytes).ToBigInteger());
            Array.Fill(bytes, (byte)0xFF);
            Assert.Equal(new BigInteger(bytes, isUnsigned: true, isBigEndian: true) % Fp.Modulus, Fp.ReduceBigEndian(bytes).ToBigInteger());
        }

        Assert.Throws<ArgumentException>(() => Fr.ReduceBigEndian(new byte[65]));
    }

    [Fact]
    public void InverseFixedTime_RandomValues_EqualsInverse()
    {
        for (ulong i = 0; i < 100; i++)
        {
            Assert.Equal(Fr.FromUInt64(i).Inverse(), Fr.FromUInt64(i).InverseFixedTime());
        }
    }

    private static string SourceFile(string name) =>
        Path.Combine(Path.GetDirectoryName(Path.GetDirectoryName(TestPeers.NodePeer.Folder))!, "src", "Shale.Bn254", "Fields", name);

    private static void Check<TModulus>(string prime)
        where TModulus : struct, IModulus
    {
        BigInteger p = BigInteger.Parse(prime, CultureInfo.InvariantCulture), r = BigInteger.One << 256;
        Assert.Equal(p, Montgomery<TModulus>.Modulus.ToBigInteger());
        Assert.Equal((BigInteger.One << 64) - 1, p * TModulus.NegatedInverse % (BigInteger.One << 64));
        Assert.Equal(r % p, TModulus.R.ToBigInteger());
        Assert.Equal(r * r % p, TModulus.R2.ToBigInteger());
        Assert.Equal(r * r * r % p, TModulus.R3.ToBigInteger());
        Assert.True(p < BigInteger.One << 254);
    }
}
