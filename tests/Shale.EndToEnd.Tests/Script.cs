using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Xunit;

namespace Shale.EndToEnd.Tests;

/// <summary>Programs as a person would run them, and where this build has them.</summary>
internal static class Script
{
    /// <summary>The repository.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>The executable that was built with these tests.</summary>
    public static string Shale { get; } = Path.Combine(Root, "src/Shale.Cli/bin", Directory.GetParent(AppContext.BaseDirectory.TrimEnd('/'))!.Name, "net10.0/shale");

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

    /// <summary>A port that nobody holds now.</summary>
    public static int FreePort()
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        return ((IPEndPoint)probe.LocalEndpoint).Port;
    }

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder!.FullName, "Shale.sln")))
        {
            folder = folder.Parent;
        }

        return folder.FullName;
    }
}
