using Shale.Bn254.Curve;

namespace Shale.Groth16.Verifier;

/// <summary>
/// A Groth16 proof. Anybody can turn a valid proof into another valid proof of the same statement without knowing the witness, so neither
/// a proof nor its hash identifies anything: bind replay protection to the public inputs.
/// </summary>
/// <param name="A">π_A, in G1.</param>
/// <param name="B">π_B, in G2 (in the subgroup).</param>
/// <param name="C">π_C, in G1.</param>
public readonly record struct Proof(G1Affine A, G2Affine B, G1Affine C);
