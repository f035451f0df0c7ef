// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Whose a Filecoin miner ID is
/// @notice The replaceable part of the registry: Filecoin's own actor call where there is one (`FilecoinMiners`), a declaration elsewhere (`DeclaredMiners`).
interface IMinerControl {
    /// @notice Checks a claim to a miner ID. Reverts where the chain can tell and the claim is false.
    /// @param minerId the miner actor's ID: 1946720 for f01946720
    /// @param claimant who says that the miner is theirs
    /// @return verified true: the chain confirmed it; false: this chain cannot tell, the ID is the claimant's word
    function check(uint64 minerId, address claimant) external returns (bool verified);
}
