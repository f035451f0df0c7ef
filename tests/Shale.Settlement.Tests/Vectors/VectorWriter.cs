using Shale.Bn254.Fields;
using Shale.Groth16.Files;
using Shale.Groth16.Prover;
using Shale.Groth16.Verifier;
using Shale.Settlement.Batching;
using Shale.Settlement.Claims;
using Shale.Settlement.Tests.Support;

namespace Shale.Settlement.Tests.Vectors;

/// <summary>Writes the published files before they are checked, where SHALE_WRITE_VECTORS=1 asks for it (tests/vectors/write.sh).</summary>
public sealed class VectorWriter
{
    public VectorWriter()
    {
        if (Environment.GetEnvironmentVariable("SHALE_WRITE_VECTORS") != "1")
        {
            return;
        }

        string folder = VectorFiles.Folder("settlement-8");
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "verification_key.json"), SnarkJsJson.Write(DevelopmentKey.OfEight.VerificationKey) + "\n");
        foreach (SequenceStep step in SettlementSequence.Steps)
        {
            Write(Path.Combine(folder, step.Name), step);
        }
    }

    private static void Write(string folder, SequenceStep step)
    {
        SettlementBatch batch = step.Batch;
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "statement.json"), VectorFiles.Write(VectorFiles.Statement(step)));
        Fr[] witness = Circuits.OfSize(SettlementSequence.Slots).Solve(batch.Statement).Values.ToArray();
        if (!Groth16Prover.TryProve(DevelopmentKey.OfEight, witness, out Proof proof, out FileFault fault))
        {
            throw new InvalidOperationException($"{step.Name}: {fault}");
        }

        File.WriteAllText(Path.Combine(folder, "proof.json"), SnarkJsJson.Write(proof) + "\n");
        File.WriteAllText(Path.Combine(folder, "public.json"), SnarkJsJson.Write([batch.Statement.C, batch.Statement.R, batch.Statement.D]) + "\n");
        File.WriteAllText(Path.Combine(folder, "calldata.json"), VectorFiles.Write(VectorFiles.Calldata(SettlementClaim.Create(batch, proof))));
    }
}
