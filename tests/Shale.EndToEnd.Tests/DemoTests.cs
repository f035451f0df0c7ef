using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using Xunit;

namespace Shale.EndToEnd.Tests;

/// <summary>What the README tells a stranger to run, in its short form: the published executable, stock OpenSSH and Docker, nothing in-process.</summary>
public sealed class DemoTests
{
    [Fact]
    public async Task Demo_InItsShortForm_TrainsIsPaidFreezesSettlesRefundsAndPassesTheAudit()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder!.FullName, "Shale.sln")))
        {
            folder = folder.Parent;
        }

        using var demo = Process.Start(new ProcessStartInfo("bash", [Path.Combine(folder.FullName, "shale"), "demo", "--fast"]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var error = demo.StandardError.ReadToEndAsync();
        var output = await demo.StandardOutput.ReadToEndAsync().WaitAsync(TimeSpan.FromMinutes(12));
        await demo.WaitForExitAsync();
        Assert.True(demo.ExitCode == 0, output + await error);
        Assert.Matches(@"f01946720 \(unconfirmed\)\s+offer 1\s+baf\w+\s+0.01 FIL/MINUTE", output);
        Assert.Matches(@"test accuracy 0\.8\d", output);
        Assert.Matches(@"Spent 0\.00\d+ FIL", output);
        Assert.Contains("frozen: lease-1 is not paid: The payment agent refused: The user stopped paying", output, StringComparison.Ordinal);
        Assert.Contains("goes on", output, StringComparison.Ordinal);
        Assert.Matches(@"model\.npz is bafk\w+: 1 entries", output);

        // To the attoFIL: deposit and bond are what was paid and what came back, and the provider got what was paid.
        var closed = Regex.Match(output, @"Lease 1 is closed: ([\d.]+) FIL paid\. ([\d.]+) FIL came back");
        Assert.True(closed.Success, output);
        var (paid, back) = (decimal.Parse(closed.Groups[1].Value, CultureInfo.InvariantCulture), decimal.Parse(closed.Groups[2].Value, CultureInfo.InvariantCulture));
        Assert.Equal(0.51m, paid + back);
        Assert.True(paid > 0.002m, output);
        Assert.Contains($"Paid {closed.Groups[1].Value} FIL to 0x", output, StringComparison.Ordinal);
        Assert.Contains($"page 0: {closed.Groups[1].Value} FIL of 1 leases are settled and final in 0x", output, StringComparison.Ordinal);
        Assert.Contains("5 stars for provider 1", output, StringComparison.Ordinal);
        Assert.Contains("1 settlements compared, proofs checked again", output, StringComparison.Ordinal);
        Assert.Matches(@"verdict\s+all as it must be", output);
    }
}
