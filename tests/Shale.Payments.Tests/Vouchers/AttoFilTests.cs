using System.Numerics;
using Shale.Payments.Vouchers;
using Xunit;

namespace Shale.Payments.Tests.Vouchers;

public sealed class AttoFilTests
{
    private static readonly BigInteger Limit = BigInteger.One << 96;

    [Fact]
    public void Cost_RandomAndEdgeValues_IsTheCeilingOfTheProduct()
    {
        var random = new Random(8);
        UInt128[] prices = [0, 1, 999, 1000, 1001, 166_666_666_666_667, AttoFil.OneFil.Value, AttoFil.MaxValue.Value];
        ulong[] times = [0, 1, 999, 1000, 1001, 15_000, ulong.MaxValue];
        var cases = prices.SelectMany(p => times.Select(t => (p, t))).Concat(Enumerable.Range(0, 5000).Select(_ =>
            ((((UInt128)(ulong)random.NextInt64() << 64) | (ulong)random.NextInt64()) >> (32 + random.Next(96)),
             (ulong)random.NextInt64() >> random.Next(64))));
        foreach ((UInt128 price, ulong milliseconds) in cases)
        {
            BigInteger exact = ((((BigInteger)price * milliseconds) + 999) / 1000);
            AttoFil cost = AttoFil.Cost(AttoFil.Create(price), milliseconds);
            Assert.Equal(BigInteger.Min(exact, Limit - 1), (BigInteger)cost.Value);

            // What an amount pays for costs no more than it, and a millisecond more would.
            ulong paid = cost.PaysFor(AttoFil.Create(price));
            Assert.True(AttoFil.Cost(AttoFil.Create(price), paid) <= cost);
            if (price != 0 && paid != ulong.MaxValue && cost < AttoFil.MaxValue)
            {
                Assert.True(AttoFil.Cost(AttoFil.Create(price), paid + 1) > cost);
            }
        }
    }

    [Fact]
    public void Arithmetic_OutOfRange_Throws()
    {
        Assert.Throws<OverflowException>(() => AttoFil.MaxValue + AttoFil.Create(1));
        Assert.Throws<OverflowException>(() => AttoFil.Zero - AttoFil.Create(1));
        Assert.Throws<OverflowException>(() => AttoFil.Create(UInt128.One << 96));
        Assert.Equal(AttoFil.Zero, AttoFil.SubtractToZero(AttoFil.Create(1), AttoFil.Create(2)));
    }

    [Theory]
    [InlineData("0", true)]
    [InlineData("79228162514264337593543950335", true)]
    [InlineData("79228162514264337593543950336", false)]
    [InlineData("-1", false)]
    [InlineData("1.5", false)]
    [InlineData("", false)]
    [InlineData(null, false)]
    public void TryParse_Numeral_TakesTheRangeOnly(string? text, bool accepted)
    {
        Assert.Equal(accepted, AttoFil.TryParse(text, out AttoFil amount));
        Assert.Equal(accepted ? text : "0", amount.ToString());
    }

    [Theory]
    [InlineData("1000000000000000000", "1")]
    [InlineData("2500000000000000", "0.0025")]
    [InlineData("1", "0.000000000000000001")]
    [InlineData("0", "0")]
    public void ToFilString_Amount_ReadsInFil(string atto, string fil)
    {
        Assert.True(AttoFil.TryParse(atto, out AttoFil amount));
        Assert.Equal(fil, amount.ToFilString());
    }

    [Fact]
    public void Bytes_AnyAmount_RoundTrip()
    {
        foreach (AttoFil amount in new[] { AttoFil.Zero, AttoFil.OneFil, AttoFil.MaxValue, AttoFil.Create((UInt128)1 << 64) })
        {
            byte[] bytes = new byte[AttoFil.Size];
            amount.Write(bytes);
            Assert.Equal((BigInteger)amount.Value, new BigInteger(bytes, isUnsigned: true, isBigEndian: true));
            Assert.Equal(amount, AttoFil.Read(bytes));
        }
    }
}
