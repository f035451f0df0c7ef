using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using Shale.Bn254.BabyJubjub;
using Shale.Payments.Log;
using Shale.Payments.Metering;
using Shale.Payments.Vouchers;

namespace Shale.Benchmarks.Payments;

/// <summary><c>shale audit</c> on a log of a million vouchers (SHALE_BENCH_VOUCHERS: another number), and its memory beside that for a tenth of it.</summary>
internal sealed class AuditSection : ISection
{
    private const int Leases = 200;
    private static readonly TimeSpan Goal = TimeSpan.FromMinutes(1);

    public string Name => "audit";

    public string Title => "Audit of a voucher log: time beside a minute, memory beside that for a tenth of the log";

    public async Task RunAsync(Report report, CancellationToken cancellation)
    {
        var count = int.Parse(Environment.GetEnvironmentVariable("SHALE_BENCH_VOUCHERS") ?? "1000000", CultureInfo.InvariantCulture);
        var small = await MeasureAsync(count / 10, cancellation);
        var large = await MeasureAsync(count, cancellation);
        report.Row(
            FormattableString.Invariant($"audit of {count:N0} vouchers of {Leases} leases on {Environment.ProcessorCount} cores"),
            FormattableString.Invariant($"{large.Seconds:0.0} s"),
            FormattableString.Invariant($"{Goal.TotalSeconds:0} s"),
            large.Seconds / Goal.TotalSeconds,
            "≤ 1");
        report.Row(
            "its processor time, beside a minute of all cores",
            FormattableString.Invariant($"{large.Processor:0.0} s"),
            FormattableString.Invariant($"{Goal.TotalSeconds * Environment.ProcessorCount:0} s"),
            large.Processor / (Goal.TotalSeconds * Environment.ProcessorCount),
            "≤ 1");
        report.Row(
            FormattableString.Invariant($"its memory at most, beside {count / 10:N0} vouchers"),
            FormattableString.Invariant($"{large.Memory / 1048576.0:0} MiB"),
            FormattableString.Invariant($"{small.Memory / 1048576.0:0} MiB"),
            (double)large.Memory / small.Memory,
            "flat");
    }

    private static async Task<(double Seconds, double Processor, long Memory)> MeasureAsync(int vouchers, CancellationToken cancellation)
    {
        var folder = Directory.CreateTempSubdirectory("shale-bench-audit-").FullName;
        try
        {
            var key = await WriteAsync(Path.Combine(folder, "log"), vouchers, cancellation);
            var shale = Path.Combine(BenchmarkDocument.FindRoot(), "src/Shale.Cli/bin/Release/net10.0/shale");
            var started = Stopwatch.GetTimestamp();
            using var audit = Process.Start(new ProcessStartInfo(shale, ["audit", Path.Combine(folder, "log"), "--key=" + key]) { RedirectStandardOutput = true })!;
            var said = audit.StandardOutput.ReadToEndAsync(cancellation);
            var (memory, processor) = (0L, 0.0);
            while (!audit.WaitForExit(50))
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
            return audit.ExitCode == 0 ? (seconds, processor, memory) : throw new InvalidOperationException("The log is good: " + await said);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>Writes a log as a gateway would whose leases are charged in turn; returns its key.</summary>
    private static async Task<string> WriteAsync(string folder, int vouchers, CancellationToken cancellation)
    {
        const long start = 1_790_000_000_000;
        var price = AttoFil.Create(166_666_666_666_667);
        var domain = VoucherDomain.Create(314, new byte[20]);
        using var signer = new NoteSigner("sp.example/log", RandomNumberGenerator.GetBytes(32));
        EdDsaPrivateKey[] keys = [.. Enumerable.Range(0, Leases).Select(_ => EdDsaPrivateKey.Generate())];
        await using var log = VoucherLogWriter.Open(folder, signer, TimeProvider.System);
        for (var i = 0; i < Leases; i++)
        {
            await log.AppendAsync(new LeaseOpened((ulong)i, start, 314, new byte[20], keys[i].PublicKey.ToBytes(), price, AttoFil.MaxValue, 15_000, 10_000).ToBytes(), cancellation);
        }

        // A round is a charge of every lease, five seconds after the one before; all of it names the checkpoint that the round began with.
        var entries = new byte[Leases][];
        for (var (round, left) = (0, vouchers); left > 0; round++, left -= Leases)
        {
            var (checkpoint, number) = (log.Current, (ulong)round);
            Parallel.For(0, Math.Min(Leases, left), new ParallelOptions { CancellationToken = cancellation }, lease =>
            {
                var statement = new MeterStatement
                {
                    LeaseId = (ulong)lease,
                    Sequence = number + 1,
                    ActiveMilliseconds = number * 5000,
                    PausedMilliseconds = 0,
                    BytesIn = number * 1000,
                    BytesOut = number * 100_000,
                    WindowMilliseconds = 15_000,
                    LogSize = (ulong)checkpoint.Size,
                    LogRoot = checkpoint.Root,
                };
                var voucher = new Voucher((ulong)lease, AttoFil.Cost(price, (number * 5000) + 15_000), statement.Digest()).Sign(keys[lease], domain);
                entries[lease] = new VoucherAccepted(start + ((long)number * 5000), voucher, statement.ToBytes()).ToBytes();
            });
            await Task.WhenAll(entries.Take(Math.Min(Leases, left)).Select(e => log.AppendAsync(e, cancellation).AsTask()));
        }

        foreach (var key in keys)
        {
            key.Dispose();
        }

        return signer.Verifier.ToString();
    }
}
