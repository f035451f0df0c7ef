using System.Diagnostics;
using System.Text;

namespace Shale.Interop.Tests;

/// <summary>What a program printed and how it ended.</summary>
internal sealed record Outcome(int ExitCode, byte[] OutputBytes, string Error)
{
    public string Output => Encoding.UTF8.GetString(OutputBytes);
}

/// <summary>Runs programs, with a limit on their time.</summary>
internal static class Cli
{
    public static string Root { get; } = FindRoot();

    /// <summary>The executable that <c>./shale</c> runs.</summary>
    public static string Shale { get; } = Path.Combine(Root, "src/Shale.Cli/bin/Release/net10.0/shale");

    public static async Task<Outcome> RunAsync(string program, IEnumerable<string> arguments, byte[]? input = null, int seconds = 240, IReadOnlyDictionary<string, string>? environment = null)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
        {
            start.Environment[name] = value;
        }

        using var process = Process.Start(start)!;
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(seconds));
        using var output = new MemoryStream();
        var reading = process.StandardOutput.BaseStream.CopyToAsync(output, limit.Token);
        var error = process.StandardError.ReadToEndAsync(limit.Token);
        try
        {
            if (input is not null)
            {
                await process.StandardInput.BaseStream.WriteAsync(input, limit.Token);
            }
        }
        catch (IOException)
        {
            // It ended without reading everything; its exit tells.
        }

        try
        {
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // As above.
        }

        try
        {
            await process.WaitForExitAsync(limit.Token);
            await reading;
            return new Outcome(process.ExitCode, output.ToArray(), await error);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"{program} {string.Join(' ', arguments)} did not end within {seconds} s. It printed: {Encoding.UTF8.GetString(output.ToArray())}");
        }
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
