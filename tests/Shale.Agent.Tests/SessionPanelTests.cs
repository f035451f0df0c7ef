using Shale.Agent.Control;

namespace Shale.Agent.Tests;

public sealed class SessionPanelTests
{
    private static readonly LeaseView View = new()
    {
        Lease = 42,
        Name = "lease-42",
        State = LeaseState.Paying,
        PricePerSecond = "166666666666667",
        Deposit = "1000000000000000000",
        Authorised = "5000000000000000",
        ActiveMilliseconds = 134_000,
        SincePaidMilliseconds = 2_500,
    };

    /// <summary>The line as the product describes it.</summary>
    [Fact]
    public void Line_OfAPaidLease_ReadsAsPublished() => Assert.Equal("0:02:16  Spent 0.005 FIL  lease 42  ssh lease-42", SessionPanel.Line(View));

    [Fact]
    public void Line_WhilePaused_StandsStill() => Assert.StartsWith("0:02:14", SessionPanel.Line(View with { State = LeaseState.Paused }));

    [Fact]
    public void Line_LongUnpaid_DoesNotRunAway() => Assert.StartsWith("0:02:29", SessionPanel.Line(View with { SincePaidMilliseconds = 3_600_000 }));

    [Fact]
    public void Above_WithUsage_ShowsRateCpuAndMemory() => Assert.Equal(
        ["paying  0.01 FIL/min  CPU 45 %  memory 1.2 GiB of 4 GiB"],
        SessionPanel.Above(View with { Usage = new UsageView(45.2, 1_288_490_189, 4L << 30) }));

    [Fact]
    public void Above_WithAMessage_ShowsItOnALineOfItsOwn() => Assert.Equal(
        ["refused  0.01 FIL/min", "Today's budget is used up."], SessionPanel.Above(View with { State = LeaseState.Refused, Message = "Today's budget is used up." }));

    [Theory]
    [InlineData("0", "0")]
    [InlineData("1", "0.000001")]
    [InlineData("2500000000000000000", "2.5")]
    [InlineData("5000000000000001", "0.005001")]
    public void Fil_Shown_IsRoundedUpToTheSixthDecimal(string atto, string shown) => Assert.Equal(shown, SessionPanel.Fil(atto));
}
