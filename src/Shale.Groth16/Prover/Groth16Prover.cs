using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Shale.Bn254.Curve;
using Shale.Bn254.Fields;
using Shale.Bn254.Msm;
using Shale.Groth16.Files;
using Shale.Groth16.Verifier;

namespace Shale.Groth16.Prover;

/// <summary>
/// Makes Groth16 proofs from a mapped .zkey and a witness. Every proof is randomised, and verified before it is handed out: a witness that
/// does not satisfy the circuit, or a damaged key, gives a fault and no proof.
/// </summary>
public static unsafe class Groth16Prover
{
    /// <summary>Proves that the witness satisfies the key's circuit.</summary>
    /// <param name="key">The key.</param>
    /// <param name="witness">The values of all wires, the first of them one.</param>
    /// <param name="proof">The proof.</param>
    /// <param name="fault">Why there is none.</param>
    /// <param name="progress">Told the share that is done, 0 to 1.</param>
    /// <param name="cancellation">Stops the work within a fraction of a second.</param>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static bool TryProve(
        ZKey key, Fr[] witness, out Proof proof, out FileFault fault, IProgress<double>? progress = null, CancellationToken cancellation = default) =>
        TryProve(key, witness, RandomFr, allowUnsafeKey: false, out proof, out fault, progress, cancellation);

    /// <summary>The public inputs of a witness, as a verifier takes them.</summary>
    public static Fr[] PublicInputs(ZKey key, ReadOnlySpan<Fr> witness)
    {
        ArgumentNullException.ThrowIfNull(key);
        return witness.Slice(1, key.PublicCount).ToArray();
    }

    /// <summary>The same with the source of randomness in the caller's hand, and with keys that lack phase 2 if it says so.</summary>
    internal static bool TryProve(
        ZKey key, Fr[] witness, Func<Fr> random, bool allowUnsafeKey, out Proof proof, out FileFault fault, IProgress<double>? progress, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(witness);
        proof = default;
        fault = default;
        if (witness.Length != key.WireCount || witness[0] != Fr.One)
        {
            fault = new FileFault("witness", $"has {witness.Length} values, the key's circuit {key.WireCount} wires, the first of them one");
            return false;
        }

        if (key.VerificationKey.LacksPhase2 && !allowUnsafeKey)
        {
            fault = key.Fault(ZKey.HeaderSection, "gamma equals delta: nobody has contributed to phase 2, and proofs under this key show nothing");
            return false;
        }

        if (!ProverSums.TryCompute(key, witness, progress, cancellation, out var sums, out fault))
        {
            return false;
        }

        proof = Assemble(key, sums, random(), random());
        if (Groth16Verifier.VerifyWithoutKeyCheck(key.VerificationKey, PublicInputs(key, witness), proof) != Verdict.Valid)
        {
            proof = default;
            fault = new FileFault("proof", "does not verify: the witness does not satisfy the circuit, or the key is damaged");
            return false;
        }

        progress?.Report(1);
        return true;
    }

    private static Proof Assemble(ZKey key, in ProverSums sums, in Fr r, in Fr s)
    {
        var a = sums.A + key.VerificationKey.Alpha + (key.Delta1 * r);
        var b = sums.B2 + key.VerificationKey.Beta + (key.VerificationKey.Delta * s);
        var b1 = sums.B1 + key.Beta1 + (key.Delta1 * s);
        var c = sums.CAndH + (a * s) + (b1 * r) - (key.Delta1 * (r * s));
        return new Proof(a, b, c);
    }

    private static Fr RandomFr()
    {
        Span<byte> bytes = stackalloc byte[48];
        RandomNumberGenerator.Fill(bytes);
        var value = Fr.ReduceBigEndian(bytes);
        CryptographicOperations.ZeroMemory(bytes);
        return value;
    }
}
