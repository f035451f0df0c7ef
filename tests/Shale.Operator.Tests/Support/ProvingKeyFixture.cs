using System.Collections.Concurrent;
using Shale.Bn254.Fields;
using Shale.Groth16;
using Shale.Groth16.Constraints;
using Shale.Groth16.Files;
using Shale.Groth16.Verifier;
using Shale.Operator.Settling;
using Shale.Settlement.Batching;
using Shale.Settlement.Circuit;
using Xunit;

namespace Shale.Operator.Tests.Support;

/// <summary>A development key for pages of 8, made once.</summary>
public sealed class ProvingKeyFixture : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("shale-key-").FullName;

    public ProvingKeyFixture()
    {
        KeyPath = Path.Combine(_folder, "8.dev.zkey");
        var r1cs = Path.Combine(_folder, "8.r1cs");
        R1csFile.Write(r1cs, CircuitCompiler.Compile(new SettlementCircuit(8)).Constraints);
        Assert.True(ProofFiles.TrySetup(r1cs, KeyPath, ProofFiles.DefaultSeed, out var fault, null, CancellationToken.None), fault.ToString());
        Assert.True(ZKey.TryOpen(KeyPath, out var key, out fault), fault.ToString());
        using (key)
        {
            VerificationKey = key.VerificationKey;
        }

        Prover = new RememberingProver(new SettlementProver(new Dictionary<int, string> { [8] = KeyPath }));
    }

    public string KeyPath { get; }

    public VerificationKey VerificationKey { get; }

    /// <summary>The real prover; the same statement is proved once in a test run.</summary>
    internal ISettlementProver Prover { get; }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}

internal sealed class RememberingProver(ISettlementProver inner) : ISettlementProver
{
    private readonly ConcurrentDictionary<Fr, Proof> _proofs = new();

    public Proof Prove(SettlementBatch batch, CancellationToken cancellation) => _proofs.GetOrAdd(batch.Statement.C, _ => inner.Prove(batch, cancellation));
}

[CollectionDefinition("proving key")]
public sealed class ProvingKeyCollection : ICollectionFixture<ProvingKeyFixture>;
