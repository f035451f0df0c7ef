using Shale.Bn254.Curve;

namespace Shale.Groth16.Verifier;

/// <summary>What a verifier of one circuit needs. Its points are on their curves and in their subgroups. Immutable.</summary>
public sealed class VerificationKey
{
    /// <summary>A key of these points.</summary>
    /// <param name="alpha">α in G1.</param>
    /// <param name="beta">β in G2.</param>
    /// <param name="gamma">γ in G2.</param>
    /// <param name="delta">δ in G2.</param>
    /// <param name="inputs">One point for the constant one and one for each public input ("IC").</param>
    /// <param name="development">True for a key whose secrets are known (see <see cref="IsDevelopment"/>).</param>
    /// <exception cref="ArgumentException">No point for the constant.</exception>
    public VerificationKey(in G1Affine alpha, in G2Affine beta, in G2Affine gamma, in G2Affine delta, IReadOnlyList<G1Affine> inputs, bool development)
    {
        ArgumentNullException.ThrowIfNull(inputs);
        if (inputs.Count == 0)
        {
            throw new ArgumentException("The constant one needs a point.", nameof(inputs));
        }

        Alpha = alpha;
        Beta = beta;
        Gamma = gamma;
        Delta = delta;
        Inputs = inputs;
        IsDevelopment = development;
    }

    /// <summary>α in G1.</summary>
    public G1Affine Alpha { get; }

    /// <summary>β in G2.</summary>
    public G2Affine Beta { get; }

    /// <summary>γ in G2.</summary>
    public G2Affine Gamma { get; }

    /// <summary>δ in G2.</summary>
    public G2Affine Delta { get; }

    /// <summary>The points of the constant one and of the public inputs ("IC"), in order.</summary>
    public IReadOnlyList<G1Affine> Inputs { get; }

    /// <summary>The number of public inputs.</summary>
    public int PublicCount => Inputs.Count - 1;

    /// <summary>True when the key was made from a seed: whoever knows the seed can prove anything. Never for money.</summary>
    public bool IsDevelopment { get; }

    /// <summary>
    /// True when γ = δ, as snarkjs' "groth16 setup" leaves them until somebody contributes to phase 2. Then a proof for other public
    /// inputs can be made from any valid one by anybody. <see cref="Groth16Verifier"/> refuses such a key.
    /// </summary>
    public bool LacksPhase2 => Gamma == Delta;
}
