using Shale.Payments.Vouchers;
using Xunit;

namespace Shale.Payments.Tests.Vouchers;

public sealed class RateTests
{
    [Theory]
    [InlineData("1fil", "1000000000000000000")]
    [InlineData("0.5 FIL", "500000000000000000")]
    [InlineData("0.000000000000000001fil", "1")]
    [InlineData("20nanoFIL", "20000000000")]
    [InlineData("7attofil", "7")]
    [InlineData("0fil", "0")]
    [InlineData("79228162514264337593543950335attoFIL", "79228162514264337593543950335")]
    public void Amount_WithItsUnit_IsRead(string text, string atto)
    {
        Assert.True(FilAmount.TryParse(text, out AttoFil amount));
        Assert.Equal(atto, amount.ToString());
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("1")]
    [InlineData("fil")]
    [InlineData(".5fil")]
    [InlineData("1.fil")]
    [InlineData("-1fil")]
    [InlineData("+1fil")]
    [InlineData("1e3fil")]
    [InlineData("1,5fil")]
    [InlineData("1.2.3fil")]
    [InlineData("0.0000000000000000001fil")]
    [InlineData("79228162514264337593543950336attoFIL")]
    [InlineData("١fil")]
    [InlineData("1eth")]
    public void Amount_AnythingElse_IsRefused(string? text) => Assert.False(FilAmount.TryParse(text, out _));

    /// <summary>10^16 / 60 = 166,666,666,666,666.67 attoFIL a second: up.</summary>
    [Theory]
    [InlineData("0.01fil/min", "166666666666667")]
    [InlineData("0.01FIL/min", "166666666666667")]
    [InlineData("0.01 FIL / minute", "166666666666667")]
    [InlineData("0.6fil/h", "166666666666667")]
    [InlineData("0.06fil/min", "1000000000000000")]
    [InlineData("5attoFIL/s", "5")]
    [InlineData("1attoFIL/day", "1")]
    [InlineData("86401attoFIL/d", "2")]
    [InlineData("86400attoFIL/d", "1")]
    public void Rate_AsWritten_IsRoundedUpToWholeAttoFilASecond(string text, string perSecond)
    {
        Assert.True(Rate.TryParse(text, out Rate rate));
        Assert.Equal(perSecond, rate.PerSecond.ToString());
    }

    [Theory]
    [InlineData(null)]
    [InlineData("0.01fil")]
    [InlineData("0.01/min")]
    [InlineData("0fil/min")]
    [InlineData("-0.01fil/min")]
    [InlineData("0.01fil/week")]
    [InlineData("0.01fil/")]
    [InlineData("1fil/min/min")]
    [InlineData("99999999999999fil/s")]
    public void Rate_AnythingElse_IsRefused(string? text) => Assert.False(Rate.TryParse(text, out _));

    [Theory]
    [InlineData("0.01fil/min", "0.01 FIL/min")]
    [InlineData("1fil/s", "60 FIL/min")]
    [InlineData("0.123fil/h", "0.00205 FIL/min")]
    [InlineData("3attoFIL/s", "3 attoFIL/s")]
    public void Rate_Printed_ReadsAsItWasWritten(string text, string printed)
    {
        Assert.True(Rate.TryParse(text, out Rate rate));
        Assert.Equal(printed, rate.ToString());
    }

    /// <summary>At least the price as written, and less than one attoFIL a second above it, for any price and time.</summary>
    [Fact]
    public void Rate_ManyPrices_NeverFallBelowThePrice()
    {
        var random = new Random(11);
        foreach ((string unit, ulong seconds) in new[] { ("s", 1UL), ("min", 60UL), ("h", 3600UL), ("d", 86400UL) })
        {
            for (int i = 0; i < 500; i++)
            {
                ulong atto = (ulong)random.NextInt64(1, long.MaxValue);
                Assert.True(Rate.TryParse($"{atto}attoFIL/{unit}", out Rate rate));
                UInt128 paid = rate.PerSecond.Value * seconds;
                Assert.True(paid >= atto && paid - atto < seconds);
            }
        }
    }
}
