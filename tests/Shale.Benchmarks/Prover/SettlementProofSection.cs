using System.Diagnostics;
using System.Globalization;
using Shale.Bn254.BabyJubjub;
using Shale.Bn254.Fields;
using Shale.Groth16.Constraints;
using Shale.Groth16.Files;
using Shale.Groth16.Setup;
using Shale.Settlement.Batching;
using Shale.Settlement.Circuit;

namespace Shale.Benchmarks.Prover;

/// <summary>A whole page that pays, of each size: witness in this process, proof in a process of its own.</summary>
internal sealed class SettlementProofSection : ISection
{
    private static readonly Fr Domain = Fr.FromUInt64(314);

    public string Name => "settlement-proof";

    public string Title => "Settlement proofs: every lease of a page pays; the reference is the goal";

    public async Task RunAsync(Report report, CancellationToken cancellation)
    {
        foreach (var (slots, goal) in new[] { (8, 0.0), (64, 15.0), (256, 90.0) })
        {
            var folder = Directory.CreateTempSubdirectory("shale-settlement-");
            try
            {
                await RunAsync(report, folder.FullName, slots, goal, cancellation);
            }
            finally
            {
                folder.Delete(recursive: true);
            }
        }
    }

    private static async Task RunAsync(Report report, string folder, int slots, double goal, CancellationToken cancellation)
    {
        string At(string name) => Path.Combine(folder, name);
        var circuit = CircuitCompiler.Compile(new SettlementCircuit(slots));
        var started = Stopwatch.GetTimestamp();
        DevelopmentSetup.Create(circuit.Constraints, new byte[32], At("page.dev.zkey"), null, cancellation);
        var setup = Stopwatch.GetElapsedTime(started).TotalSeconds;
        var statement = Statement(slots);
        _ = circuit.Solve(statement);

        started = Stopwatch.GetTimestamp();
        var witness = circuit.Solve(statement);
        if (!witness.IsSatisfied)
        {
            throw new InvalidOperationException($"The page of {slots} does not satisfy its circuit: {witness.Failure}.");
        }

        WtnsFile.Write(At("page.wtns"), witness.Values.Span);
        var solve = Stopwatch.GetElapsedTime(started).TotalSeconds;
        long peak = 0;
        var prove = await Report.SecondsAsync(async () => peak = await ProcessRun.RunAsync(
            "dotnet", [ProcessRun.Shale, "proof", "prove", At("page.dev.zkey"), At("page.wtns"), "--proof", At("p.json"), "--public", At("i.json")], cancellation));
        var key = new FileInfo(At("page.dev.zkey")).Length;
        var total = solve + prove;
        var constraints = circuit.Constraints.ConstraintCount.ToString("N0", CultureInfo.InvariantCulture);
        report.Row($"page of {slots} ({constraints} constraints), witness and proof", $"{Seconds(solve)} + {Seconds(prove)}", goal > 0 ? Seconds(goal) : "none", goal > 0 ? goal / total : 0, goal > 0 ? "≥ 1" : "none");
        report.Row($"page of {slots}: peak memory against the key's size", $"{peak >> 20} MiB", $"{key >> 20} MiB", (double)peak / key, "≤ 2");
        report.Row($"page of {slots}: development setup", Seconds(setup), "none", 0, "none");
    }

    private static SettlementStatement Statement(int slots)
    {
        var seed = new byte[32];
        var point = EdDsa.PublicKey(seed).Point;
        var planner = new BatchPlanner(Domain);
        var records = new SlotRecord?[slots];
        var requests = new SlotRequest[slots];
        for (var i = 0; i < slots; i++)
        {
            var lease = (ulong)i + 1;
            records[i] = new SlotRecord(lease, point, (UInt128)1_000_000_000_000_000_000, Live: true, Fresh: true);
            var voucher = new SettlementVoucher(lease, 1_000_000, Fr.FromUInt64(7), default);
            requests[i] = new SlotRequest(i, voucher with { Signature = EdDsa.Sign(seed, planner.Message(voucher)) });
        }

        return planner.Plan(1, 0, PageState.Empty(slots), records, requests).Statement;
    }

    private static string Seconds(double value) => value.ToString("0.00 s", CultureInfo.InvariantCulture);
}
