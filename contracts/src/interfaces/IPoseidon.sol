// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Poseidon over BN254 Fr of two inputs (t = 3), circomlib's parameters
interface IPoseidonT3 {
    /// @notice The hash of a pair.
    /// @param inputs two field elements
    /// @return a field element
    function hash(uint256[2] calldata inputs) external pure returns (uint256);
}

/// @title Poseidon over BN254 Fr of five inputs (t = 6), circomlib's parameters
interface IPoseidonT6 {
    /// @notice The hash of five elements.
    /// @param inputs five field elements
    /// @return a field element
    function hash(uint256[5] calldata inputs) external pure returns (uint256);
}
