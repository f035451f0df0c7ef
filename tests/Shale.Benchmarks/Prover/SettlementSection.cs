using System.Diagnostics;
using System.Globalization;
using Shale.Bn254.BabyJubjub;
using Shale.Groth16;
using Shale.Groth16.Constraints;
using Shale.Groth16.Files;
using Shale.Groth16.Prover;
using Shale.Groth16.Verifier;
using Shale.Payments.Vouchers;
using Shale.Settlement.Batching;
using Shale.Settlement.Circuit;

namespace Shale.Benchmarks.Prover;

/// <summary>Whole settlements of pages in which every lease syncs and pays: vouchers checked, witness, proof.</summary>
internal sealed class SettlementSection : ISection
{
    public string Name => "settlement";

    public string Title => "Settlements: from vouchers to a proof, every slot of the page syncing and paying";

    public Task RunAsync(Report report, CancellationToken cancellation)
    {
        var folder = Directory.CreateTempSubdirectory("shale-settlement-");
        try
        {
            foreach ((int slots, double goal) in ((int, double)[])[(8, 15), (64, 15), (256, 90)])
            {
                Run(report, folder.FullName, slots, goal, cancellation);
            }
        }
        finally
        {
            folder.Delete(recursive: true);
        }

        return Task.CompletedTask;
    }

    private static void Run(Report report, string folder, int slots, double goal, CancellationToken cancellation)
    {
        (double compile, CompiledCircuit<SettlementStatement> circuit) = Time(() => CircuitCompiler.Compile(new SettlementCircuit(slots)));
        string r1cs = Path.Combine(folder, $"{slots}.r1cs"), path = Path.Combine(folder, $"{slots}.dev.zkey");
        R1csFile.Write(r1cs, circuit.Constraints);
        (double setup, _) = Time(() => ProofFiles.TrySetup(r1cs, path, ProofFiles.DefaultSeed, out FileFault why, null, cancellation) ? true : throw new InvalidOperationException(why.ToString()));
        VoucherDomain domain = VoucherDomain.Create(314, new byte[20]);
        (SlotRecord?[] records, SlotRequest[] requests) = Leases(slots, domain);
        (double plan, SettlementBatch batch) = Time(() => new BatchPlanner(domain).Plan(1, 0, PageState.Empty(slots), records, requests));
        (double solve, CircuitWitness witness) = Time(() => circuit.Solve(batch.Statement));
        if (batch.LeftOut.Count > 0 || !witness.IsSatisfied || !ZKey.TryOpen(path, out ZKey? key, out FileFault fault))
        {
            throw new InvalidOperationException("The page cannot be settled.");
        }

        using (key)
        {
            (double prove, _) = Time(() => Groth16Prover.TryProve(key, witness.Values.ToArray(), out Proof _, out fault, null, cancellation) ? true : throw new InvalidOperationException(fault.ToString()));
            report.Row($"page of {slots}: plan, witness and proof", Seconds(plan + solve + prove), Seconds(goal) + " (the goal)", goal / (plan + solve + prove), "≥ 1");
            report.Row($"page of {slots}: plan and witness alone", Seconds(plan + solve), Seconds(prove) + " (the proof)", prove / (plan + solve), "none");
            report.Row($"page of {slots}: peak memory of the run so far", $"{Process.GetCurrentProcess().PeakWorkingSet64 >> 20} MiB", $"{new FileInfo(path).Length >> 20} MiB (the key)", (double)Process.GetCurrentProcess().PeakWorkingSet64 / new FileInfo(path).Length, "none");
            report.Row($"page of {slots}: compile, development setup", Seconds(compile), Seconds(setup), setup / compile, "none");
        }
    }

    private static (SlotRecord?[] Records, SlotRequest[] Requests) Leases(int slots, VoucherDomain domain)
    {
        var records = new SlotRecord?[slots];
        var requests = new SlotRequest[slots];
        for (int i = 0; i < slots; i++)
        {
            using EdDsaPrivateKey key = EdDsaPrivateKey.Generate();
            ulong lease = (ulong)i + 1;
            SignedVoucher signed = new Voucher(lease, AttoFil.Create(400), StatementDigest.Of([(byte)i])).Sign(key, domain);
            records[i] = new SlotRecord(lease, key.PublicKey.Point, 1000, Live: true, Fresh: true);
            requests[i] = SettlementVoucher.TryCreate(signed, out SettlementVoucher voucher)
                ? new SlotRequest(i, voucher)
                : throw new InvalidOperationException("A fresh signature does not read back.");
        }

        return (records, requests);
    }

    private static (double Seconds, T Result) Time<T>(Func<T> action)
    {
        long start = Stopwatch.GetTimestamp();
        T result = action();
        return (Stopwatch.GetElapsedTime(start).TotalSeconds, result);
    }

    private static string Seconds(double value) => value.ToString("0.00 s", CultureInfo.InvariantCulture);
}
