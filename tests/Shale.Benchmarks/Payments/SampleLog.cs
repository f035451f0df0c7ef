using System.Text;
using Shale.Payments.Log;
using Shale.Payments.Metering;
using Shale.Payments.Vouchers;

namespace Shale.Benchmarks.Payments;

/// <summary>
/// A voucher log as a gateway writes one whose leases are charged in turn, the same for every run. It is kept under artifacts/, and taken
/// again while its checkpoint has the root that it was written with.
/// </summary>
internal sealed class SampleLog
{
    public const int Leases = 200;

    private const long Start = 1_790_000_000_000;

    // A round's statements name the checkpoint before it, so that rounds can't be signed together: this many charges of every lease are.
    private const int RoundsAtOnce = 8;

    private readonly string _folder;
    private readonly int _vouchers;

    private SampleLog(string folder, int vouchers) => (_folder, _vouchers) = (folder, vouchers);

    public string Folder => Path.Combine(_folder, "log");

    /// <summary>The log's key, as <c>shale audit --key</c> takes it.</summary>
    public static string Key { get; } = MakeSigner().Verifier.ToString();

    public static async Task<SampleLog> TakeAsync(int vouchers, CancellationToken cancellation)
    {
        var folder = Path.Combine(BenchmarkDocument.FindRoot(), "artifacts", "benchmarks", FormattableString.Invariant($"voucher-log-{vouchers}"));
        var log = new SampleLog(folder, vouchers);
        if (!log.IsWhole())
        {
            if (Directory.Exists(folder))
            {
                Directory.Delete(folder, recursive: true);
            }

            Directory.CreateDirectory(folder);
            await log.WriteAsync(cancellation);
        }

        return log;
    }

    private static NoteSigner MakeSigner() => new("benchmark.example/log", Encoding.UTF8.GetBytes("the sample log's key, not secret"));

    private string RootFile => Path.Combine(_folder, "root");

    /// <summary>Whether the log was written to its end, and is that one. The audit that follows reads all of it.</summary>
    private bool IsWhole()
    {
        var checkpoint = Path.Combine(Folder, "checkpoint");
        using var signer = MakeSigner();
        return File.Exists(RootFile) && File.Exists(checkpoint) &&
            Checkpoint.TryOpen(File.ReadAllText(checkpoint), signer.Verifier, out var found) &&
            found.Size == _vouchers + Leases && File.ReadAllText(RootFile) == found.Root.ToString();
    }

    private async Task WriteAsync(CancellationToken cancellation)
    {
        var price = AttoFil.Create(166_666_666_666_667);
        var domain = VoucherDomain.Create(314, new byte[20]);
        using var signer = MakeSigner();
        BulkSigner[] leases = [.. Enumerable.Range(0, Leases).Select(i => new BulkSigner((ulong)i, domain))];
        await using var log = VoucherLogWriter.Open(Folder, signer, TimeProvider.System);
        for (var i = 0; i < Leases; i++)
        {
            await log.AppendAsync(new LeaseOpened((ulong)i, Start, 314, new byte[20], leases[i].PublicKey.ToBytes(), price, AttoFil.MaxValue, 15_000, 10_000).ToBytes(), cancellation);
        }

        // A round is a charge of every lease, five seconds after the one before.
        var entries = new byte[RoundsAtOnce * Leases][];
        for (var (first, left) = (0, _vouchers); left > 0; first += RoundsAtOnce, left -= RoundsAtOnce * Leases)
        {
            var checkpoint = log.Current;
            Parallel.For(0, Leases, new ParallelOptions { CancellationToken = cancellation }, lease =>
            {
                MeterStatement[] statements = [.. Enumerable.Range(first, RoundsAtOnce).Select(round => new MeterStatement
                {
                    LeaseId = (ulong)lease,
                    Sequence = (ulong)round + 1,
                    ActiveMilliseconds = (ulong)round * 5000,
                    PausedMilliseconds = 0,
                    BytesIn = (ulong)round * 1000,
                    BytesOut = (ulong)round * 100_000,
                    WindowMilliseconds = 15_000,
                    LogSize = (ulong)checkpoint.Size,
                    LogRoot = checkpoint.Root,
                })];
                var signed = leases[lease].Sign([.. statements.Select(s => new Voucher((ulong)lease, AttoFil.Cost(price, s.ActiveMilliseconds + 15_000), s.Digest()))]);
                for (var i = 0; i < RoundsAtOnce; i++)
                {
                    entries[(i * Leases) + lease] = new VoucherAccepted(Start + ((long)(first + i) * 5000), signed[i], statements[i].ToBytes()).ToBytes();
                }
            });
            await Task.WhenAll(entries.Take(left).Select(e => log.AppendAsync(e, cancellation).AsTask()));
        }

        await log.DisposeAsync();
        await File.WriteAllTextAsync(RootFile, log.Current.Root.ToString(), cancellation);
    }
}
