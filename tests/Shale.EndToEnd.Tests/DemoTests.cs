using System.Diagnostics;
using Xunit;

namespace Shale.EndToEnd.Tests;

/// <summary>What the README tells a stranger to run, in its short form: the published executable, stock OpenSSH and Docker, nothing in-process.</summary>
public sealed class DemoTests
{
    [Fact]
    public async Task Demo_InItsShortForm_TrainsIsPaidFreezesGoesOnAndPassesTheAudit()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder!.FullName, "Shale.sln")))
        {
            folder = folder.Parent;
        }

        using var demo = Process.Start(new ProcessStartInfo("bash", [Path.Combine(folder.FullName, "shale"), "demo", "--fast"]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var error = demo.StandardError.ReadToEndAsync();
        var output = await demo.StandardOutput.ReadToEndAsync().WaitAsync(TimeSpan.FromMinutes(8));
        await demo.WaitForExitAsync();
        Assert.True(demo.ExitCode == 0, output + await error);
        Assert.Contains("is not paid: connect with", output, StringComparison.Ordinal);
        Assert.Matches(@"test accuracy 0\.8\d", output);
        Assert.Matches(@"Spent 0\.00\d+ FIL", output);
        Assert.Contains("frozen: lease-1 is not paid: The payment agent refused: The user stopped paying", output, StringComparison.Ordinal);
        Assert.Contains("goes on", output, StringComparison.Ordinal);
        Assert.Matches(@"verdict\s+all as it must be", output);
    }
}
