using System.Diagnostics;
using System.Globalization;

namespace Shale.Benchmarks.Prover;

/// <summary>A program run to its end, with the highest resident memory that it had.</summary>
internal static class ProcessRun
{
    /// <summary>The shale executable of this build.</summary>
    public static string Shale
    {
        get
        {
            var path = Path.Combine(BenchmarkDocument.FindRoot(), "src", "Shale.Cli", "bin", "Release", "net10.0", "shale.dll");
            return File.Exists(path) ? path : throw new InvalidOperationException("shale is missing: build src/Shale.Cli with -c Release.");
        }
    }

    /// <summary>Returns the highest resident memory, in bytes.</summary>
    /// <exception cref="InvalidOperationException">It failed.</exception>
    public static async Task<long> RunAsync(string program, string[] arguments, CancellationToken cancellation)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var output = process.StandardOutput.ReadToEndAsync(cancellation);
        var errors = process.StandardError.ReadToEndAsync(cancellation);
        long peak = 0;
        var ended = process.WaitForExitAsync(cancellation);
        while (!ended.IsCompleted)
        {
            peak = Math.Max(peak, HighWater(process.Id));
            await Task.WhenAny(ended, Task.Delay(20, cancellation));
        }

        await ended;
        return process.ExitCode == 0 ? peak : throw new InvalidOperationException($"{program} {arguments[0]} ended with {process.ExitCode}: {await output} {await errors}");
    }

    private static long HighWater(int process)
    {
        try
        {
            var line = File.ReadLines($"/proc/{process}/status").FirstOrDefault(l => l.StartsWith("VmHWM:", StringComparison.Ordinal));
            return line is null ? 0 : long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) << 10;
        }
        catch (IOException)
        {
            return 0;
        }
    }
}
