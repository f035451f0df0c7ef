using System.Diagnostics;
using Xunit;

namespace Shale.EndToEnd.Tests;

/// <summary>Programs as a person would run them, with nothing taken from them or put in their place.</summary>
internal static class Script
{
    /// <summary>Runs a program; what it printed, both streams.</summary>
    public static async Task<(int Code, string Output, string Error)> TryAsync(string program, string[] arguments, TimeSpan limit)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var error = process.StandardError.ReadToEndAsync();
        string output;
        try
        {
            output = await process.StandardOutput.ReadToEndAsync().WaitAsync(limit);
        }
        catch (TimeoutException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }

        await process.WaitForExitAsync();
        return (process.ExitCode, output, await error);
    }

    /// <summary>The same, and it has to succeed; its output.</summary>
    public static async Task<string> RunAsync(string program, string[] arguments, TimeSpan limit)
    {
        var (code, output, error) = await TryAsync(program, arguments, limit);
        Assert.True(code == 0, $"{program} ended with {code}:\n{output}\n{error}");
        return output;
    }
}
