using System.Globalization;
using System.Security.Cryptography;
using Shale.Bn254.Fields;
using Shale.Groth16.Files;
using Shale.Groth16.Prover;
using Shale.Groth16.Setup;
using Shale.Groth16.Verifier;

namespace Shale.Groth16;

/// <summary>
/// The whole operations of `shale proof`, from files to files. A file that is refused gives a fault that names it and its faulty section;
/// only failing I/O and cancellation throw.
/// </summary>
public static class ProofFiles
{
    /// <summary>The seed of development keys when none is given: known to everybody, which is the point.</summary>
    public static ReadOnlySpan<byte> DefaultSeed => SHA256.HashData("shale development set-up: not for real money"u8);

    /// <summary>Makes a development key of a .r1cs file.</summary>
    public static bool TrySetup(
        string r1csPath, string keyPath, ReadOnlySpan<byte> seed, out FileFault fault, IProgress<double>? progress = null, CancellationToken cancellation = default)
    {
        if (!R1csFile.TryRead(r1csPath, out var r1cs, out fault))
        {
            fault = Named(r1csPath, fault);
            return false;
        }

        DevelopmentSetup.Create(r1cs, seed, keyPath, progress, cancellation);
        return true;
    }

    /// <summary>Proves a .wtns under a .zkey; writes proof.json and public.json, and neither unless the proof verifies.</summary>
    public static bool TryProve(
        string keyPath, string witnessPath, string proofPath, string publicPath, out FileFault fault, IProgress<double>? progress = null, CancellationToken cancellation = default)
    {
        if (!WtnsFile.TryRead(witnessPath, out var witness, out fault))
        {
            fault = Named(witnessPath, fault);
            return false;
        }

        if (!ZKey.TryOpen(keyPath, out var key, out fault))
        {
            fault = Named(keyPath, fault);
            return false;
        }

        using (key)
        {
            if (!Groth16Prover.TryProve(key, witness, out var proof, out fault, progress, cancellation))
            {
                fault = Named(keyPath, fault);
                return false;
            }

            File.WriteAllText(publicPath, SnarkJsJson.Write(Groth16Prover.PublicInputs(key, witness)));
            File.WriteAllText(proofPath, SnarkJsJson.Write(proof));
            return true;
        }
    }

    /// <summary>Verifies a proof.json and a public.json under a verification_key.json or a .zkey. False with a fault when a file is refused.</summary>
    public static bool TryVerify(string keyPath, string publicPath, string proofPath, out Verdict verdict, out FileFault fault)
    {
        verdict = Verdict.Invalid;
        if (!TryReadVerificationKey(keyPath, out var key, out fault))
        {
            return false;
        }

        if (!TryReadText(publicPath, out var text, out fault) || !SnarkJsJson.TryReadPublic(text, out var inputs, out fault))
        {
            fault = Named(publicPath, fault);
            return false;
        }

        if (!TryReadText(proofPath, out text, out fault) || !SnarkJsJson.TryReadProof(text, out var proof, out fault))
        {
            fault = Named(proofPath, fault);
            return false;
        }

        verdict = Groth16Verifier.Verify(key, inputs, proof);
        return true;
    }

    /// <summary>The verification key of a verification_key.json or a .zkey.</summary>
    public static bool TryReadVerificationKey(string path, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out VerificationKey? key, out FileFault fault)
    {
        key = null;
        ArgumentNullException.ThrowIfNull(path);
        if (path.EndsWith(".json", StringComparison.OrdinalIgnoreCase))
        {
            if (!TryReadText(path, out var text, out fault) || !SnarkJsJson.TryReadVerificationKey(text, out key, out fault))
            {
                fault = Named(path, fault);
                return false;
            }

            return true;
        }

        if (!ZKey.TryOpen(path, out var zkey, out fault))
        {
            fault = Named(path, fault);
            return false;
        }

        key = zkey.VerificationKey;
        zkey.Dispose();
        return true;
    }

    /// <summary>What a .r1cs, .zkey, .wtns or verification_key.json holds, as lines of name and value.</summary>
    public static bool TryInspect(string path, out IReadOnlyList<(string Name, string Value)> facts, out FileFault fault)
    {
        ArgumentNullException.ThrowIfNull(path);
        var lines = new List<(string, string)>();
        facts = lines;
        switch (Path.GetExtension(path).ToUpperInvariant())
        {
            case ".R1CS":
                if (!R1csFile.TryRead(path, out var r1cs, out fault))
                {
                    break;
                }

                Add("constraints", r1cs.ConstraintCount);
                Add("wires", r1cs.WireCount);
                Add("public outputs", r1cs.OutputCount);
                Add("public inputs", r1cs.PublicInputCount);
                Add("private inputs", r1cs.PrivateInputCount);
                Add("terms", (long)r1cs.A.TermCount + r1cs.B.TermCount + r1cs.C.TermCount);
                Add("distinct coefficients", r1cs.Coefficients.Count);
                return true;
            case ".WTNS":
                if (!WtnsFile.TryRead(path, out var witness, out fault))
                {
                    break;
                }

                Add("values", witness.Length);
                Add("values 0 or 1", witness.Count(v => v.IsZero || v == Fr.One));
                return true;
            case ".ZKEY":
                if (!ZKey.TryOpen(path, out var key, out fault))
                {
                    break;
                }

                using (key)
                {
                    Add("wires", key.WireCount);
                    Add("domain", key.DomainSize);
                    Add("terms of A and B", key.CoefficientCount);
                    Add("bytes", key.FileLength);
                    AddKey(key.VerificationKey);
                }

                return true;
            default:
                if (!TryReadVerificationKey(path, out var verificationKey, out fault))
                {
                    return false;
                }

                AddKey(verificationKey);
                return true;
        }

        fault = Named(path, fault);
        return false;

        void Add(string name, long value) => lines.Add((name, value.ToString("N0", CultureInfo.InvariantCulture)));

        void AddKey(VerificationKey key)
        {
            Add("public", key.PublicCount);
            lines.Add(("origin", key.IsDevelopment ? DevelopmentSetup.Warning : "not marked as a development key"));
            lines.Add(("phase 2", key.LacksPhase2 ? "UNSAFE: nobody has contributed (gamma = delta)" : "contributed to (gamma and delta differ)"));
        }
    }

    private static bool TryReadText(string path, out string text, out FileFault fault)
    {
        text = "";
        fault = default;
        var file = new FileInfo(path);
        if (!file.Exists || file.Length > SnarkJsJson.MaximumLength)
        {
            fault = new FileFault("file", file.Exists ? $"is longer than {SnarkJsJson.MaximumLength} bytes" : "does not exist");
            return false;
        }

        text = File.ReadAllText(path);
        return true;
    }

    private static FileFault Named(string path, FileFault fault) => new($"{Path.GetFileName(path)}, {fault.Section}", fault.Problem);
}
