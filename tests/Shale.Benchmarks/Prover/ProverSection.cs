using System.Globalization;
using Shale.Groth16;
using Shale.Groth16.Files;

namespace Shale.Benchmarks.Prover;

/// <summary>Whole processes, `shale proof prove` and `snarkjs groth16 prove`, on the same .zkey and .wtns.</summary>
internal sealed class ProverSection : ISection
{
    public string Name => "prover";

    public string Title => "Groth16 prover: the process as a whole, against snarkjs, on the same key and witness";

    public async Task RunAsync(Report report, CancellationToken cancellation)
    {
        var folder = Directory.CreateTempSubdirectory("shale-prover-");
        try
        {
            var runtime = await ProcessRun.RunAsync("dotnet", [ProcessRun.Shale, "--version"], cancellation);
            report.Row("peak memory of a process that does nothing", $"{runtime >> 20} MiB", "none", 0, "none");
            foreach (var log in new[] { 16, 18 })
            {
                await RunAsync(report, folder.FullName, log, cancellation);
            }
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static async Task RunAsync(Report report, string folder, int log, CancellationToken cancellation)
    {
        string At(string name) => Path.Combine(folder, $"{log}.{name}");
        var (circuit, witness) = BenchmarkCircuit.Chain(log);
        R1csFile.Write(At("r1cs"), circuit);
        WtnsFile.Write(At("wtns"), witness);
        var setup = await Report.SecondsAsync(() =>
        {
            if (!ProofFiles.TrySetup(At("r1cs"), At("dev.zkey"), ProofFiles.DefaultSeed, out var fault, null, cancellation))
            {
                throw new InvalidOperationException(fault.ToString());
            }

            return Task.CompletedTask;
        });
        var keyBytes = new FileInfo(At("dev.zkey")).Length;
        var root = BenchmarkDocument.FindRoot();
        var snarkjs = Path.Combine(root, "tests", "npm", "node_modules", "snarkjs", "cli.js");
        if (!File.Exists(snarkjs))
        {
            throw new InvalidOperationException("snarkjs is missing: run './shale setup'.");
        }

        long peak = 0;
        var (ours, theirs, ratio) = await Report.PairAsync(
            3,
            async () => peak = Math.Max(peak, await ProcessRun.RunAsync("dotnet", [ProcessRun.Shale, "proof", "prove", At("dev.zkey"), At("wtns"), "--proof", At("proof.json"), "--public", At("public.json")], cancellation)),
            () => ProcessRun.RunAsync("node", [snarkjs, "groth16", "prove", At("dev.zkey"), At("wtns"), At("theirs.json"), At("theirs.public.json")], cancellation));
        report.Row($"prove, 2^{log} constraints", Seconds(ours), Seconds(theirs), theirs / ours, "≥ 6 (times as fast), aim 8");
        report.Row($"prove, 2^{log}: peak memory against the key's size", $"{peak >> 20} MiB", $"{keyBytes >> 20} MiB", (double)peak / keyBytes, "≤ 2");
        report.Row($"development setup, 2^{log}", Seconds(setup), "60 s (the goal)", 60 / setup, log == 18 ? "≥ 1" : "none");
        _ = ratio;
    }

    private static string Seconds(double value) => value.ToString("0.00 s", CultureInfo.InvariantCulture);
}
