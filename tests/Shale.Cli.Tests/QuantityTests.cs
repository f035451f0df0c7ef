using Shale.Cli.Parsing;
using Xunit;

namespace Shale.Cli.Tests;

public sealed class QuantityTests
{
    [Theory]
    [InlineData("12Gi", 12L * 1024 * 1024 * 1024)]
    [InlineData("16g", 16L * 1024 * 1024 * 1024)]
    [InlineData("512m", 512L * 1024 * 1024)]
    [InlineData("1.5GiB", 1536L * 1024 * 1024)]
    [InlineData("8388608", 8388608L)]
    public void Memory_AsDockerAndKubernetesWriteIt_IsBytes(string text, long bytes) =>
        Assert.Equal(bytes, Quantity.Memory(text, "--num_rams"));

    [Theory]
    [InlineData("1Mi", 1048576)]
    [InlineData("1Mbps", 125000)]
    [InlineData("1Gbps", 125000000)]
    public void Bandwidth_BytesOrBits_IsBytesASecond(string text, long bytes) =>
        Assert.Equal(bytes, Quantity.Bandwidth(text, "--bandwidth"));

    [Fact]
    public void Bandwidth_BelowAKibibyteASecond_IsRefused() =>
        Assert.Throws<CliError>(() => Quantity.Bandwidth("8kbps", "--bandwidth"));

    [Theory]
    [InlineData("")]
    [InlineData("-5g")]
    [InlineData("5x")]
    [InlineData("1e9g")]
    [InlineData("99999999999999999999999999999g")]
    [InlineData("1m")]
    [InlineData("0x10g")]
    public void Memory_NotASize_IsRefusedWithTheOptionAndAnExample(string text)
    {
        var error = Assert.Throws<CliError>(() => Quantity.Memory(text, "--num_rams"));
        Assert.Contains("--num_rams", error.Message, StringComparison.Ordinal);
        Assert.Contains("12Gi", error.Message, StringComparison.Ordinal);
        Assert.Equal(64, error.ExitCode);
    }

    [Theory]
    [InlineData("2h", 7200)]
    [InlineData("90s", 90)]
    [InlineData("30m", 1800)]
    [InlineData("30min", 1800)]
    [InlineData("1.5d", 129600)]
    public void Duration_WithItsUnit_IsATimeSpan(string text, int seconds) =>
        Assert.Equal(TimeSpan.FromSeconds(seconds), Quantity.Duration(text, "--for"));
}
