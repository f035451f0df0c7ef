using System.Diagnostics;
using Xunit;

namespace Shale.Cli.Tests;

/// <summary>Runs <c>shale</c> as a user does, with an agent's folder of its own.</summary>
internal sealed class ShaleProcess(string home)
{
    public (int ExitCode, string Output, string Error) Run(params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, "shale.dll"));
        foreach (string argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        start.Environment["SHALE_HOME"] = home;
        start.Environment.Remove("SHALE_PASSPHRASE_FILE");
        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
        Assert.True(process.WaitForExit(TimeSpan.FromSeconds(180)), string.Join(' ', arguments));
        return (process.ExitCode, output.Result, error.Result);
    }
}
