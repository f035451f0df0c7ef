using System.Diagnostics;
using System.Text.RegularExpressions;
using Shale.Bn254.Fields;
using Shale.Groth16.Constraints;
using Shale.Groth16.Constraints.Gadgets;
using Shale.Groth16.Files;
using Shale.Groth16.Prover;
using Shale.Groth16.Verifier;
using Shale.Groth16.Tests.Constraints.Support;
using Shale.TestPeers;
using Xunit;

namespace Shale.Groth16.Tests.Constraints;

/// <summary>Runs the commands of docs/CEREMONY.md on a small circuit, and proves with the key that comes out.</summary>
public sealed partial class CeremonyTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("shale-ceremony-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Ceremony_AsDocumented_GivesAKeyThatProvesAndVerifies()
    {
        // The preimage of a hash: one output, one private input.
        var preimage = new PreimageCircuit();
        CompiledCircuit<Fr> circuit = CircuitCompiler.Compile(preimage);
        R1csFile.Write(Path.Combine(_folder, "toy.r1cs"), circuit.Constraints);
        Assert.True(circuit.Constraints.ConstraintCount + 2 <= 1 << 8);

        string document = File.ReadAllText(Path.Combine(NodePeer.Folder, "..", "..", "docs", "CEREMONY.md"));
        string script = string.Concat(ShellBlocks().Matches(document).Select(m => m.Groups[1].Value));
        Assert.Equal(12, script.Split('\n').Count(line => line.StartsWith("snarkjs ", StringComparison.Ordinal)));
        string output = Run(script);
        Assert.Contains("ZKey Ok!", output, StringComparison.Ordinal);

        Assert.True(ZKey.TryOpen(Path.Combine(_folder, "toy.0.zkey"), out ZKey? unsafeKey, out FileFault fault), fault.ToString());
        Fr[] witness = circuit.Solve(Fr.FromUInt64(5)).Values.ToArray();
        using (unsafeKey)
        {
            Assert.True(unsafeKey.VerificationKey.LacksPhase2);
            Assert.False(Groth16Prover.TryProve(unsafeKey, witness, out _, out _));
        }

        Assert.True(ZKey.TryOpen(Path.Combine(_folder, "toy.zkey"), out ZKey? key, out fault), fault.ToString());
        using (key)
        {
            Assert.False(key.VerificationKey.IsDevelopment);
            Assert.False(key.VerificationKey.LacksPhase2);
            Assert.True(Groth16Prover.TryProve(key, witness, out Proof proof, out fault), fault.ToString());
            Assert.True(SnarkJsJson.TryReadVerificationKey(File.ReadAllText(Path.Combine(_folder, "toy.verification_key.json")), out VerificationKey? published, out fault), fault.ToString());
            Assert.Equal(Verdict.Valid, Groth16Verifier.Verify(published, [witness[1]], proof));
            Assert.Equal(Verdict.Invalid, Groth16Verifier.Verify(published, [witness[1] + Fr.One], proof));
        }
    }

    private string Run(string script)
    {
        var start = new ProcessStartInfo("bash", ["-euo", "pipefail", "-c", script]) { WorkingDirectory = _folder, RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["PATH"] = Path.Combine(NodePeer.Folder, "node_modules", ".bin") + ":" + start.Environment["PATH"];
        start.Environment["CIRCUIT"] = "toy.r1cs";
        start.Environment["POWER"] = "8";
        start.Environment["NAME"] = "toy";
        start.Environment["BEACON"] = "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20";
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(), errors = process.StandardError.ReadToEndAsync();
        Assert.True(process.WaitForExit(TimeSpan.FromMinutes(5)), "The ceremony did not end in time.");
        Assert.True(process.ExitCode == 0, output.Result + errors.Result);
        return output.Result;
    }

    [GeneratedRegex("^```sh\n(.*?)^```$", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex ShellBlocks();

    private sealed class PreimageCircuit : ICircuit<Fr>
    {
        public Fr Blank => Fr.Zero;

        public void Define(ConstraintSystem system, Fr input)
        {
            Variable hash = system.PublicOutput("hash", Bn254.Poseidon.Poseidon.Hash(input));
            system.AssertEqual(PoseidonGadget.Hash(system, system.PrivateInput("preimage", input)), hash, "hash");
        }
    }
}
