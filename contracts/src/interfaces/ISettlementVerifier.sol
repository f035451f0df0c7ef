// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title The Groth16 verifier of one page size's settlement circuit (BN254)
/// @notice One contract per page size (8, 64, 256); its verifying key is in its code.
interface ISettlementVerifier {
    /// @notice Whether a proof holds for a statement.
    /// @param proof the points A, B, C as the pairing precompile takes them (EIP-197): A.x, A.y, B.x.c1, B.x.c0, B.y.c1, B.y.c0, C.x, C.y;
    ///        c1 is the coefficient of i, and it comes first. (snarkjs's `proof.json` lists c0 first.)
    /// @param inputs the circuit's public outputs (C, r, d), each below the scalar field's order
    /// @return whether the pairing equation holds; false, never a revert, for points that are not canonical or off the curve
    function verify(uint256[8] calldata proof, uint256[3] calldata inputs) external view returns (bool);

    /// @notice Whether the key comes from a development set-up whose secret is known to everybody.
    /// @return true for a development key: whoever reads the seed can prove anything
    function isDevelopmentKey() external view returns (bool);

    /// @notice The page size that the circuit is for.
    /// @return 8, 64 or 256
    function slots() external view returns (uint256);
}
