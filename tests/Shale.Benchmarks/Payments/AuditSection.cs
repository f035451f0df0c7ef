using System.Diagnostics;
using System.Globalization;

namespace Shale.Benchmarks.Payments;

/// <summary><c>shale audit</c> on a log of a million vouchers (SHALE_BENCH_VOUCHERS: another number), and its memory beside that for a tenth of it.</summary>
internal sealed class AuditSection : ISection
{
    private const int Runs = 3;
    private static readonly TimeSpan Goal = TimeSpan.FromMinutes(1);

    public string Name => "audit";

    public string Title => "Audit of a voucher log: time beside a minute, memory beside that for a tenth of the log";

    public async Task RunAsync(Report report, CancellationToken cancellation)
    {
        var count = int.Parse(Environment.GetEnvironmentVariable("SHALE_BENCH_VOUCHERS") ?? "1000000", CultureInfo.InvariantCulture);
        var (smallLog, largeLog) = (await SampleLog.TakeAsync(count / 10, cancellation), await SampleLog.TakeAsync(count, cancellation));
        var (small, large) = (new Figures[Runs], new Figures[Runs]);
        for (var i = 0; i < Runs; i++)
        {
            small[i] = await MeasureAsync(smallLog, cancellation);
            large[i] = await MeasureAsync(largeLog, cancellation);
        }

        var (seconds, processor) = (Median(large, f => f.Seconds), Median(large, f => f.Processor));
        report.Row(
            FormattableString.Invariant($"audit of {count:N0} vouchers of {SampleLog.Leases} leases on {Environment.ProcessorCount} cores"),
            FormattableString.Invariant($"{seconds:0.0} s"),
            FormattableString.Invariant($"{Goal.TotalSeconds:0} s"),
            seconds / Goal.TotalSeconds,
            "≤ 1");
        report.Row(
            "its processor time, beside a minute of all cores",
            FormattableString.Invariant($"{processor:0.0} s"),
            FormattableString.Invariant($"{Goal.TotalSeconds * Environment.ProcessorCount:0} s"),
            processor / (Goal.TotalSeconds * Environment.ProcessorCount),
            "≤ 1");
        report.Row(
            FormattableString.Invariant($"its memory at most, beside {count / 10:N0} vouchers"),
            FormattableString.Invariant($"{Median(large, f => f.Memory) / 1048576.0:0} MiB"),
            FormattableString.Invariant($"{Median(small, f => f.Memory) / 1048576.0:0} MiB"),
            Report.Median([.. large.Zip(small, (a, b) => a.Memory / b.Memory)]),
            "flat");
    }

    private static double Median(Figures[] runs, Func<Figures, double> figure) => Report.Median([.. runs.Select(figure)]);

    private static async Task<Figures> MeasureAsync(SampleLog log, CancellationToken cancellation)
    {
        var shale = Path.Combine(BenchmarkDocument.FindRoot(), "src/Shale.Cli/bin/Release/net10.0/shale");
        var started = Stopwatch.GetTimestamp();
        using var audit = Process.Start(new ProcessStartInfo(shale, ["audit", log.Folder, "--key=" + SampleLog.Key]) { RedirectStandardOutput = true })!;
        var said = audit.StandardOutput.ReadToEndAsync(cancellation);
        var (memory, processor) = (0.0, 0.0);
        while (!audit.WaitForExit(20))
        {
            // Of a process that has ended neither can be asked any more.
            try
            {
                audit.Refresh();
                (memory, processor) = (Math.Max(memory, audit.PeakWorkingSet64), audit.TotalProcessorTime.TotalSeconds);
            }
            catch (InvalidOperationException)
            {
                break;
            }
        }

        await audit.WaitForExitAsync(cancellation);
        var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        return audit.ExitCode == 0 ? new Figures(seconds, processor, memory) : throw new InvalidOperationException("The log is good: " + await said);
    }

    /// <summary>Seconds of the clock and of all cores, and the most bytes in memory.</summary>
    private readonly record struct Figures(double Seconds, double Processor, double Memory);
}
