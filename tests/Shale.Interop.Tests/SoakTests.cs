using Xunit;

namespace Shale.Interop.Tests;

/// <summary>A minute of tests/soak/soak.sh, which runs for a day by hand.</summary>
public sealed class SoakTests
{
    [Fact]
    public async Task Clients_ThatConnectWorkAndVanish_LeaveNothingBehind()
    {
        var outcome = await Cli.RunAsync("bash", [Path.Combine(Cli.Root, "tests/soak/soak.sh"), "45", "4"], seconds: 540);
        Assert.True(outcome.ExitCode == 0 && outcome.Output.TrimEnd().EndsWith("soak: ok", StringComparison.Ordinal), outcome.Output + outcome.Error);
    }
}
