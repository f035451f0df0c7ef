using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using Shale.Data.Car;
using Shale.Data.Pieces;
using Shale.Data.UnixFs;

namespace Shale.Benchmarks.Data;

/// <summary>Import, verify and piece commitment of a file, against the npm tools and against SHA-256 alone on all cores.</summary>
internal sealed class DataSection : ISection
{
    private const int Runs = 3;

    public string Name => "data";

    public string Title => "Data sets: 1 GiB imported, verified and committed to";

    public async Task RunAsync(Report report, CancellationToken cancellation)
    {
        var folder = Directory.CreateTempSubdirectory("shale-benchmark-");
        try
        {
            var file = Path.Combine(folder.FullName, "file");
            var length = long.Parse(Environment.GetEnvironmentVariable("SHALE_BENCHMARK_BYTES") ?? "1073741824", CultureInfo.InvariantCulture);
            Fill(file, length);
            var car = Path.Combine(folder.FullName, "file.car");
            await Import(report, file, car);
            await Verify(report, car);
            await Commit(report, file, length);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static async Task Import(Report report, string file, string car)
    {
        var (ours, peer, ratio) = await Report.PairAsync(
            Runs,
            () => Task.Run(() => Pack(file, car)),
            () => Node("pack", file, car + ".peer"));
        report.Row("import to a CAR, against ipfs-car", Seconds(ours), Seconds(peer), ratio, "0.33");
        var (write, hash, bound) = await Report.PairAsync(Runs, () => Task.Run(() => Hash(file)), () => Task.Run(() => ShaAlone(file)));
        report.Row("import without writing, against SHA-256 alone", Seconds(write), Seconds(hash), bound, "1.50");
        File.Delete(car + ".peer");
    }

    private static async Task Verify(Report report, string car)
    {
        var (ours, peer, ratio) = await Report.PairAsync(Runs, () => Task.Run(() => Check(car)), () => Node("verify", car, ""));
        report.Row("verify every block, against @ipld/car with multiformats", Seconds(ours), Seconds(peer), ratio, "0.33");
        var (again, hash, bound) = await Report.PairAsync(Runs, () => Task.Run(() => Check(car)), () => Task.Run(() => ShaAlone(car)));
        report.Row("verify, against SHA-256 alone", Seconds(again), Seconds(hash), bound, "1.50");
    }

    private static async Task Commit(Report report, string file, long length)
    {
        // The npm tool takes minutes for a GiB, so that it gets a sixteenth and its time is multiplied.
        var part = file + ".part";
        using (var source = File.OpenRead(file))
        using (var target = File.Create(part))
        {
            var buffer = new byte[1 << 20];
            for (long left = length / 16; left > 0; left -= buffer.Length)
            {
                source.ReadExactly(buffer);
                target.Write(buffer, 0, (int)Math.Min(left, buffer.Length));
            }
        }

        var (ours, peer, ratio) = await Report.PairAsync(1, () => Task.Run(() => Piece(part)), () => Node("piece", part, ""));
        report.Row("piece commitment of 1/16, against data-segment", Seconds(ours), Seconds(peer), ratio, "0.33");

        // What SHA-256 alone takes for a tree over these bytes: two compressions a node, a node for each 32 bytes.
        var (whole, hash, bound) = await Report.PairAsync(Runs, () => Task.Run(() => Piece(file)), () => Task.Run(() => ShaTreeAlone(length)));
        report.Row("piece commitment, against the tree's SHA-256 alone", Seconds(whole), Seconds(hash), bound, "1.50");
    }

    private static void Pack(string file, string car)
    {
        using var stream = new FileStream(car, new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.ReadWrite, BufferSize = 0 });
        var writer = new CarWriter(stream, [ImportPreset.IpfsCar.RootPlaceholder]);
        writer.Finish([new TreeImporter(ImportPreset.IpfsCar, writer).Import(new HostFileTree(file)).Value.Root]);
    }

    private static void Hash(string file) => _ = new TreeImporter(ImportPreset.IpfsCar, NoBlockSink.Instance).Import(new HostFileTree(file)).Value;

    private static void Check(string car)
    {
        using var stream = new FileStream(car, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
        _ = CarVerifier.Verify(stream).Value;
    }

    private static void Piece(string file)
    {
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
        _ = PieceHasher.Compute(stream);
    }

    // Each core reads and hashes its share with the library, which uses the processor's SHA extensions.
    private static void ShaAlone(string file)
    {
        var length = new FileInfo(file).Length;
        var cores = Environment.ProcessorCount;
        Parallel.For(0, cores, core =>
        {
            using var handle = File.OpenHandle(file);
            using var sha = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            var buffer = new byte[1 << 20];
            for (var at = length * core / cores; at < length * (core + 1) / cores;)
            {
                var n = RandomAccess.Read(handle, buffer.AsSpan(0, (int)Math.Min(buffer.Length, (length * (core + 1) / cores) - at)), at);
                sha.AppendData(buffer, 0, n);
                at += n;
            }

            sha.GetHashAndReset();
        });
    }

    private static void ShaTreeAlone(long length)
    {
        var cores = Environment.ProcessorCount;
        var buffer = new byte[1 << 20];
        var bytes = System.Numerics.BitOperations.RoundUpToPowerOf2((ulong)(length / 127 * 128)) / 32 * 128;
        Parallel.For(0, cores, _ =>
        {
            using var sha = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            for (ulong at = 0; at < bytes / (ulong)cores; at += (ulong)buffer.Length)
            {
                sha.AppendData(buffer);
            }

            sha.GetHashAndReset();
        });
    }

    private static async Task Node(string work, string input, string output)
    {
        var start = new ProcessStartInfo("node") { WorkingDirectory = Path.Combine(BenchmarkDocument.FindRoot(), "tests", "npm"), RedirectStandardOutput = true };
        start.ArgumentList.Add("data-speed.mjs");
        start.ArgumentList.Add(work);
        start.ArgumentList.Add(input);
        start.ArgumentList.Add(output);
        using var process = Process.Start(start)!;
        await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"node data-speed.mjs {work} ended with {process.ExitCode}");
        }
    }

    private static void Fill(string file, long length)
    {
        using var stream = File.Create(file);
        var buffer = new byte[1 << 20];
        var random = new Random(1);
        for (var left = length; left > 0; left -= buffer.Length)
        {
            random.NextBytes(buffer);
            stream.Write(buffer, 0, (int)Math.Min(left, buffer.Length));
        }
    }

    private static string Seconds(double seconds) => seconds.ToString("0.00 's'", CultureInfo.InvariantCulture);
}
