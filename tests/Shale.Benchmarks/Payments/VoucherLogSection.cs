using System.Diagnostics;
using System.Security.Cryptography;
using Shale.Bn254.BabyJubjub;
using Shale.Payments.Log;
using Shale.Payments.Metering;
using Shale.Payments.Vouchers;

namespace Shale.Benchmarks.Payments;

/// <summary>Vouchers made durable by 64 writers at once, each acknowledged after its flush: the log's group commit beside a file that is flushed for each voucher.</summary>
internal sealed class VoucherLogSection : ISection
{
    private const int Writers = 64;
    private const int Runs = 5;
    private static readonly TimeSpan Each = TimeSpan.FromSeconds(2);

    public string Name => "log";

    public string Title => "Voucher log: durable appends by 64 writers beside a flush for each voucher";

    public async Task RunAsync(Report report, CancellationToken cancellation)
    {
        using var key = EdDsaPrivateKey.Generate();
        var statement = new MeterStatement { LeaseId = 42, Sequence = 1, ActiveMilliseconds = 1000, PausedMilliseconds = 0, WindowMilliseconds = 15_000 };
        var voucher = new Voucher(42, AttoFil.Create(1_000_000), statement.Digest()).Sign(key, VoucherDomain.Create(314, new byte[20]));
        var entry = new VoucherAccepted(1_790_000_000_000, voucher, statement.ToBytes()).ToBytes();
        var (ours, naive) = (new double[Runs], new double[Runs]);
        await LogAsync(entry, TimeSpan.FromMilliseconds(500), cancellation);
        for (var i = 0; i < Runs; i++)
        {
            ours[i] = await LogAsync(entry, Each, cancellation);
            naive[i] = await NaiveAsync(entry, Each, cancellation);
        }

        var ratio = Report.Median([.. ours.Zip(naive, (a, b) => a / b)]);
        report.Row($"vouchers a second, {Writers} writers, {entry.Length} bytes each", FormattableString.Invariant($"{Report.Median(ours):0}"), FormattableString.Invariant($"{Report.Median(naive):0}"), ratio, "≥ 20,000 a second");
    }

    private static async Task<double> LogAsync(byte[] entry, TimeSpan time, CancellationToken cancellation)
    {
        var folder = Directory.CreateTempSubdirectory("shale-bench-log-").FullName;
        try
        {
            using var signer = new NoteSigner("sp.example/log", RandomNumberGenerator.GetBytes(32));
            await using var log = VoucherLogWriter.Open(folder, signer, TimeProvider.System);
            return await RateAsync(async () => await log.AppendAsync(entry, cancellation), time);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task<double> NaiveAsync(byte[] entry, TimeSpan time, CancellationToken cancellation)
    {
        var path = Path.GetTempFileName();
        try
        {
            using var file = File.OpenHandle(path, FileMode.Create, FileAccess.Write);
            using var turn = new SemaphoreSlim(1, 1);
            long length = 0;
            return await RateAsync(
                async () =>
                {
                    await turn.WaitAsync(cancellation);
                    try
                    {
                        RandomAccess.Write(file, entry, length);
                        RandomAccess.FlushToDisk(file);
                        length += entry.Length;
                    }
                    finally
                    {
                        turn.Release();
                    }
                },
                time);
        }
        finally
        {
            File.Delete(path);
        }
    }

    /// <summary>Appends a second by all writers together.</summary>
    private static async Task<double> RateAsync(Func<Task> append, TimeSpan time)
    {
        long count = 0;
        var started = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, Writers).Select(_ => Task.Run(async () =>
        {
            while (Stopwatch.GetElapsedTime(started) < time)
            {
                await append();
                Interlocked.Increment(ref count);
            }
        })));
        return count / Stopwatch.GetElapsedTime(started).TotalSeconds;
    }
}
