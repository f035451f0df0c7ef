using System.Collections.Concurrent;
using Shale.Bn254.Fields;
using Shale.Groth16.Constraints;
using Shale.Groth16.Files;
using Shale.Groth16.Prover;
using Shale.Groth16.Verifier;
using Shale.Settlement.Batching;
using Shale.Settlement.Circuit;

namespace Shale.Operator.Settling;

/// <summary>Where proofs come from.</summary>
internal interface ISettlementProver
{
    /// <summary>Proves a batch; the proof was verified.</summary>
    Proof Prove(SettlementBatch batch, CancellationToken cancellation);
}

/// <summary>Proves batches under the deployment's keys. A key is mapped while it is used; a circuit stays compiled.</summary>
internal sealed class SettlementProver(IReadOnlyDictionary<int, string> keys) : ISettlementProver
{
    private readonly ConcurrentDictionary<int, CompiledCircuit<SettlementStatement>> _circuits = new();

    /// <summary>Proves a batch; the proof was verified.</summary>
    /// <exception cref="OperatorException">The key can't be used, or is not this circuit's.</exception>
    /// <exception cref="InvalidOperationException">The batch does not satisfy its circuit: a bug in its planning.</exception>
    public Proof Prove(SettlementBatch batch, CancellationToken cancellation)
    {
        var slots = batch.OldPage.Slots;
        if (!keys.TryGetValue(slots, out var path))
        {
            throw new OperatorException($"There is no proving key for pages of {slots}.", $"Name it with --key={slots}:FILE.zkey.");
        }

        var circuit = _circuits.GetOrAdd(slots, n => CircuitCompiler.Compile(new SettlementCircuit(n)));
        var witness = circuit.Solve(batch.Statement);
        if (!witness.IsSatisfied)
        {
            throw new InvalidOperationException($"The settlement of page {batch.Page} does not satisfy its circuit: {witness.Failure}.");
        }

        if (!ZKey.TryOpen(path, out var key, out var fault))
        {
            throw new OperatorException($"{path} can't be used as a proving key: {fault}.", "shale proof inspect says what a file holds.");
        }

        using (key)
        {
            Fr[] values = witness.Values.ToArray();
            return Groth16Prover.TryProve(key, values, out var proof, out fault, null, cancellation)
                ? proof
                : throw new OperatorException($"No proof under {path}: {fault}.", $"The key has to be that of the circuit for pages of {slots}: shale proof inspect settlement-{slots}.");
        }
    }
}
