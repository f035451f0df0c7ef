using System.Diagnostics;
using System.Globalization;
using Shale.Data.Car;
using Shale.Data.Cids;
using Shale.Data.Pieces;
using Shale.Data.Store;
using Shale.Data.UnixFs;

namespace Shale.Data.Tests.Support;

/// <summary>The library at work in a process of its own, which a test can kill or give little memory.</summary>
internal static class Child
{
    private const string KillAfter = "SHALE_TEST_KILL_AFTER";

    // 128 and SIGKILL's number.
    private const int Killed = 137;

    /// <summary>Each report of progress is a line on standard output; the last line says how it ended.</summary>
    public static int Main(string[] args)
    {
        var lines = new Lines();
        DataError error;
        switch (args[0])
        {
            case "add":
                error = DatasetStore.Open(args[1]).Value.Add(new AddRequest { Path = args[2], IsCar = args[2].EndsWith(".car", StringComparison.Ordinal), Placement = PlacementRule.Independent }, lines).Error;
                break;
            case "extract":
                using (var car = CarBlockSource.Open(args[1]).Value)
                {
                    var done = new TreeExtractor(car, null, 0, lines).Extract(car.Roots[0], args[2]);
                    error = done.Error;
                    Console.WriteLine($"reused {(done.Ok ? done.Value.Reused : 0)}");
                }

                break;
            case "pack":
                error = ResultPacker.Pack(new HostFileTree(args[1]), args[1], args[2], null, null, null, lines).Error;
                break;
            case "hash":
                error = new TreeImporter(ImportPreset.UnixFsV1, NoBlockSink.Instance).Import(new HostFileTree(args[1])).Error;
                using (var stream = new FileStream(args[1], FileMode.Open, FileAccess.Read, FileShare.Read, 0))
                {
                    Console.WriteLine(PieceHasher.Compute(stream).CidV1);
                }

                break;
            case "verify":
                using (var stream = new FileStream(args[1], FileMode.Open, FileAccess.Read, FileShare.Read, 0))
                {
                    error = CarVerifier.Verify(stream).Error;
                }

                break;
            default:
                return 64;
        }

        var peak = File.ReadLines("/proc/self/status").First(l => l.StartsWith("VmHWM:", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2];
        Console.WriteLine($"peak {peak.Trim()} KiB");
        Console.WriteLine(error.IsError ? error.ToString() : "done");
        return error.IsError ? 1 : 0;
    }

    /// <summary>Runs to the end, with little memory for managed objects where that is asked for.</summary>
    public static (int ExitCode, string Output) Run(string[] args, long? heapLimit = null)
    {
        using var process = Start(args, heapLimit);
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output);
    }

    /// <summary>Has it kill itself with SIGKILL at so many reports of progress: from outside the signal comes later than the line, on a busy machine after the end of the work.</summary>
    /// <returns>False where the process had ended before.</returns>
    public static bool RunAndKill(string[] args, int afterLines)
    {
        using var process = Start(args, null, afterLines);
        process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == Killed;
    }

    private static Process Start(string[] args, long? heapLimit, int? killAfter = null)
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true };
        start.Environment[KillAfter] = killAfter?.ToString(CultureInfo.InvariantCulture);
        start.ArgumentList.Add(typeof(Child).Assembly.Location);
        foreach (var arg in args)
        {
            start.ArgumentList.Add(arg);
        }

        if (heapLimit is { } limit)
        {
            start.Environment["DOTNET_GCHeapHardLimit"] = limit.ToString("x");
        }

        return Process.Start(start)!;
    }

    private sealed class Lines : IProgress<AddProgress>, IProgress<ExtractProgress>
    {
        private int _left = int.TryParse(Environment.GetEnvironmentVariable(KillAfter), out var lines) ? lines : int.MaxValue;

        public void Report(AddProgress value) => Write($"{value.Stage} {value.Bytes}");

        public void Report(ExtractProgress value) => Write($"{value.Bytes}");

        private void Write(string line)
        {
            Console.WriteLine(line);
            if (Interlocked.Decrement(ref _left) == 0)
            {
                Process.GetCurrentProcess().Kill();
            }
        }
    }
}
