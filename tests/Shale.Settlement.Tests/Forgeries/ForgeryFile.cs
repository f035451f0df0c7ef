using System.Globalization;
using System.Numerics;
using System.Text.Json.Nodes;
using Shale.Bn254.Curve;
using Shale.Bn254.Fields;
using Shale.Groth16.Files;
using Shale.Groth16.Prover;
using Shale.Groth16.Verifier;
using Shale.Settlement.Circuit;
using Shale.Settlement.Claims;
using Shale.Settlement.Tests.Model;
using Shale.Settlement.Tests.Support;
using Shale.Settlement.Tests.Vectors;

namespace Shale.Settlement.Tests.Forgeries;

/// <summary>One forgery as published: what is sent, with the proof that comes with it.</summary>
internal sealed record PublishedForgery(string Name, SettleCall Call, Proof Proof, Fr[]? Signals);

/// <summary>tests/vectors/forgeries/forgeries.json.</summary>
public sealed class ForgeryFile
{
    private static readonly string Path = System.IO.Path.Combine(VectorFiles.Folder("forgeries"), "forgeries.json");

    public ForgeryFile()
    {
        if (Environment.GetEnvironmentVariable("SHALE_WRITE_VECTORS") == "1")
        {
            Directory.CreateDirectory(System.IO.Path.GetDirectoryName(Path)!);
            File.WriteAllText(Path, VectorFiles.Write(new JsonArray([.. ForgeryCorpus.All.Select(Describe)])));
        }
    }

    internal static ForgeryBase BaseOf(Forgery forgery) => new(SettlementSequence.Steps.Single(s => s.Name == forgery.Step));

    internal static IReadOnlyList<PublishedForgery> Read() => [.. JsonNode.Parse(File.ReadAllText(Path))!.AsArray().Select(node =>
    {
        JsonNode call = node!["calldata"]!;
        byte[] words = [.. call["proof"]!.AsArray().SelectMany(w => Bytes(w!))];
        if (!G1Affine.TryFromBytesBigEndian(words.AsSpan(0, 64), out G1Affine a) || !G2Affine.TryFromBytesBigEndian(words.AsSpan(64, 128), out G2Affine b) ||
            !G1Affine.TryFromBytesBigEndian(words.AsSpan(192, 64), out G1Affine c))
        {
            throw new FormatException($"{node["name"]}: no proof.");
        }

        return new PublishedForgery(
            (string)node["name"]!,
            new SettleCall(Number(call["newRoot"]!), Number(call["paid"]!), Bytes(call["entries"]!), Bytes(call["leaseIds"]!), Number(call["c"]!)),
            new Proof(a, b, c),
            node["signals"]?.AsArray().Select(s => Fr.FromBigInteger(Number(s!))).ToArray());
    })];

    private static JsonObject Describe(Forgery forgery)
    {
        ForgeryBase honest = BaseOf(forgery);
        ForgedClaim claim = forgery.Make(honest);
        Proof proof = ProofFor(forgery, honest, claim);
        JsonArray? signals = null;
        SequenceReplay.Before(forgery.Step).Settle(claim.Call, (c, r, d) =>
        {
            signals = [VectorFiles.Hex(c), VectorFiles.Hex(r), VectorFiles.Hex(d)];
            return false;
        });
        return new JsonObject
        {
            ["name"] = forgery.Name,
            ["why"] = forgery.Why,
            ["insteadOf"] = forgery.Step,
            ["circuit"] = forgery.Circuit,
            ["contract"] = forgery.Contract.ToString(),
            ["calldata"] = new JsonObject
            {
                ["provider"] = SettlementSequence.Provider,
                ["page"] = SettlementSequence.Page,
                ["newRoot"] = Word(claim.Call.NewRoot),
                ["paid"] = Word(claim.Call.Paid),
                ["entries"] = "0x" + Convert.ToHexStringLower(claim.Call.Entries),
                ["leaseIds"] = "0x" + Convert.ToHexStringLower(claim.Call.LeaseIds),
                ["c"] = Word(claim.Call.C),
                ["proof"] = VectorFiles.Calldata(SettlementClaim.Create(honest.Batch, proof))["proof"]!.DeepClone(),
            },
            ["signals"] = signals,
        };
    }

    /// <summary>A proof of the prover's own statement where the circuit takes it; else, and where only the call is forged, the honest step's.</summary>
    private static Proof ProofFor(Forgery forgery, ForgeryBase honest, ForgedClaim claim)
    {
        Proof proof;
        FileFault fault;
        SettlementStatement own = claim.Attempt.Statement;
        SequenceStep? step = SettlementSequence.Steps.FirstOrDefault(s => s.Batch.Statement.D == own.D) ?? (forgery.Circuit is null ? null : honest.Step);
        if (step is not null)
        {
            string published = File.ReadAllText(System.IO.Path.Combine(VectorFiles.Folder("settlement-8"), step.Name, "proof.json"));
            return SnarkJsJson.TryReadProof(published, out proof, out fault) ? proof : throw new FormatException(fault.ToString());
        }

        Fr[] witness = Circuits.OfSize(SettlementSequence.Slots).Solve(own).Values.ToArray();
        return Groth16Prover.TryProve(DevelopmentKey.OfEight, witness, out proof, out fault) ? proof : throw new InvalidOperationException($"{forgery.Name}: {fault}");
    }

    private static string Word(BigInteger number) => "0x" + number.ToString("x64", CultureInfo.InvariantCulture)[^64..];

    private static BigInteger Number(JsonNode hex) => new(Bytes(hex), isUnsigned: true, isBigEndian: true);

    private static byte[] Bytes(JsonNode hex) => Convert.FromHexString(((string)hex!)[2..]);
}
