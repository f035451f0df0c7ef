using System.Globalization;
using System.Text;
using Shale.Bn254.Curve;
using Shale.Bn254.Fields;

namespace Shale.Groth16.Verifier;

/// <summary>
/// Writes a Solidity contract that verifies proofs under one key, with the key in its code. ABI, for n public inputs:
/// <code>
/// function verify(uint256[8] calldata proof, uint256[n] calldata inputs) external view returns (bool)
/// function isDevelopmentKey() external view returns (bool)
/// error InputNotCanonical(uint256 index)   // inputs[index] is not below r
/// error PrecompileFailed(uint256 number)   // 6 or 7 failed on points that are on the curve: out of gas
/// </code>
/// proof is A.x, A.y, B.x.c1, B.x.c0, B.y.c1, B.y.c0, C.x, C.y: the imaginary parts first, as the precompile of EIP-197 takes them (and
/// proof.json does not). A proof whose points are not canonical, off the curve or outside the subgroup gives false, as a wrong one does.
/// </summary>
public static class SolidityVerifier
{
    /// <summary>The arguments of verify for a proof, in order.</summary>
    public static string[] ProofWords(in Proof proof) =>
    [
        proof.A.X.ToString(), proof.A.Y.ToString(),
        proof.B.X.C1.ToString(), proof.B.X.C0.ToString(), proof.B.Y.C1.ToString(), proof.B.Y.C0.ToString(),
        proof.C.X.ToString(), proof.C.Y.ToString(),
    ];

    /// <summary>The source text.</summary>
    /// <param name="key">The key; without phase 2 it is refused.</param>
    /// <param name="contract">The contract's name, a Solidity identifier.</param>
    /// <exception cref="ArgumentException">γ = δ, or a name that is no identifier.</exception>
    public static string Write(VerificationKey key, string contract = "Groth16Verifier")
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(contract);
        if (key.LacksPhase2)
        {
            throw new ArgumentException("gamma equals delta: nobody has contributed to phase 2.", nameof(key));
        }

        if (contract.Length == 0 || !contract.All(c => char.IsAsciiLetterOrDigit(c) || c == '_') || char.IsAsciiDigit(contract[0]))
        {
            throw new ArgumentException("Not a Solidity identifier.", nameof(contract));
        }

        var text = new StringBuilder(Head);
        if (key.IsDevelopment)
        {
            text.Append("/// @notice UNSAFE: the key was made from a seed; whoever knows the seed can prove anything. Not for real money.\n");
        }

        var n = key.PublicCount;
        text.Append(CultureInfo.InvariantCulture, $"contract {contract} {{\n");
        text.Append(Errors);
        text.Append(CultureInfo.InvariantCulture, $"    /// @notice Whether the key comes from a development set-up, whose secrets are known.\n    bool public constant isDevelopmentKey = {(key.IsDevelopment ? "true" : "false")};\n\n");
        Constant(text, "R", Fr.Modulus.ToString(CultureInfo.InvariantCulture));
        Constant(text, "Q", Fp.Modulus.ToString(CultureInfo.InvariantCulture));
        Point(text, "ALPHA", key.Alpha);
        Point(text, "BETA", key.Beta);
        Point(text, "GAMMA", key.Gamma);
        Point(text, "DELTA", key.Delta);
        for (var i = 0; i <= n; i++)
        {
            Point(text, $"IC{i}", key.Inputs[i]);
        }

        text.Append(VerifyHead.Replace("INPUTS", n.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal));
        for (var i = 0; i < n; i++)
        {
            text.Append(CultureInfo.InvariantCulture, $"        (x, y) = _accumulate(x, y, IC{i + 1}_X, IC{i + 1}_Y, inputs[{i}], {i});\n");
        }

        return text.Append(Tail).ToString();
    }

    private const string Head =
        """
        // SPDX-License-Identifier: Apache-2.0
        pragma solidity ^0.8.20;

        /// @title A Groth16 verifier over BN254 for one key, written by `shale proof export-verifier`
        /// @dev e(A, B) = e(alpha, beta) · e(Σ inputs, gamma) · e(C, delta), by the precompiles of EIP-196 and EIP-197. A valid proof can be
        ///      turned into another valid proof of the same inputs by anybody: never use a proof, or its hash, as an identifier.

        """;

    private const string Errors =
        """
            /// @notice inputs[index] is not below the order of the scalar field: it would be a second spelling of a smaller number.
            error InputNotCanonical(uint256 index);

            /// @notice Precompile `number` failed on points of the key, which happens only when it is given too little gas.
            error PrecompileFailed(uint256 number);


        """;

    private const string VerifyHead =
        """

            /// @notice Whether the proof holds for these inputs.
            /// @param proof A.x, A.y, B.x.c1, B.x.c0, B.y.c1, B.y.c0, C.x, C.y (c1, the coefficient of i, first)
            /// @param inputs the public inputs, each below the order of the scalar field
            /// @return whether the pairing equation holds; false for points that are not canonical or not in their groups
            function verify(uint256[8] calldata proof, uint256[INPUTS] calldata inputs) external view returns (bool) {
                (uint256 x, uint256 y) = (IC0_X, IC0_Y);

        """;

    private const string Tail =
        """
                // A is negated here, so its y is checked here; the precompile checks every other coordinate.
                if (proof[1] >= Q) return false;
                uint256[24] memory pairs = [
                    proof[0], (Q - proof[1]) % Q, proof[2], proof[3], proof[4], proof[5],
                    ALPHA_X, ALPHA_Y, BETA_X1, BETA_X0, BETA_Y1, BETA_Y0,
                    x, y, GAMMA_X1, GAMMA_X0, GAMMA_Y1, GAMMA_Y0,
                    proof[6], proof[7], DELTA_X1, DELTA_X0, DELTA_Y1, DELTA_Y0
                ];
                bool called;
                uint256 product;
                assembly ("memory-safe") {
                    called := staticcall(gas(), 8, pairs, 768, 0, 32)
                    product := mload(0)
                }
                return called && product == 1;
            }

            /// @dev (x, y) + scalar · (px, py)
            function _accumulate(uint256 x, uint256 y, uint256 px, uint256 py, uint256 scalar, uint256 index)
                private
                view
                returns (uint256, uint256)
            {
                if (scalar >= R) revert InputNotCanonical(index);
                uint256[4] memory words = [px, py, scalar, 0];
                bool called;
                assembly ("memory-safe") {
                    called := staticcall(gas(), 7, words, 96, words, 64)
                }
                if (!called) revert PrecompileFailed(7);
                (words[2], words[3]) = (x, y);
                assembly ("memory-safe") {
                    called := staticcall(gas(), 6, words, 128, words, 64)
                }
                if (!called) revert PrecompileFailed(6);
                return (words[0], words[1]);
            }
        }

        """;

    private static void Constant(StringBuilder text, string name, string value) =>
        text.Append(CultureInfo.InvariantCulture, $"    uint256 private constant {name} = {value};\n");

    private static void Point(StringBuilder text, string name, in G1Affine point)
    {
        Constant(text, name + "_X", point.X.ToString());
        Constant(text, name + "_Y", point.Y.ToString());
    }

    private static void Point(StringBuilder text, string name, in G2Affine point)
    {
        Constant(text, name + "_X1", point.X.C1.ToString());
        Constant(text, name + "_X0", point.X.C0.ToString());
        Constant(text, name + "_Y1", point.Y.C1.ToString());
        Constant(text, name + "_Y0", point.Y.C0.ToString());
    }
}
